"""What Spark's sources do that a trace must not be misled by."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

import bigdebug
from bigdebug.lineage.errors import SourceChangedError
from tests.settings import settings

SPLIT = {"spark.sql.files.maxPartitionBytes": "700", "spark.sql.files.openCostInBytes": "0"}


@pytest.fixture
def split(spark: SparkSession) -> Iterator[None]:
    with settings(spark, SPLIT):
        yield


# -- malformed records ------------------------------------------------------------------------------


def malformed_csv(folder: Path, spark: SparkSession, mode: str) -> DataFrame:
    """200 records; every fifth is malformed in `b`, six of seven in `c`."""
    lines = [f"{n},{'x' if n % 5 == 0 else n},{'' if n % 7 == 0 else 'z'}{n}\n" for n in range(200)]
    (folder / "data.csv").write_text("a,b,c\n" + "".join(lines))
    return spark.read.csv(str(folder), header=True, schema="a int, b int, c int", mode=mode)


def malformed_json(folder: Path, spark: SparkSession, mode: str) -> DataFrame:
    lines = [
        f'{{"a": {n}, "b": {chr(34) + "x" + chr(34) if n % 5 == 0 else n}, "c": {n if n % 7 == 0 else "{}"}}}\n'
        for n in range(200)
    ]
    (folder / "data.json").write_text("".join(lines))
    return spark.read.json(str(folder), schema="a int, b int, c int, _corrupt_record string", mode=mode)


CUTS: dict[str, Callable[[DataFrame], DataFrame]] = {
    "one column": lambda frame: frame.select("a"),
    "two columns": lambda frame: frame.filter("b >= 0").select("a"),
    "through an aggregate": lambda frame: frame.groupBy((F.col("a") % 3).alias("k")).agg(
        F.sum("b").alias("b")
    ),
}


@pytest.mark.compat
@pytest.mark.usefixtures("split")
@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("malformed", [malformed_csv, malformed_json], ids=["csv", "json"])
def test_a_trace_drops_the_malformed_records_that_the_run_dropped(
    malformed: Callable[[Path, SparkSession, str], DataFrame],
    cut: str,
    session: bigdebug.Session,
    spark: SparkSession,
    tmp_path: Path,
) -> None:
    frame = malformed(tmp_path, spark, "DROPMALFORMED")
    read = {"one column": 200, "two columns": 160, "through an aggregate": 160}[cut]
    result = CUTS[cut](frame)
    trace = session.trace(result)
    assert trace.matched == (3 if cut == "through an aggregate" else read)
    collected = trace.collect()
    kept = [n for n in range(200) if n % 5 or read == 200]
    assert sorted(each.value["a"] for each in collected) == kept
    # Numbered among the records that this scan kept.
    assert sorted(each.location.position for each in collected) == list(range(read))
    assert all(kept[each.location.position] == each.value["a"] for each in collected)
    assert set(collected[0].value) == ({"a"} if cut == "one column" else {"a", "b"})
    assert any("only the columns that the run read" in note for note in trace.notes)


@pytest.mark.usefixtures("split")
def test_what_is_called_corrupt_stays_so(
    session: bigdebug.Session, spark: SparkSession, tmp_path: Path
) -> None:
    frame = malformed_json(tmp_path, spark, "PERMISSIVE")
    for columns, expected in ((["a"], []), (["a", "b"], [n for n in range(200) if n % 5 == 0])):
        corrupt = frame.filter("_corrupt_record is not null").select(*columns)
        assert len(corrupt.collect()) == len(expected)
        trace = session.trace(corrupt)
        assert sorted((each.value["a"], each.location.position) for each in trace.collect()) == [
            (n, n) for n in expected
        ]


def test_records_that_would_fail_in_columns_not_read_dont(
    session: bigdebug.Session, spark: SparkSession, tmp_path: Path
) -> None:
    frame = malformed_csv(tmp_path, spark, "FAILFAST").select("a").filter("a = 5")
    assert [row.a for row in frame.collect()] == [5]
    (record,) = session.trace(frame).collect()
    assert (record.value, record.location.position) == ({"a": 5}, 5)


def test_one_file_read_twice_with_different_columns(
    session: bigdebug.Session, spark: SparkSession, tmp_path: Path
) -> None:
    frame = malformed_csv(tmp_path, spark, "DROPMALFORMED")
    both = frame.select("a").unionAll(frame.filter("b >= 0").select("a"))
    assert len(both.collect()) == 360
    trace = session.trace(both)
    assert trace.matched == 360
    assert [source.count for source in trace.sources] == [200, 160]


# -- files that change ------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_bytes_appended_to_a_listed_file_are_told(
    format: str, session: bigdebug.Session, spark: SparkSession, tmp_path: Path
) -> None:
    spark.range(20).coalesce(1).write.format(format).save(str(tmp_path / "data"))
    (file,) = (tmp_path / "data").glob("part-*")
    frame = spark.read.schema("id long").format(format).load(str(tmp_path / "data"))
    assert session.trace(frame, "id = 3").matched == 1
    shutil.copy(file, file.with_name(f"another{file.suffix}"))
    assert session.trace(frame, "id = 3").matched == 1  # the plan has its list of files
    with file.open("ab") as appended:
        appended.write(b"20\n")
    with pytest.raises(SourceChangedError, match=rf"{file.name} changed from \d+ to \d+ bytes") as told:
        session.trace(frame, "id = 3")
    assert "read it again" in (told.value.hint or "")
    file.unlink()
    with pytest.raises(SourceChangedError, match=f"{file.name} is gone"):
        session.trace(frame, "id = 3")
