"""What one pass over a source does in Spark's Python workers. Travels by value: they need not have bigdebug.

Within a chain of functions of one element at a time a record's id need not travel with what is made of it: the record
that was read last is the one.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from bigdebug.lineage.rdd.conditions import ElementCondition
from bigdebug.lineage.rdd.known_keys import known_key
from bigdebug.lineage.rdd.summary import MOST_PLACES

Seen = tuple[int, int, int, set[Any], int, list[int], list[bytes]]
"""Of a partition: its number, how many records it has, how many elements were asked for, the keys of these, of how many
records they are made, the first of these by place, and as many of their pickles as there was room for."""


class Cell:
    """What both ends of a chain share in a task.

    Attributes:
        now: the place and the record that were handed on last.
    """

    def __init__(self) -> None:
        self.now: tuple[int, Any] = (-1, None)

    def __reduce__(self) -> Any:
        return Cell, ()


def noted(cell: Cell) -> Callable[[int, Iterable[Any]], Iterator[Any]]:
    """Hand records on, and say which."""

    def records(_: int, elements: Iterable[Any]) -> Iterator[Any]:
        for cell.now in enumerate(elements):
            yield cell.now[1]

    return records


def behind(
    cell: Cell, partition: int, places: set[int]
) -> Callable[[int, Iterable[Any]], Iterator[tuple[int, Any]]]:
    """Tell of which record, and which place, the elements at some places of a partition are made."""

    def told(number: int, elements: Iterable[Any]) -> Iterator[tuple[int, Any]]:
        last = max(places) if number == partition else -1
        for place, _ in zip(range(last + 1), elements, strict=False):
            if place in places:
                yield cell.now

    return told


def seen(
    cell: Cell,
    test: Callable[[Any], Any] | None,
    key: Callable[[Any], Any] | None,
    most_keys: int,
    most_bytes: int,
) -> Callable[[int, Iterable[Any]], Iterator[Seen]]:
    """Tell of which records the elements are made that are asked for.

    Args:
        cell: of the chain.
        test: tells the elements that are asked for; None asks for all.
        key: gives the key of an element, where it is asked for groups; None where it is asked for elements.
        most_keys: so many keys, and one, are told at most.
        most_bytes: so large are the records together at most, but for the last.
    """

    def told(partition: int, elements: Iterable[Any]) -> Iterator[Seen]:
        elements_asked, records, last, left = 0, 0, -1, most_bytes
        keys: set[Any] = set()
        places: list[int] = []
        pickles: list[bytes] = []
        plain = test.function() if isinstance(test, ElementCondition) else test
        for element in elements if plain is None else filter(plain, elements):
            elements_asked += 1
            place, record = cell.now
            if key is not None and len(keys) <= most_keys:
                keys.add(known_key(key(element)))
            if place != last:
                last = place
                records += 1
                if records <= MOST_PLACES:
                    places.append(place)
                    if left > 0:
                        pickles.append(pickle.dumps(record, protocol=5))
                        left -= len(pickles[-1])
        yield partition, cell.now[0] + 1, elements_asked, keys, records, places, pickles

    return told
