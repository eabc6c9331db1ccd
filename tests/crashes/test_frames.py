"""A failed action on a DataFrame says which records it was."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

import bigdebug
from bigdebug.lineage.location import Location


def next_year(age: str) -> int:
    return int(age) + 1


def years(ages: pd.Series) -> pd.Series:
    return ages.astype(int)


def mapped(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    for batch in batches:
        yield batch.assign(age=batch.age.astype(int))


def grouped(group: pd.DataFrame) -> pd.DataFrame:
    return group.assign(age=group.age.astype(int))


def total(ages: pd.Series) -> int:
    return int(ages.astype(int).sum())


def greatest(ages: pd.Series, ids: pd.Series) -> int:
    if ages.astype(int).sum() > 100:
        raise ValueError("too old together")
    return int(ages.astype(int).max() + ids.astype(int).max())


def failed(action: Any) -> PySparkException:
    with pytest.raises(PySparkException) as caught:
        action()
    return caught.value


def read(spark: SparkSession, people: str) -> DataFrame:
    return spark.read.csv(people, header=True)


@pytest.mark.compat
def test_a_row_wise_function_names_its_records(
    spark: SparkSession, session: bigdebug.Session, people: str, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = read(spark, people)
    error = failed(lambda: frame.select("id", F.udf(next_year, "int")("age")).collect())
    assert [crash.value for crash in session.crashes] == [
        {"id": "3", "age": "30yr"},
        {"id": "10", "age": "old"},
    ]
    first = session.crashes[0]
    assert first.location == Location(people, 3)
    assert (first.operator, first.call_site and first.call_site.text) == (
        "select",
        'error = failed(lambda: frame.select("id", F.udf(next_year, "int")("age")).collect())',
    )
    assert str(first.error) == "ValueError: invalid literal for int() with base 10: '30yr'"
    assert "in next_year" in first.error.traceback
    assert "pyspark" not in first.error.traceback
    assert [each.value["id"] for each in first.neighbours] == ["2", "4"]
    (note,) = error.__notes__
    assert note.startswith("bigdebug: 2 records crashed select at test_frames.py:")
    assert note in capsys.readouterr().err
    assert "ValueError: invalid literal for int() with base 10:" in str(error)


@pytest.mark.compat
@pytest.mark.parametrize("kind", ["cast", "aggregated", "batches", "map", "groups", "aggregates"])
def test_the_records_are_found_whatever_failed(
    kind: str, spark: SparkSession, session: bigdebug.Session, people: str, tmp_path: Path
) -> None:
    frame = read(spark, people)
    actions = {
        "cast": lambda: frame.select(F.col("age").cast("int")).write.parquet(str(tmp_path / "out")),
        "aggregated": lambda: frame.groupBy(F.col("id") % 2).agg(F.sum(F.col("age").cast("int"))).collect(),
        "batches": lambda: frame.select(F.pandas_udf(years, "long")("age")).collect(),
        "map": lambda: frame.mapInPandas(mapped, "id string, age long").collect(),
        "groups": lambda: frame.groupBy("id").applyInPandas(grouped, "id string, age long").collect(),
        "aggregates": lambda: (
            frame.groupBy((F.col("id").cast("int") % 2).alias("odd"))
            .agg(F.pandas_udf(total, "long")("age"))
            .collect()
        ),
    }
    failed(actions[kind])
    found = sorted((crash.value["age"], crash.location) for crash in session.crashes)
    assert found == [("30yr", Location(people, 3)), ("old", Location(people, 10))]
    expected = "'30yr'"
    assert any(expected in crash.error.message for crash in session.crashes)


def test_an_aggregate_function_of_many_records_that_do_no_harm_alone(
    spark: SparkSession, session: bigdebug.Session, people: str
) -> None:
    frame = read(spark, people).filter("id not in ('3', '10')").withColumn("group", F.expr("int(id < '6')"))
    error = failed(
        frame.filter("length(age) = 2")
        .groupBy("group")
        .agg(F.pandas_udf(greatest, "long")(F.upper("age"), F.col("id")))
        .collect
    )
    assert {crash.value["group"] for crash in session.crashes} == {0, 1}
    assert {crash.error.message for crash in session.crashes} == {"too old together"}
    assert "together with others" in error.__notes__[0]
    assert all(crash.location is not None and crash.location.file == people for crash in session.crashes)


def test_rows_that_a_filter_above_keeps_from_the_function_are_no_culprits(
    spark: SparkSession, session: bigdebug.Session, people: str
) -> None:
    frame = read(spark, people).withColumn("next", F.udf(next_year, "int")("age")).filter("id != '3'")
    failed(frame.collect)
    assert [crash.value["id"] for crash in session.crashes] == ["10"]


def test_a_culprit_that_an_aggregate_made_is_traced_to_its_records(
    spark: SparkSession, session: bigdebug.Session, people: str
) -> None:
    top = read(spark, people).groupBy((F.col("id").cast("int") % 9).alias("k")).agg(F.max("age").alias("age"))
    failed(top.select(F.udf(next_year, "int")("age")).collect)
    by_key = {crash.value["k"]: crash for crash in session.crashes}
    assert set(by_key) == {1, 3}
    assert by_key[3].location == Location(people, 3)
    assert sorted(record.value["id"] for record in by_key[1].records) == ["1", "10"]


def test_very_many_culprits_are_counted(spark: SparkSession, session: bigdebug.Session) -> None:
    error = failed(spark.range(5000).select(F.expr("1 / (id % 2)")).collect)
    assert error.__notes__[0].startswith("bigdebug: 2,500 records crashed select")
    assert len(session.crashes) == 100


def test_a_fault_of_ours_changes_nothing(
    spark: SparkSession, session: bigdebug.Session, people: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = read(spark, people).select(F.udf(next_year, "int")("age"))
    guard: Any = session._recorder.crash_guard

    def broken(*_: object) -> None:
        raise RuntimeError("ours")

    monkeypatch.setattr(guard, "_culprits", broken)
    error = failed(frame.collect)
    assert not hasattr(error, "__notes__")
    assert session.crashes == []


def test_with_no_time_nothing_is_looked_for(
    spark: SparkSession, session: bigdebug.Session, people: str
) -> None:
    session.on_crash("raise", timeout=0)
    failed(read(spark, people).select(F.udf(next_year, "int")("age")).collect)
    assert session.crashes == []
