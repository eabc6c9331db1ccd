"""Programs of many rounds: a trace goes through all of them, and costs as much more as there are more of them."""

from __future__ import annotations

from operator import add
from typing import Any

import pytest
from pyspark import SparkContext
from pyspark.sql import SparkSession

import bigdebug
from bigdebug.lineage.postmortem import open_output
from bigdebug.lineage.store import Store

LINKS = [(page, (page + step) % 8) for page in range(8) for step in (1, 3)] + [(8, 9), (9, 8)]
DEEP = 120


def page_rank(context: SparkContext, rounds: int) -> Any:
    links = context.parallelize(LINKS, 1).groupByKey().cache()
    ranks = links.mapValues(lambda targets: 1.0)
    for _ in range(rounds):
        shares = links.join(ranks).flatMap(lambda page: [(each, page[1][1] / 2) for each in page[1][0]])
        ranks = shares.reduceByKey(add).mapValues(lambda rank: 0.15 + 0.85 * rank)
    return ranks


def stored(spark: SparkSession, session: bigdebug.Session, where: str) -> Any:
    """A trace of the last output from its recipe."""
    session._recorder.settle()
    run = Store(session._recorder.store).find(session.run_id)
    output = run.output(str(session.outputs[-1].number))
    return open_output(run, output, allow_changed=False, spark=spark).trace(where)


def answer(trace: Any) -> Any:
    return trace.matched, trace.sources[0].count, [record.value for record in trace.collect()]


def tasks_of(context: SparkContext, trace: Any) -> int:
    """How many tasks Spark runs for all that a trace tells."""
    scheduler = context._jsc.sc().taskScheduler()
    before = scheduler.nextTaskId()
    assert answer(trace) == (1, 2, LINKS[-2:])
    assert len(trace.steps) > 4
    return int(scheduler.nextTaskId() - before)


@pytest.mark.proof("traces of programs with 2, 4 and 6 rounds, live and later: so many tasks more a round")
def test_every_round_costs_about_the_same(
    context: SparkContext, spark: SparkSession, session: bigdebug.Session
) -> None:
    live, of_recipe = [], []
    for rounds in (2, 4, 6):
        ranks = page_rank(context, rounds).collect()
        assert len(ranks) == 10
        live.append(tasks_of(context, session.trace(session.outputs[-1], "key == 8")))
        of_recipe.append(tasks_of(context, stored(spark, session, "key == 8")))
    for two, four, six in (live, of_recipe):
        assert four > two
        # What is gathered of more partitions takes a few tasks more: with the root of their number.
        assert six - four <= 1.3 * (four - two)


_DEEP = pytest.mark.proof("traces through 120 rounds, live and later")


@pytest.mark.parametrize(
    "shape", ["kept", *(pytest.param(shape, marks=_DEEP) for shape in ("moved", "grouped", "by partition"))]
)
def test_very_many_rounds_are_traced(
    context: SparkContext, spark: SparkSession, session: bigdebug.Session, shape: str
) -> None:
    numbers = context.parallelize([(0, 1), (1, 1)], 1)
    for _ in range(DEEP):
        numbers = numbers.map(lambda pair: (pair[0], pair[1] + 1))
        if shape == "moved":
            numbers = numbers.repartition(1)
        elif shape == "grouped":
            numbers = numbers.map(lambda pair: pair).reduceByKey(add, 1)
        elif shape == "kept":
            numbers = numbers.cache()
        else:
            numbers = numbers.repartition(1).mapPartitions(sorted)
    assert sorted(numbers.collect()) == [(0, DEEP + 1), (1, DEEP + 1)]
    for trace in (session.trace(session.outputs[-1], "key == 0"), stored(spark, session, "key == 0")):
        assert trace.matched == 1
        if shape in ("moved", "kept"):
            assert [record.value for record in trace.collect()] == [(0, 1)]
