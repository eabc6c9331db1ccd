"""Ids of records in few Parquet files travel as numbers, and come out as the files and positions that they are."""

from collections.abc import Callable

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

import bigdebug
from bigdebug.lineage.chaining import ChainedTrace
from bigdebug.lineage.packed_ids import MOST_FILES, packing_of
from bigdebug.lineage.pinned import pinned_session
from bigdebug.lineage.trace import Trace
from tests.thinned import thinned

RECORDS, SORTS = 140, 7
KINDS = range(5)
NAMES = ("plain", "with space", "100%", "a+b=c", "%41%20", "ünï€", "[x]{y}", "a#b?")

WAYS = {
    "values travel": {},
    "values are read again": {"trace.SMALL_BYTES": -1},
    "ids stay in Spark": {"trace.SMALL_BYTES": -1, "segments.FETCHED": 3},
}
FILES = {"one file": 1, "some files": 8, "too many files": MOST_FILES + 1}

Two = tuple[DataFrame, DataFrame]
Found = tuple[set[int], set[int]]

# Of each: what it makes of items and kinds, which row is traced, and the records that this is made of.
PROGRAMS: dict[str, tuple[Callable[[Two], DataFrame], str, Found]] = {
    "groups of a join": (
        lambda two: two[0].join(two[1], "k").groupBy("name").agg(F.sum("n")),
        "name = 'kind 3'",
        (set(range(3, RECORDS, SORTS)), {3}),
    ),
    "a join without a partner": (lambda two: two[0].join(two[1], "k", "left"), "n = 12", ({12}, set())),
    "groups of an outer join": (
        lambda two: two[0].filter("k <> 2").join(two[1], "k", "full").groupBy("k").agg(F.count("n")),
        "k in (2, 4, 6)",
        ({n for n in range(RECORDS) if n % SORTS in (4, 6)}, {2, 4}),
    ),
    "a union": (
        lambda two: two[0].select("k").union(two[1].select("k")).groupBy("k").count(),
        "k = 4",
        (set(range(4, RECORDS, SORTS)), {4}),
    ),
    "groups of groups": (
        lambda two: two[0].groupBy("k").agg(F.max("n").alias("most")).join(two[1], "k").orderBy("most"),
        "most = 134",
        (set(range(1, RECORDS, SORTS)), {1}),
    ),
}


@pytest.fixture(scope="module")
def tables(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Two]:
    """Items in so many files with odd names, and kinds, which some items have none of."""
    place = tmp_path_factory.mktemp("data")
    (place / "kinds").mkdir()
    pq.write_table(
        pa.table({"k": pa.array(KINDS, pa.int64()), "name": [f"kind {k}" for k in KINDS]}),
        place / "kinds" / "kinds.parquet",
    )
    for files in FILES.values():
        folder = place / f"items {files}"
        folder.mkdir()
        for number in range(files):
            own = [n for n in range(RECORDS) if n % files == number]
            columns = {"n": pa.array(own, pa.int64()), "k": pa.array([n % SORTS for n in own], pa.int64())}
            name = f"{NAMES[number % len(NAMES)]} {number}.parquet"
            pq.write_table(pa.table(columns), folder / name, row_group_size=6)

    def read(files: int) -> Two:
        return spark.read.parquet(str(place / f"items {files}")), spark.read.parquet(str(place / "kinds"))

    return read


def judge(trace: Trace, expected: Found, key: str, source: int) -> None:
    """The records of a source are those expected, and each stands where the trace says."""
    chosen = trace.sources[source]
    collected = trace.collect_source(chosen.name)
    assert {record.value[key] for record in collected} == expected[source]
    assert chosen.count == len(collected) == len(expected[source])
    for record in collected:
        assert record.location.file is not None
        there = pq.read_table(record.location.file, partitioning=None).slice(record.location.position, 1)
        assert there.to_pylist() == [record.value]
    rows = trace.records(chosen.name).collect()
    assert {(row[key], row._record.file, row._record.position) for row in rows} == {
        (record.value[key], record.location.file, record.location.position) for record in collected
    }


@pytest.mark.compat
@pytest.mark.parametrize(
    ("way", "files", "program"),
    thinned(
        (
            (way, files, program)
            for way, files in [
                *((way, "some files") for way in WAYS),
                *(("values are read again", files) for files in ("one file", "too many files")),
            ]
            for program in PROGRAMS
        ),
        "records of packed ids, found where they stand",
    ),
)
def test_records_are_found_where_they_stand(
    way: str,
    files: str,
    program: str,
    session: bigdebug.Session,
    tables: Callable[[int], Two],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, limit in WAYS[way].items():
        monkeypatch.setattr(f"bigdebug.lineage.{name}", limit)
    made, where, expected = PROGRAMS[program]
    trace = session.trace(made(tables(FILES[files])), where)
    assert isinstance(trace, ChainedTrace)
    packed = {leaf.name.partition(" ")[0] for leaf in trace._nearest._annotator.packings}
    assert packed == ({"kinds"} if files == "too many files" else {"items", "kinds"})
    judge(trace, expected, "n", 0)
    judge(trace, expected, "k", 1)


def test_files_whose_hashes_are_alike_are_told_apart_by_other_bits(spark: SparkSession) -> None:
    catalyst = pinned_session(spark)
    addresses = [f"file:/data/part-{number:05}.parquet" for number in range(2_000)]
    packing = packing_of(catalyst, addresses[:MOST_FILES])
    assert packing is not None
    assert len(set(packing.codes.values())) == MOST_FILES
    # By chance alone two of so many have the same bits, wherever these are taken from.
    many = packing_of(catalyst, addresses)
    assert many is None or len(set(many.codes.values())) == len(addresses)
    assert packing_of(catalyst, [addresses[0]] * 2) is None
