"""Counts the elements of each key of an RDD's program. Travels by value to Spark's Python workers."""

from __future__ import annotations

import heapq
import pickle
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

Held = tuple[int, int, int, int]
"""Records and bytes of the left or only side, and of the right."""


def keyed(number: int, side: int, key_of: Callable[[Any], Any]) -> Callable[[Iterable[Any]], Iterator[Any]]:
    """Of the elements of an operator's input pairs ((operator, key), held), keys of a partition put together."""

    def counted(elements: Iterable[Any]) -> Iterator[Any]:
        held: dict[Any, list[int]] = {}
        for element in elements:
            size = len(pickle.dumps(element, 5))
            key = key_of(element)
            known = held.get(key)
            if known is None:
                if len(held) >= _MOST_KEYS:
                    yield from _pairs(held, number, side)
                    held.clear()
                held[key] = [1, size]
            else:
                known[0] += 1
                known[1] += size
        yield from _pairs(held, number, side)

    return counted


_MOST_KEYS = 100_000
"""Keys that are put together in a worker's memory at once."""


def _pairs(held: dict[Any, list[int]], number: int, side: int) -> Iterator[tuple[tuple[int, Any], Held]]:
    for key, (records, size) in held.items():
        yield (number, key), ((0, 0, records, size) if side else (records, size, 0, 0))


def added(one: Held, other: Held) -> Held:
    """What a key holds together."""
    return (one[0] + other[0], one[1] + other[1], one[2] + other[2], one[3] + other[3])


def summed(
    targets: dict[int, tuple[int, Callable[[Any], int]]], most: int
) -> Callable[[Iterable[Any]], Iterator[dict[int, Any]]]:
    """Of the counts of keys what is to be known of each operator.

    Args:
        targets: by operator, how many partitions it makes, and what tells a key's.
        most: keys that are kept for each of what they may hold most of.
    """

    def of_partition(pairs: Iterable[tuple[tuple[int, Any], Held]]) -> Iterator[dict[int, Any]]:
        found: dict[int, Any] = {}
        for (number, key), held in pairs:
            known = found.get(number)
            if known is None:
                known = found[number] = {
                    "partitions": {},
                    "counts": [Counter() for _ in range(5)],
                    "top": [[] for _ in range(5)],
                    "alone": [0, 0],
                    "keys": [0, 0],
                }
            count, hash_of = targets[number]
            place = hash_of(key) % count
            values = (*held, held[0] * held[2])
            sums = known["partitions"].setdefault(place, [0, 0, 0, 0, 0])
            for i, value in enumerate(values):
                if not value:
                    continue
                sums[i] += value
                known["counts"][i][value] += 1
                heap = known["top"][i]
                entry = (value, repr(key), pickle.dumps(key), place, values)
                if len(heap) < most:
                    heapq.heappush(heap, entry)
                elif entry > heap[0]:
                    heapq.heapreplace(heap, entry)
            for side in (0, 1):
                known["keys"][side] += bool(held[2 * side])
                known["alone"][side] += 0 if held[2 - 2 * side] else held[2 * side]
        yield found

    return of_partition


@dataclass(frozen=True)
class Plan:
    """How the keys of an operator would be shuffled.

    Attributes:
        count: of partitions.
        hash_of: tells a key's.
        salt: hot keys are split into so many; None for not at all.
        side: whose elements are split up; those of the other are repeated.
        hot: the keys that are.
        drop_nulls: elements without a key are left out.
        applies: whether it is another way than now, but for these.
    """

    count: int
    hash_of: Callable[[Any], int]
    salt: int | None
    side: int
    hot: frozenset[Any]
    drop_nulls: bool
    applies: bool


Moved = tuple[dict[int, list[float]], int, int]
"""Records and bytes by partition, elements that are shuffled more, and elements that are left out."""


def moved(
    plans: dict[int, Plan], pairs: Iterable[tuple[tuple[int, Any], Held]]
) -> Iterator[dict[int, Moved]]:
    """Of the counts of keys, what each operator's partitions would hold."""
    found: dict[int, Moved] = {}
    for (number, key), held in pairs:
        plan = plans[number]
        places, added, dropped = found.get(number, ({}, 0, 0))
        records, size = held[0] + held[2], held[1] + held[3]
        if plan.drop_nulls and key is None:
            dropped += records
        elif plan.salt and key in plan.hot:
            mine, bytes_of_mine = held[2 * plan.side], held[2 * plan.side + 1]
            for part in range(plan.salt):
                place = places.setdefault(plan.hash_of((key, part)) % plan.count, [0.0, 0.0])
                place[0] += mine / plan.salt + records - mine
                place[1] += bytes_of_mine / plan.salt + size - bytes_of_mine
            added += (plan.salt - 1) * (records - mine)
        else:
            place = places.setdefault(plan.hash_of((key, 0) if plan.salt else key) % plan.count, [0.0, 0.0])
            place[0] += records
            place[1] += size
        found[number] = places, added, dropped
    yield found


def first_of(element: Any) -> Any:
    """The key of a pair."""
    return element[0]


class SameKey:
    """True of elements of a key.

    Args:
        data: the key as a pickle.
        key_of: gives an element's key.
    """

    def __init__(self, data: bytes, key_of: Callable[[Any], Any]) -> None:
        self._data = data
        self._key_of = key_of

    def __call__(self, element: Any) -> bool:
        return bool(self._key_of(element) == pickle.loads(self._data))
