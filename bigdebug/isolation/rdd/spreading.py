"""How Spark spreads elements over partitions where no key tells which one each belongs to."""

from __future__ import annotations

from typing import Any


def spread(parts: list[list[Any]], number: int, batch: int, context: Any) -> list[list[Any]]:
    """Elements as `repartition` leaves them.

    Each partition is dealt out in batches, one after the other, from a place on that its number gives by chance.

    Args:
        parts: elements by partition.
        number: of partitions there will be.
        batch: elements of a batch.
        context: the SparkContext; its Java gives the places.
    """
    random = context._jvm.org.apache.spark.util.random.XORShiftRandom
    made: list[list[Any]] = [[] for _ in range(number)]
    for index, part in enumerate(parts):
        if part:
            place = int(random(index).nextInt(number))
            for start in range(0, len(part), batch):
                place += 1
                made[place % number] += part[start : start + batch]
    return made
