"""Questions call the program's functions again, and leave its accumulators as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pyspark.accumulators import Accumulator
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

import bigdebug
from tests.thinned import thinned


class Counted:
    """Functions that count what they are given.

    Args:
        calls: where.
    """

    def __init__(self, spark: SparkSession, calls: Accumulator[int]) -> None:
        numbers = spark.range(0, 10, 1, 2).select(F.col("id").cast("int"))

        def third(value: int) -> int:
            calls.add(1)
            return value % 3

        def kept(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
            for batch in batches:
                calls.add(len(batch))
                yield batch

        def thirds(values: pd.Series) -> pd.Series:
            calls.add(len(values))
            return values % 3

        def group(frame: pd.DataFrame) -> pd.DataFrame:
            calls.add(len(frame))
            return frame.head(1)

        class Twice:
            def eval(self, value: int) -> Iterator[tuple[int]]:
                calls.add(1)
                yield (value % 3,)
                yield (value % 3,)

        of_one, of_many = F.udf(third, "int"), F.pandas_udf(thirds, "int")  # type: ignore[call-overload]
        spark.udf.register("third", of_one)
        spark.udtf.register("twice", F.udtf(Twice, returnType="k int"))  # type: ignore[arg-type]
        numbers.createOrReplaceTempView("counted_numbers")
        self.programs: dict[str, DataFrame] = {
            "a function of rows": numbers.select(of_one("id").alias("k"), "id"),
            "below a group": numbers.groupBy(of_one("id").alias("k")).count(),
            "above a group": numbers.groupBy((F.col("id") % 4).alias("j"))
            .count()
            .select(of_one("j").alias("k")),
            "a vectorised function": numbers.select(of_many("id").alias("k")),
            "a condition": numbers.filter(of_one("id") == 1).withColumnRenamed("id", "k"),
            "batches": numbers.mapInPandas(kept, "id int").withColumnRenamed("id", "k"),
            "groups": numbers.groupBy((F.col("id") % 4).alias("j"))
            .applyInPandas(group, "id int")
            .withColumnRenamed("id", "k"),
            "a table function": spark.sql("select k from counted_numbers, lateral twice(id)"),
            "a lookup": numbers.join(
                numbers.select(of_one("id").alias("k")), F.expr("k = id"), "left_semi"
            ).withColumnRenamed("id", "k"),
            "a subquery": spark.sql(
                "select id as k from counted_numbers where id in (select third(id) from counted_numbers)"
            ),
        }


PROGRAMS = [
    "a function of rows",
    "below a group",
    "above a group",
    "a vectorised function",
    "a condition",
    "batches",
    "groups",
    "a table function",
    "a lookup",
    "a subquery",
]


@pytest.mark.compat
@pytest.mark.parametrize("name", thinned(PROGRAMS, "questions that count nothing, in each program"))
def test_asking_counts_nothing(spark: SparkSession, tmp_path: Path, name: str) -> None:
    calls = spark.sparkContext.accumulator(0)
    with bigdebug.attach(spark, store=tmp_path / "store") as session:
        frame = Counted(spark, calls).programs[name]
        assert frame.collect()
        counted = calls.value
        assert counted > 0
        for data in (frame, session.outputs[-1]):
            trace = session.trace(data, "k = 1")
            assert trace.matched > 0
            assert trace.collect()
            assert [step.count for step in trace.steps]
        assert session.trace(session.outputs[-1], "k = 1", windows=True, influence=True).collect()
        assert calls.value == counted


QUESTIONS: dict[str, Callable[[Any, DataFrame], Any]] = {
    "isolate": lambda session, frame: session.isolate(frame, "k = 1").rows,
    "why_not": lambda session, frame: session.why_not(frame, "k = 7").steps,
    "slow_records": lambda session, frame: session.slow_records(frame),
    "index": lambda session, frame: session.index(session.outputs[-1]).trace("k = 1").matched,
}


@pytest.mark.parametrize("question", thinned(QUESTIONS, "each question, which counts nothing", 2))
def test_other_questions_count_nothing(spark: SparkSession, tmp_path: Path, question: str) -> None:
    calls = spark.sparkContext.accumulator(0)
    with bigdebug.attach(spark, store=tmp_path / "store") as session:
        frame = Counted(spark, calls).programs["a function of rows"]
        frame.collect()
        counted = calls.value
        assert QUESTIONS[question](session, frame) is not None
        assert calls.value == counted == 10


def test_full_capture_counts_nothing_of_what_comes_after_a_shuffle(
    spark: SparkSession, tmp_path: Path
) -> None:
    calls = spark.sparkContext.accumulator(0)

    def kept(value: int) -> int:
        calls.add(1)
        return value

    with bigdebug.attach(spark, store=tmp_path / "store", capture="full") as session:
        frame = spark.range(10).withColumn("j", F.col("id") % 4).groupBy("j").count()
        above = frame.withColumn("k", F.udf(kept, "int")("j"))
        assert len(above.collect()) == 4
        session._recorder.drain()
        assert calls.value == 4
        assert session.trace(above.orderBy("j").limit(2), "k = 1").matched == 1
        assert session.trace(above, "k = 1").matched == 1
        assert calls.value == 4


def test_full_capture_counts_nothing(spark: SparkSession, tmp_path: Path) -> None:
    calls = spark.sparkContext.accumulator(0)
    with bigdebug.attach(spark, store=tmp_path / "store", capture="full") as session:
        frame = Counted(spark, calls).programs["above a group"]
        frame.collect()
        session._recorder.drain()
        assert calls.value == 4
