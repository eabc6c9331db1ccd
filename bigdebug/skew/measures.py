"""What a key may hold too much of, and how many of it are looked at."""

from __future__ import annotations

from bigdebug.skew.shuffles import Shuffle

MEASURES = ("records0", "bytes0", "records1", "bytes1", "pairs")
"""Records and bytes of either side, and rows that a join gives for a key."""

QUANTILES = (0.0, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0)

FINALISTS = 20
"""Keys of a shuffle that are fetched for each of what they may hold most of."""


def measured(shuffle: Shuffle) -> tuple[str, ...]:
    """What keys of a shuffle hold."""
    if shuffle.is_join:
        return MEASURES
    return MEASURES[: 2 * len(shuffle.sides)]
