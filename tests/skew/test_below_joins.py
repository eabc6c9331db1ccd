"""What is counted below a join is what is counted above it."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

import bigdebug
from bigdebug.skew import counting
from tests.proofs import Part

SHAPES = {
    "of one side": lambda left, right: left.join(right, "k").groupBy("city").agg(F.collect_list("x")),
    "of the key": lambda left, right: left.join(right, "k").groupBy("k").agg(F.sum("x")),
    "of both sides": lambda left, right: left.join(right, "k").groupBy("x", "city").count(),
    "of neither": lambda left, right: (
        left.join(right, "k").select(F.lit(1).alias("one"), "k").groupBy("one").agg(F.collect_list("k"))
    ),
    "filtered above": lambda left, right: (
        left.join(right, "k").where("x > 1 and city <> 'b'").groupBy("city").agg(F.collect_list("x"))
    ),
    "compared across": lambda left, right: (
        left.join(right, "k").where("x > y").groupBy("city").agg(F.collect_list("k"))
    ),
    "of what is made": lambda left, right: (
        left.join(right, left.k + 1 == right.k)
        .select(F.concat("city", F.lit("!")).alias("c"), (left.k % 2).alias("odd"), "x")
        .groupBy("c", "odd")
        .agg(F.collect_list("x"))
    ),
    "null safe": lambda left, right: (
        left.join(right, left.k.eqNullSafe(right.k)).groupBy("city").agg(F.collect_list(left.k))
    ),
    "twice": lambda left, right: (
        left.join(right, "k")
        .join(right.select("k", F.col("city").alias("town")), "k")
        .groupBy("town")
        .agg(F.collect_list("x"))
    ),
    "a window": lambda left, right: left.join(right, "k").selectExpr("city", "sum(x) over (partition by city) s"),
    "outer": lambda left, right: left.join(right, "k", "left").groupBy("city").agg(F.collect_list("x")),
}  # fmt: skip

_keys = st.one_of(st.none(), st.integers(0, 3))
_small = st.integers(0, 3)
drawn = (
    st.sampled_from(sorted(SHAPES)),
    st.lists(st.tuples(_keys, _small), max_size=8),
    st.lists(st.tuples(_keys, st.sampled_from(["a", "b", "", None]), _small), max_size=6),
)


def judge(
    spark: SparkSession, session: bigdebug.Session, shape: str, left: list[Any], right: list[Any]
) -> None:
    def asked() -> tuple[DataFrame, list[Any]]:
        frame = SHAPES[shape](
            spark.createDataFrame(left, "k int, x int"),
            spark.createDataFrame(right, "k int, city string, y int"),
        )
        return frame, [_told(each) for each in session.skew(frame)]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counting, "weighed", lambda *given: None)
        _, plain = asked()
    assert asked()[1] == plain


def _told(finding: Any) -> Any:
    largest = Counter((tuple(key.key.items()), key.records, key.bytes) for key in finding.largest)
    return finding.operator, finding.records, finding.records_of_partitions, largest


@settings(max_examples=5)
@given(*drawn)
def test_counts_below_joins_are_those_above(
    spark: SparkSession, session: bigdebug.Session, shape: str, left: list[Any], right: list[Any]
) -> None:
    judge(spark, session, shape, left, right)


@pytest.mark.parametrize("shape", sorted(SHAPES))
@pytest.mark.proof("what is counted below a join, against all of its rows", examples=20)
def test_counts_below_many_joins(
    shape: str, part: Part, spark: SparkSession, session: bigdebug.Session
) -> None:
    @part.drawn
    @given(*drawn[1:])
    def judged(left: list[Any], right: list[Any]) -> None:
        judge(spark, session, shape, left, right)

    judged()


@pytest.mark.compat
def test_a_side_is_put_together_where_none_but_its_key_is_asked_for(
    spark: SparkSession, session: bigdebug.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    weighed = counting.weighed
    monkeypatch.setattr(counting, "weighed", lambda *given: found.append(weighed(*given)) or found[-1])
    left = spark.range(1_000).selectExpr("id % 10 as k", "id as x")
    right = spark.range(10).selectExpr("id as k", "concat('city', id % 2) as city")
    frame = left.join(right, "k").groupBy("city").agg(F.collect_list("x"))
    report = session.skew(frame)
    above = next(each for each in report if each.operator == "Aggregate")
    assert {key.key["city"]: key.records for key in above.largest} == {"city0": 500, "city1": 500}
    assert [each is not None for each in found] == [True, False, False]
    assert "Aggregate" in found[0].plan.toString()
