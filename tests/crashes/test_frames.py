"""A failed action on a DataFrame says which records it was."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession, Window
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


def same_age(age: str, other: str) -> bool:
    return int(age) == int(other)


class Years:
    """A table function."""

    def eval(self, age: str) -> Iterator[tuple[int]]:
        yield (int(age),)


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


@pytest.mark.compat
@pytest.mark.parametrize("kind", ["window", "table", "side"])
def test_the_records_are_found_behind(
    kind: str, spark: SparkSession, session: bigdebug.Session, people: str
) -> None:
    """An aggregate function over a window, a table function, a function of one side of a join."""
    frame = read(spark, people)
    if kind == "window":
        odd = Window.partitionBy(F.expr("int(id) % 2"))
        failed(frame.select("id", F.pandas_udf(total, "long")("age").over(odd)).collect)
    elif kind == "table":
        failed(frame.lateralJoin(F.udtf(Years, returnType="years int")(F.col("age").outer())).collect)
    else:
        names = spark.createDataFrame([(3, "c"), (4, "d")], "n int, name string")
        failed(names.join(frame, (F.col("n") == F.col("id")) & (F.udf(next_year, "int")("age") > 0)).collect)
    found = sorted((crash.value["id"], crash.location) for crash in session.crashes)
    assert found == [("10", Location(people, 10)), ("3", Location(people, 3))]
    assert all("in total" in e or "in eval" in e or "in next_year" in e for e in tracebacks(session))


def tracebacks(session: bigdebug.Session) -> list[str]:
    return [crash.error.traceback for crash in session.crashes]


@pytest.mark.compat
def test_pairs_that_crash_the_condition_of_a_join_are_named_with_both_records(
    spark: SparkSession, session: bigdebug.Session, people: str
) -> None:
    frame = read(spark, people)
    ages = spark.createDataFrame([("3", "23"), ("4", "24"), ("5", "x")], "id string, other string")
    both = F.udf(same_age, "boolean")("age", "other")
    error = failed(frame.join(ages, (frame.id == ages.id) & both).select(frame.id, "age").collect)
    crashes = sorted(session.crashes, key=lambda crash: str(crash.value["id"]))
    assert [list(crash.value.values()) for crash in crashes] == [
        ["3", "30yr", "3", "23"],
        ["5", "25", "5", "x"],
    ]
    assert [crash.location for crash in crashes] == [Location(people, 3), Location(people, 5)]
    assert [[record.value for record in crash.records] for crash in crashes] == [
        [{"id": "3", "age": "30yr"}, {"id": "3", "other": "23"}],
        [{"id": "5", "age": "25"}, {"id": "5", "other": "x"}],
    ]
    assert [crash.error.message.rpartition(": ")[2] for crash in crashes] == ["'30yr'", "'x'"]
    (note,) = error.__notes__
    assert f"{people}, record 3 with " in note


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
