"""What stands for a program's accumulators and broadcast variables in what a trace computes.

Travels by value to Spark's Python workers, which need not have bigdebug.
"""

from __future__ import annotations

from typing import Any


class SilentAccumulator:
    """Stands for an accumulator: takes values and counts nothing, so that the program's own stays as it is.

    Args:
        value: its zero.
    """

    def __init__(self, value: Any) -> None:
        self.value = value

    def add(self, term: Any) -> None:
        """Take a value."""

    def __iadd__(self, term: Any) -> Any:
        return self


class BroadcastValue:
    """Stands for a broadcast variable in another process.

    Args:
        value: what it held.
    """

    def __init__(self, value: Any) -> None:
        self.value = value
