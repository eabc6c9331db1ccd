"""What of a row's candidates is to blame: a failing input and a repair set, each as small as can be."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np
from pyroaring import FrozenBitMap

from bigdebug.isolation.ranking import CoarseError, Ranking
from bigdebug.isolation.search import (
    FEW,
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
_REMEMBERED = 4_096
"""What became of subsets of so many candidates is remembered; larger ones take as long to look up as to try."""
_LITTLE = 0.01
"""Share of a round's work that sets which may turn out not to be needed have together at most."""
_SOME = 0.1
"""The same of sets that are likely to end the search for a repair."""
_NOTHING = FrozenBitMap()

Heads: TypeAlias = list[tuple[Ranking, int]]
"""Rankings, and how many of each."""


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
        self._fail_alone = FrozenBitMap()
        self._singles: list[FrozenBitMap] = []
        self._known: dict[FrozenBitMap, Outcome] = {}
        self._of_heads: dict[tuple[bool, Ranking, int], Outcome] = {}

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
            if len(self._all) > _REMEMBERED:
                answers = yield sets
                for each, outcome in zip(sets, answers, strict=True):
                    self._see(each, outcome)
                continue
            if fresh := [each for each in dict.fromkeys(sets) if each not in self._known]:
                for each, outcome in zip(fresh, (yield fresh), strict=True):
                    self._known[each] = outcome
                    self._see(each, outcome)
            answers = [self._known[each] for each in sets]

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
        heads, singles = self._soon()
        whole, nothing, *told = yield [self._all, _NOTHING, *heads.values(), *singles]
        self._of_heads.update(zip(heads, told, strict=False))
        if whole is not Outcome.FAILED:
            raise NotAgainError
        if nothing is Outcome.FAILED:
            return Blame(Minimal(_NOTHING, True), None, needs_none=True)
        reproduction, culprits = yield from side_by_side(self._reproduction(), self._repair())
        if culprits is None:
            culprits = self._one_that_repairs(reproduction.records)
        if culprits is not None:
            return Blame(reproduction, culprits)
        enough = yield from self._enough(reproduction.records)
        if enough is None and nothing is not Outcome.ABSENT:
            return Blame(reproduction, None)
        if enough is None:
            # Most rows are there as long as any of their records is.
            tight = self._can_be_each(self._all)
            gone = yield from fewest(self._all, self._without, Outcome.ABSENT, self._effort, tight=tight)
            return Blame(reproduction, gone, vanishes=True)
        # What fails alone can't be left out where what is left passes.
        tight = enough <= reproduction.records | self._fail_alone and self._can_be_each(enough)
        culprits = yield from fewest(enough, self._without, Outcome.PASSED, self._effort, tight=tight)
        return Blame(reproduction, culprits)

    def _reproduction(self) -> Generator[Sets, Outcomes, Minimal]:
        found = yield from self._first_that_fails()
        some, tight = (self._all, False) if found is None else (self._head(*found), self._is_alone(found[0]))
        tight = tight and self._can_be_each(some)
        return (yield from fewest(some, lambda part: part, Outcome.FAILED, self._effort, tight=tight))

    def _can_be_each(self, records: FrozenBitMap) -> bool:
        """Whether records can be tried one by one."""
        return len(records) <= self._effort.singles and len(records) ** 2 <= self._effort.work

    def _repair(self) -> Generator[Sets, Outcomes, Minimal | None]:
        """Culprits at the head of a ranking; None where there aren't any."""
        enough = yield from self._first_that_repairs()
        if enough is None:
            return None
        return (yield from fewest(enough, self._without, Outcome.PASSED, self._effort, tight=True))

    def _one_that_repairs(self, first: FrozenBitMap) -> Minimal | None:
        """A record that was found to repair the row alone, one of some if there is any; None if there is none."""
        found = [each for each in self._singles if self._known.get(self._all - each) is Outcome.PASSED]
        found.sort(key=lambda each: not each <= first)
        return Minimal(found[0], True) if found else None

    def _without(self, records: FrozenBitMap) -> FrozenBitMap:
        return self._all - records

    def _soon(self) -> tuple[dict[tuple[bool, Ranking, int], FrozenBitMap], list[FrozenBitMap]]:
        """What is asked soon, as long as it is little: in one job with what is asked first it costs next to nothing.

        Heads of rankings, by whether they are left out; and of few candidates each alone, and all but each.
        """
        alone = _heads_of(self._rankings, self._failing_sizes[: self._effort.heads], whole=True)
        without = _heads_of(self._rankings, self._repairing_sizes[: self._effort.heads])
        heads = {(False, *head): self._head(*head) for head in alone}
        heads |= {(True, ranking, size): self._without(ranking.head(size)) for ranking, size in without}
        if sum(map(len, heads.values())) > _LITTLE * self._effort.work:
            heads = {}
        apart = {
            (True, ranking, size): self._without(ranking.head(size))
            for ranking, size in self._standing_apart()
        }
        if sum(map(len, apart.values())) <= _SOME * self._effort.work:
            heads |= apart
        if not (self._effort.ahead and 1 < len(self._all) <= FEW):
            return heads, []
        self._singles = cut(self._all, len(self._all))
        return heads, [*self._singles, *map(self._without, self._singles)]

    def _standing_apart(self) -> Heads:
        """Heads of rankings that stand apart from the rest, and these less one, by which those are seen to be tight."""
        found = [
            (ranking, ranking.apart) for ranking in self._rankings if ranking.apart and ranking.apart > 1
        ]
        return [(ranking, size) for ranking, apart in found for size in (apart - 1, apart)]

    @property
    def _failing_sizes(self) -> list[int]:
        return [1 << i for i in range(13) if 1 << i < len(self._all)]

    @property
    def _repairing_sizes(self) -> list[int]:
        return [1 << i for i in range(0, 32, 2) if 1 << i < len(self._all)]

    def _in_rounds(self, sizes: Sequence[int]) -> Iterator[Sequence[int]]:
        """As many sizes of heads as are tried at once, and the next ones."""
        for first in range(0, len(sizes), self._effort.heads):
            yield sizes[first : first + self._effort.heads]

    def _first_that_fails(self) -> Generator[Sets, Outcomes, tuple[Ranking, int] | None]:
        """The shortest head of a ranking that fails alone; None if none does."""
        sizes = self._failing_sizes
        for some in self._in_rounds(sizes):
            failing = yield from self._failing(self._rankings, some)
            if failing:
                ranking, high = min(failing, key=lambda found: found[1])
                if not self._is_alone(ranking):
                    return ranking, high
                size = yield from self._narrowed(high // 2, high, partial(self._failing, [ranking]))
                return ranking, size
        return None

    def _first_that_repairs(self) -> Generator[Sets, Outcomes, FrozenBitMap | None]:
        """The fewest records at the head of a ranking without which the row passes; None if it never does."""
        told = {head: self._of_heads.get((True, *head)) for head in self._standing_apart()}
        repairing = [head for head, outcome in told.items() if outcome is Outcome.PASSED]
        if repairing:
            ranking, high = min(repairing, key=lambda found: found[1])
            if (ranking, high - 1) in told:
                return ranking.head(high)  # one fewer wouldn't do
            return ranking.head((yield from self._narrowed(0, high, partial(self._repairing, [ranking]))))
        sizes = self._repairing_sizes
        for some in self._in_rounds(sizes):
            repairing = yield from self._repairing(self._rankings, some)
            if repairing:
                ranking, high = min(repairing, key=lambda found: found[1])
                size = yield from self._narrowed(high // 4, high, partial(self._repairing, [ranking]))
                return ranking.head(size)
        if any(ranking.ends_early for ranking in self._rankings):
            raise CoarseError
        return None

    def _repairing(
        self, rankings: Sequence[Ranking], sizes: Sequence[int]
    ) -> Generator[Sets, Outcomes, Heads]:
        """Heads of rankings without which the row passes."""
        tried = _heads_of(rankings, sizes)
        outcomes = yield from self._tried(tried, left_out=True)
        return [each for each, told in zip(tried, outcomes, strict=True) if told is Outcome.PASSED]

    def _failing(self, rankings: Sequence[Ranking], sizes: Sequence[int]) -> Generator[Sets, Outcomes, Heads]:
        """Heads of rankings that fail alone."""
        tried = _heads_of(rankings, sizes, whole=True)
        outcomes = yield from self._tried(tried, left_out=False)
        return [each for each, told in zip(tried, outcomes, strict=True) if told is Outcome.FAILED]

    def _tried(self, heads: Heads, *, left_out: bool) -> Generator[Sets, Outcomes, list[Outcome]]:
        """What becomes of the row of heads of rankings alone, or without them; what was tried before isn't again."""
        fresh = [head for head in heads if (left_out, *head) not in self._of_heads]
        if fresh:
            sets = [
                self._without(ranking.head(size)) if left_out else self._head(ranking, size)
                for ranking, size in fresh
            ]
            outcomes = yield sets
            self._of_heads.update(
                ((left_out, *head), told) for head, told in zip(fresh, outcomes, strict=True)
            )
        return [self._of_heads[left_out, *head] for head in heads]

    def _narrowed(
        self, low: int, high: int, holding: Callable[[Sequence[int]], Generator[Sets, Outcomes, Heads]]
    ) -> Generator[Sets, Outcomes, int]:
        """The least size of a head that does something, as if what does it once did it at all greater sizes, too.

        Args:
            low: too little.
            high: enough.
            holding: which of some sizes do it.
        """
        while high - low > 1:
            between = sorted(
                {int(each) for each in np.linspace(low, high, self._effort.heads + 2)[1:-1]} - {low}
            )
            found = yield from holding(between)
            best = min((size for _, size in found), default=high)
            low = max([each for each in between if each < best], default=low)
            high = best
        return high

    def _head(self, ranking: Ranking, size: int) -> FrozenBitMap:
        """The head of a ranking, and the records of other sources, which its own may be joined with."""
        return ranking.head(size) | (self._all - ranking.of_source)

    def _is_alone(self, ranking: Ranking) -> bool:
        """Whether all candidates are of the ranking's source: of the shortest head little can be left out then."""
        return self._all <= ranking.of_source

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
            if smallest == 1:
                self._fail_alone |= FrozenBitMap().union(*(part for part in parts if len(part) == 1))
            else:
                # Whole pieces of which no part fails alone: they hold a failing input and much else.
                knot = min(parts, key=len)
                inner = yield from fewest(knot, lambda part: part, Outcome.FAILED, self._effort)
                taken = (taken - knot) | inner.records
        if self.repaired is None:
            singles = cut(self._all, min(len(self._all), self._effort.sets))
            yield singles
        return self.repaired


def _heads_of(rankings: Sequence[Ranking], sizes: Sequence[int], *, whole: bool = False) -> Heads:
    """Heads of such sizes; of a ranking that ends early all of it in place of a larger one.

    Args:
        whole: of every ranking all of it in place of a larger one.
    """
    found = []
    for size in sizes:
        for ranking in rankings:
            if size <= len(ranking):
                found.append((ranking, size))
            elif (whole or ranking.ends_early) and len(ranking):
                found.append((ranking, len(ranking)))
    return list(dict.fromkeys(found))
