"""Samples of records that are too many for each of them to be counted."""

from __future__ import annotations

import numpy as np
from pyroaring import FrozenBitMap

MOST_OTHERS = 100_000
"""Other records of a source that are counted."""


def share_of(others: FrozenBitMap) -> float:
    """Of so many records this share is counted, from 0 to 1."""
    return min(1.0, MOST_OTHERS / max(len(others), 1))


def some_of(others: FrozenBitMap) -> FrozenBitMap:
    """The same, or a sample of so many that no more can be counted; the same one each time."""
    if len(others) <= MOST_OTHERS:
        return others
    drawn = np.random.default_rng(0).choice(others.to_array(), MOST_OTHERS, replace=False)
    return FrozenBitMap(np.sort(drawn))
