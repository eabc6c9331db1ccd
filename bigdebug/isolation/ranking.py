"""Orders of candidates in which to suspect them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from pyroaring import FrozenBitMap

Order = np.ndarray[Any, np.dtype[np.uint32]]
"""Numbers of candidates, the most suspicious first."""


class Ranking:
    """Some candidates, the most suspicious first. Of many only the first are put in order until more are asked for.

    Args:
        first: the first of them, in order.
        records: all of them.
        complete: gives all of them in order; None where `first` has them.
    """

    def __init__(
        self, first: Order, records: FrozenBitMap, complete: Callable[[], Order] | None = None
    ) -> None:
        self._first = first
        self.records = records
        self._complete = complete

    @classmethod
    def of(cls, order: Order) -> Ranking:
        """One whose order is known."""
        return cls(order, FrozenBitMap(order))

    def __len__(self) -> int:
        return len(self.records)

    def head(self, size: int) -> FrozenBitMap:
        """The so many most suspicious ones."""
        if size > len(self._first) and self._complete is not None:
            self._first, self._complete = self._complete(), None
        return FrozenBitMap(self._first[:size])

    def within(self, candidates: FrozenBitMap) -> Ranking:
        """Those of them that are among some candidates."""
        if self.records <= candidates:
            return self
        inside = np.frombuffer(candidates.to_array(), dtype=np.uint32)
        order = self._first if self._complete is None else self._complete()
        return Ranking.of(order[np.isin(order, inside)])


def ranked(numbers: Order, scores: np.ndarray[Any, Any], records: FrozenBitMap, most: int) -> Ranking:
    """Candidates by a score, the least first; a candidate that is there more than once stands where it is first.

    Args:
        numbers: of candidates.
        scores: theirs.
        records: the candidates.
        most: so many scores are put in order at once.
    """

    def in_order(some: np.ndarray[Any, Any] | None) -> Order:
        values, mine = (scores, numbers) if some is None else (scores[some], numbers[some])
        order = mine[np.argsort(values, kind="stable")]
        if len(records) < len(numbers):
            _, first = np.unique(order, return_index=True)
            order = order[np.sort(first)]
        return order.astype(np.uint32)

    if len(scores) <= 2 * most:
        return Ranking(in_order(None), records)
    least = np.sort(np.argpartition(scores, most)[:most])
    return Ranking(in_order(least), records, lambda: in_order(None))
