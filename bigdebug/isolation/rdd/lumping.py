"""What Spark's workers do with large groups: most elements are combined, the extreme ones are told one by one.

Travels by value: they need not have bigdebug.
"""

from __future__ import annotations

import gc
from abc import ABC, abstractmethod
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, compress, count
from typing import Any

from bigdebug.isolation.rdd.copies import all_immutable, pickled
from bigdebug.isolation.rdd.fetching import BATCH, Gathered, Lump, Pieces, Records
from bigdebug.lineage.rdd.packing import Annotated, each_id, named, without_doubles
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
    """Elements of a key that nothing is known of yet, and whose they are: places of records, or ids."""

    def __init__(self) -> None:
        self.whose: list[Any] = []
        self.elements: list[Any] = []


def in_lumps(
    leaf: int, cell: Cell | None, keys: frozenset[Any], combine: Combine, most: int
) -> Callable[[int, Iterable[Any]], Iterator[Gathered]]:
    """The elements of some keys: most of them combined, where there are many.

    Args:
        leaf: the source of the records.
        cell: tells the record that an element is made of, which makes no other one; None where each makes one.
        keys: of the pairs that are asked for; none of them not a number.
        combine: what combines the values of a key.
        most: after so many elements of a partition that are told one by one no more are told.
    """

    def gather(partition: int, elements: Iterable[Any]) -> Iterator[Gathered]:
        told = _OfPlaces(partition, leaf)
        places = count()
        pairs: Iterator[tuple[Any, int]] = (
            zip(elements, places, strict=False)
            if cell is None
            else ((element, cell.now[0]) for element in elements)
        )
        yield from _gathered(told, pairs, keys, combine, most)
        if told.whole:
            yield told.taken(next(places) if cell is None else cell.now[0] + 1)

    return gather


def annotated_in_lumps(
    keys: frozenset[Any], combine: Combine, most: int
) -> Callable[[int, Iterable[Annotated]], Iterator[Gathered]]:
    """The same of annotated elements, whose ids name records."""

    def gather(partition: int, elements: Iterable[Annotated]) -> Iterator[Gathered]:
        told = _OfIds(partition)
        yield from _gathered(told, elements, keys, combine, most)
        if told.whole:
            yield told.taken(0)

    return gather


def _gathered(
    told: _Told, elements: Iterable[tuple[Any, Any]], keys: frozenset[Any], combine: Combine, most: int
) -> Iterator[Gathered]:
    """All but the last of what is told of elements, which come with whose they are."""
    chunks = {key: _Chunk() for key in keys}
    size = CHUNK
    with _seldom_collecting():
        for element, whose in elements:
            chunk = chunks.get(element[0])
            if chunk is None:
                continue
            own = chunk.elements
            chunk.whose.append(whose)
            own.append(element)
            if len(own) < size:
                continue
            if size > 1 and not told.lump(chunk, combine):
                size = 1
            if size == 1:
                told.apart(chunk.whose, own)
            chunks[element[0]] = _Chunk()
            if told.pieces.count >= BATCH or len(told.lumps) >= ENDS:
                most -= told.pieces.count
                yield told.taken(-1)
                if most <= 0:
                    told.whole = False
                    return
        for chunk in chunks.values():
            told.apart(chunk.whose, chunk.elements)


class _Told(ABC):
    """What is to be told of a partition.

    Args:
        partition: its number.

    Attributes:
        whole: nothing is left out.
    """

    def __init__(self, partition: int) -> None:
        self._partition = partition
        self._widths, self._flat = array("q"), array("q")
        self.pieces = Pieces()
        self.lumps: list[Lump] = []
        self.whole = True

    def taken(self, total: int) -> Gathered:
        """All of it since it was taken last."""
        whose = self._widths.tobytes(), self._flat.tobytes()
        found = self._partition, total, whose, self.pieces.taken(), self.lumps
        self._widths, self._flat, self.lumps = array("q"), array("q"), []
        return found

    def apart(self, whose: Iterable[Any], elements: Iterable[Any]) -> None:
        """Tell elements one by one."""
        self._name(whose)
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
        self.lumps.append((chunk.elements[0][0], self._records(compress(chunk.whose, inside)), data, bounds))
        outside = inside.translate(_OTHER)
        self.apart(compress(chunk.whose, outside), compress(chunk.elements, outside))
        return True

    @abstractmethod
    def _name(self, whose: Iterable[Any]) -> None:
        """Tell whose the next elements are."""

    @abstractmethod
    def _records(self, whose: Iterable[Any]) -> list[Records]:
        """The records by which elements are made that are told together."""


class _OfPlaces(_Told):
    def __init__(self, partition: int, leaf: int) -> None:
        super().__init__(partition)
        self._leaf = leaf

    def _name(self, whose: Iterable[Any]) -> None:
        self._flat.extend(whose)

    def _records(self, whose: Iterable[Any]) -> list[Records]:
        return [(self._leaf, b"", array("q", whose).tobytes())]


class _OfIds(_Told):
    def _name(self, whose: Iterable[Any]) -> None:
        for ids in whose:
            several = tuple(named(without_doubles(ids)))
            self._widths.append(len(several))
            for leaf, place in several:
                self._flat.extend((leaf, *place))

    def _records(self, whose: Iterable[Any]) -> list[Records]:
        found: dict[int, tuple[array[int], array[int]]] = {}
        for leaf, (partition, place) in named(set(chain.from_iterable(map(each_id, whose)))):
            if leaf not in found:
                found[leaf] = array("q"), array("q")
            partitions, places = found[leaf]
            partitions.append(partition)
            places.append(place)
        return [
            (leaf, partitions.tobytes(), places.tobytes()) for leaf, (partitions, places) in found.items()
        ]


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
