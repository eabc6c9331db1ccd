"""Outcomes told in closed form are those of replays."""

import random
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyroaring import FrozenBitMap
from pyspark.sql import DataFrame, SparkSession

import bigdebug
from bigdebug.isolation.measures import Count, Extreme, Mean, Moments, Part, Percentile, Sum
from bigdebug.isolation.search import Outcome
from bigdebug.lineage.asking import asking
from tests.isolation.asked import replays_of
from tests.thinned import thinned

SCHEMA = "k int, n int, v double, d decimal(6,2), f float, flag boolean"
NUMBERS = st.sampled_from([None, 0, 1, -3, 7, 100])
FLOATS = st.sampled_from([None, 0.0, -0.0, 0.1, 0.2, -7.25, 1e300, float("inf"), float("nan")])
RECORDS = st.lists(
    st.tuples(
        st.sampled_from([None, 0, 1]),
        NUMBERS,
        FLOATS,
        st.sampled_from([None, Decimal("0.01"), Decimal("-3.50"), Decimal("999.99")]),
        st.sampled_from([None, 0.1, 2.5, -1.0]),
        st.sampled_from([None, True, False]),
    ),
    min_size=1,
    max_size=9,
)
AGGREGATES = [
    "count(*)",
    "count(n)",
    "count(n, v)",
    "sum(n)",
    "sum(d)",
    "sum(v)",
    "avg(n)",
    "avg(d)",
    "avg(f)",
    "min(n)",
    "max(v)",
    "min(d)",
    "max(distinct n)",
    "median(n)",
    "percentile(v, 0.25)",
    "stddev(n)",
    "var_pop(f)",
    "count_if(n > 0)",
    "bool_or(flag)",
    "bool_and(flag)",
    "sum(n) filter (where v > 0)",
    "count(*) filter (where flag)",
    "sum(case when flag then n else -1 end)",
    "try_sum(n)",
]
CONDITIONS = [
    "cast(a as double) > 0",
    "a is null",
    "cast(a as double) + coalesce(cast(b as double), 0) < 2",
    "try_divide(cast(a as double), cast(b as double)) >= 1",
    "cast(a as string) <=> cast(b as string)",
    "k = 0 or cast(b as double) > 1",
]


SHAPES = ["plain", "filtered", "having", "joined", "exploded", "whole", "union"]
CASES = st.tuples(
    RECORDS,
    st.sampled_from(AGGREGATES),
    st.sampled_from(AGGREGATES),
    st.sampled_from(CONDITIONS),
    st.integers(0, 1000),
)
Case = tuple[list[tuple[Any, ...]], str, str, str, int]


@pytest.mark.compat
@pytest.mark.parametrize(
    "shape",
    thinned(SHAPES, "outcomes in closed form against replays", among=["having", "joined"]),
)
@settings(max_examples=3)
@given(case=CASES)
def test_outcomes_are_those_of_replays(
    shape: str, session: bigdebug.Session, spark: SparkSession, case: Case
) -> None:
    judged(shape, session, spark, case)


@pytest.mark.proof("outcomes in closed form against replays, 60 random cases a shape")
@pytest.mark.parametrize("shape", SHAPES)
@settings(max_examples=60)
@given(case=CASES)
def test_many_outcomes_are_those_of_replays(
    shape: str, session: bigdebug.Session, spark: SparkSession, case: Case
) -> None:
    judged(shape, session, spark, case)


def judged(shape: str, session: bigdebug.Session, spark: SparkSession, case: Case) -> None:
    records, first, second, condition, seed = case
    frame = shaped(spark, shape, spark.createDataFrame(records, SCHEMA), first, second)
    fresh = replays_of(session, frame, condition)
    replays = fresh()
    dice = random.Random(seed)
    with asking(replays.catalyst, "outcomes"):
        groups = replays.failing_groups(20)
        closed = None if groups is None else groups.closed
        if groups is None or closed is None:
            # No row fails, or: what isn't a number can't be ordered here as Spark does.
            none = groups is not None and not groups.rows
            assert none or any(isinstance(v, float) and v != v for record in records for v in record)
            return
        rows = [row.identity for row in groups.rows]
        full = groups.candidates.full
        members = replays.members(groups.rows, full)
        for row in rows:
            assert closed.candidates(row) == members[row]
            subsets = [some(dice, closed.candidates(row)) for _ in range(12)]
            told = closed.told([(row, each) for each in subsets])
            replayed = replays.outcomes(subsets, [row], full)
            from_rows = fresh().outcomes(subsets[:3], [row], groups.candidates)
            from_rows += fresh().outcomes(subsets, [row], groups.candidates)[3:]
            for subset, each, outcomes, others in zip(subsets, told, replayed, from_rows, strict=True):
                assert each.outcome is outcomes[row] is others[row] or not each.sure, subset
        groups.candidates.release()


