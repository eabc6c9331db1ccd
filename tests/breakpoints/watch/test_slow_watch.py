"""Watchpoints by time: what a function takes far longer over than usual, or is still busy with."""

import threading
import time
from pathlib import Path
from typing import Any

import pytest
from pyspark import SparkContext
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

import bigdebug
from bigdebug.breakpoints.watch.pacing import Pace
from bigdebug.lineage.errors import BigDebugError
from tests.soon import soon


@pytest.mark.compat
def test_slow_records_are_caught_with_what_the_function_was_given(
    session: bigdebug.Session, context: SparkContext
) -> None:
    def looked_up(n: int) -> int:
        if n in (2, 700):
            time.sleep(0.8)
        return n * 10

    found = context.parallelize(range(1_000), 2).map(looked_up)
    plain = found.sum()
    wp = session.watch(found, bigdebug.Slow(seconds=0.5))
    assert found.map(lambda n: n + 1).sum() == plain + 1_000
    assert sorted(each.value for each in wp.records) == [2, 700]
    assert wp.counts == {session.outputs[-1].number: 2}
    assert all(0.8 <= each.seconds < 10 and not each.running for each in wp.records)
    assert {(each.partition, each.position) for each in wp.records} == {(0, 2), (1, 200)}
    first = min(wp.records, key=lambda each: each.value)
    (source,) = first.trace().collect()
    assert source.value == 2
    assert "Slow(deviations=3, seconds=0.5)" in repr(wp)
    (table,) = wp._description().tables
    assert table.columns[-1] == "seconds"


