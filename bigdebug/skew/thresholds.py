"""From when on something is called skewed: the rules that people know, in one table."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

SEVERITIES = ("none", "low", "moderate", "severe", "critical")
"""Dr. Elephant's, the mildest first."""


@dataclass(frozen=True)
class Thresholds:
    """When something is called skewed, and how bad it is.

    Attributes:
        times_median: a key is hot only if it holds so many times what the median key does. Spark's AQE calls
            partitions skewed by the same factor (`spark.sql.adaptive.skewJoin.skewedPartitionFactor`).
        aqe_bytes: and only if they hold more than so many bytes does AQE split them
            (`spark.sql.adaptive.skewJoin.skewedPartitionThresholdInBytes`, 256 MB).
        severities: from which ratios of the longest partition to the median one on it is low, moderate, severe and
            critical: Dr. Elephant's. A key is hot only if it alone makes its partition as long as the first says.
        slow_times_median, slow_seconds: tasks so many times as long as the median one and longer than so many
            seconds are stragglers: DataFlint's.
        multiplied: a join is called out if it gives so many times the rows of its larger side.
        broadcast_bytes: sides up to so many bytes are small enough to be broadcast, by a hint.
        deviations: a record is slow if it took longer than so many standard deviations above the moving average of
            its operator.
    """

    times_median: float = 5.0
    aqe_bytes: int = 256 << 20
    severities: tuple[float, float, float, float] = (1.33, 1.78, 3.16, 10.0)
    slow_times_median: float = 10.0
    slow_seconds: float = 5.0
    multiplied: float = 2.0
    broadcast_bytes: int = 100 << 20
    deviations: float = 3.0

    def severity(self, ratio: float) -> str:
        """One of `SEVERITIES`, by the ratio of the longest to the median."""
        return SEVERITIES[bisect_right(self.severities, ratio)]

    def is_hot(self, value: float, of_keys: float, of_partitions: float) -> bool:
        """Whether a key holds too much.

        Args:
            value: what it holds.
            of_keys: what the median key holds.
            of_partitions: what the median partition that holds anything does.
        """
        return (
            value > 0 and value >= self.times_median * of_keys and value >= self.severities[0] * of_partitions
        )


def median(values: Sequence[float]) -> float:
    """The lower median, a value that is there; 0 of none."""
    ordered = sorted(values)
    return ordered[(len(ordered) - 1) // 2] if ordered else 0


def ratio(longest: float, of: float) -> float:
    """How many times as long; 1 where there is nothing, infinite where only the other is nothing."""
    if of > 0:
        return longest / of
    return math.inf if longest > 0 else 1.0
