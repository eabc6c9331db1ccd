"""However much there is to trace, the answers are the same: what is tried here on little data by low limits."""

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

import bigdebug
from bigdebug.lineage.location import TracedRecord
from tests.thinned import thinned

WAYS = {
    "values travel": {},
    "values are read again": {"trace.SMALL_BYTES": -1},
    "values are read again, many partitions at once": {"trace.SMALL_BYTES": -1, "reading._APART": 1},
    "too many values to travel": {"segments.FETCHED_VALUES": 10},
    "ids stay in Spark": {"trace.SMALL_BYTES": -1, "segments.FETCHED": 10},
}
BLOCKS = {
    "split": {"spark.sql.files.maxPartitionBytes": "300", "spark.sql.files.openCostInBytes": "0"},
    "packed": {"spark.sql.files.maxPartitionBytes": "100000", "spark.sql.files.openCostInBytes": "0"},
}
FILES, RECORDS, MORE = 5, 24, 20


@pytest.fixture(scope="module")
def folders(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Folders of files named so that the largest, which Spark reads first, isn't the first by name."""
    place = tmp_path_factory.mktemp("data")
    for number, kind in itertools.product(range(FILES), ("csv", "json", "parquet")):
        count = RECORDS + MORE * number
        frame = spark.range(0, count, 1, 1).select(
            (F.col("id") + 1000 * number).alias("n"),
            (F.col("id") % 3).alias("k"),
            F.concat(F.lit("text of "), F.col("id").cast("string")).alias("text"),
        )
        part = place / kind / f"file={number}"
        writer = frame.write.option("parquet.block.size", 600)
        getattr(writer, kind)(str(part))
    return lambda kind: str(place / kind)


def frame_of(spark: SparkSession, folder: str, kind: str) -> DataFrame:
    return spark.read.schema("n long, k long, text string, file int").format(kind).load(folder)


def right(record: TracedRecord) -> bool:
    """Its values, made of its place, are those of the record that stands there."""
    value = record.value
    number = int(Path(record.location.file or "").parent.name.removeprefix("file="))
    position = record.location.position
    return value == {
        "n": 1000 * number + (position or 0),
        "k": (position or 0) % 3,
        "text": f"text of {position}",
        "file": number,
    }


@pytest.mark.compat
@pytest.mark.parametrize(
    ("way", "blocks", "kind"),
    thinned(
        itertools.product(WAYS, BLOCKS, ["csv", "json", "parquet"]),
        "records of files in blocks of any size",
        among=[
            ("ids stay in Spark", "packed", "json"),
            ("values travel", "split", "csv"),
            ("values are read again", "split", "parquet"),
            ("values are read again, many partitions at once", "packed", "json"),
            ("too many values to travel", "split", "parquet"),
        ],
    ),
)
def test_the_first_records_are_shown_each_with_its_own_values(
    way: str,
    blocks: str,
    kind: str,
    session: bigdebug.Session,
    spark: SparkSession,
    folders: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, limit in WAYS[way].items():
        monkeypatch.setattr(f"bigdebug.lineage.{name}", limit)
    everything = sum(RECORDS + MORE * number for number in range(FILES))
    for name, value in BLOCKS[blocks].items():
        spark.conf.set(name, value)
    try:
        frame = frame_of(spark, folders(kind), kind)
        trace = session.trace(frame.groupBy("k").agg(F.max("n").alias("most")), "k = 1")
        (source,) = trace.sources
        assert source.count == len([n for f in range(FILES) for n in range(1, RECORDS + MORE * f, 3)])
        assert len(source.files) == FILES
        for limit in (4, 30, everything):
            shown = trace.collect(limit)
            assert len(shown) == min(limit, source.count)
            assert all(right(record) and record.value["k"] == 1 for record in shown)
            places = [(record.location.file, record.location.position) for record in shown]
            assert places == sorted(set(places))
        rows = trace.records().collect()
        assert sorted(row.n for row in rows) == sorted(record.value["n"] for record in shown)
        assert {(row.n, row._record.file, row._record.position) for row in rows} == {
            (record.value["n"], record.location.file, record.location.position) for record in shown
        }
    finally:
        for name in BLOCKS[blocks]:
            spark.conf.unset(name)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_file_that_changes_between_trace_and_values_is_told(
    kind: str, session: bigdebug.Session, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bigdebug.lineage.trace.SMALL_BYTES", -1)
    spark.range(0, 50, 1, 1).selectExpr("id n", "id % 3 k").write.format(kind).save(str(tmp_path / "data"))
    frame = spark.read.schema("n long, k long").format(kind).load(str(tmp_path / "data"))
    trace = session.trace(frame.groupBy("k").count(), "k = 1")
    assert trace.sources[0].count == 17
    spark.range(0, 70, 1, 1).selectExpr("id + 9 n", "id % 3 k").write.mode("overwrite").format(kind).save(
        str(tmp_path / "data")
    )
    with pytest.raises(bigdebug.lineage.errors.SourceChangedError, match="is gone"):
        trace.collect()
    with pytest.raises(bigdebug.lineage.errors.SourceChangedError, match="is gone"):
        trace.records()
