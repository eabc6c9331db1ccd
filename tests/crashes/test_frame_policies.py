"""What becomes of rows that crash a function of a DataFrame: left out, repaired, or nothing."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

import bigdebug
from bigdebug.lineage.location import Location
from tests.proofs import Part


def next_year(age: str) -> int:
    return int(age) + 1


def read(spark: SparkSession, people: str) -> DataFrame:
    return spark.read.csv(people, header=True)


@pytest.mark.compat
def test_rows_are_left_out_and_kept_in_quarantine(
    spark: SparkSession,
    session: bigdebug.Session,
    people: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    session.on_crash("skip")
    ages = read(spark, people).select("id", F.udf(next_year, "int")("age").alias("next"))
    assert [row.id for row in ages.collect()] == ["0", "1", "2", "4", "5", "6", "7", "8", "9", "11"]
    assert ages.schema.simpleString() == "struct<id:string,next:int>"
    assert session.outputs[0].missing == 2
    assert "output 1 is partial: 2 records were left out by select at" in capsys.readouterr().err
    assert [(each.value, each.location) for each in session.quarantine] == [
        ({"id": "3", "age": "30yr"}, Location(people, 3)), ({"id": "10", "age": "old"}, Location(people, 10)),
    ]  # fmt: skip
    assert [crash.policy for crash in session.crashes] == ["skip", "skip"]
    ages.write.mode("overwrite").option("header", True).csv(str(tmp_path / "out"))
    assert spark.read.csv(str(tmp_path / "out"), header=True).count() == 10
    assert session.outputs[1].missing == 2
    trace = session.trace(session.outputs[0], "next = 25")
    assert [record.value for record in trace.collect()] == [{"id": "4", "age": "24"}]


def test_what_spark_leaves_out_isnt_called(
    spark: SparkSession, session: bigdebug.Session, people: str
) -> None:
    session.on_crash("skip")
    ages = read(spark, people).withColumn("next", F.udf(next_year, "int")("age"))
    assert ages.count() == 12
    assert ages.select("id").count() == 12
    assert len(ages.filter("id != '3'").collect()) == 10
    assert [output.missing for output in session.outputs] == [0, 0, 1]


def test_rows_are_repaired_by_a_function_or_a_value(
    spark: SparkSession, session: bigdebug.Session, people: str
) -> None:
    ages = read(spark, people).select(F.udf(next_year, "int")("age").alias("next"))
    session.on_crash("repair", repair=lambda age, error: age.replace("yr", "").replace("old", "99"))
    found = [row.next for row in ages.collect()]
    assert (found[3], found[10], len(found)) == (31, 100, 12)
    assert session.outputs[-1].repaired == 2
    session.on_crash("repair", repair=-1)
    found = [row.next for row in ages.collect()]
    assert (found[3], found[10], len(found)) == (-1, -1, 12)


def test_a_function_that_isnt_deterministic_is_guarded_like_others(
    spark: SparkSession, session: bigdebug.Session, people: str
) -> None:
    session.on_crash("skip")
    function = F.udf(next_year, "int").asNondeterministic()
    ages = read(spark, people).select(function("age").alias("next"), function(F.col("age")).alias("again"))
    assert [row.next == row.again for row in ages.collect()] == [True] * 10
    assert session.outputs[0].missing == 2


def test_a_watchpoint_sees_the_rows_that_guards_let_pass(
    spark: SparkSession, session: bigdebug.Session, people: str
) -> None:
    session.on_crash("skip")
    ages = read(spark, people).select("id", F.udf(next_year, "int")("age").alias("next"))
    in_sql = session.watch(ages, "next > 25")
    in_python = session.watch(ages, lambda row: row["next"] > 25)
    expected = [row.id for row in ages.where("next > 25").collect()]
    assert (in_sql.hits, in_python.hits, session.outputs[0].missing) == (len(expected), len(expected), 2)
    assert sorted(caught.value["id"] for caught in in_python.records) == sorted(expected)


def batch(ages: pd.Series) -> pd.Series:
    return ages.astype(int) + 1


def mapped(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    for each in batches:
        yield each.assign(age=each.age.astype(int) + 1)


def summed(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    yield pd.DataFrame({"age": [sum(int(each.age.astype(int).sum()) for each in batches)]})


def grouped(group: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({"n": [len(group.age.astype(int))]})


def test_vectorised_functions_go_on_with_the_rest_of_a_batch(
    spark: SparkSession, session: bigdebug.Session, people: str
) -> None:
    session.on_crash("skip")
    people_read = read(spark, people)
    expected = sorted(21 + n for n in range(12) if n not in (3, 10))
    found = people_read.select(F.pandas_udf(batch, "long")("age").alias("age")).collect()
    assert sorted(row.age for row in found) == expected
    found = people_read.mapInPandas(mapped, "id string, age long").collect()
    assert sorted(row.age for row in found) == expected
    found = (
        people_read.groupBy((F.col("id").cast("int") % 2).alias("k"))
        .applyInPandas(grouped, "n long")
        .collect()
    )
    assert [row.n for row in found] == [5, 5]
    assert [output.missing for output in session.outputs] == [2, 2, 2]
    assert all(crash.value["age"] in ("30yr", "old") for crash in session.crashes)
    spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", 4)
    try:
        with pytest.raises(Exception, match="invalid literal"):  # it keeps a sum from batch to batch
            people_read.mapInPandas(summed, "age long").collect()
        assert people_read.mapInPandas(mapped, "id string, age long").count() == 10
    finally:
        spark.conf.unset("spark.sql.execution.arrow.maxRecordsPerBatch")


def arrow_batch(ages: pa.Array) -> pa.Array:
    return pa.array([int(age) + 1 for age in ages.to_pylist()], pa.int64())


def is_old(ages: pd.Series) -> pd.Series:
    return ages.astype(int) > 25


def mended(age: str, error: Exception) -> str:
    return {"30yr": "30", "old": "99"}[age]


@pytest.mark.proof("vectorised functions that go on with what was repaired")
def test_vectorised_functions_go_on_with_what_was_repaired(
    spark: SparkSession, session: bigdebug.Session, people: str
) -> None:
    people_read = read(spark, people)
    ages = people_read.select("id", F.pandas_udf(batch, "long")("age").alias("age"))
    arrow_ages = people_read.select("id", F.arrow_udf(arrow_batch, "long")("age").alias("age"))
    old = people_read.select("id", F.pandas_udf(is_old, "boolean")("age").alias("old"))
    expected = {str(n): {3: 31, 10: 100}.get(n, 21 + n) for n in range(12)}
    session.on_crash("repair", repair=mended)
    assert {row.id: row.age for row in ages.collect()} == expected
    assert {row.id: row.age for row in arrow_ages.collect()} == expected
    assert {row.id: row.old for row in old.collect()} == {id: age > 26 for id, age in expected.items()}
    session.on_crash("repair", repair=-7)
    assert {row.id: row.age for row in ages.collect()} == {**expected, "3": -7, "10": -7}
    assert [(output.missing, output.repaired) for output in session.outputs] == [(0, 2)] * 4

    session.on_crash("repair", repair=lambda row, error: {**row, "age": mended(row["age"], error)})
    found = people_read.mapInPandas(mapped, "id string, age long").collect()
    assert {row.id: row.age for row in found} == expected
    by_parity = people_read.groupBy((F.col("id").cast("int") % 2).alias("k"))
    assert [row.n for row in by_parity.applyInPandas(grouped, "n long").collect()] == [6, 6]
    assert [(output.missing, output.repaired) for output in session.outputs[4:]] == [(0, 2)] * 2
    session.on_crash("repair", repair=lambda age, error: "never")
    with pytest.raises(Exception, match="invalid literal"):
        ages.collect()


def test_what_sparks_own_expressions_throw_is_left_out_or_repaired(
    spark: SparkSession, session: bigdebug.Session, people: str, tmp_path: Path
) -> None:
    session.on_crash("skip")
    frame = read(spark, people)
    ages = frame.select("id", F.col("age").cast("int").alias("age")).filter(F.expr("100 / (age - 25) > -90"))
    ages.write.parquet(str(tmp_path / "out"))
    assert (
        spark.read.parquet(str(tmp_path / "out")).count() == 8
    )  # without 3, 10, what divides by zero, and -100
    assert session.outputs[0].missing == 3
    assert sorted(each.value["id"] for each in session.quarantine) == ["10", "3", "5"]
    assert {each.error.kind for each in session.quarantine} == {"CAST_INVALID_INPUT", "DIVIDE_BY_ZERO"}
    frame.createOrReplaceTempView("people")
    session.on_crash("repair", repair=0)
    found = spark.sql("select sum(cast(age as int)) as total from people").collect()
    assert found[0].total == sum(20 + n for n in range(12) if n not in (3, 10))
    assert (session.outputs[-1].repaired, session.outputs[-1].missing) == (2, 0)
    spark.catalog.dropTempView("people")


def test_an_operator_can_have_a_policy_of_its_own(
    spark: SparkSession, session: bigdebug.Session, people: str
) -> None:
    session.on_crash("skip", operator="select")
    assert len(read(spark, people).select(F.udf(next_year, "int")("age")).collect()) == 10
    with pytest.raises(Exception, match="invalid literal"):
        read(spark, people).filter(F.udf(next_year, "int")("age") > 1).collect()


def risky(n: int) -> int:
    return 100 // n


PLANS: dict[str, Any] = {
    "column": lambda frame, f: frame.select("n", f("n").alias("m")),
    "filter": lambda frame, f: frame.filter(f("n") > 20),
    "nested": lambda frame, f: frame.select(f(f("n") + 1).alias("m")),
    "grouped": lambda frame, f: frame.groupBy(f("n").alias("k")).agg(F.sum("n").alias("s"), F.sum(f("n"))),
    "joined": lambda frame, f: (
        frame.withColumn("m", f("n")).alias("a").join(frame.alias("b"), "n").select("n", "m")
    ),
    "union": lambda frame, f: frame.select(f("n")).union(frame.select("n")).distinct(),
    "sorted": lambda frame, f: frame.orderBy(f("n")).limit(3).select("n"),
}


numbers_and_kinds = (st.lists(st.integers(0, 5), max_size=8), st.sampled_from(sorted(PLANS)))


def judge(spark: SparkSession, session: bigdebug.Session, numbers: list[int], kind: str) -> None:
    """The survivors give what plain Spark gives on the data without the culprits, or with them repaired."""
    function = F.udf(risky, "int")

    def given_by(some: list[int]) -> list[Any]:
        frame = spark.createDataFrame([(n,) for n in some], "n int")
        return sorted(map(tuple, PLANS[kind](frame, function).collect()))

    session.on_crash("raise")
    fine = given_by([n for n in numbers if n])
    if kind == "union":  # what didn't come by the function stays
        fine = sorted({*fine, *((n,) for n in numbers)})
    mended = given_by([n or 5 for n in numbers]) if kind == "column" else None
    session.on_crash("skip")
    assert given_by(numbers) == fine
    assert session.outputs[-1].missing == numbers.count(0)
    if mended is not None:
        session.on_crash("repair", repair=lambda n, error: 5)
        assert sorted(row[1] for row in given_by(numbers)) == sorted(row[1] for row in mended)
    session.on_crash("raise")


@settings(max_examples=2)
@given(*numbers_and_kinds)
def test_the_survivors_give_what_plain_spark_gives_without_the_culprits(
    spark: SparkSession, session: bigdebug.Session, numbers: list[int], kind: str
) -> None:
    judge(spark, session, numbers, kind)


@pytest.mark.proof(
    "rows that crash a function, left out or repaired, against plain Spark without them", examples=60
)
def test_the_survivors_of_many_plans(part: Part, spark: SparkSession, session: bigdebug.Session) -> None:
    @part.drawn
    @given(*numbers_and_kinds)
    def judged(numbers: list[int], kind: str) -> None:
        judge(spark, session, numbers, kind)

    judged()