def shaped(spark: SparkSession, shape: str, frame: DataFrame, first: str, second: str) -> DataFrame:
    """A dataflow of a form, with two aggregates a and b by k."""
    others = spark.createDataFrame([(0, 1), (0, 2), (1, 1)], "k int, m int")
    frames = {
        "filtered": "(select *, n + 1 as m from {frame} where n is null or n < 50)",
        "joined": "(select l.* from {frame} l join {others} r on l.k = r.k and coalesce(l.n, 1) >= r.m)",
        "exploded": "(select * from {frame} lateral view explode(array(n, 1)) as x where x is null or x > 0)",
        "union": "(select * from {frame} union all select k, m, m, m, m, true from {others})",
    }
    taken = frames.get(shape, "{frame}").replace("{frame}", "{f}").replace("{others}", "{o}")
    key = "k, " if shape != "whole" else "0 as k, "
    grouped = "" if shape == "whole" else "group by k"
    having = "having count(n) > 1 order by 1" if shape == "having" else ""
    return spark.sql(
        f"select {key} {first} as a, {second} as b from {taken} {grouped} {having}", f=frame, o=others
    )


def some(dice: random.Random, candidates: FrozenBitMap) -> FrozenBitMap:
    """Some of the candidates, also none and all."""
    share = dice.choice([0, 0.3, 0.7, 0.9, 1])
    return FrozenBitMap([each for each in candidates if dice.random() < share])


@settings(max_examples=100)
@given(
    values=st.lists(st.sampled_from([None, -2, 0, 1, 5, 5, 2**40]), min_size=1, max_size=12),
    chosen=st.sets(st.integers(0, 11)),
    left_out=st.booleans(),
)
def test_measures_are_those_of_the_rows_that_are_left(
    values: list[int | None], chosen: set[int], left_out: bool
) -> None:
    places = np.array(sorted(each for each in chosen if each < len(values)), dtype=np.int64)
    part = Part(places, left_out)
    kept = [v for i, v in enumerate(values) if (i in places) != left_out and v is not None]
    there = np.array([v is not None for v in values])
    whole = np.array([v or 0 for v in values], dtype=np.int64)
    floats = whole.astype(float)
    assert Count(there).buffer(part) == (len(kept),)
    assert Sum(whole, there).buffer(part) == (sum(kept) if kept else None,)
    assert Mean(floats, there).buffer(part) == (float(sum(kept)), len(kept))
    assert Mean(floats, there).slack() == (0.0, 0.0), "whole numbers add up exactly"
    assert Extreme(whole, there, True).buffer(part) == (max(kept, default=None),)
    assert Extreme(floats, there, False).buffer(part) == (min(kept, default=None),)
    expected = float(np.percentile(kept, 25)) if kept else None
    assert Percentile(floats, there, 0.25).buffer(part) == (pytest.approx(expected),)
    count, mean, squares = Moments(floats, there).buffer(part)
    assert count == len(kept)
    if kept:
        assert mean == pytest.approx(float(np.mean(kept)))
        assert squares == pytest.approx(float(np.var(kept) * len(kept)), rel=1e-6, abs=1e-6)


def test_sums_that_rounding_may_change_say_how_far_off_they_may_be() -> None:
    there = np.array([True] * 3)
    sums = Sum(np.array([0.1, 0.2, 0.3]), there)
    assert 0 < sums.slack()[0] < 1e-14
    assert Sum(np.array([0.5, 0.25, 4.0]), there).slack() == (0.0,)


def test_an_outcome_that_rounding_decides_is_not_sure(session: bigdebug.Session, spark: SparkSession) -> None:
    frame = spark.createDataFrame([(0.1,), (0.2,), (0.3,)], "v double").selectExpr("sum(v) as s")
    replays = replays_of(session, frame, "s >= 0.6")()
    with asking(replays.catalyst, "outcomes"):
        groups = replays.failing_groups(1)
        assert groups is not None
        (row,) = (each.identity for each in groups.rows)
        closed = groups.closed
        assert closed is not None
        whole, part = closed.told([(row, FrozenBitMap([0, 1, 2])), (row, FrozenBitMap([0, 1]))])
    assert not whole.sure
    assert part.sure
    assert part.outcome is Outcome.PASSED