def test_a_record_that_a_function_is_still_busy_with_is_caught_while_it_is(
    session: bigdebug.Session, context: SparkContext, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"

    def waiting(n: int) -> int:
        while n == 70 and not gate.exists():
            time.sleep(0.01)
        return n

    numbers = context.parallelize(range(100), 2).map(waiting)
    wp = session.watch(numbers, bigdebug.Slow(seconds=1.0))
    counted: list[int] = []
    job = threading.Thread(target=lambda: counted.append(numbers.count()))
    job.start()
    try:
        assert soon(lambda: wp.records)
        (stuck,) = wp.records
        assert (stuck.value, stuck.running, stuck.position) == (70, True, 20)
        assert not counted
        assert str(stuck.took).endswith("so far")
        # It is told of again, while nothing else is.
        assert soon(lambda: wp.records[0].seconds >= 2 * stuck.seconds)
    finally:
        gate.touch()
        job.join()
    assert counted == [100]
    (over,) = wp.records
    assert (over.value, over.running) == (70, False)
    assert over.seconds > stuck.seconds
    assert wp.hits == 1  # and but once


def test_values_of_pairs_and_what_generators_do_are_timed(
    session: bigdebug.Session, context: SparkContext
) -> None:
    def slowly(n: int) -> int:
        time.sleep(0.7 if n == 33 else 0)
        return n

    def each(n: int) -> Any:
        for i in range(2):
            time.sleep(0.4 if n == 44 else 0)
            yield n + i

    pairs = context.parallelize([(n % 3, n) for n in range(50)], 1).mapValues(slowly)
    many = context.parallelize(range(50), 1).flatMap(each)
    of_pairs, of_many = (session.watch(rdd, bigdebug.Slow(seconds=0.5)) for rdd in (pairs, many))
    assert (pairs.count(), many.count()) == (50, 100)
    assert [caught.value for caught in of_pairs.records] == [33]
    assert [caught.value for caught in of_many.records] == [44]
    assert [record.value for record in of_pairs.records[0].trace().collect()] == [(0, 33)]
    assert [record.value for record in of_many.records[0].trace().collect()] == [44]


@pytest.mark.compat
def test_functions_of_rows_are_timed(session: bigdebug.Session, spark: SparkSession) -> None:
    seen = spark.sparkContext.accumulator(0)

    def named(n: int, name: str) -> str:
        seen.add(1)
        if n == 300:
            time.sleep(0.8)
        return f"{name} {n}"

    def length(text: str) -> int:
        if text.endswith(" 77"):
            time.sleep(0.9)
        return len(text)

    both = F.udf(length, "int")(F.udf(named, "string")("id", F.lit("row")))
    numbers = spark.range(500).repartition(2, "id").where("id >= 0")
    frame = numbers.select("id", both.alias("length"))
    plain = sorted(frame.collect())
    wp = session.watch(frame, bigdebug.Slow(seconds=0.5))
    seen.value = 0
    assert sorted(frame.collect()) == plain
    assert seen.value == 500  # the program's own accumulators count as ever
    assert wp.counts == {session.outputs[-1].number: 2}
    found = {each.value: each for each in wp.records}
    assert found.keys() == {(300, "row"), "row 77"}
    assert [found[value].trace().collect()[0].value["id"] for value in found] == [
        {(300, "row"): 300, "row 77": 77}[value] for value in found
    ]


def test_a_function_that_crashes_is_timed_as_well(session: bigdebug.Session, spark: SparkSession) -> None:
    def risky(n: int) -> int:
        time.sleep(0.7 if n == 41 else 0)
        return n // (n - 42)

    session.on_crash("skip")
    frame = spark.range(100, numPartitions=1).select(F.udf(risky, "long")("id").alias("n"))
    wp = session.watch(frame, bigdebug.Slow(seconds=0.5))
    assert len(frame.collect()) == 99
    assert [each.value for each in wp.records] == [41]


def test_the_limits_change_while_the_job_runs(
    session: bigdebug.Session, context: SparkContext, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"

    def some(n: int) -> int:
        while n == 300 and not gate.exists():
            time.sleep(0.01)
        time.sleep(0.3 if n in (290, 900) else 0)
        return n

    numbers = context.parallelize(range(1_000), 1).map(some)
    wp = session.watch(numbers, bigdebug.Slow(seconds=60))
    job = threading.Thread(target=numbers.count)
    job.start()
    time.sleep(1)
    wp.guard = bigdebug.Slow(seconds=0.2)
    time.sleep(2)
    gate.touch()
    job.join()
    assert [caught.value for caught in wp.records if caught.value != 300] == [900]


def test_what_cannot_be_timed_is_refused(
    session: bigdebug.Session, context: SparkContext, spark: SparkSession
) -> None:
    numbers = context.parallelize(range(10), 2)
    slow = bigdebug.Slow()
    for data, message in (
        (numbers.map(abs).distinct(), "calls no function with one element at a time"),
        (numbers, "calls no function with one element at a time"),
        (spark.range(3).where("id > 1"), "calls no Python function row by row"),
    ):
        with pytest.raises(BigDebugError, match=message):
            session.watch(data, slow)
    for limit in ({"seconds": -1}, {"deviations": "many"}):
        with pytest.raises(BigDebugError, match="isn't a limit"):
            session.watch(numbers.map(abs), bigdebug.Slow(**limit))
    wp = session.watch(numbers.map(abs), slow)
    with pytest.raises(BigDebugError, match="set a second watchpoint"):
        wp.guard = lambda n: n > 3
    assert wp.guard == slow


def test_a_guard_by_time_as_text() -> None:
    for guard in (bigdebug.Slow(), bigdebug.Slow(4, 0.25)):
        assert bigdebug.Slow.of_text(repr(guard)) == guard
    for text in ("Slow(", "Slow(speed=3)", "Slow(x)", "Fast()", "__import__('os').Slow()"):
        with pytest.raises(ValueError, match="isn't a guard by time"):
            bigdebug.Slow.of_text(text)


class _Task:
    """What a pace tells of, in place of a task's connection to the driver."""

    def __init__(self, guard: bigdebug.Slow) -> None:
        self.guard = guard
        self.told: list[int] = []

    def _catcher(self, _: None) -> "_Task":
        return self

    def seen(self, _: int) -> None: ...

    def slow(self, value: int, *_: object, **__: object) -> None:
        self.told.append(value)


def _told_of(times: list[int], guard: bigdebug.Slow) -> list[int]:
    """The places of the times that are told of, in nanoseconds."""
    task: Any = _Task(guard)
    pace = Pace(task, lambda: (None, 0, 0))
    total = squares = due = 0
    limit = -1
    for place, took in enumerate(times):
        total, squares = total + took, squares + took * took
        if took > limit or place + 1 >= due:
            total, squares, limit, due = pace.settled(place, took, place + 1, total, squares)
    return task.told


def test_the_pace_follows_the_function() -> None:
    guard = bigdebug.Slow(deviations=4, seconds=0)
    steady = [1_000 + 10 * (n % 7) for n in range(5_000)]
    assert _told_of(steady, guard) == []
    spiked = list(steady)
    for place in (3, 15, 40, 4_000):
        spiked[place] = 50_000
    assert _told_of(spiked, guard) == [3, 15, 40, 4_000]
    assert _told_of(spiked, bigdebug.Slow(deviations=4, seconds=1)) == []
    # A function that has become slower for good isn't told of for ever.
    slower = steady + [each * 20 for each in steady]
    told = _told_of(slower, guard)
    assert told[0] == 5_000
    assert len(told) < 3_000
    assert told[-1] < 8_000
