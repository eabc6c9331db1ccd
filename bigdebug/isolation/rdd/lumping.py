"""What Spark's workers do with large groups: most elements are combined, the extreme ones are told one by one.

Travels by value: they need not have bigdebug.
"""

from __future__ import annotations

import gc
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import compress
from typing import Any

from bigdebug.isolation.rdd.copies import all_immutable, pickled
from bigdebug.isolation.rdd.fetching import BATCH, Gathered, Lump, Pieces
from bigdebug.lineage.rdd.passing import Cell

CHUNK = 2_048
"""Elements of a key that are split into those to be combined and those at the ends."""
ENDS = 64
"""So many elements at each end of a column of a chunk are told one by one at most."""
MOST_COLUMNS = 4
_SELDOM = 20_000
"""Objects that are made between two times that Python looks for cycles."""
_LARGE = 8 * CHUNK
"""Bytes: what elements combine to isn't larger, or nothing would be won."""

Combine = tuple[Callable[[Any], Any], Callable[[Any, Any], Any]]
"""How the first element of a key is taken, and each other one added."""


class _Chunk:
    """Elements of a key that nothing is known of yet."""

    def __init__(self) -> None:
        self.places = array("q")
        self.elements: list[Any] = []


def in_lumps(
    cell: Cell | None, keys: frozenset[Any], combine: Combine, most: int
) -> Callable[[int, Iterable[Any]], Iterator[Gathered]]:
    """The elements of some keys: most of them combined, where there are many.

    Args:
        cell: tells the record that an element is made of, which makes no other one; None where each makes one.
        keys: of the pairs that are asked for; none of them not a number.
        combine: what combines the values of a key.
        most: after so many elements of a partition that are told one by one no more are told.
    """

    def gather(partition: int, elements: Iterable[Any]) -> Iterator[Gathered]:
        chunks = {key: _Chunk() for key in keys}
        told = _Told(partition)
        left, size = most, CHUNK
        place = -1
        with _seldom_collecting():
            for place, element in enumerate(elements):
                chunk = chunks.get(element[0])
                if chunk is None:
                    continue
                own = chunk.elements
                chunk.places.append(place if cell is None else cell.now[0])
                own.append(element)
                if len(own) < size:
                    continue
                if size > 1 and not told.lump(chunk, combine):
                    size = 1
                if size == 1:
                    told.apart(chunk.places, own)
                chunks[element[0]] = _Chunk()
                if told.pieces.count >= BATCH or len(told.lumps) >= ENDS:
                    left -= told.pieces.count
                    yield told.taken(-1)
                    if left <= 0:
                        return
            for chunk in chunks.values():
                told.apart(chunk.places, chunk.elements)
            yield told.taken((place if cell is None else cell.now[0]) + 1)

    return gather


class _Told:
    """What is to be told of a partition."""

    def __init__(self, partition: int) -> None:
        self._partition = partition
        self._places = array("q")
        self.pieces = Pieces()
        self.lumps: list[Lump] = []

    def taken(self, total: int) -> Gathered:
        """All of it since it was taken last."""
        found = self._partition, total, self._places.tobytes(), self.pieces.taken(), self.lumps
        self._places, self.lumps = array("q"), []
        return found

    def apart(self, places: Iterable[int], elements: Iterable[Any]) -> None:
        """Tell elements one by one."""
        self._places.extend(places)
        for element in elements:
            self.pieces.add(element)

    def lump(self, chunk: _Chunk, combine: Combine) -> bool:
        """Tell all but the extreme elements of a chunk together; False where that can't be, or wouldn't pay."""
        _, values = zip(*chunk.elements, strict=True)
        columns = _columns(values)
        if columns is None:
            return False
        inside = bytearray(b"\1") * len(values)
        bounds = {}
        for name, column in columns.items():
            if column.count(column[0]) == len(column):
                bounds[name] = (column[0],) * 3
                continue
            ends = sorted(column)
            low, high = ends[ENDS], ends[-1 - ENDS]
            bounds[name] = low, ends[len(ends) // 2], high
            if ends[0] < low or high < ends[-1]:
                for place, value in enumerate(column):
                    if value < low or value > high:
                        inside[place] = 0
        data = _combined(values if all(inside) else list(compress(values, inside)), combine)
        if data is None or len(data) > _LARGE:
            return False
        there = array("q", compress(chunk.places, inside))
        self.lumps.append((chunk.elements[0][0], there.tobytes(), data, bounds))
        outside = inside.translate(_OTHER)
        self.apart(compress(chunk.places, outside), compress(chunk.elements, outside))
        return True


_OTHER = bytes([1, 0, *range(2, 256)])


@contextmanager
def _seldom_collecting() -> Iterator[None]:
    """Have Python look for cycles less often: it would look through the chunks again and again."""
    before = gc.get_threshold()
    gc.set_threshold(max(before[0], _SELDOM) if before[0] else 0, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _combined(values: Sequence[Any], combine: Combine) -> bytes | None:
    """What values combine to, pickled; None where the program's function raises, as it may for these alone."""
    create, add = combine
    try:
        found = create(values[0])
        for value in values[1:]:
            found = add(found, value)
        return pickled(found)
    except Exception:
        return None


def _columns(values: Sequence[Any]) -> dict[int | None, Sequence[Any]] | None:
    """The numbers in values that nobody can change, by their place in them, or by None where they are the values.

    None where there are no numbers, or somebody can.
    """
    if set(map(type, values)) != {tuple}:
        return {None: values} if _are_numbers(values) else None
    if len(set(map(len, values))) != 1:
        return None
    parts: dict[int | None, Sequence[Any]] = dict(enumerate(zip(*values, strict=True)))
    numeric = [(name, column) for name, column in parts.items() if _are_numbers(column)]
    if not numeric or (len(numeric) < len(parts) and not all_immutable(values)):
        return None
    return dict(numeric[:MOST_COLUMNS])


def _are_numbers(values: Sequence[Any]) -> bool:
    """Whether they can be put in order as numbers: none of them is not a number."""
    kinds = set(map(type, values))
    if any(kind is bool or not issubclass(kind, int | float) for kind in kinds):
        return False
    return kinds == {int} or not any(value != value for value in values)
