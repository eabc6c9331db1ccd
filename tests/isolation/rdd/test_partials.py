"""What runs of a key's elements combine to is what the elements combine to one by one."""

from collections.abc import Callable, Iterator
from operator import add
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyroaring import FrozenBitMap
from pyspark.sql import SparkSession

import bigdebug
from bigdebug.isolation.rdd import partials
from bigdebug.isolation.rdd.local import LocalContext, LocalRdd
from bigdebug.isolation.rdd.partials import MutableError, Partials
from bigdebug.isolation.rdd.points import Chosen, Held, Point

WAYS: dict[str, Callable[[Any], Any]] = {
    "sums": lambda rdd: rdd.reduceByKey(add),
    "folded": lambda rdd: rdd.foldByKey(0, max),
    "counted": lambda rdd: rdd.aggregateByKey((0, 0), lambda a, v: (a[0] + v, a[1] + 1), _both),
    "combined": lambda rdd: rdd.combineByKey(lambda v: (v,), lambda a, v: (*a, v), add, 2),
}


def _both(a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int]:
    return a[0] + b[0], a[1] + b[1]


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partials, "_RUN", 2)
    monkeypatch.setattr(partials, "_LEAST", 1)
    monkeypatch.setattr(partials, "_SHARE", 1_000)


def point_of(parts: list[list[Any]]) -> Point:
    held = Held.of(parts)
    assert held is not None
    count = len(held)
    return Point(held, np.zeros((count, 1), np.int64), np.arange(count).reshape(-1, 1), None)


@settings(max_examples=200)
@given(
    parts=st.lists(
        st.lists(st.tuples(st.sampled_from(["a", "a", "a", 1, 1.0]), st.integers(-9, 9)), max_size=60),
        max_size=3,
    ),
    way=st.sampled_from(sorted(WAYS)),
    seeds=st.lists(
        st.tuples(st.integers(0, 1_000), st.sampled_from([0.1, 0.8, 0.95, 1.0])), min_size=1, max_size=4
    ),
    compact=st.booleans(),
)
def test_in_runs_and_one_by_one(
    spark: SparkSession,
    parts: list[list[Any]],
    way: str,
    seeds: list[tuple[int, float]],
    compact: bool,
) -> None:
    point = point_of(parts)
    count = len(point.held)
    known = Partials.of(point)
    context = LocalContext(spark.sparkContext, compact=compact)
    if known is None:
        assert not count
        return
    for seed, share in seeds:
        chosen = Chosen(
            FrozenBitMap(np.flatnonzero(np.random.default_rng(seed).random(count) < share)), count
        )
        in_runs = known.rdd(context, chosen)
        if in_runs is None:
            assert not len(chosen.array)
            continue
        one_by_one = WAYS[way](point.plain(context, chosen))
        found = WAYS[way](in_runs)
        assert [spelled(part) for part in found.parts] == [spelled(part) for part in one_by_one.parts]


def spelled(part: list[Any]) -> list[str]:
    """Elements as they are written: 1 isn't 1.0."""
    return [repr(element) for element in part]


def test_what_can_be_changed_is_not_kept(spark: SparkSession) -> None:
    point = point_of([[("a", number) for number in range(9)]])
    known = Partials.of(point)
    assert known is not None
    rdd = known.rdd(LocalContext(spark.sparkContext), Chosen(FrozenBitMap(range(9)), 9))
    assert rdd is not None
    with pytest.raises(MutableError):
        rdd.combineByKey(lambda value: [value], lambda found, value: [*found, value], add)


def test_nothing_is_kept_of_what_are_no_pairs_or_can_be_changed() -> None:
    assert Partials.of(point_of([[1, 2], [3]])) is None
    assert Held.of([[("a", [1])]]) is None


@pytest.fixture
def in_runs(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bool]]:
    """Whether replays combined elements in runs, each time that something was combined by key."""
    seen: list[bool] = []
    before = partials._InRuns._combined

    def watched(rdd: Any, *functions: Any) -> LocalRdd:
        seen.append(True)
        return before(rdd, *functions)

    monkeypatch.setattr(partials._InRuns, "_combined", watched)
    return seen


def _read(spark: SparkSession, numbers: list[int]) -> Any:
    return spark.sparkContext.parallelize(numbers, 2)


NUMBERS = [7, 1, 2, 900, 3, 4, 5, 6, 8, 2, 700, 1, 3, 5, 4, 2]


@pytest.mark.compat
def test_an_answer_in_runs(spark: SparkSession, session: bigdebug.Session, in_runs: list[bool]) -> None:
    summed = _read(spark, NUMBERS).map(lambda n: (n % 1, n)).reduceByKey(add)
    found = session.isolate(summed, lambda pair: pair[1] > 1_000)
    assert in_runs
    assert [record.value for record in found.culprits] == [900]
    assert sorted(record.value for record in found.reproduction)[-1] == 900
    assert found.culprits.proof == found.reproduction.proof == "1-minimal"
    found.release()


def test_an_answer_above_a_join(spark: SparkSession, session: bigdebug.Session, in_runs: list[bool]) -> None:
    names = spark.sparkContext.parallelize([(0, "even"), (1, "odd")], 1)
    named = (
        _read(spark, NUMBERS).map(lambda n: (n % 2, n)).join(names).map(lambda pair: (pair[1][1], pair[1][0]))
    )
    found = session.isolate(named.reduceByKey(add), lambda pair: pair[1] > 1_000)
    assert in_runs
    assert [record.value for record in found.culprits] == [900]
    assert {record.value for record in found.reproduction} >= {(0, "even"), 900}
    found.release()


def test_what_combines_otherwise_in_runs_is_combined_one_by_one(
    spark: SparkSession, session: bigdebug.Session, in_runs: list[bool]
) -> None:
    """A mean of means: what it gives hangs on how elements are split."""
    halves = spark.sparkContext.parallelize([4, 8, 6, 1000, 2, 5], 1).map(lambda n: ("all", n))
    found = session.isolate(halves.reduceByKey(lambda a, b: (a + b) / 2), lambda pair: pair[1] > 100)
    before = len(in_runs)
    assert before == 1  # it was tried, and gave something else
    assert [record.value for record in found.culprits] == [1000]
    assert not any("two replays" in note for note in found.notes)
    found.release()
