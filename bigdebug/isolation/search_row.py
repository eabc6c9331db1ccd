"""What of a row's candidates is to blame: a failing input and a repair set, each as small as can be."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np
from pyroaring import FrozenBitMap

from bigdebug.isolation.ranking import CoarseError, Ranking
from bigdebug.isolation.search import (
    IN_JOBS,
    Effort,
    Minimal,
    Outcome,
    Outcomes,
    Sets,
    cut,
    failing_parts,
    fewest,
    side_by_side,
)

_MOST_PARTS = 4_096
_SIZES = 6
"""Heads of a ranking that are tried at once."""
_LITTLE = 1_000_000
"""Records that sets which may turn out not to be needed have together at most."""
_NOTHING = FrozenBitMap()


@dataclass(frozen=True)
class Blame:
    """What was found for a row.

    Attributes:
        reproduction: these alone still give the failing row.
        culprits: without these the row is there and passes; None where nothing that was tried gives that.
        vanishes: nothing that was tried makes the row pass: without the culprits it isn't there.
        needs_none: it fails without any of the candidates.
    """

    reproduction: Minimal
    culprits: Minimal | None
    vanishes: bool = False
    needs_none: bool = False


class NotAgainError(Exception):
    """The row isn't failing when the pipeline runs on its candidates alone."""


