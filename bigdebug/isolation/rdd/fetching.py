"""What Spark's workers do to gather the candidates. Travels by value: they need not have bigdebug."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from bigdebug.isolation.rdd.copies import is_immutable, pickled
from bigdebug.lineage.rdd.packing import Annotated, Ids, named, without_doubles
from bigdebug.lineage.rdd.passing import Cell
from bigdebug.lineage.rdd.workers import is_among

BATCH = 2_000
"""Elements that are sent together."""

Records = tuple[int, bytes, bytes]
"""Records of a leaf: its number, the partitions of each, and their places in these."""

Lump = tuple[Any, list[Records], bytes, dict[int | None, tuple[Any, Any, Any]]]
"""Of elements of a key: the key, the records that made them, what they combine to, pickled, and of each column of
numbers two values, between which all of theirs are, and between these one from the midst of them."""

Gathered = tuple[int, int, tuple[bytes, bytes], list[bytes], list[Lump]]
"""Of a batch of elements: the partition, how many records it has (-1 but in the last batch), whose they are, the
elements, as `Pieces` pickles them, and others that are told together.

Whose they are: nothing, and the place of the record of each; or how many ids each has, and these as (leaf, partition,
place)."""


class Pieces:
    """Elements that are pickled, as they were when they came: many together where nobody can change them."""

    def __init__(self) -> None:
        self.count = 0
        self._alike: list[Any] = []
        self._pickles: list[bytes] = []

    def add(self, element: Any) -> None:
        self.count += 1
        if is_immutable(element):
            self._alike.append(element)
        else:
            self._end()
            self._pickles.append(pickled([element]))

    def taken(self) -> list[bytes]:
        """Pickles of lists of elements, one after the other all that came since they were taken last."""
        self._end()
        found, self._pickles, self.count = self._pickles, [], 0
        return found

    def _end(self) -> None:
        if self._alike:
            self._pickles.append(pickled(self._alike))
            self._alike = []


def by_partition(places: Iterable[tuple[int, int]]) -> Iterator[tuple[int, bytes]]:
    """Places as the partition, and all places in it as 64-bit numbers."""
    found: dict[int, array[int]] = {}
    for partition, place in places:
        if partition not in found:
            found[partition] = array("q")
        found[partition].append(place)
    for partition, numbers in found.items():
        yield partition, numbers.tobytes()


def of_candidates(
    wanted: dict[int, dict[int, bytes]],
) -> Callable[[int, Iterable[Any]], Iterator[Gathered]]:
    """The annotated elements that are made of nothing but candidates, in batches.

    Args:
        wanted: by leaf and partition, which places are candidates': a bit for each.
    """

    def is_wanted(leaf: int, partition: int, place: int) -> bool:
        bits = wanted.get(leaf, {}).get(partition, b"")
        return place >> 3 < len(bits) and bool(bits[place >> 3] >> (place & 7) & 1)

    def fetch(partition: int, elements: Iterable[Any]) -> Iterator[Gathered]:
        widths, flat, pieces = array("q"), array("q"), Pieces()
        for element, ids in elements:
            several = tuple(named(without_doubles(ids)))
            if all(is_wanted(leaf, *place) for leaf, place in several):
                widths.append(len(several))
                for leaf, place in several:
                    flat.extend((leaf, *place))
                pieces.add(element)
                if pieces.count == BATCH:
                    yield partition, -1, (widths.tobytes(), flat.tobytes()), pieces.taken(), []
                    widths, flat = array("q"), array("q")
        yield partition, 0, (widths.tobytes(), flat.tobytes()), pieces.taken(), []

    return fetch


def of_records_with(
    cell: Cell, keys: frozenset[Any], key: Callable[[Any], Any], most: int
) -> Callable[[int, Iterable[Any]], Iterator[Gathered]]:
    """All elements of the records that made one with one of some keys, in batches.

    Args:
        cell: tells the record that an element is made of.
        keys: `known_key`s.
        key: what tells the key of an element.
        most: after so many elements of a partition no more are told.
    """

    is_asked = is_among(keys, key)

    def gather(partition: int, elements: Iterable[Any]) -> Iterator[Gathered]:
        places, pieces, left = array("q"), Pieces(), most
        own: list[Any] = []
        of, asked = -1, False

        def take() -> None:
            for each in own:
                places.append(of)
                pieces.add(each)

        for element in elements:
            place = cell.now[0]
            if place != of:
                if asked:
                    take()
                    if pieces.count >= BATCH:
                        left -= pieces.count
                        yield partition, -1, (b"", places.tobytes()), pieces.taken(), []
                        places = array("q")
                        if left <= 0:
                            return
                own, of, asked = [element], place, False
            else:
                own.append(element)
            asked = asked or is_asked(element)
        if asked:
            take()
        yield partition, cell.now[0] + 1, (b"", places.tobytes()), pieces.taken(), []

    return gather


def all_pickled(partition: int, elements: Iterable[Any]) -> Iterator[tuple[int, list[bytes]]]:
    """All elements, in batches."""
    pieces = Pieces()
    for element in elements:
        pieces.add(element)
        if pieces.count == BATCH:
            yield partition, pieces.taken()
    yield partition, pieces.taken()


def with_key_and_ids(annotated: Annotated) -> tuple[Any, Ids, Any]:
    """Of an annotated element what it is followed by, the first part of a pair and its ids, each once; and it."""
    element, ids = annotated
    return first_part(element), without_doubles(ids), element


def first_part(element: Any) -> Any:
    """The first part of a pair, if it can be a key; else None."""
    if not isinstance(element, tuple) or len(element) != 2:
        return None
    try:
        hash(element[0])
    except TypeError:
        return None
    return element[0]
