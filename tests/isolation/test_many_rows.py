"""Answers about several rows, and about rows of very many records: how much they read."""

from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

import bigdebug
from bigdebug.isolation import at_once, drawn
from tests.jobs import jobs

KEYS = 6


def made(kind: str, spark: SparkSession, file: Path) -> tuple[Any, Any]:
    """The sum of each of some keys, and what fails of them: each key has two records that are far too large."""
    large = {100 + key for key in range(KEYS)} | {200 + key for key in range(KEYS)}
    file.write_text("".join(f"{n % KEYS},{9_000 if n in large else n % 50}\n" for n in range(600)))
    if kind == "RDD":
        lines = spark.sparkContext.textFile(str(file), 2)
        pairs = lines.map(lambda line: tuple(map(int, line.split(","))))
        return pairs.reduceByKey(lambda one, other: one + other), "value > 10_000"
    frame = spark.read.csv(str(file), schema="k int, v int")
    return frame.groupBy("k").agg(F.sum("v").alias("total")), "total > 10000"


@pytest.mark.parametrize("kind", ["DataFrame", "RDD"])
def test_records_of_all_rows_are_fetched_with_the_first(
    kind: str, session: bigdebug.Session, spark: SparkSession, tmp_path: Path
) -> None:
    data, failing = made(kind, spark, tmp_path / "numbers.csv")
    found = session.isolate(data, failing)
    assert len(found.rows) == KEYS
    list(found.rows[0].culprits)
    before = jobs(spark)
    shown = [[*row.culprits, *row.reproduction] for row in found.rows]
    everything = [*found.culprits, *found.reproduction]
    assert jobs(spark) == before
    places = [[record.location.position for record in records] for records in shown]
    assert all(set(each) <= {100, 200, 101, 201, 102, 202, 103, 203, 104, 204, 105, 205} for each in places)
    assert set().union(*places) == {record.location.position for record in everything}
    for row in found.rows:
        key = row.value[0] if kind == "RDD" else row.value["k"]
        values = [record.value for record in row.culprits]
        assert values == [f"{key},9000" if kind == "RDD" else {"k": key, "v": 9_000}] * len(values)
        assert values


@pytest.mark.parametrize("kind", ["DataFrame", "RDD"])
def test_what_is_too_much_for_one_go_is_fetched_by_itself(
    kind: str, session: bigdebug.Session, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, failing = made(kind, spark, tmp_path / "numbers.csv")
    plain = session.isolate(data, failing)
    expect = at_once.AtOnce.expect

    def few(self: at_once.AtOnce, answers: Any) -> None:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(at_once, "SHOWN", 3)
            expect(self, answers)

    monkeypatch.setattr(at_once.AtOnce, "expect", few)
    found = session.isolate(data, failing)
    assert [list(row.culprits) for row in found.rows] == [list(row.culprits) for row in plain.rows]
    assert list(found.culprits) == list(plain.culprits)


@pytest.mark.parametrize("kind", ["DataFrame", "RDD"])
def test_of_very_many_others_a_sample_is_counted(
    kind: str, session: bigdebug.Session, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, failing = made(kind, spark, tmp_path / "numbers.csv")
    monkeypatch.setattr(drawn, "MOST_OTHERS", 50)
    found = session.isolate(data, failing)
    assert found.explanation
    for pattern in found.explanation:
        assert pattern.sampled
        assert pattern.others[1] == 50
        assert str(pattern).endswith(" of 50 sampled others")
    assert any(pattern.others[0] == 0 for pattern in found.explanation)