class RowSearch:
    """The search for one row.

    Args:
        candidates: numbers of the records that it may come from.
        rankings: of these and others.
        effort: how much is asked at once.

    Attributes:
        failing: the smallest set found so far of which the row fails.
        repaired: the smallest set found so far without which it passes; None so far.
    """

    def __init__(
        self, candidates: FrozenBitMap, rankings: Sequence[Ranking] = (), effort: Effort = IN_JOBS
    ) -> None:
        self._effort = effort
        self._all = candidates
        self._rankings = [ranking.within(candidates) for ranking in rankings]
        self.failing = candidates
        self.repaired: FrozenBitMap | None = None

    def run(self) -> Generator[Sets, Outcomes, Blame]:
        """Raises NotAgainError if the row doesn't fail again, CoarseError if more must be known of its candidates."""
        searching = self._search()
        answers: Outcomes | None = None
        while True:
            try:
                sets = next(searching) if answers is None else searching.send(answers)
            except StopIteration as done:
                found: Blame = done.value
                return found
            answers = yield sets
            for each, outcome in zip(sets, answers, strict=True):
                self._see(each, outcome)

    def best(self) -> Blame:
        """What is known so far, where there was no time for more."""
        culprits = None if self.repaired is None else Minimal(self.repaired, False)
        return Blame(Minimal(self.failing, False), culprits)

    def _see(self, tried: FrozenBitMap, outcome: Outcome) -> None:
        if outcome is Outcome.FAILED and len(tried) < len(self.failing):
            self.failing = tried
        elif outcome is Outcome.PASSED:
            without = self._all - tried
            if self.repaired is None or len(without) < len(self.repaired):
                self.repaired = without

    def _search(self) -> Generator[Sets, Outcomes, Blame]:
        whole, nothing, *_ = yield [self._all, _NOTHING, *self._soon()]
        if whole is not Outcome.FAILED:
            raise NotAgainError
        if nothing is Outcome.FAILED:
            return Blame(Minimal(_NOTHING, True), None, needs_none=True)
        reproduction, culprits = yield from side_by_side(self._reproduction(), self._repair())
        if culprits is not None:
            return Blame(reproduction, culprits)
        enough = yield from self._enough(reproduction.records)
        if enough is None and nothing is not Outcome.ABSENT:
            return Blame(reproduction, None)
        if enough is None:
            gone = yield from fewest(self._all, self._without, Outcome.ABSENT, self._effort)
            return Blame(reproduction, gone, vanishes=True)
        culprits = yield from fewest(enough, self._without, Outcome.PASSED, self._effort)
        return Blame(reproduction, culprits)

    def _reproduction(self) -> Generator[Sets, Outcomes, Minimal]:
        some = yield from self._first_that_fails()
        return (yield from fewest(some, lambda part: part, Outcome.FAILED, self._effort))

    def _repair(self) -> Generator[Sets, Outcomes, Minimal | None]:
        """Culprits at the head of a ranking; None where there aren't any."""
        enough = yield from self._first_that_repairs()
        if enough is None:
            return None
        return (yield from fewest(enough, self._without, Outcome.PASSED, self._effort, tight=True))

    def _without(self, records: FrozenBitMap) -> FrozenBitMap:
        return self._all - records

    def _soon(self) -> list[FrozenBitMap]:
        """What is asked soon, as long as it is little: in one job with what is asked first it costs next to nothing."""
        soon = self._heads(self._failing_sizes[:_SIZES])
        heads = _heads_of(self._rankings, self._repairing_sizes[:_SIZES])
        soon += [self._without(ranking.head(size)) for ranking, size in heads]
        return soon if sum(map(len, soon)) <= _LITTLE else []

    @property
    def _failing_sizes(self) -> list[int]:
        return [1 << i for i in range(13) if 1 << i < len(self._all)]

    @property
    def _repairing_sizes(self) -> list[int]:
        return [1 << i for i in range(0, 32, 2) if 1 << i < len(self._all)]

    def _first_that_fails(self) -> Generator[Sets, Outcomes, FrozenBitMap]:
        """The fewest records at the head of a ranking that fail alone; all, if none do."""
        sizes = self._failing_sizes
        for first in range(0, len(sizes), _SIZES):
            heads = self._heads(sizes[first : first + _SIZES])
            if heads:
                outcomes = yield heads
                failing = [head for head, told in zip(heads, outcomes, strict=True) if told is Outcome.FAILED]
                if failing:
                    return min(failing, key=len)
        return self._all

    def _first_that_repairs(self) -> Generator[Sets, Outcomes, FrozenBitMap | None]:
        """The fewest records at the head of a ranking without which the row passes; None if it never does.

        Sizes that grow fourfold first, then those between, as if what repairs once repaired with more gone, too.
        """
        sizes = self._repairing_sizes
        for first in range(0, len(sizes), _SIZES):
            repairing = yield from self._repairing(sizes[first : first + _SIZES], self._rankings)
            if not repairing:
                continue
            ranking, high = min(repairing, key=lambda found: found[1])
            low = high // 4
            while high - low > 1:
                between = sorted({int(each) for each in np.linspace(low, high, _SIZES + 2)[1:-1]} - {low})
                found = yield from self._repairing(between, [ranking])
                best = min((size for _, size in found), default=high)
                low = max([each for each in between if each < best], default=low)
                high = best
            return ranking.head(high)
        if any(ranking.ends_early for ranking in self._rankings):
            raise CoarseError
        return None

    def _repairing(
        self, sizes: Sequence[int], rankings: Sequence[Ranking]
    ) -> Generator[Sets, Outcomes, list[tuple[Ranking, int]]]:
        """Heads of rankings, as ranking and size, without which the row passes."""
        tried = _heads_of(rankings, sizes)
        outcomes = yield [self._without(ranking.head(size)) for ranking, size in tried]
        return [each for each, told in zip(tried, outcomes, strict=True) if told is Outcome.PASSED]

    def _heads(self, sizes: Sequence[int]) -> list[FrozenBitMap]:
        every = []
        for ranking in self._rankings:
            others = self._all - ranking.of_source  # of other sources, which they may be joined with
            every += [ranking.head(size) | others for size in sizes]
        return list(dict.fromkeys(every))

    def _enough(self, first: FrozenBitMap) -> Generator[Sets, Outcomes, FrozenBitMap | None]:
        """Records without which the row passes; None if there are none.

        Parts that fail alone are taken away until what is left passes. Where nothing is left before it does, the
        largest part of which the row ever passed will do, or a single record that gives a good row.
        """
        taken = first
        while taken < self._all:
            (outcome,) = yield [self._all - taken]
            if outcome is Outcome.PASSED:
                return taken
            if outcome is not Outcome.FAILED:
                break
            parts = yield from failing_parts(self._all - taken, _MOST_PARTS, self._effort)
            smallest = min(len(part) for part in parts)
            for part in parts:
                if len(part) == smallest:
                    taken = taken | part
            if smallest > 1:
                # Whole pieces of which no part fails alone: they hold a failing input and much else.
                knot = min(parts, key=len)
                inner = yield from fewest(knot, lambda part: part, Outcome.FAILED, self._effort)
                taken = (taken - knot) | inner.records
        if self.repaired is None:
            singles = cut(self._all, min(len(self._all), self._effort.sets))
            yield singles
        return self.repaired


def _heads_of(rankings: Sequence[Ranking], sizes: Sequence[int]) -> list[tuple[Ranking, int]]:
    """Heads of such sizes, as ranking and size; of a ranking that ends early all of it in place of a larger one."""
    found = []
    for size in sizes:
        for ranking in rankings:
            if size <= len(ranking):
                found.append((ranking, size))
            elif ranking.ends_early and len(ranking):
                found.append((ranking, len(ranking)))
    return list(dict.fromkeys(found))
