"""Traces of rows that the program has just computed: told of what Spark still has, and the same as any other's."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

import bigdebug
from bigdebug import Session
from tests.proofs import Part

ROW = st.tuples(
    st.sampled_from([None, 0, 1, 2]),
    st.sampled_from([None, "", "a", "A", "é"]),
    st.sampled_from([None, 0.0, -0.0, float("nan"), 1.5]),
    st.sampled_from([None, "1.10", "2.00"]),
    st.sampled_from([None, 1.0, -2.5, 0.1, float("inf")]),
)
TOPS: dict[str, Callable[[DataFrame], DataFrame]] = {
    "as it is": lambda made: made,
    "sorted and cut": lambda made: made.orderBy(F.desc_nulls_last("total"), *made.columns).limit(3),
    "having": lambda made: made.filter("n > 1 or total is null"),
    "renamed": lambda made: made.select(F.col("total").alias("k2"), *made.columns[:-2], "n"),
}


@pytest.fixture(scope="module")
def session(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    with bigdebug.attach(spark, store=tmp_path_factory.mktemp("store")) as session:
        yield session


def sales(spark: SparkSession, rows: list[tuple[Any, ...]]) -> DataFrame:
    return spark.createDataFrame(rows, "k int, t string, d double, m string, v double").withColumn(
        "m", F.col("m").cast("decimal(9,2)")
    )


DRAWN: dict[str, Any] = {
    "rows": st.lists(ROW, min_size=1, max_size=12),
    "keys": st.lists(st.sampled_from(["k", "t", "d", "m"]), min_size=1, max_size=3, unique=True),
    "top": st.sampled_from(sorted(TOPS)),
    "seed": st.integers(0, 100),
}


@settings(max_examples=3)
@given(**DRAWN)
def test_a_trace_is_the_same_whether_its_rows_have_been_computed_or_not(
    spark: SparkSession, session: Session, rows: list[Any], keys: list[str], top: str, seed: int
) -> None:
    judge(spark, session, rows, keys, top, seed)


@pytest.mark.proof("traces of rows that have been computed, and that have not", examples=100)
def test_many_traces_are_the_same_whether_their_rows_have_been_computed_or_not(
    part: Part, spark: SparkSession, session: Session
) -> None:
    @part.drawn
    @given(**DRAWN)
    def judged(rows: list[Any], keys: list[str], top: str, seed: int) -> None:
        judge(spark, session, rows, keys, top, seed)

    judged()


def judge(
    spark: SparkSession, session: Session, rows: list[Any], keys: list[str], top: str, seed: int
) -> None:
    grouped = sales(spark, rows).groupBy(*keys)
    frame = TOPS[top](grouped.agg(F.sum("v").alias("total"), F.count("*").alias("n")))
    hashed = F.xxhash64(*frame.columns)
    hashes = [row[0] for row in frame.select(hashed).collect()]
    where = hashed == hashes[seed % len(hashes)] if hashes else None

    before = session.trace(frame, where)
    told = before.matched, repr(before.collect())
    output = frame.collect() and session.outputs[-1]
    for data in (frame, output) if output else (frame,):
        after = session.trace(data, where)
        assert (after.matched, repr(after.collect())) == told


def test_what_has_been_computed_is_not_computed_again(
    spark: SparkSession, session: Session, tmp_path: Path
) -> None:
    place = str(tmp_path / "numbers")
    spark.range(0, 1000, 1, 2).selectExpr("id % 7 as k", "id as v").write.parquet(place)
    numbers = spark.read.parquet(place)
    frame = numbers.groupBy("k").agg(F.sum("v").alias("total")).orderBy(F.desc("total")).limit(3)
    rows = frame.collect()

    trace = session.trace(frame, F.col("k") == rows[0]["k"])
    assert trace.matched == 1
    assert records_read(spark, lambda: session.trace(frame, "total > 0").matched) == 0
    assert records_read(spark, lambda: session.trace(session.outputs[-1], "total > 0").matched) == 0
    assert records_read(spark, lambda: len(frame.filter("total > 0").collect())) == 1000
    assert {record.value["v"] % 7 for record in trace.collect()} == {rows[0]["k"]}


def records_read(spark: SparkSession, ask: Callable[[], int]) -> int:
    """How many records were read from files while a question was answered."""
    store = spark.sparkContext._jsc.sc().statusStore()
    gateway = spark.sparkContext._gateway
    assert gateway is not None
    every, no_numbers = gateway.jvm.java.util.ArrayList(), gateway.new_array(gateway.jvm.double, 0)

    def read() -> int:
        stages = store.stageList(every, False, False, no_numbers, every)
        return sum(stages.apply(i).inputRecords() for i in range(stages.size()))

    before = read()
    assert ask() > 0
    return read() - before


def test_the_rows_of_a_frame_that_is_gone_are_computed_again(spark: SparkSession, session: Session) -> None:
    frame = sales(spark, [(1, "a", 0.0, None, 1.0), (2, "b", 0.0, None, 2.0)]).groupBy("k").count()
    frame.collect()
    output = session.outputs[-1]
    del frame
    gc.collect()
    rows = session._recorder.rows[output.number]
    assert rows.execution is None, "the program's frames aren't kept alive"
    assert [record.value["t"] for record in session.trace(output, "k = 2").collect()] == ["b"]


def test_asking_does_not_plan_a_frame_that_has_not_run(spark: SparkSession, session: Session) -> None:
    """Else it would run without the settings and the caches that the program comes to."""
    numbers = spark.range(10).withColumn("k", F.col("id") % 2)
    frame = numbers.groupBy("k").count().orderBy("count").limit(1)
    assert session.trace(frame, "count > 0").matched == 1
    numbers.cache()
    try:
        assert not frame._jdf.queryExecution().tracker().phases().contains("planning")
        frame.collect()
        assert "InMemory" in frame._jdf.queryExecution().executedPlan().toString()
    finally:
        numbers.unpersist()


def test_of_changed_sources_nothing_is_told_even_if_their_rows_are_still_there(
    spark: SparkSession, session: Session, tmp_path: Path
) -> None:
    place = tmp_path / "in.csv"
    place.write_text("k,v\n1,1\n1,2\n2,5\n")
    frame = spark.read.csv(str(place), header=True).groupBy("k").agg(F.sum("v").alias("total")).limit(5)
    frame.collect()
    place.write_text("k,v\n1,1\n1,2\n2,5\n3,3\n")
    with pytest.raises(bigdebug.BigDebugError, match="changed"):
        _ = session.trace(frame, "total > 0").matched
