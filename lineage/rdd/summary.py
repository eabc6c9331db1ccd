"""Sums records up by their source: how many they are, and which come first.

`summed` travels by value to Spark's Python workers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from heapq import merge, nsmallest
from itertools import islice
from typing import Any

from bigdebug.lineage.rdd.packing import Id, named

MOST_PLACES = 1_000
"""So many places are told of each source."""

Place = tuple[int, int]
Part = tuple[int, int, list[int], list[Place]]
"""Of records of a source: its leaf, how many they are, the partitions that they stand in, and the first of them."""


@dataclass(frozen=True)
class Summary:
    """Records of a source.

    Attributes:
        count: how many they are.
        partitions: where they stand.
        first: the first of their places, sorted; all, if there are no more than `MOST_PLACES`.
    """

    count: int = 0
    partitions: tuple[int, ...] = ()
    first: tuple[Place, ...] = ()

    def first_places(self, limit: int) -> list[Place] | None:
        """So many of the first places; None where they aren't known."""
        known = len(self.first) >= min(limit, self.count)
        return list(self.first[:limit]) if known else None


def summary_of(places: Iterable[Place]) -> Summary:
    """What records at some places come to, each once."""
    known = sorted(places)
    return Summary(len(known), tuple(sorted({partition for partition, _ in known})), tuple(known))


def sum_up(records: Any) -> dict[int, Summary]:
    """By leaf, what records come to.

    Args:
        records: an RDD of ids, each once.
    """
    parts: dict[int, list[Part]] = {}
    for part in records.mapPartitions(summed).collect():
        parts.setdefault(part[0], []).append(part)
    return {leaf: _together(found) for leaf, found in parts.items()}


def _together(parts: list[Part]) -> Summary:
    first = merge(*(places for _, _, _, places in parts))
    return Summary(
        sum(count for _, count, _, _ in parts),
        tuple(sorted({each for _, _, partitions, _ in parts for each in partitions})),
        tuple(islice(first, MOST_PLACES)),
    )


def summed(ids: Iterable[Id]) -> Iterator[Part]:
    """Sum records up, each of which comes once."""
    places: dict[int, list[Place]] = {}
    counts: dict[int, int] = {}
    partitions: dict[int, set[int]] = {}
    for leaf, place in named(ids):
        found = places.setdefault(leaf, [])
        found.append(place)
        counts[leaf] = counts.get(leaf, 0) + 1
        partitions.setdefault(leaf, set()).add(place[0])
        if len(found) > 8 * MOST_PLACES:
            places[leaf] = nsmallest(MOST_PLACES, found)
    for leaf, found in places.items():
        yield leaf, counts[leaf], sorted(partitions[leaf]), nsmallest(MOST_PLACES, found)
