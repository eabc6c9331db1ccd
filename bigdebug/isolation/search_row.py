"""What of a row's candidates is to blame: a failing input and a repair set, each as small as can be."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from pyroaring import FrozenBitMap

from bigdebug.isolation.search import MOST_SETS, Minimal, Outcome, Outcomes, Sets, cut, failing_parts, fewest

_MOST_PARTS = 4_096
_NOTHING = FrozenBitMap()


@dataclass(frozen=True)
class Blame:
    """What was found for a row.

    Attributes:
        reproduction: these alone still give the failing row.
        culprits: without these the row is there and passes; None where it can't be had.
        vanishes: nothing makes the row pass: without the culprits it isn't there.
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

    Attributes:
        failing: the smallest set found so far of which the row fails.
        repaired: the smallest set found so far without which it passes; None so far.
    """

    def __init__(self, candidates: FrozenBitMap) -> None:
        self._all = candidates
        self.failing = candidates
        self.repaired: FrozenBitMap | None = None

    def run(self) -> Generator[Sets, Outcomes, Blame]:
        """Raises NotAgainError if the row doesn't fail again."""
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
        whole, nothing = yield [self._all, _NOTHING]
        if whole is not Outcome.FAILED:
            raise NotAgainError
        if nothing is Outcome.FAILED:
            return Blame(Minimal(_NOTHING, True), None, needs_none=True)
        reproduction = yield from fewest(self._all, lambda part: part, Outcome.FAILED)
        enough = yield from self._enough(reproduction.records)
        if enough is None:
            gone = yield from fewest(self._all, self._without, Outcome.ABSENT)
            return Blame(reproduction, gone, vanishes=True)
        culprits = yield from fewest(enough, self._without, Outcome.PASSED)
        return Blame(reproduction, culprits)

    def _without(self, records: FrozenBitMap) -> FrozenBitMap:
        return self._all - records

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
            parts = yield from failing_parts(self._all - taken, _MOST_PARTS)
            smallest = min(len(part) for part in parts)
            for part in parts:
                if len(part) == smallest:
                    taken = taken | part
            if smallest > 1:
                # Whole pieces of which no part fails alone: they hold a failing input and much else.
                knot = min(parts, key=len)
                inner = yield from fewest(knot, lambda part: part, Outcome.FAILED)
                taken = (taken - knot) | inner.records
        if self.repaired is None:
            singles = cut(self._all, min(len(self._all), MOST_SETS))
            yield singles
        return self.repaired
