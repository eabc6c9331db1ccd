"""What replays begin with: the elements that candidates give there, worked out in Spark once and held here."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import chain, pairwise
from typing import Any

import numpy as np
from pyroaring import FrozenBitMap

from bigdebug.isolation.rdd import fetching
from bigdebug.isolation.rdd.copies import all_immutable, pickled
from bigdebug.isolation.rdd.local import LocalContext, LocalRdd
from bigdebug.lineage.rdd.packing import named, without_doubles

_FEW = 16
"""A subset of at most one in so many is looked up record by record."""

Positions = np.ndarray[Any, np.dtype[np.intp]]
Numbers = np.ndarray[Any, np.dtype[np.uint32]]


class Held:
    """Elements that are held, by partition; whoever gets them may change them.

    Args:
        parts: pickles of lists of them.

    Attributes:
        bounds: where each partition begins, and the last one ends.
        values: the elements, where nobody can change them.
    """

    def __init__(self, parts: Sequence[Sequence[bytes]]) -> None:
        opened = [list(chain.from_iterable(map(pickle.loads, part))) for part in parts]
        self.bounds = np.cumsum([0, *map(len, opened)])
        values = list(chain.from_iterable(opened))
        alike = all_immutable(values)
        self.values: list[Any] | None = values if alike else None
        self._pickles = [] if alike else [pickled(each) for each in values]

    @classmethod
    def of(cls, parts: Sequence[Sequence[Any]]) -> Held | None:
        """Elements as they are, by partition; None where somebody may change them."""
        if not all_immutable(chain.from_iterable(parts)):
            return None
        found = cls([[] for _ in parts])
        found.bounds = np.cumsum([0, *map(len, parts)])
        found.values = [each for part in parts for each in part]
        return found

    def __len__(self) -> int:
        return int(self.bounds[-1])

    def only(self, positions: Positions) -> Held:
        """Some of them, those at some positions, which go up."""
        found = Held([])
        found.bounds = np.searchsorted(positions, self.bounds)
        if self.values is not None:
            found.values = [self.values[position] for position in positions.tolist()]
        else:
            found.values, found._pickles = None, [self._pickles[each] for each in positions.tolist()]
        return found

    def put_in(self, order: Positions) -> None:
        """Have the elements in another order, within their partitions."""
        if self.values is not None:
            self.values = [self.values[position] for position in order.tolist()]
        else:
            self._pickles = [self._pickles[position] for position in order.tolist()]

    def at(self, positions: Positions) -> list[Any]:
        """The elements at some positions."""
        if self.values is not None:
            values = self.values
            return [values[position] for position in positions.tolist()]
        pickles = self._pickles
        return [pickle.loads(pickles[position]) for position in positions.tolist()]

    @property
    def every(self) -> list[Any]:
        """All elements."""
        return self.at(np.arange(len(self)))

    def split(self, elements: list[Any], positions: Positions, *, compact: bool) -> list[list[Any]]:
        """Elements at some positions, which go up, by partition; without empty ones where that doesn't matter."""
        bounds = np.searchsorted(positions, self.bounds).tolist()
        return [elements[low:high] for low, high in pairwise(bounds) if low < high or not compact]


