"""What Spark's workers do with large groups: most elements are combined, the extreme ones are told one by one.

Travels by value: they need not have bigdebug.
"""

from __future__ import annotations

import gc
from abc import ABC, abstractmethod
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, compress, count, islice
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


_Chunk = list[tuple[Any, Any]]
"""Elements of a key that nothing is known of yet, each with whose it is: the place of its record, or ids."""


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
    chunks: dict[Any, _Chunk] = {key: [] for key in keys}
    pairs, lumping = iter(elements), True
    with _seldom_collecting():
        # In blocks: whether a chunk is large enough isn't asked with each element.
        while block := list(islice(pairs, CHUNK)):
            for pair in block:
                chunk = chunks.get(pair[0][0])
                if chunk is not None:
                    chunk.append(pair)
            for key, chunk in chunks.items():
                if lumping and len(chunk) < CHUNK:
                    continue
                lumping = lumping and told.lump(key, chunk, combine)
                if not lumping:
                    told.apart(chunk)
                chunks[key] = []
            if told.pieces.count >= BATCH or len(told.lumps) >= ENDS:
                most -= told.pieces.count
                yield told.taken(-1)
                if most <= 0:
                    told.whole = False
                    return
        for chunk in chunks.values():
            told.apart(chunk)


_Bounds = tuple[Any, Any, Any]
"""Of numbers: one that none is less than, one from their midst, and one that none is more than."""


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
        self._ends: dict[tuple[Any, int | None], _Bounds] = {}

    def taken(self, total: int) -> Gathered:
        """All of it since it was taken last."""
        whose = self._widths.tobytes(), self._flat.tobytes()
        found = self._partition, total, whose, self.pieces.taken(), self.lumps
        self._widths, self._flat, self.lumps = array("q"), array("q"), []
        return found

    def apart(self, chunk: _Chunk) -> None:
        """Tell elements one by one."""
        self._name(whose for _, whose in chunk)
        for element, _ in chunk:
            self.pieces.add(element)

    def lump(self, key: Any, chunk: _Chunk, combine: Combine) -> bool:
        """Tell all but the extreme elements of a chunk together; False where that can't be, or wouldn't pay."""
        elements, whose = zip(*chunk, strict=True)
        _, values = zip(*elements, strict=True)
        columns = _columns(values)
        if columns is None:
            return False
        inside = bytearray(b"\1") * len(values)
        bounds = {}
        for name, column in columns.items():
            bounds[name], outside = self._bounded(key, name, column)
            for place in outside:
                inside[place] = 0
        all_inside = all(inside)
        data = _combined(values if all_inside else list(compress(values, inside)), combine)
        if data is None or len(data) > _LARGE:
            return False
        self.lumps.append(
            (key, self._records(whose if all_inside else compress(whose, inside)), data, bounds)
        )
        if not all_inside:
            self.apart(list(compress(chunk, inside.translate(_OTHER))))
        return True

    def _bounded(self, key: Any, name: int | None, column: Sequence[Any]) -> tuple[_Bounds, list[int]]:
        """What bounds the numbers in a column that aren't extreme, and the places of those that are.

        What was extreme in an earlier chunk of the key is so in this one, unless that would be too many.
        """
        least, most = min(column), max(column)
        if least == most:
            return (least,) * 3, []
        if (key, name) in self._ends:
            low, midst, high = self._ends[key, name]
            outside = _outside(column, low, high) if least < low or most > high else []
            if len(outside) <= 4 * ENDS:
                low, high = max(low, least), min(high, most)
                return (low, min(max(midst, low), high), high), outside
        ends = sorted(column)
        low, midst, high = self._ends[key, name] = ends[ENDS], ends[len(ends) // 2], ends[-1 - ENDS]
        return (low, midst, high), _outside(column, low, high) if least < low or most > high else []

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


def _outside(column: Sequence[Any], low: Any, high: Any) -> list[int]:
    return [place for place, value in enumerate(column) if value < low or value > high]


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
