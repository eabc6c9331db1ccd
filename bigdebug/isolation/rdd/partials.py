"""What runs of a key's elements combine to, kept from one replay to the next.

What combines the elements of a key may combine any run of them first, as Spark does with those of a partition. So a
replay that leaves a few out combines only the runs that they were in anew: of all others it is known what they give.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bigdebug.isolation.rdd.copies import is_immutable
from bigdebug.isolation.rdd.local import Functions, LocalContext, LocalRdd
from bigdebug.isolation.rdd.points import Chosen, Point

COMBINING = frozenset({"reduceByKey", "foldByKey", "aggregateByKey", "combineByKey"})
"""The operators whose functions may combine elements in runs."""

_RUN = 128
"""Elements of the shortest runs; a longer one is two of half its length."""
_LEAST = 16
"""Elements of a key, on average: of fewer nothing is kept."""
_SHARE = 8
"""A subset of less than one in so many elements is combined element by element."""

Mask = np.ndarray[Any, np.dtype[np.bool_]]
Positions = np.ndarray[Any, np.dtype[np.int64]]


class MutableError(Exception):
    """What elements combine to can be changed: it can't be kept."""


@dataclass
class _OfKey:
    """The elements of one key in one partition.

    Attributes:
        positions: where they stand, going up.
        known: by length (as a power of two of the shortest runs') and place of a run what it combines to.
    """

    positions: Positions
    known: dict[tuple[int, int], Any] = field(default_factory=dict)


class Partials:
    """What an operator that combines by key takes of a point, key by key.

    Args:
        point: what there is of the candidates: pairs that nobody can change.
        values: these.
        keys: by partition the elements of each key.
    """

    def __init__(self, point: Point, values: Sequence[Any], keys: Sequence[Sequence[_OfKey]]) -> None:
        self._values = values
        self._point = point
        self._keys = keys

    @classmethod
    def of(cls, point: Point) -> Partials | None:
        """None where nothing can be kept, or where it wouldn't pay."""
        values = point.held.values
        if values is None:
            return None
        bounds = point.held.bounds
        keys = []
        for low, high in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
            by_key: dict[Any, list[int]] = {}
            for position in range(low, high):
                element = values[position]
                if not isinstance(element, tuple) or len(element) != 2:
                    return None
                by_key.setdefault(element[0], []).append(position)
            keys.append([_OfKey(np.array(each, dtype=np.int64)) for each in by_key.values()])
        if len(values) < _LEAST * sum(map(len, keys)):
            return None
        return cls(point, values, keys)

    def rdd(self, context: LocalContext, chosen: Chosen) -> LocalRdd | None:
        """A subset's elements, for the operator; None where this subset had better be combined element by element."""
        positions = self._point.positions(chosen)
        if _SHARE * len(positions) < len(self._values):
            return None
        there: Mask = np.zeros(len(self._values), dtype=np.bool_)
        there[positions] = True
        return _InRuns(context, self, there, self._point.partitioner)

    def combined(self, there: Mask, functions: Functions) -> list[list[tuple[Any, Any]]]:
        """By partition the keys of elements that are there, and what these combine to, in the order of their first.

        Raises:
            MutableError: what they combine to can be changed.
        """
        found = []
        for of_partition in self._keys:
            made: list[tuple[int, Any]] = []
            for of_key in of_partition:
                here = there[of_key.positions]
                if here.any():
                    first = int(of_key.positions[int(here.argmax())])
                    made.append((first, self._of_key(of_key, here, functions)))
            made.sort(key=lambda pair: pair[0])
            found.append([(self._values[first][0], combiner) for first, combiner in made])
        return found

    # -- inside -------------------------------------------------------------------------------------

    def _of_key(self, of_key: _OfKey, here: Mask, functions: Functions) -> Any:
        parts = self._parts(of_key, here, functions)
        found = next(parts)
        for part in parts:
            found = functions.merge(found, part)
        return found

    def _parts(self, of_key: _OfKey, here: Mask, functions: Functions) -> Iterator[Any]:
        """What runs of the elements that are there combine to, in their order."""
        starts = np.arange(0, len(here), _RUN)
        counts = np.add.reduceat(here, starts, dtype=np.int64)
        full = counts == np.minimum(_RUN, len(here) - starts)
        place = 0
        while place < len(starts):
            if full[place]:
                gaps = np.flatnonzero(~full[place:])
                end = place + int(gaps[0]) if len(gaps) else len(starts)
                while place < end:
                    length = _longest(place, end)
                    yield self._run(of_key, length, place >> length, functions)
                    place += 1 << length
                continue
            if counts[place]:
                run = slice(place * _RUN, (place + 1) * _RUN)
                yield functions.of(self._taken(of_key.positions[run][here[run]]))
            place += 1

    def _run(self, of_key: _OfKey, length: int, place: int, functions: Functions) -> Any:
        """What a run combines to whose elements are all there."""
        key = length, place
        if key not in of_key.known:
            if length:
                halves = (self._run(of_key, length - 1, 2 * place + half, functions) for half in (0, 1))
                found = functions.merge(*halves)
            else:
                found = functions.of(self._taken(of_key.positions[place * _RUN : (place + 1) * _RUN]))
            if not is_immutable(found):
                raise MutableError
            of_key.known[key] = found
        return of_key.known[key]

    def _taken(self, positions: Positions) -> list[Any]:
        return [self._values[position][1] for position in positions.tolist()]


def _longest(place: int, end: int) -> int:
    """The length of the longest run that begins at a place and isn't beyond an end."""
    length = 0
    while not place & ((2 << length) - 1) and place + (2 << length) <= end:
        length += 1
    return length


class _InRuns(LocalRdd):
    """Elements that are about to be combined by key.

    Args:
        context: of local RDDs.
        partials: what is known of them.
        there: which of them are there.
        partitioner: that says in which partition an element is, if there is one.
    """

    def __init__(self, context: LocalContext, partials: Partials, there: Mask, partitioner: Any) -> None:
        super().__init__(context, [[] for _ in partials._keys], None if context.compact else partitioner)
        self._partials = partials
        self._there = there

    def _combined(self, functions: Functions) -> LocalRdd:
        made = self._partials.combined(self._there, functions)
        if self.ctx.compact:
            made = [part for part in made if part]
        return LocalRdd(self.ctx, made, self.partitioner)
