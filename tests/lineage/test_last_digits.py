"""Sums of doubles differ in their last digits with the order they are added up in: marked where that matters."""

from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

import bigdebug
from bigdebug.lineage import last_digits
from tests.thinned import thinned

# Of `numbers (id, k, v, d)` in four partitions, and of `one`, the same in one: what is made of it, and a condition
# with what stands in its braces computed first.
MARKED = {
    "a sum": ("select k, sum(v) as s from numbers group by k", "s = {max(s)}"),
    "a sum of floats": ("select k, sum(float(v)) as s from numbers group by k", "s = {max(s)}"),
    "a bound that a sum is at": ("select k, sum(v) as s from numbers group by k", "s >= {max(s)}"),
    "any of some values": ("select k, sum(v) as s from numbers group by k", "s in (1.5, {max(s)})"),
    "a difference of sums": (
        "select k, sum(v) as s, sum(v * 1.0D) as t from numbers group by k",
        "s - t > 0",
    ),
    "sums that cancel out": (
        "select k, sum(if(id % 8 < 4, v, 0.4D - v)) as s from numbers group by k",
        "s > 0",
    ),
    "a mean": ("select k, avg(v) as s from numbers group by k", "s = {max(s)}"),
    "a deviation of whole numbers": ("select k, stddev(id) as s from numbers group by k", "s = {max(s)}"),
    "a correlation": ("select k, corr(id, v * v) as s from numbers group by k", "s = {max(s)}"),
    "a slope": ("select k, regr_slope(id, v * v) as s from numbers group by k", "s = {max(s)}"),
    "a sum over a window": ("select id, sum(v) over (partition by k) as s from numbers", "s = {max(s)}"),
    "the greatest of sums": (
        "select max(s) as m from (select k, sum(v) as s from numbers group by k)",
        "m = {max(m)}",
    ),
    "sums that are joined": (
        "select a.k, s from (select k, sum(v) as s from numbers group by k) a join numbers b on a.k = b.id",
        "s = {max(s)}",
    ),
    "what a subquery gives, which isn't looked up": (
        "select k, sum(v) as s from numbers group by k",
        "s > (select min(v) from numbers)",
    ),
    "text of a sum": (
        "select k, sum(v) as s from numbers group by k",
        "cast(s as string) = '{max(s)}'",
    ),
    "a sum of a single partition's, shuffled": (
        "select k, sum(v) as s from (select /*+ repartition(3) */ * from one) group by k",
        "s = {max(s)}",
    ),
}
SURE = {
    "a key": ("select k, sum(v) as s from numbers group by k", "k = 1"),
    "a key and a bound far away": ("select k, sum(v) as s from numbers group by k", "k < 3 and s > 0.05"),
    "a bound between sums": ("select k, sum(v) as s from numbers group by k", "s > {max(s)} - 0.5"),
    "whether there is a sum": ("select k, sum(v) as s from numbers group by k", "s is not null"),
    "whole numbers": (
        "select k, sum(id) as s, avg(id) as a from numbers group by k",
        "s = {max(s)} and a > 0",
    ),
    "decimals": (
        "select k, sum(d) as s, avg(d) as a from numbers group by k",
        "s = {max(s)} or a = {max(a)}",
    ),
    "the greatest number": ("select k, max(v) as s, sum(v) as t from numbers group by k", "s = {max(s)}"),
    "a sum that is rounded": ("select k, round(sum(v), 3) as s from numbers group by k", "s = {max(s)}"),
    "rounded above": (
        "select k, round(s, 3) as r from (select k, sum(v) as s from numbers group by k)",
        "r = {max(r)}",
    ),
    "one partition": ("select k, sum(v) as s from one group by k", "s = {max(s)}"),
    "another's column": (
        "select b.v as s, a.s as t from (select k, sum(v) as s from numbers group by k) a "
        "join numbers b on a.k = b.id",
        "s = {max(s)}",
    ),
}


@pytest.fixture(scope="module", autouse=True)
def _numbers(session: bigdebug.Session, spark: SparkSession) -> None:
    for name, partitions in (("numbers", 4), ("one", 1)):
        frame = spark.range(0, 40, 1, partitions).selectExpr(
            "id", "id % 4 as k", "id * 0.1D as v", "cast(id * 0.1D as decimal(10, 3)) as d"
        )
        frame.createOrReplaceTempView(name)


def asked(spark: SparkSession, query: str, where: str) -> tuple[DataFrame, str]:
    """The query's frame, and the condition with what stands in its braces computed."""
    frame = spark.sql(query)
    while "{" in where:
        before, _, rest = where.partition("{")
        expression, _, after = rest.partition("}")
        (row,) = frame.selectExpr(expression).collect()
        where = f"{before}{_literal(row[0], before)}{after}"
    return frame, where


def traced(session: bigdebug.Session, spark: SparkSession, query: str, where: str, collected: bool) -> Any:
    """A trace of the query's rows, which the program has collected or not."""
    frame, where = asked(spark, query, where)
    if collected:
        frame.collect()
    return session.trace(frame, where)


def _literal(value: object, before: str) -> str:
    return f"{value!r}D" if isinstance(value, float) and not before.endswith("'") else str(value)


@pytest.mark.parametrize("collected", [False, True], ids=["as yet unknown", "collected"])
@pytest.mark.parametrize(
    ("query", "where"), thinned(MARKED.values(), "conditions that hang on the last digits"), ids=MARKED
)
def test_conditions_that_hang_on_the_last_digits_are_marked(
    query: str, where: str, collected: bool, session: bigdebug.Session, spark: SparkSession
) -> None:
    trace = traced(session, spark, query, where, collected)
    assert not trace.exact
    assert any("adds up floating-point numbers" in note for note in trace.notes), trace.notes


@pytest.mark.parametrize("collected", [False, True], ids=["as yet unknown", "collected"])
@pytest.mark.parametrize(
    ("query", "where"), thinned(SURE.values(), "conditions that do not hang on the last digits"), ids=SURE
)
def test_others_are_not(
    query: str, where: str, collected: bool, session: bigdebug.Session, spark: SparkSession
) -> None:
    trace = traced(session, spark, query, where, collected)
    assert trace.exact, trace.notes
    assert trace.matched


def test_what_was_collected_is_not_computed_again(
    session: bigdebug.Session, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    def computed(*_: object) -> bool:
        raise AssertionError("the output was computed once more")

    frame, where = asked(spark, *MARKED["a sum"])
    frame.collect()
    monkeypatch.setattr(last_digits, "_is_near", computed)
    assert not session.trace(frame, where).exact
    assert session.trace(frame, "s > 1e9").exact


def test_the_runs_rows_may_settle_it(session: bigdebug.Session, spark: SparkSession) -> None:
    """Computed again to the last digit, the sums are the ones that the program got."""
    frame, where = asked(spark, *MARKED["a sum"])
    frame.collect()
    trace = session.trace(session.outputs[-1], where)
    assert trace.matched == 1
    assert trace.exact, trace.notes
    assert not session.trace(frame, where).exact, "nobody knows what the program got of it"
