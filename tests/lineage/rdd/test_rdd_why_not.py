"""Why elements of RDDs are missing: which operator dropped them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import add
from typing import Any

import pytest
from pyspark import SparkContext
from pyspark.sql import SparkSession

import bigdebug
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.postmortem import open_output
from bigdebug.lineage.store import Store
from tests.lineage.rdd.missing import counted, told
from tests.thinned import thinned


@pytest.fixture(scope="module")
def session(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[bigdebug.Session]:
    with bigdebug.attach(spark, store=str(tmp_path_factory.mktemp("store"))) as attached:
        yield attached


@pytest.mark.compat
def test_the_function_that_dropped_them_and_the_key_without_a_partner(
    session: bigdebug.Session, context: SparkContext
) -> None:
    """Conditions go down through functions of one element, that fail on what was dropped below, and through joins."""
    joined, totals = sold(context)
    missing = session.why_not(totals, "key == 'd'")
    assert missing.exact, missing.notes
    assert missing.not_carried == []
    assert told(missing) == ("filter", [(("d", 9), "its function is false of it")])
    assert missing.culprit is not None
    assert missing.culprit.call_site is not None
    assert "pair[1] < 9" in missing.culprit.call_site.text
    assert ("reduceByKey", 0, 0) in counted(missing)

    missing = session.why_not(joined, "key == 'c' and value[0] == 4")
    assert told(missing) == ("join", [(("c", 4), "no element of the other input has its key")])
    assert counted(missing)[-1] == ("join", 1, 0)


def sold(context: SparkContext) -> tuple[Any, Any]:
    """What was sold with its prices, and what it comes to."""
    lines = context.parallelize(["a 1", "b 2", "b x", "c 4", "d 9"], 2)
    pairs = lines.map(str.split).filter(lambda parts: parts[1].isdigit()).map(tuple)
    small = pairs.mapValues(int).filter(lambda pair: pair[1] < 9)
    prices = context.parallelize([("a", 10), ("b", 20), ("d", 40)], 2)
    joined = small.join(prices)
    return joined, joined.mapValues(lambda both: both[0] * both[1]).reduceByKey(add)


@pytest.mark.proof("missing elements that no function dropped, and from a recipe")
def test_the_sum_that_is_another_what_never_was_and_what_is_there(
    session: bigdebug.Session, context: SparkContext, spark: SparkSession
) -> None:
    _, totals = sold(context)
    totals.collect()
    missing = session.why_not(totals, "key == 'b' and value > 40")
    assert told(missing) == ("reduceByKey", [(("b", 40), "value > 40 is false")])
    (line,) = missing.not_carried
    assert line.startswith("value > 40 isn't told by the elements that enter reduceByKey at ")

    nothing = session.why_not(session.outputs[-1], "key == 'z'")
    assert (nothing.culprit, nothing.dropped) == (nothing.steps[0], [])
    assert nothing.notes[0].startswith("no record matches in ")
    there = session.why_not(totals, lambda pair: pair[1] == 10)
    assert (there.culprit, there.notes) == (None, ["nothing is missing: 1 of the elements match"])

    session._recorder.drain()
    run = Store(session._recorder.store).find(session.run_id)
    later = open_output(run, session.outputs[-1], spark=spark).why_not("key == 'd'")
    assert counted(later) == counted(session.why_not(totals, "key == 'd'"))
    assert told(later) == ("filter", [(("d", 9), "its function is false of it")])


@dataclass(frozen=True)
class Data:
    """Six numbers, as pairs by what they leave when divided by three, and four of them."""

    numbers: Any
    pairs: Any
    some: Any


DROPPING: dict[str, tuple[Callable[[Data], Any], str, str, str | None]] = {
    "subtract": (lambda d: d.numbers.subtract(d.some), "x == 3", "subtract", "the other input holds it"),
    "subtractByKey": (
        lambda d: d.pairs.subtractByKey(d.some.map(lambda n: (n, 0))), "key == 2", "subtractByKey", "holds its key"
    ),
    "intersection": (
        lambda d: d.numbers.intersection(d.numbers.context.parallelize([1])),
        "x == 5", "intersection", "not all inputs hold it",
    ),
    "sample": (lambda d: d.numbers.sample(False, 0.01, 3), "x == 5", "sample", "it isn't in the sample"),
    "filter above a join": (
        lambda d: d.pairs.join(d.pairs).filter(lambda pair: pair[0]), "value[0] == 3", "filter", "false"
    ),
    "join": (lambda d: d.pairs.join(d.pairs), "value[0] == 0 and value[1] == 4", "join", "no pair of it matches"),
    "join below a map": (
        lambda d: d.pairs.join(d.pairs).map(lambda pair: pair[0]), "x == 9", "join", "x == 9 is false"
    ),
    "groupByKey": (lambda d: d.pairs.distinct().groupByKey().mapValues(list), "9 in value", "groupByKey", None),
    "groupBy": (lambda d: d.pairs.groupBy(lambda pair: pair[0] + 5), "key == 9", "parallelize", None),
    "flatMap": (
        lambda d: d.numbers.zipWithIndex().keys().flatMap(lambda n: range(n)), "x == 5", "parallelize", None
    ),
    "filter of values": (
        lambda d: d.numbers.keyBy(lambda n: n % 2).values().filter(bool), "x == 0", "filter", "false"
    ),
    "flatMapValues": (
        lambda d: d.pairs.flatMapValues(lambda n: [n] * n).sortBy(lambda pair: pair[1]),
        "value == 0", "parallelize", None,
    ),
    "filter below a zip": (
        lambda d: d.numbers.union(d.some).filter(lambda n: n != 5).zip(
            d.numbers.union(d.some).filter(lambda n: n != 5)
        ),
        "x[0] == 5", "filter", "false",
    ),
    "mapPartitions": (
        lambda d: d.numbers.mapPartitions(lambda part: part), "x == 9", "mapPartitions", None
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", thinned(DROPPING, "each operator of RDDs that drops"))
def test_each_operator_that_drops(name: str, session: bigdebug.Session, context: SparkContext) -> None:
    numbers = context.parallelize(range(6), 2)
    data = Data(numbers, numbers.map(lambda n: (n % 3, n)), numbers.filter(lambda n: n < 4))
    make, where, operator, why = DROPPING[name]
    missing = session.why_not(make(data), where)
    named, dropped = told(missing)
    if operator == "parallelize":
        assert missing.culprit in missing.steps[:1]
        assert missing.notes[0].startswith("no record matches")
    else:
        assert named == operator
    assert why is None or why in dropped[0][1]


def test_what_an_action_left_out(session: bigdebug.Session, context: SparkContext) -> None:
    numbers = context.parallelize([3, 1, 2, 5], 2)
    assert numbers.map(lambda n: n * 10).takeOrdered(2) == [10, 20]
    missing = session.why_not(session.outputs[-1], "x == 50")
    assert told(missing) == ("takeOrdered", [(50, "it isn't among the elements that takeOrdered gave")])
    assert numbers.keyBy(lambda n: n % 2).lookup(0) == [2]
    missing = session.why_not(session.outputs[-1], "x == 5")
    assert told(missing) == ("lookup", [((1, 5), "it isn't among the elements that lookup gave")])


def test_on_through_the_dataframe_whose_rows_they_are(session: bigdebug.Session, spark: SparkSession) -> None:
    frame = spark.range(6).selectExpr("id % 2 k", "id * 10 n").where("n < 40")
    pairs = frame.rdd.map(lambda row: (row.k, row.n))
    missing = session.why_not(pairs, "key == 1 and value == 50")
    assert missing.exact, missing.notes
    assert counted(missing)[-3:] == [("Filter", 1, 0), ("rdd", 0, 0), ("map", 0, 0)]
    assert missing.culprit is not None
    assert missing.culprit.operator == "Filter"
    assert [(each.row, each.reasons) for each in missing.dropped] == [
        ({"k": 1, "n": 50}, ["n < 40 is false"])
    ]
    missing = session.why_not(frame.groupBy("k").sum("n").rdd.map(tuple), "value == 5")
    (line,) = missing.not_carried
    assert line.startswith("value == 5 isn't told by the rows that enter Aggregate")
    missing = session.why_not(pairs.filter(lambda pair: pair[1] > 0), "value == 0")
    assert told(missing)[0] == "filter"


def test_what_is_refused(session: bigdebug.Session, context: SparkContext) -> None:
    numbers = context.parallelize([1], 1)
    with pytest.raises(BigDebugError, match="no expression in Python"):
        session.why_not(numbers, "n = 1")
    for _ in range(301):
        numbers = numbers.map(abs)
    with pytest.raises(BigDebugError, match="302 operators"):
        session.why_not(numbers, "x == 7")
