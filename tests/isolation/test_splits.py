"""Files read in other splits than the program's: the records that are named are the right ones."""

from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession

import bigdebug
from bigdebug.isolation import largest, lumping, splits
from bigdebug.lineage.pinned import pinned_session

_FILES, _LINES = 5, 40
_BAD = {(0, 7), (3, 0), (4, 39)}
_SETTING = "spark.sql.files.minPartitionNum"


@pytest.fixture
def records(tmp_path: Path) -> str:
    folder = tmp_path / "records"
    folder.mkdir()
    for file in range(_FILES):
        lines = (f"{n % 2},{1000 if (file, n) in _BAD else n % 5}\n" for n in range(_LINES * (file + 1)))
        (folder / f"part-{file}.csv").write_text("".join(lines))
    return str(folder)


def _grouped(spark: SparkSession, path: str) -> DataFrame:
    return spark.read.csv(path, schema="k int, v int").groupBy("k").agg({"v": "sum"}).toDF("k", "total")


def _firsts(spark: SparkSession, path: str) -> DataFrame:
    return spark.read.csv(path, schema="k int, v int").groupBy("k").agg({"v": "first"}).toDF("k", "total")


@pytest.fixture
def in_small_splits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Splits of few bytes pay; how many the sessions for questions are told to read."""
    monkeypatch.setattr(splits, "_LEAST", 20)
    told: list[int] = []

    def split_evenly(catalyst, sources):  # type: ignore[no-untyped-def]
        splits.split_evenly(catalyst, sources)
        conf = catalyst.jsession.sessionState().conf()
        told.append(int(conf.getConfString(_SETTING)) if conf.contains(_SETTING) else 0)

    monkeypatch.setattr("bigdebug.isolation.replays.split_evenly", split_evenly)
    return told


@pytest.mark.compat
@pytest.mark.parametrize("together", [False, True])
def test_records_read_in_other_splits_are_named_by_their_places(
    together: bool,
    records: str,
    spark: SparkSession,
    session: bigdebug.Session,
    in_small_splits: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if together:
        monkeypatch.setattr(largest, "SAMPLED", 60)
        monkeypatch.setattr(largest, "_TEXT_BYTES", 5)
        monkeypatch.setattr(lumping, "_LEAST", 2)
        monkeypatch.setattr(lumping, "_EXTREME", 10)
    before = spark.conf.get(_SETTING, None)
    found = session.isolate(_grouped(spark, records), "total > 900")
    named = {
        (int(Path(str(record.location.file)).stem.removeprefix("part-")), record.location.position)
        for row in found.rows
        for record in row.culprits
    }
    assert named == _BAD
    assert {row.culprits.proof for row in found.rows} == {"1-minimal"}
    cores = spark.sparkContext.defaultParallelism
    assert in_small_splits == [4 * cores]
    assert spark.conf.get(_SETTING, None) == before


def test_what_hangs_on_the_order_is_read_as_the_program_read_it(
    records: str, spark: SparkSession, session: bigdebug.Session, in_small_splits: list[int]
) -> None:
    found = session.isolate(_firsts(spark, records), "total < 900")
    assert found.matched == 2
    assert not in_small_splits


@pytest.mark.parametrize("setting", [_SETTING, "spark.sql.leafNodeDefaultParallelism"])
def test_a_program_that_wants_more_splits_has_them(setting: str, spark: SparkSession) -> None:
    catalyst = pinned_session(spark)
    conf = catalyst.jsession.sessionState().conf()
    conf.setConfString(setting, "1000")
    splits.split_evenly(catalyst, [])
    assert conf.getConfString(setting) == "1000"
    assert setting == _SETTING or not conf.contains(_SETTING)
