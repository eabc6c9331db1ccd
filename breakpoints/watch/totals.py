"""How many records a guard caught: each partition of an output counts once, however often its task ran.

Totals come by a Spark accumulator, which only tasks that ended well add to. Spark adds those of a map stage twice if
it ran twice; here that changes nothing, for of one partition the totals that saw the most are kept, and of equal ones
the latest. Travels by value to Spark's Python workers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyspark.accumulators import AccumulatorParam

Key = tuple[int, int, int]
"""Number of the output, of the place where the guard stands in it, and of the partition."""

Entry = list[Any]
"""The task's attempt, how many records it saw, how many the guard held for, for how many it raised, what it raised
first, and the first records that it caught."""

ATTEMPT, SEEN, HITS, ERRORS, ERROR, RECORDS = range(6)


def fresh_entry(attempt: int) -> Entry:
    """Of a task that begins."""
    return [attempt, 0, 0, 0, None, []]


def weight(entry: Entry) -> tuple[int, int]:
    """Of two entries of one partition that of the greater weight counts."""
    return entry[SEEN], entry[ATTEMPT]


class TotalsParam(AccumulatorParam):  # type: ignore[misc]
    """How Spark adds totals up.

    Args:
        sink: in the driver, takes what a task adds; nothing is kept in the accumulator then.
    """

    def __init__(self, sink: Callable[[dict[Key, Entry]], None] | None = None) -> None:
        self._sink = sink

    def zero(self, value: dict[Key, Entry]) -> dict[Key, Entry]:
        return {}

    def addInPlace(self, value1: dict[Key, Entry], value2: dict[Key, Entry]) -> dict[Key, Entry]:  # noqa: N802
        if self._sink is not None:
            self._sink(value2)
            return value1
        for key, entry in value2.items():
            known = value1.get(key)
            if known is None or weight(entry) >= weight(known):
                value1[key] = entry
        return value1

    def __reduce__(self) -> Any:
        return TotalsParam, ()
