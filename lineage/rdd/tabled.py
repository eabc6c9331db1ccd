"""Elements as rows of a table. Travels by value: Spark's workers need not have bigdebug."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bigdebug.lineage.rdd.literals import literal

WHOLE, FLOATING, OTHER = 0, 1, 2
"""What a column holds: whole numbers, numbers, or anything else; the greater holds the less, too."""

_MOST = 1 << 63

Kinds = tuple[int, ...]


def kinds_of_all() -> tuple[Any, Callable[[Any, Any], Any], Callable[[Any, Any], Any]]:
    """Gather what columns hold: two of pairs, one of other elements, none of nothing.

    Returns:
        What to begin with, how to take an element in, and how to put two together.
    """

    def merge(one: Kinds, other: Kinds) -> Kinds:
        if not one or not other:
            return one or other
        return (OTHER,) if len(one) != len(other) else tuple(map(max, one, other))

    def take(found: Kinds, element: Any) -> Kinds:
        if type(element) is tuple and len(element) == 2:
            return merge(found, (_kind(element[0]), _kind(element[1])))
        return merge(found, (_kind(element),))

    return (), take, merge


def row_of(kinds: Kinds) -> Callable[[Any], tuple[Any, ...]]:
    """An element as a row of columns that hold this."""

    def row(element: Any) -> tuple[Any, ...]:
        parts = element if len(kinds) == 2 else (element,)
        return tuple(_cell(part, kind) for part, kind in zip(parts, kinds, strict=True))

    return row


def _kind(value: Any) -> int:
    if type(value) is int and -_MOST <= value < _MOST:
        return WHOLE
    return FLOATING if type(value) is float else OTHER


def _cell(value: Any, kind: int) -> Any:
    if kind == OTHER:
        return literal(value)
    return float(value) if kind == FLOATING else value