class Chosen:
    """A subset of the candidates.

    Args:
        numbers: theirs.
        count: how many candidates there are.
    """

    def __init__(self, numbers: FrozenBitMap, count: int) -> None:
        self.numbers = numbers
        self._count = count

    @cached_property
    def array(self) -> Numbers:
        """The numbers, going up."""
        return _array_of(self.numbers)

    @cached_property
    def mask(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """For each candidate whether it is there."""
        found = np.zeros(self._count, dtype=bool)
        found[self.array] = True
        return found


class Point:
    """What one operator gives of the candidates.

    Args:
        held: the elements.
        leaves: of each element the numbers of the leaves that its ids name; as many columns as the most has.
        numbers: of each the candidates that it is made of. It is there as long as all of them are.
        partitioner: that says in which partition an element is, if there is one.

    Attributes:
        held, leaves, numbers, partitioner: the same.
    """

    def __init__(
        self,
        held: Held,
        leaves: np.ndarray[Any, Any],
        numbers: np.ndarray[Any, np.dtype[np.int64]],
        partitioner: Any,
    ) -> None:
        self.held = held
        self.partitioner = partitioner
        self.leaves = leaves
        self.numbers = numbers
        self._every = FrozenBitMap(numbers.ravel().astype(np.uint32))
        self._columns = [_Sorted(column) for column in numbers.T]

    def positions(self, chosen: Chosen) -> Positions:
        """Where the elements stand that a subset gives."""
        gone = self._every - chosen.numbers
        if len(gone) * _FEW < len(self.held):
            there = np.ones(len(self.held), dtype=bool)
            for column in self._columns:
                there[column.places(_array_of(gone))] = False
            return np.flatnonzero(there)
        if len(chosen.numbers) * _FEW > len(self.held):
            return np.flatnonzero(chosen.mask[self.numbers].all(axis=1))
        found = self._columns[0].places(chosen.array)
        if self.numbers.shape[1] > 1:
            found = found[chosen.mask[self.numbers[found]].all(axis=1)]
        return np.sort(found)

    def only(self, positions: Positions) -> Point:
        """Some of it: the elements at some positions, which go up."""
        return Point(self.held.only(positions), self.leaves[positions], self.numbers[positions], None)

    def plain(self, context: LocalContext, chosen: Chosen) -> LocalRdd:
        """The elements of a subset."""
        positions = self.positions(chosen)
        return self._local(context, self.held.at(positions), positions)

    def annotated(self, context: LocalContext, chosen: Chosen) -> LocalRdd:
        """The same, each with the numbers of the candidates that it is made of as its ids."""
        positions = self.positions(chosen)
        leaves, numbers = self.leaves[positions].tolist(), self.numbers[positions].tolist()
        pairs = zip(leaves, numbers, strict=True)
        ids: Iterator[tuple[tuple[int, int], ...]]
        if self.numbers.shape[1] == 1:
            ids = (((leaf, number),) for (leaf,), (number,) in pairs)
        else:
            ids = (tuple(dict.fromkeys(zip(*pair, strict=True))) for pair in pairs)
        elements = list(zip(self.held.at(positions), ids, strict=True))
        return self._local(context, elements, positions)

    def _local(self, context: LocalContext, elements: list[Any], positions: Positions) -> LocalRdd:
        parts = self.held.split(elements, positions, compact=context.compact)
        return LocalRdd(context, parts, None if context.compact else self.partitioner)


class _Sorted:
    """Where in a column of candidates' numbers each of them stands.

    Args:
        column: the numbers.
    """

    def __init__(self, column: np.ndarray[Any, np.dtype[np.int64]]) -> None:
        self._order = np.argsort(column, kind="stable")
        self._sorted = column[self._order]

    def places(self, numbers: Numbers) -> Positions:
        """Where some numbers stand."""
        low = np.searchsorted(self._sorted, numbers, "left")
        sizes = np.searchsorted(self._sorted, numbers, "right") - low
        within = np.arange(int(sizes.sum())) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        found: Positions = self._order[np.repeat(low, sizes) + within]
        return found


def point_above(parts: Sequence[Sequence[tuple[Any, Any]]]) -> Point | None:
    """What operators give of all candidates, each element of which is there as long as those are that it is made of.

    Args:
        parts: the annotated elements by partition, whose ids are numbers of candidates.

    None where somebody may change the elements.
    """
    held = Held.of([[element for element, _ in part] for part in parts])
    if held is None:
        return None
    leaves, numbers = columns_of(ids for part in parts for _, ids in part)
    return Point(held, leaves, numbers, None)


def fetched_all(plain: Any) -> Held:
    """All elements of an RDD of Spark's."""
    parts: list[list[bytes]] = [[] for _ in range(plain.getNumPartitions())]
    for partition, pickles in plain.mapPartitionsWithIndex(fetching.all_pickled, True).collect():
        parts[partition] += pickles
    return Held(parts)


def _array_of(numbers: FrozenBitMap) -> Numbers:
    return np.frombuffer(numbers.to_array(), dtype=np.uint32)


def columns_of(several: Iterable[Any]) -> list[np.ndarray[Any, np.dtype[np.int64]]]:
    """Of each element's ids the leaves, and the numbers of candidates that they name; of keys of groups none counts."""
    pairs = [tuple(named(without_doubles(ids))) for ids in several]
    flat = np.array([(leaf, _as_number(name)) for ids in pairs for leaf, name in ids], dtype=np.int64)
    width = np.fromiter(map(len, pairs), np.int64, len(pairs))
    return in_columns(width, *flat.reshape(-1, 2).T)


def _as_number(name: Any) -> int:
    return name if type(name) is int and name >= 0 else 0


def in_columns(
    widths: np.ndarray[Any, Any], *flat: np.ndarray[Any, Any]
) -> list[np.ndarray[Any, np.dtype[np.int64]]]:
    """A row for each element; one with fewer ids than others has its last one again.

    Args:
        widths: how many ids each has.
        flat: what there is of the ids, one element's after the other's.
    """
    most = int(widths.max(initial=1))
    starts = np.cumsum(widths) - widths
    places = starts[:, None] + np.minimum(np.arange(most), widths[:, None] - 1)
    return [each[places] for each in flat]
