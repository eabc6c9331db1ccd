"""Watchpoints on RDDs: a guard in Python, in the program's own chain of functions."""

import threading
import time
from pathlib import Path

import pytest
from pyspark import SparkContext

import bigdebug
from bigdebug.breakpoints.channel.channels import channels_of
from bigdebug.breakpoints.channel.values import Shown
from bigdebug.lineage.errors import BigDebugError
from tests.soon import soon


def test_hits_are_counted_and_the_results_stay_the_same(
    session: bigdebug.Session, context: SparkContext
) -> None:
    counted = context.accumulator(0)

    def pair(n: int) -> tuple[int, int]:
        counted.add(1)
        return n % 5, n

    numbers = context.parallelize(range(1000), 4).map(pair)
    totals = numbers.filter(lambda each: each[1] >= 0).reduceByKey(lambda a, b: a + b)
    plain = sorted(totals.collect())
    assert counted.value == 1000
    wp = session.watch(numbers, "x[1] % 100 == 7", capacity=4)  # the chain below it is there already
    assert sorted(totals.collect()) == plain
    assert counted.value == 2000  # the program's own accumulator counts as ever
    number = session.outputs[-1].number
    assert wp.hits == 10
    assert wp.counts == {number: 10}
    assert wp.truncated
    assert len(wp.records) == 4
    assert {each.value[1] % 100 for each in wp.records} == {7}
    assert all(each.output == number for each in wp.records)
    assert all(each.value[1] == each.partition * 250 + each.position for each in wp.records)
    (source,) = wp.records[0].trace().collect()
    assert source.value == wp.records[0].value[1]
    assert sorted(totals.collect()) == plain  # what was shuffled isn't read again
    assert wp.counts == {number: 10}
    assert numbers.count() == 1000
    assert wp.counts == {number: 10, number + 2: 10}
    assert session.outputs[-1].recipe != "unavailable"
    wp.remove()
    numbers.count()
    assert wp.hits == 20


def test_an_action_that_reads_some_partitions_counts_what_it_read(
    session: bigdebug.Session, context: SparkContext
) -> None:
    wp = session.watch(numbers := context.parallelize(range(100), 10), lambda n: n % 2 == 0)
    assert numbers.take(3) == [0, 1, 2]
    assert wp.hits == 2
    assert not wp.truncated
    assert numbers.map(lambda n: n + 1).take(25) == list(range(1, 26))
    assert wp.hits <= 2 + 15
    wp.remove()


def test_what_is_read_twice_for_one_output_counts_once(
    session: bigdebug.Session, context: SparkContext
) -> None:
    numbers = context.parallelize(range(100), 4)
    wp = session.watch(numbers, lambda n: n < 10)
    assert numbers.union(numbers).count() == 200
    assert wp.hits == 10
    assert len(numbers.takeSample(False, 5, seed=1)) == 5  # two jobs
    assert wp.hits == 20
    wp.remove()


def test_of_cached_data_what_is_read_counts(session: bigdebug.Session, context: SparkContext) -> None:
    calls = context.accumulator(0)

    def seen(n: int) -> int:
        calls.add(1)
        return n

    numbers = context.parallelize(range(100), 2)
    kept = numbers.map(seen).cache()
    below, above = session.watch(numbers, lambda n: n < 10), session.watch(kept, lambda n: n < 10)
    for _ in range(3):
        assert kept.map(lambda n: n * 2).sum() == 9900
    assert calls.value == 100
    assert (below.hits, above.hits) == (10, 30)
    kept.unpersist()
    assert kept.count() == 100
    assert (below.hits, above.hits) == (20, 40)
    below.remove()
    above.remove()


def test_a_guard_that_raises_ends_nothing(session: bigdebug.Session, context: SparkContext) -> None:
    words = context.parallelize(["1", "x", "3", "y"], 2)
    wp = session.watch(words, lambda word: int(word) > 2)
    assert words.collect() == ["1", "x", "3", "y"]
    assert (wp.hits, wp.errors) == (1, 2)
    assert "ValueError" in wp.notes[0]
    wp.remove()


def test_large_and_odd_records_are_shown(session: bigdebug.Session, context: SparkContext) -> None:
    made = context.parallelize([1, 2], 2).map(lambda n: "x" * 100_000_000 if n == 1 else (lambda: n))
    wp = session.watch(made, lambda each: True)
    assert made.map(lambda each: len(each) if isinstance(each, str) else 0).sum() == 100_000_000
    assert wp.hits == 2
    large, odd = sorted((each.value for each in wp.records), key=lambda value: value.kind, reverse=True)
    assert isinstance(large, Shown)
    assert (large.kind, odd.kind) == ("str", "function")
    assert len(large.text) < 2_000
    wp.remove()


def test_a_guard_that_cannot_be_sent_is_refused(session: bigdebug.Session, context: SparkContext) -> None:
    lock = threading.Lock()
    with pytest.raises(BigDebugError, match="can't be sent"):
        session.watch(context.parallelize([1]), lambda n: lock)
    with pytest.raises(BigDebugError, match="no expression in Python"):
        session.watch(context.parallelize([1]), "n <")


def test_a_new_guard_reaches_running_tasks_and_records_stream_in(
    session: bigdebug.Session, context: SparkContext, tmp_path: Path
) -> None:
    stop, runs = tmp_path / "stop", tmp_path / "runs"
    place, running = str(stop), str(runs)

    def slow(partition: int, numbers):  # type: ignore[no-untyped-def]
        from pathlib import Path as Place

        Place(running).touch()
        for n in range(100_000):
            if Place(place).exists():
                return
            time.sleep(0.005)
            yield n

    ticking = context.parallelize([0, 1], 2).mapPartitionsWithIndex(slow)
    wp = session.watch(ticking, lambda n: False)
    found: list[int] = []
    job = threading.Thread(target=lambda: found.append(ticking.count()))
    job.start()
    try:
        assert soon(runs.exists)
        assert wp.hits == 0
        wp.guard = lambda n: True
        assert soon(lambda: wp.records)
        assert job.is_alive()
    finally:
        stop.touch()
        job.join(30)
    assert 0 < wp.hits < found[0]
    wp.remove()


def test_a_listener_that_breaks_in_the_middle_loses_nothing(
    session: bigdebug.Session, context: SparkContext, tmp_path: Path
) -> None:
    runs, broken = tmp_path / "runs", tmp_path / "broken"
    running, over = str(runs), str(broken)

    def slowly(n: int) -> int:
        from pathlib import Path as Place

        if n % 100 == 60:
            Place(running).touch()
            while not Place(over).exists():
                time.sleep(0.01)
        return n

    def shut() -> None:
        if soon(runs.exists):
            exchange.shut()
        broken.touch()

    numbers = context.parallelize(range(200), 2).map(slowly)
    wp = session.watch(numbers, lambda n: n % 50 == 0)
    exchange = channels_of(session._recorder).exchange(context)
    threading.Thread(target=shut).start()
    assert numbers.sum() == 19900
    assert not exchange.listening
    assert wp.hits == 4
    assert sorted(each.value for each in wp.records) == [0, 50, 100, 150]
    wp.remove()


def test_nothing_listens_when_nothing_is_watched(session: bigdebug.Session, context: SparkContext) -> None:
    exchange = channels_of(session._recorder).exchange(context)
    assert not exchange.listening
    first = session.watch(context.parallelize([1]), lambda n: True)
    second = session.watch(context.parallelize([1]), lambda n: True)
    assert exchange.listening
    first.remove()
    assert exchange.listening
    second.remove()
    second.remove()
    assert not exchange.listening
