"""How many records the partitions of a source have, told by tasks that read them to their end anyway.

Travels by value to Spark's workers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pyspark.accumulators import AccumulatorParam

Tally = dict[int, int]
"""Number of records by partition, of those that have been read to the end."""


class Tallying(AccumulatorParam[Tally]):  # type: ignore[misc]  # mypy takes it for Any
    """Puts tallies together. A task that runs twice tells the same twice."""

    def zero(self, value: Tally) -> Tally:
        return {}

    def addInPlace(self, value1: Tally, value2: Tally) -> Tally:  # noqa: N802  # Spark's name
        value1.update(value2)
        return value1


def told_at_end(tally: Any, partition: int, first: int, numbers: Iterator[int]) -> Iterator[Any]:
    """Gives nothing; tells how far numbers have come by then.

    Args:
        tally: the accumulator.
        partition: whose records they number.
        first: the number of the first.
        numbers: gives the next.
    """
    tally.add({partition: next(numbers) - first})
    yield from ()
