"""Taps around a join, as Spark's Python workers run them.

In place of the number by which PySpark tells the values of a join's two sides apart goes what the value was made of:
the place of a record, with the side in its last bit, so that nothing more travels than without. Only what wasn't made
of a source's record takes the id of what it was made of along.

Travels by value to the workers, which need not have bigdebug.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import count
from typing import Any

from bigdebug.lineage.rdd.capture.carried import carried
from bigdebug.lineage.rdd.capture.heads import KeyHead, PlaceHead
from bigdebug.lineage.rdd.capture.notes import Notes, note_count
from bigdebug.lineage.rdd.capture.taps import Cell, Function, key_of
from bigdebug.lineage.rdd.index.names import place_number
from bigdebug.lineage.rdd.joining import IDS_BESIDE, Value, values_by_side

_CHUNK = 1 << 12
Pairing = Callable[[Any, list[Value], list[Value]], Iterator[Any]]
"""Of a key and the values of both sides: the pairs of these."""


@carried
def telling_foot(cell: Cell, side: int, place: tuple[bytes, str]) -> Function:
    """Have the values of pairs that come out of a chain travel with what they were made of.

    Args:
        cell: of the chain.
        side: of the join: 0 or 1.
        place: where it is noted how many records went into the chain.
    """

    def foot(partition: int, elements: Iterable[Any]) -> Iterable[Any]:
        cell.teller = lambda handed_on: _told(cell, partition, handed_on, side, place)
        if isinstance(cell.head, PlaceHead):
            return ((element[0], (cell.now, element[1])) for element in elements)
        beside = IDS_BESIDE + side
        return ((element[0], (beside, element[1], cell.now)) for element in elements)

    return foot


def _told(
    cell: Cell, partition: int, elements: Iterable[Any], side: int, place: tuple[bytes, str]
) -> Iterator[Any]:
    if isinstance(cell.head, KeyHead):
        key = key_of(cell.head)
        for element in elements:
            cell.now = key(element)
            yield element
        return
    first = place_number((partition, 0)) << 1 | side
    ids = count(first, 2)
    for element, cell.now in zip(elements, ids, strict=False):
        yield element
    note_count(place, partition, (next(ids) - first) >> 1)


@carried
def joined(cell: Cell, kind: str) -> Function:
    """What makes the pairs of a join out of the values of each key.

    Args:
        cell: of the chain that begins with the pairs.
        kind: of the join.
    """

    def made(_: int, groups: Iterable[Any]) -> Iterator[Any]:
        sides = (cell.head.left, cell.head.right)
        none_left, none_right = ((-1 if isinstance(each, PlaceHead) else None, None) for each in sides)
        pair = _pairing(cell)
        for key, left, right in values_by_side(groups, kind, none_left, none_right):
            yield from pair(key, left, right)

    return made


def _pairing(cell: Cell) -> Pairing:
    if cell.notes is not None:
        return _noting(cell.notes)
    return _plain if cell.teller is None else _telling(cell)


def _plain(key: Any, left: list[Value], right: list[Value]) -> Iterator[Any]:
    return ((key, (of_left, of_right)) for _, of_left in left for _, of_right in right)


def _telling(cell: Cell) -> Pairing:
    def pairs(key: Any, left: list[Value], right: list[Value]) -> Iterator[Any]:
        for left_id, of_left in left:
            for right_id, of_right in right:
                cell.now = left_id, right_id
                yield key, (of_left, of_right)

    return pairs


def _noting(notes: Notes) -> Pairing:
    mark, names = notes.marks.append, notes.names
    left_ids, right_ids = notes.ids
    note_left, note_right = left_ids.append, right_ids.append
    noted = 0

    def pairs(key: Any, left: list[Value], right: list[Value]) -> Iterator[Any]:
        nonlocal noted
        for some_left, some_right in _blocks(left, right):
            for left_id, of_left in some_left:
                for right_id, of_right in some_right:
                    mark(len(names))
                    note_left(left_id)
                    note_right(right_id)
                    yield key, (of_left, of_right)
            noted += len(some_left) * len(some_right)
            if noted >= _CHUNK:
                noted = 0
                if notes.full:
                    notes.flush()

    return pairs


def _blocks(left: list[Value], right: list[Value]) -> Iterable[tuple[list[Value], list[Value]]]:
    """The values of a key in blocks of not too many pairs, which come in the same order."""
    if len(left) * len(right) <= _CHUNK:
        return ((left, right),)
    if len(right) <= _CHUNK:
        step = _CHUNK // len(right)
        return ((left[start : start + step], right) for start in range(0, len(left), step))
    starts = range(0, len(right), _CHUNK)
    return (([each], right[start : start + _CHUNK]) for each in left for start in starts)
