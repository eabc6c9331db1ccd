"""Simulated breakpoints in RDD programs."""

import io

import pytest
from pyspark import SparkContext

import bigdebug
from bigdebug.lineage.errors import BigDebugError


def _parsed(line: str) -> tuple[str, int]:
    word, number = line.split()
    return word, int(number)


def test_it_answers_and_the_next_one_stands_downstream(
    session: bigdebug.Session, context: SparkContext
) -> None:
    pairs = context.parallelize([f"w{i % 3} {i}" for i in range(12)], 3).map(_parsed)
    totals = pairs.filter(lambda pair: pair[1] > 3).reduceByKey(lambda a, b: a + b)
    assert len(totals.collect()) == 3
    bp = session.breakpoint(pairs, when="value < 3")
    assert bp.records() == [("w0", 0), ("w1", 1), ("w2", 2)]
    assert bp.count() == 3
    assert [record.value for record in bp.trace().collect()] == ["w0 0", "w1 1", "w2 2"]
    assert bp.next().count() == 8
    assert bp.next().next().operator == "reduceByKey"
    assert sorted(bp.next().next().records()) == sorted(totals.collect())
    assert bp.inputs(2) == ["w0 0", "w1 1"]


def test_resuming_with_another_function(session: bigdebug.Session, context: SparkContext) -> None:
    counted = context.accumulator(0)

    def read(line: str) -> str:
        counted.add(1)
        return line

    pairs = context.parallelize([f"w{i % 3} {i}" for i in range(12)], 3).map(read).cache().map(_parsed)
    pairs.reduceByKey(lambda a, b: a + b).collect()
    pairs.map(lambda pair: pair[1]).sum()
    assert counted.value == 12
    bp = session.breakpoint(pairs)
    patched = bp.resume(lambda line: (_parsed(line)[0], 1))
    assert sorted(patched[0].data.collect()) == [("w0", 4), ("w1", 4), ("w2", 4)]
    assert patched[1].data.collect() == [12]
    assert counted.value == 12  # what lies above is used again
    with pytest.raises(BigDebugError, match="gives str, where the operator gave a tuple of 2"):
        bp.resume(lambda line: line)


def test_resuming_where_the_operator_calls_no_function(
    session: bigdebug.Session, context: SparkContext
) -> None:
    both = context.parallelize([1, 2]).union(context.parallelize([3]))
    both.map(lambda n: n * 2).collect()
    (found,) = session.breakpoint(both).resume(lambda left, right: left)
    assert found.data.collect() == [2, 4]


def test_a_crashing_function_can_be_patched(session: bigdebug.Session, context: SparkContext) -> None:
    read = context.parallelize(["1", "x", "3"], 1).map(int)
    total = read.map(lambda n: n + 1)
    with pytest.raises(Exception, match="invalid literal"):
        total.collect()
    (found,) = session.breakpoint(read).resume(lambda text: int(text) if text.isdigit() else 0)
    assert found.data.collect() == [2, 1, 4]


def test_a_function_is_debugged_on_one_element(
    session: bigdebug.Session, context: SparkContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = context.parallelize(["a 1", "b 2"], 1).map(_parsed)
    bp = session.breakpoint(pairs)
    said = io.StringIO()
    monkeypatch.setattr("sys.stdin", io.StringIO("n\np (word, number)\nc\n"))
    monkeypatch.setattr("sys.stdout", said)
    assert bp.debug(bp.inputs()[1]) == ("b", 2)
    assert "('b', '2')" in said.getvalue()
    with pytest.raises(BigDebugError, match="calls no function with one record"):
        session.breakpoint(pairs.reduceByKey(max)).debug(("a", 1))
