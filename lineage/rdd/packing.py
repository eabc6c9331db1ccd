"""Ids as numbers, where they name a place: nested tuples take Python longer to make, and to send, than elements do.

The ids of an element are a number, or a tuple of ids. An id is the number of a leaf and of a place in it, a partition
and a position; or a pair, of the number of a leaf and the key of a group. Travels by value to Spark's workers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from bigdebug.lineage.rdd.index.names import PARTITION_SHIFT

Id = int | tuple[int, Any]
Ids = int | tuple[Id, ...]

Annotated = tuple[Any, Ids]
"""An element and its ids."""

_PARTITION = PARTITION_SHIFT
_LEAF = _PARTITION + 31
_POSITIONS = (1 << _PARTITION) - 1
_PARTITIONS = (1 << _LEAF - _PARTITION) - 1


def place_id(leaf: int, partition: int, position: int = 0) -> int:
    """The id of a place. Never 0; that of the next position is one more.

    Args:
        leaf: its number, from 0.
        partition: under 2³¹, as Spark has it.
        position: under 2⁴⁰.
    """
    return (leaf + 1) << _LEAF | partition << _PARTITION | position


def each_id(ids: Ids) -> tuple[Id, ...]:
    """Ids as a tuple."""
    return (ids,) if isinstance(ids, int) else ids


def leaf_of(one: Id) -> int:
    """The number of an id's leaf."""
    return (one >> _LEAF) - 1 if isinstance(one, int) else one[0]


def number_in_leaf(one: int) -> int:
    """The number of a place, as `place_number` has it, out of its id."""
    return one & ((1 << _LEAF) - 1)


def both(left: Ids, right: Ids) -> Ids:
    """The ids of what is made of two elements."""
    return each_id(left) + each_id(right)


def without_doubles(ids: Ids) -> Ids:
    """The same, each once."""
    return ids if isinstance(ids, int) or len(ids) == 1 else tuple(dict.fromkeys(ids))


def named(ids: int | Iterable[Id]) -> Iterator[tuple[int, Any]]:
    """Of each id the leaf, and what it names there: a partition and a position, or a key."""
    for each in (ids,) if isinstance(ids, int) else ids:
        if isinstance(each, int):
            yield (each >> _LEAF) - 1, (each >> _PARTITION & _PARTITIONS, each & _POSITIONS)
        else:
            yield each
