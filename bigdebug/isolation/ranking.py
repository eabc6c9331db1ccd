"""Orders of candidates in which to suspect them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from pyroaring import FrozenBitMap

Order = np.ndarray[Any, np.dtype[np.uint32]]
"""Numbers of candidates, the most suspicious first."""


_FAR = 3
"""So many times as far as any other two next to each other."""


class CoarseError(Exception):
    """What is known of many candidates together doesn't tell what becomes of a row without some of them."""


class Ranking:
    """Some candidates, the most suspicious first. Of many only the first are put in order until more are asked for.

    Args:
        first: the first of them, in order.
        records: all of them.
        complete: gives all of them in order; None where `first` has them.
        ends_early: there are more candidates of this kind, whose order isn't known.
        apart: so many of the first stand apart from all others, if some do: it pays to try these together.

    Attributes:
        of_source: the candidates of the source that they are of, as far as they have a part in this.
    """

    def __init__(
        self,
        first: Order,
        records: FrozenBitMap,
        complete: Callable[[], Order] | None = None,
        *,
        of_source: FrozenBitMap | None = None,
        ends_early: bool = False,
        apart: int | None = None,
    ) -> None:
        self._first = first
        self.records = records
        self._complete = complete
        self.of_source = records if of_source is None else of_source
        self.ends_early = ends_early
        self.apart = apart

    @classmethod
    def of(cls, order: Order, apart: int | None = None) -> Ranking:
        """One whose order is known."""
        return cls(order, FrozenBitMap(order), apart=apart)

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
        kept = np.isin(order, inside)
        return Ranking.of(
            order[kept], None if self.apart is None else int(np.count_nonzero(kept[: self.apart]))
        )


def standing_apart(scores: np.ndarray[Any, Any]) -> int | None:
    """How many of the least scores stand apart from all others: as far from the next one as no two others do.

    Args:
        scores: the least first.
    """
    gaps = np.diff(scores[: len(scores) // 2 + 1])
    if not len(gaps):
        return None
    place = int(np.argmax(gaps))
    others = np.delete(gaps, place).max(initial=0)
    return place + 1 if np.isfinite(gaps[place]) and gaps[place] > _FAR * others else None


def ranked(numbers: Order, scores: np.ndarray[Any, Any], records: FrozenBitMap, most: int) -> Ranking:
    """Candidates by a score, the least first; a candidate that is there more than once stands where it is first.

    Args:
        numbers: of candidates.
        scores: theirs.
        records: the candidates.
        most: so many scores are put in order at once.
    """

    repeated = len(records) < len(numbers)
    if len(scores) <= 2 * most:
        return Ranking(in_order(numbers, scores, repeated=repeated), records)
    least = np.sort(np.argpartition(scores, most)[:most])
    first = in_order(numbers[least], scores[least], repeated=repeated)
    return Ranking(first, records, lambda: in_order(numbers, scores, repeated=repeated))


def in_order(numbers: np.ndarray[Any, Any], scores: np.ndarray[Any, Any], *, repeated: bool) -> Order:
    """Numbers of candidates by a score, the least first, each once.

    Args:
        numbers: of candidates.
        scores: theirs.
        repeated: whether a candidate may be there more than once.
    """
    order = numbers[np.argsort(scores, kind="stable")]
    if repeated:
        _, first = np.unique(order, return_index=True)
        order = order[np.sort(first)]
    return order.astype(np.uint32)
