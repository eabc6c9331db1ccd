"""Parts of a source's records, by number. Travels by value: Spark's workers need not have bigdebug."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any


def picked_by_number(
    numbers: dict[int, dict[int, int]],
) -> Callable[[int, Iterable[Any]], Iterator[tuple[int, Any]]]:
    """The elements at some places, each with the number given to its place."""

    def pick(partition: int, elements: Iterable[Any]) -> Iterator[tuple[int, Any]]:
        wanted = numbers.get(partition, {})
        last = max(wanted, default=-1)
        for place, element in enumerate(elements):
            if place > last:
                return
            if place in wanted:
                yield wanted[place], element

    return pick


def of_numbers(part: list[tuple[int, int]]) -> Callable[[Iterable[tuple[int, Any]]], Iterator[Any]]:
    """Of numbered elements, whose numbers go up, those with a number in one of some ranges."""

    def chosen(numbered: Iterable[tuple[int, Any]]) -> Iterator[Any]:
        ranges = iter(part)
        start, end = next(ranges, (0, 0))
        for number, element in numbered:
            while number >= end:
                start, end = next(ranges, (-1, -1))
                if end < 0:
                    return
            if number >= start:
                yield element

    return chosen
