"""Forward traces of RDDs: which outputs, which elements, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from operator import add
from pathlib import Path

import pytest
from pyspark import SparkContext
from pyspark.sql import SparkSession

import bigdebug
from bigdebug.lineage.errors import BigDebugError, UnknownNameError
from bigdebug.lineage.postmortem import open_output
from bigdebug.lineage.store import Store


@pytest.fixture
def store(tmp_path: Path) -> str:
    return str(tmp_path / "store")


@pytest.fixture
def session(spark: SparkSession, store: str) -> Iterator[bigdebug.Session]:
    with bigdebug.attach(spark, store=store) as attached:
        yield attached


def test_every_output_that_read_the_source(
    session: bigdebug.Session, context: SparkContext, spark: SparkSession, store: str, tmp_path: Path
) -> None:
    (tmp_path / "lines.txt").write_text("to be or\nnot to be\nthat is\nthe question\n")
    lines = context.textFile(str(tmp_path / "lines.txt"), 2)
    names = context.parallelize([("be", "verb"), ("to", "word"), ("question", "noun")], 2)
    context.parallelize([1]).count()
    counts = lines.flatMap(str.split).map(lambda word: (word, 1)).reduceByKey(add)
    counts.join(names).collect()
    counts.takeOrdered(2, key=lambda pair: -pair[1])
    lines.filter(lambda line: "q" in line).saveAsTextFile(str(tmp_path / "out"))
    lines.map(len).sum()
    trace = session.trace(lines, where=lambda line: line.startswith("not"), direction="forward")
    assert trace.source == "lines.txt"
    assert trace.matched == 1
    assert [(each.name, each.kind, each.count, each.files) for each in trace.sources] == [
        ("output 2", "output", 2, []),
        ("output 3", "output", 2, []),
        ("output 4", "output", 0, []),
        ("output 5", "output", 1, []),
    ]
    reached = [(record.source, record.value) for record in trace.collect()]
    assert sorted(reached[:2]) == [("output 2", ("be", (2, "verb"))), ("output 2", ("to", (2, "word")))]
    assert reached[4:] == [("output 5", 36)]
    assert [record.value for record in trace.records("output 5").collect()] == [36]
    assert [(step.operator, step.count) for step in trace.steps][:4] == [
        ("flatMap", 3), ("map", 3), ("reduceByKey", 3), ("join", 2),
    ]  # fmt: skip
    assert sorted(trace.steps[1].records().collect()) == [("be", 1), ("not", 1), ("to", 1)]
    assert trace.exact
    assert trace.notes == []
    # The other way round: each of these elements comes from a record asked about.
    back = session.trace(session.outputs[1], where=lambda pair: pair[0] == "be")
    assert "not to be" in [record.value for record in back.collect_source("lines.txt")]

    session._recorder.drain()
    run = Store(store).find(session.run_id)
    later = open_output(run, run.output("2"), spark=spark)
    with pytest.raises(UnknownNameError, match="of which source"):
        later.forward("True")
    again = later.forward("x.startswith('not')", "lines")
    assert (again.source, again.matched) == ("lines.txt", 1)
    assert sorted(record.value for record in again.collect()) == sorted(value for _, value in reached[:2])


def test_functions_of_partitions_give_elements_of_what_they_had_read(
    session: bigdebug.Session, context: SparkContext
) -> None:
    numbers = context.parallelize(range(6), 2)
    numbers.mapPartitions(lambda part: (x for x in part)).collect()
    numbers.mapPartitions(bigdebug.record_wise(lambda part: (x for x in part))).collect()
    numbers.glom().collect()
    trace = session.trace(numbers, where="x == 1", direction="forward")
    assert [record.value for record in trace.collect()] == [1, 2, 1, [0, 1, 2]]
    assert not trace.exact
    assert [note.split(" at ")[0] for note in trace.notes] == ["what mapPartitions"]


def test_very_many_groups_are_joined_in_spark(
    session: bigdebug.Session, context: SparkContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bigdebug.lineage.rdd.flagging.MOST_KEYS", 2)
    nan = float("nan")
    pairs = context.parallelize([(1, 0), (2, 1), ("a", 2), (None, 3), (1, 4), (nan, 5)], 2)
    groups = pairs.groupByKey().mapValues(sorted)
    every = groups.zipWithIndex().collect()
    trace = session.trace(pairs, where="value != 1", direction="forward")
    found = [record.value for record in trace.collect()]
    assert repr(found) == repr([pair for pair in every if pair[0][0] != 2]), "in the order that they have"
    assert any("not a number" in note for note in trace.notes)


def test_what_is_refused(session: bigdebug.Session, context: SparkContext) -> None:
    numbers = context.parallelize(range(4), 2)
    small = numbers.filter(lambda x: x < 2)
    nothing = session.trace(numbers, direction="forward")
    assert (nothing.matched, nothing.sources, nothing.steps) == (4, [], [])
    small.collect()
    for data in (small, session.outputs[-1]):
        with pytest.raises(BigDebugError, match="starts from a source"):
            session.trace(data, direction="forward")
    with pytest.raises(BigDebugError, match="for backward traces"):
        session.trace(numbers, direction="forward", windows=True)  # type: ignore[call-overload]
    with pytest.raises(UnknownNameError):
        session.trace(numbers, direction="forward").records("output 7")
