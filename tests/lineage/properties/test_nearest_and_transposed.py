"""Joins of the nearest and transposed frames against a brute-force reference, live and from a recipe."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

import bigdebug
from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.operators import normalized
from bigdebug.lineage.postmortem import open_output
from bigdebug.lineage.store import Store
from bigdebug.lineage.trace import Trace
from tests.proofs import Part

VALUES = st.one_of(st.none(), st.sampled_from([0, 1, 1, 3, 7, 20]))
ROWS = st.lists(VALUES, max_size=5)
HAS_NEAREST = hasattr(DataFrame, "nearestByJoin")


def numbered(spark: SparkSession, values: list[int | None], first: int, prefix: str) -> DataFrame:
    rows = [(first + i, value) for i, value in enumerate(values)]
    return spark.createDataFrame(rows, f"{prefix}n int, {prefix}v int").repartition(2)


def numbers(trace: Trace) -> set[int]:
    return {next(iter(record.value.values())) for record in trace.collect()}


def of_last_output(session: bigdebug.Session, folder: Path | str, where: str) -> list[Trace]:
    """A live trace, and one from the recipe."""
    session._recorder.drain()
    run = Store(str(folder)).find(session.run_id)
    spark = session._attachment.spark
    return [
        session.trace(session.outputs[-1], where),
        open_output(run, session.outputs[-1], spark=spark).trace(where),
    ]


def judge_nearest(
    spark: SparkSession, left: list[int | None], right: list[int | None], most: int, how: str, sql: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder, bigdebug.attach(spark, store=folder) as session:
        a, b = numbered(spark, left, 100, "a"), numbered(spark, right, 200, "b")
        if sql:
            a.createOrReplaceTempView("near_a")
            b.createOrReplaceTempView("near_b")
            join = "join" if how == "inner" else "left join"
            frame = spark.sql(
                f"select * from near_a {join} near_b exact nearest {most} by distance abs(av - bv)"
            )
        else:
            near = -F.abs(a.av - b.bv)
            frame = a.nearestByJoin(b, near, most, "exact", "similarity", joinType=how)
        rows = frame.collect()
        for number, value in enumerate(left, 100):
            # The distances that must be among the rows, in order; which of equal ones is Spark's to choose.
            distances = sorted(
                abs(value - other) for other in right if value is not None and other is not None
            )
            kept = [row for row in rows if row.an == number]
            assert sorted(abs(row.av - row.bv) for row in kept if row.bn) == distances[:most]
            tied = _tied(value, right, most)
            if number != 100 + len(left) // 2:
                continue
            traces = of_last_output(session, folder, f"an = {number}")
            for trace in traces:
                assert trace.matched == len(kept)
                found = numbers(trace)
                assert found <= {number} | {200 + i for i in range(len(right))}
                assert (number in found) == bool(kept)
                if not tied:
                    assert found == {row.bn for row in kept if row.bn} | {row.an for row in kept}
            if tied:
                assert not traces[0].exact
                assert any("as near" in note for note in traces[0].notes)
        assert session.trace(frame).exact != any(_tied(value, right, most) for value in left)


def _tied(value: int | None, right: list[int | None], most: int) -> bool:
    distances = sorted(abs(value - other) for other in right if value is not None and other is not None)
    return len(distances) > most and distances[most - 1] == distances[most]


NEAREST: dict[str, Any] = {
    "left": ROWS,
    "right": ROWS,
    "most": st.integers(1, 3),
    "how": st.sampled_from(["inner", "leftouter"]),
    "sql": st.booleans(),
}


@pytest.mark.skipif(not HAS_NEAREST, reason="this Spark has no such join")
@settings(max_examples=2)
@given(**NEAREST)
def test_joins_of_the_nearest(spark: SparkSession, **drawn: Any) -> None:
    judge_nearest(spark, **drawn)


@pytest.mark.skipif(not HAS_NEAREST, reason="this Spark has no such join")
@pytest.mark.proof("joins of the nearest", examples=100)
def test_many_joins_of_the_nearest(part: Part, spark: SparkSession) -> None:
    @part.drawn
    @given(**NEAREST)
    def judged(**drawn: Any) -> None:
        judge_nearest(spark, **drawn)

    judged()


def rows_again(frame: DataFrame) -> list[Row]:
    """What the operators give that a question looks at."""
    catalyst = Catalyst(frame.sparkSession)
    return catalyst.frame(normalized(catalyst, catalyst.analyzed(frame))).collect()


def judge_transposed(spark: SparkSession, indices: list[int | None], column: bool) -> None:
    with tempfile.TemporaryDirectory() as folder, bigdebug.attach(spark, store=folder) as session:
        rows = [(100 + i, index, 10 * i) for i, index in enumerate(indices)]
        base = spark.createDataFrame(rows, "n int, i int, v int").repartition(2)
        turned = base.transpose(F.col("i")) if column else base.select("i", "v", "n").transpose()
        given_rows = turned.collect()
        names = [str(i) for i in sorted(index for index in indices if index is not None)]
        assert turned.columns == ["key", *names]
        assert sorted(row.key for row in given_rows) == ["n", "v"]
        with_index = {100 + i for i, index in enumerate(indices) if index is not None}
        for trace in of_last_output(session, folder, "key = 'v'"):
            assert trace.matched == 1
            assert {record.value["n"] for record in trace.collect()} == with_index
            assert trace.exact == (len(set(names)) == len(names))
        # What stands in the leaf's place gives its rows, in their order.
        again = rows_again(turned)
        if len(set(names)) == len(names):
            assert again == given_rows
        else:
            assert [Counter(row) for row in again] == [Counter(row) for row in given_rows]


@pytest.mark.compat
@settings(max_examples=2)
@given(indices=ROWS, column=st.booleans())
def test_transposed_frames(spark: SparkSession, indices: list[int | None], column: bool) -> None:
    judge_transposed(spark, indices, column)


@pytest.mark.proof("transposed frames", examples=100)
def test_many_transposed_frames(part: Part, spark: SparkSession) -> None:
    @part.drawn
    @given(indices=ROWS, column=st.booleans())
    def judged(indices: list[int | None], column: bool) -> None:
        judge_transposed(spark, indices, column)

    judged()


@pytest.mark.proof("operators below and above a transposed frame")
def test_operators_below_and_above_a_transposed_frame(spark: SparkSession, tmp_path: Path) -> None:
    with bigdebug.attach(spark, store=str(tmp_path)) as session:
        sales = spark.createDataFrame(
            [(n, "abc"[n % 3], n % 2) for n in range(9)], "n int, shop string, odd int"
        )
        totals = sales.where("n > 2").groupBy("shop").agg(F.sum("n").alias("s"), F.sum("odd").alias("o"))
        turned = totals.transpose().localCheckpoint().where("key = 's'").selectExpr("a + b as ab", "c")
        twice = turned.join(turned.withColumnRenamed("ab", "other"), "c")
        assert twice.collect()[0].ab == 3 + 6 + 4 + 7
        for trace in of_last_output(session, tmp_path, "ab > 0"):
            assert {record.value["n"] for record in trace.collect()} == set(range(3, 9))
            assert trace.exact
            assert {step.call_site.text for step in trace.steps if step.call_site} >= {
                'turned = totals.transpose().localCheckpoint().where("key = \'s\'").selectExpr("a + b as ab", "c")'
            }


def test_maps_are_turned_as_well(spark: SparkSession, tmp_path: Path) -> None:
    with bigdebug.attach(spark, store=str(tmp_path)):
        frame = spark.sql("select 'x' as i, map(1, 2) as m union all select 'y', map(3, 4)").transpose()
        assert rows_again(frame) == frame.collect()
