"""Every action of RDDs: its trace in the running program, from its recipe, and from what was captured, are one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import add
from pathlib import Path
from typing import Any

import pytest
from pyspark import SparkContext
from pyspark.sql import SparkSession

import bigdebug
from bigdebug.lineage.postmortem import open_output
from bigdebug.lineage.rdd.index.reading import open_rdd_index
from bigdebug.lineage.store import Store
from tests.thinned import thinned


@pytest.fixture(scope="module")
def session(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[bigdebug.Session]:
    store = str(tmp_path_factory.mktemp("store"))
    with bigdebug.attach(spark, store=store, capture="full") as attached:
        yield attached


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Twelve lines of text: k n, with k = n modulo 3."""
    path = tmp_path_factory.mktemp("data") / "lines.txt"
    path.write_text("".join(f"{n % 3} {n}\n" for n in range(12)))
    return str(path)


EVERY, ONES = list(range(12)), [1, 4, 7, 10]

# What is called on the pairs (k, n) of the lines and a folder's path; which part of that is traced; the lines on it.
ACTIONS: dict[str, tuple[Callable[[Any, str], Any], str | None, list[int]]] = {
    "reduce": (lambda pairs, _: pairs.values().reduce(add), None, EVERY),
    "treeReduce": (lambda pairs, _: pairs.values().treeReduce(add), None, EVERY),
    "fold": (lambda pairs, _: pairs.values().fold(0, add), "x == 66", EVERY),
    "aggregate": (lambda pairs, _: pairs.values().aggregate(0, add, add), None, EVERY),
    "treeAggregate": (lambda pairs, _: pairs.values().treeAggregate(0, add, add), None, EVERY),
    "sum": (lambda pairs, _: pairs.filter(lambda pair: pair[0] == 1).values().sum(), "x == 22", ONES),
    "min": (lambda pairs, _: pairs.values().min(), None, EVERY),
    "mean": (lambda pairs, _: pairs.values().mean(), "x == 5.5", EVERY),
    "stats": (lambda pairs, _: pairs.values().stats(), None, EVERY),
    "meanApprox": (lambda pairs, _: pairs.values().meanApprox(9999), "x == 5.5", EVERY),
    "histogram": (lambda pairs, _: pairs.values().histogram(3), None, EVERY),
    "countByKey": (lambda pairs, _: pairs.countByKey(), "key == 1", ONES),
    "countByValue": (lambda pairs, _: pairs.keys().countByValue(), "key == 1", ONES),
    "reduceByKeyLocally": (lambda pairs, _: pairs.reduceByKeyLocally(add), "key == 1", ONES),
    "collectAsMap": (lambda pairs, _: pairs.reduceByKey(add).collectAsMap(), "key == 1", ONES),
    "collectAsMap of keys that come again": (lambda pairs, _: pairs.collectAsMap(), "key == 1", [10]),
    "lookup": (lambda pairs, _: pairs.lookup(1), "x == 7", [7]),
    "first": (lambda pairs, _: pairs.first(), None, [0]),
    "take": (lambda pairs, _: pairs.take(5), "key == 1", [1, 4]),
    "top": (lambda pairs, _: pairs.values().top(2), None, [10, 11]),
    "takeOrdered": (lambda pairs, _: pairs.values().takeOrdered(2, lambda n: -n), None, [10, 11]),
    "count": (lambda pairs, _: pairs.count(), "key == 1", ONES),
    "isEmpty": (lambda pairs, _: pairs.isEmpty(), None, [0]),
    "foreach": (lambda pairs, _: pairs.foreach(str), "key == 1", ONES),
    "foreachPartition": (lambda pairs, _: pairs.foreachPartition(list), "key == 1", ONES),
    "toLocalIterator": (lambda pairs, _: list(pairs.toLocalIterator()), "key == 1", ONES),
    "saveAsPickleFile": (lambda pairs, folder: pairs.saveAsPickleFile(folder), "key == 1", ONES),
    "saveAsSequenceFile": (lambda pairs, folder: pairs.saveAsSequenceFile(folder), "key == 1", ONES),
}


KINDS = (
    "reduce", "countByValue", "take", "count", "foreachPartition",
    "saveAsSequenceFile",
)  # fmt: skip
"""One of each kind: of all elements, of keys, of the first ones, and with no result."""


@pytest.mark.parametrize(
    "action", thinned(ACTIONS, "each action of RDDs, live, later and from an index", among=KINDS)
)
def test_traces_of_an_action(
    action: str,
    session: bigdebug.Session,
    context: SparkContext,
    spark: SparkSession,
    lines: str,
    tmp_path: Path,
) -> None:
    act, where, expected = ACTIONS[action]
    pairs = context.textFile(lines, 3).map(lambda line: tuple(map(int, line.split())))
    act(pairs, str(tmp_path / "out"))
    session._recorder.drain()
    output = session.outputs[-1]
    assert (output.action, output.recipe) == (action.split()[0], "stored")
    run = Store(session._recorder.store).find(session.run_id)
    index = open_rdd_index(run.tables, output.number)
    assert index is not None
    traces = {
        "live": session.trace(output, where=where),
        "recipe": open_output(run, output, spark=spark).trace(where),
        "index": index.trace(where),
    }
    for way, trace in traces.items():
        places = [(record.location.file, record.location.position) for record in trace.collect()]
        assert places == [(lines, position) for position in expected], way
        assert trace.matched == traces["live"].matched > 0, way
