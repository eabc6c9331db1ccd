"""The search for one row's culprits, against every outcome that there can be."""

from collections.abc import Callable, Generator
from typing import TypeVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyroaring import FrozenBitMap

from bigdebug.isolation.ranking import Ranking, ranked, standing_apart
from bigdebug.isolation.search import AT_ONCE, IN_JOBS, ONE_BY_ONE, Effort, Outcome, Outcomes, Sets
from bigdebug.isolation.search_row import Blame, RowSearch

Judge = Callable[[FrozenBitMap], Outcome]
Found = TypeVar("Found")


def driven(search: Generator[Sets, Outcomes, Found], judge: Judge, rounds: list[int] | None = None) -> Found:
    """What is found, and how many subsets each round had."""
    answers: Outcomes | None = None
    while True:
        try:
            sets = next(search) if answers is None else search.send(answers)
        except StopIteration as done:
            return done.value
        if rounds is not None:
            rounds.append(len(sets))
        answers = [judge(each) for each in sets]


def require_right(records: FrozenBitMap, judge: Judge, found: Blame) -> None:
    """Valid, and 1-minimal, by trying each record."""
    alone = found.reproduction.records
    assert judge(alone) is Outcome.FAILED
    assert all(judge(alone - FrozenBitMap([one])) is not Outcome.FAILED for one in alone)
    if found.culprits is None:
        assert judge(FrozenBitMap()) is (Outcome.FAILED if found.needs_none else Outcome.UNRESOLVED)
        return
    gone = found.culprits.records
    wanted = Outcome.ABSENT if found.vanishes else Outcome.PASSED
    assert judge(records - gone) is wanted
    assert all(judge((records - gone) | FrozenBitMap([one])) is not wanted for one in gone)


@given(st.integers(1, 7), st.data())
@settings(max_examples=150)
def test_any_outcomes_whatever(size: int, data: st.DataObject) -> None:
    """Nothing is assumed: outcomes need not be monotone, and replays may crash."""
    told = data.draw(st.lists(st.sampled_from(Outcome), min_size=1 << size, max_size=1 << size))
    told[-1] = Outcome.FAILED
    records = FrozenBitMap(range(size))
    order = np.array(data.draw(st.permutations(range(size))), dtype=np.uint32)
    judge: Judge = lambda subset: told[sum(1 << each for each in subset)]  # noqa: E731
    apart = data.draw(st.none() | st.integers(1, size))
    rankings = [Ranking.of(order, apart)][: data.draw(st.integers(0, 1))]
    effort = data.draw(st.sampled_from([IN_JOBS, ONE_BY_ONE, AT_ONCE]))
    found = driven(RowSearch(records, rankings, effort).run(), judge)
    require_right(records, judge, found)


@given(st.sets(st.integers(0, 499), min_size=1, max_size=12), st.booleans())
@settings(max_examples=40)
def test_planted_records_are_found(planted: set[int], ordered: bool) -> None:
    """A row that fails as long as any of some records is there, and needs one good record to be there at all."""
    records, bad = FrozenBitMap(range(500)), FrozenBitMap(planted)
    tried = 0

    def judge(subset: FrozenBitMap) -> Outcome:
        nonlocal tried
        tried += 1
        if subset & bad:
            return Outcome.FAILED
        return Outcome.PASSED if subset else Outcome.ABSENT

    order = np.array([*sorted(bad), *sorted(records - bad)], dtype=np.uint32)
    found = driven(RowSearch(records, [Ranking.of(order)] if ordered else []).run(), judge)
    assert found.culprits is not None
    assert found.culprits.records == bad
    assert len(found.reproduction.records) == 1
    assert tried < 2_000


def test_records_that_only_fail_together() -> None:
    records, bad = FrozenBitMap(range(1_000)), FrozenBitMap([3, 500, 997])

    def judge(subset: FrozenBitMap) -> Outcome:
        return Outcome.FAILED if bad <= subset else Outcome.PASSED

    found = driven(RowSearch(records).run(), judge)
    assert found.reproduction.records == bad
    assert found.culprits is not None
    assert len(found.culprits.records) == 1
    assert found.culprits.records <= bad


