"""The guard that goes by time. Loads nothing, and travels by value to Spark's Python workers."""

from __future__ import annotations


class Slow:
    """A guard for records that a function takes far longer over than over those before, or doesn't come to an end with.

    `session.watch(rdd, bigdebug.Slow())` times the function that makes `rdd` (of `map`, `flatMap`, `filter` …), and
    catches what it was given. A record that the function is still busy with after a second is caught while it is.

    Args:
        deviations: a record is slow if it takes longer than so many standard deviations above the moving average,
        seconds: and at least so long.
    """

    def __init__(self, deviations: float = 3.0, seconds: float = 0.01) -> None:
        self.deviations = deviations
        self.seconds = seconds

    def __repr__(self) -> str:
        return f"Slow(deviations={self.deviations:g}, seconds={self.seconds:g})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Slow) and (other.deviations, other.seconds) == (
            self.deviations,
            self.seconds,
        )

    __hash__ = None  # type: ignore[assignment]
