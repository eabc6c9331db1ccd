"""Keys by which groups are known: equal just where Spark's groupings take the keys for equal.

Travels by value to Spark's workers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

NAN = "bigdebug: not a number"
"""Stands for the keys that aren't equal to themselves."""


def known_key(key: Any) -> Any:
    """A key that is equal to the keys of its group: as itself, but for what isn't equal to itself."""
    if isinstance(key, float) and key != key:
        return NAN
    if isinstance(key, tuple) and has_nan(key):
        return tuple(map(known_key, key))
    return key


def known_key_of(key: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """What gives the `known_key` of an element."""

    def known(element: Any) -> Any:
        return known_key(key(element))

    return known


def has_nan(key: Any) -> bool:
    """Whether a key is not a number, or a tuple that holds such a one."""
    if isinstance(key, tuple):
        return any(map(has_nan, key))
    return isinstance(key, float) and key != key


def stands_for_nan(key: Any) -> bool:
    """The same of a `known_key`."""
    if isinstance(key, tuple):
        return any(map(stands_for_nan, key))
    return isinstance(key, str) and key == NAN


def counted_keys(keys: Iterable[Any]) -> Iterator[tuple[int, bool]]:
    """How many keys there are, and whether one stands for one that isn't equal to itself."""
    count, unequal = 0, False
    for key in keys:
        count += 1
        unequal = unequal or stands_for_nan(key)
    yield count, unequal
