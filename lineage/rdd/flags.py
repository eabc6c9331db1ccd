"""What a forward trace has Spark's Python workers do. Travels by value: they need not have bigdebug.

An element with a flag is an annotated element that has ids; which ones says nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from bigdebug.lineage.rdd.known_keys import known_key
from bigdebug.lineage.rdd.packing import Annotated

FLAG = ((0, None),)
"""The ids of elements with a flag, where nothing else is asked of them; those of others are none."""


def has_ids(annotated: Annotated) -> bool:
    return bool(annotated[1])


def flagged_if(chosen: Callable[[Any], Any] | None) -> Callable[[Any], Annotated]:
    """Give elements a flag where they are chosen; None chooses all."""

    def annotate(element: Any) -> Annotated:
        return element, FLAG if chosen is None or chosen(element) else ()

    return annotate


def flagged_among(keys: frozenset[Any], key: Callable[[Any], Any]) -> Callable[[Any], Annotated]:
    """Give elements a flag where they have one of the keys."""

    def annotate(element: Any) -> Annotated:
        return element, FLAG if known_key(key(element)) in keys else ()

    return annotate


def flagged_since(
    function: Callable[[int, Iterable[Any]], Iterable[Any]],
) -> Callable[[int, Iterable[Annotated]], Iterator[Annotated]]:
    """Call a function with a partition; its elements have a flag when it had read one with a flag by then."""

    def annotate(partition: int, elements: Iterable[Annotated]) -> Iterator[Annotated]:
        ids: Any = ()

        def watched() -> Iterator[Any]:
            nonlocal ids
            for element, own in elements:
                ids = ids or own
                yield element

        for made in function(partition, watched()):
            yield made, ids

    return annotate


def flagged_row(pair: Any) -> Annotated:
    """A row of a DataFrame and whether it has a flag."""
    return pair[0], FLAG if pair[1] else ()


def rows_with_flags(
    functions: Sequence[Callable[[int, Iterable[Any]], Iterable[Any]]],
) -> Callable[[int, Iterable[Annotated]], Iterator[tuple[Any, ...]]]:
    """Make rows of a DataFrame of elements; whether one has a flag stands in a last column.

    Args:
        functions: that make rows of a partition's elements, one of each.
    """

    def rows(partition: int, elements: Iterable[Annotated]) -> Iterator[tuple[Any, ...]]:
        waiting: deque[bool] = deque()

        def plain() -> Iterator[Any]:
            for element, ids in elements:
                waiting.append(bool(ids))
                yield element

        made: Iterable[Any] = plain()
        for function in functions:
            made = function(partition, made)
        for row in made:
            yield *row, waiting.popleft()

    return rows


def with_flag(key: Any) -> tuple[Any, bool]:
    return key, True


def placed_by_key(key: Callable[[Any], Any]) -> Callable[[int, Iterable[Any]], Iterator[Any]]:
    """Elements with their partition and place, by their key."""

    def pairs(partition: int, elements: Iterable[Any]) -> Iterator[Any]:
        for place, element in enumerate(elements):
            yield known_key(key(element)), ((partition, place), element)

    return pairs


def flagged_at_place(found: tuple[tuple[tuple[int, int], Any], bool | None]) -> tuple[Any, Annotated]:
    """What a join with the keys that have a flag gave, by its place."""
    (place, element), flag = found
    return place, (element, FLAG if flag else ())
