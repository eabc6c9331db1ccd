"""What a forward trace has Spark's Python workers do. Travels by value: they need not have bigdebug.

An element with a flag is an annotated element that has ids; which ones says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from bigdebug.lineage.rdd.workers import Annotated, known_key

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