@pytest.mark.parametrize("effort", [IN_JOBS, ONE_BY_ONE])
def test_few_candidates_take_few_rounds(effort: Effort) -> None:
    """Each round is a job; where a subset is one, nothing is tried that might not be needed."""
    records = FrozenBitMap(range(22))
    rounds: list[int] = []

    def judge(subset: FrozenBitMap) -> Outcome:
        return Outcome.FAILED if 4 in subset and len(subset) > 7 else Outcome.PASSED

    found = driven(RowSearch(records, effort=effort).run(), judge, rounds)
    require_right(records, judge, found)
    assert found.culprits is not None
    assert found.culprits.records == FrozenBitMap([4])
    assert len(rounds) <= (4 if effort.ahead else 12)
    assert sum(rounds) < (160 if effort.ahead else 120)


def test_where_proving_would_take_too_long_it_says_so() -> None:
    records, bad = FrozenBitMap(range(60_000)), FrozenBitMap(range(0, 60_000, 2))

    def judge(subset: FrozenBitMap) -> Outcome:
        if not subset:
            return Outcome.ABSENT
        return Outcome.FAILED if len(subset & bad) > 2_000 else Outcome.PASSED

    order = np.array([*bad, *(records - bad)], dtype=np.uint32)
    found = driven(RowSearch(records, [Ranking.of(order)]).run(), judge)
    assert found.culprits is not None
    assert not found.culprits.proven
    assert judge(records - found.culprits.records) is Outcome.PASSED


@pytest.mark.parametrize(("needed", "most"), [(3_000, 30), (2_000, 2_000)])
def test_very_many_that_stand_apart_are_tried_together_first(needed: int, most: int) -> None:
    """All of them are to blame, or so many that the rest does no harm."""
    records, bad = FrozenBitMap(range(60_000)), FrozenBitMap(range(0, 60_000, 20))
    rounds: list[int] = []

    def judge(subset: FrozenBitMap) -> Outcome:
        if not subset:
            return Outcome.ABSENT
        return Outcome.FAILED if len(subset & bad) > 3_000 - needed else Outcome.PASSED

    order = np.array([*bad, *(records - bad)], dtype=np.uint32)
    apart = standing_apart(np.where(np.isin(order, bad), 0.0, 9.0))
    assert apart == 3_000
    effort = Effort(work=10_000_000, ahead=True)
    found = driven(RowSearch(records, [Ranking.of(order, apart)], effort).run(), judge, rounds)
    assert found.culprits is not None
    assert found.culprits.records == FrozenBitMap(order[:needed])
    assert sum(rounds) <= most


@pytest.mark.parametrize(
    ("scores", "apart"),
    [
        ([-1000, -1000, 1, 2, 3, 5, 7, 9], 2),
        ([1, 2, 3, 4, 5], None),
        ([1, 1, 1, 1], None),
        ([1, 1, 1, 900], None),
        ([3, 9], 1),
        ([3], None),
        ([-np.inf, 1, 2, 3], None),
    ],
)
def test_the_first_stand_apart_where_the_next_one_is_far(scores: list[float], apart: int | None) -> None:
    assert standing_apart(np.array(scores, dtype=float)) == apart


@given(st.lists(st.integers(-9, 9), min_size=1, max_size=60), st.integers(1, 12))
def test_of_many_candidates_the_first_are_those_of_the_whole_order(scores: list[int], most: int) -> None:
    numbers = np.arange(len(scores), dtype=np.uint32)
    ranking = ranked(numbers, np.array(scores), FrozenBitMap(numbers), most)
    for size in (1, most, len(scores)):
        assert sorted(scores[each] for each in ranking.head(size)) == sorted(scores)[:size]
