"""What it means that a group holds too much, and the fewest records without which it no longer does.

What a group holds is a sum over its records. Taken from the heaviest on until enough are gone, they are as few as can
be, and with any one of them back the group is too heavy again: that is arithmetic.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from pyroaring import FrozenBitMap

from bigdebug.isolation.skew import Skew

MOST_ROWS = 20
"""Heavy groups that are looked into, the heaviest first."""

Numbers = np.ndarray[Any, Any]
"""Of records."""
Weights = np.ndarray[Any, Any]
"""What each of these adds to its group."""


@dataclass(frozen=True)
class Heavy:
    """Groups that hold too much.

    Attributes:
        skew: what is too much.
        count: how many are too heavy.
        groups: how many there are in all.
        median: what the median group holds.
        total: what all hold.
        limit: more is too much.
    """

    skew: Skew
    count: int
    groups: int
    median: float
    total: float
    limit: float

    def __str__(self) -> str:
        amount = f"{self._amount(self.limit)} are too much for a group"
        return (
            f"{amount}: {self.skew.factor:g} times the median of {self.groups:,} groups, {self.median:,.6g}"
        )

    def note(self, before: float, now: float) -> str:
        """What a group holds, and what it would without the culprits."""
        share = 100 * before / self.total if self.total else 0.0
        holds = f"it holds {self._amount(before)}, {share:.1f} % of all"
        return f"{holds}; without the culprits {self._amount(now)}"

    def _amount(self, number: float) -> str:
        by = self.skew.by
        return f"{number:,.6g} {by if by in ('records', 'bytes') else f'of sum({by})'}"


def fewest(numbers: Numbers, weights: Weights, limit: float) -> tuple[FrozenBitMap, dict[int, float | None]]:
    """The fewest records without which no more than a limit is left, and what each held."""
    order = np.lexsort((numbers, -weights))
    left = weights.sum() - np.cumsum(weights[order])
    enough = np.flatnonzero(left <= limit)
    taken = order[: int(enough[0]) + 1] if len(enough) else order[:0]
    held: Mapping[int, float] = dict(zip(numbers[taken].tolist(), weights[taken].tolist(), strict=True))
    return FrozenBitMap(numbers[taken].astype(np.uint32)), dict(held)
