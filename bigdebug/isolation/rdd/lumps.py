"""Large groups of which most elements are only known by what they combine to.

That is enough for replays of few records, and of all but a few.
"""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import numpy as np
from pyroaring import FrozenBitMap

from bigdebug.isolation.ranking import CoarseError, Ranking, in_order
from bigdebug.isolation.rdd.copies import pickled
from bigdebug.isolation.rdd.local import Functions, LocalContext, LocalRdd
from bigdebug.isolation.rdd.partials import MutableError, Partials
from bigdebug.isolation.rdd.points import Chosen, Point
from bigdebug.isolation.rdd.proposals import column_of, orders_among


@dataclass
class Known:
    """What is known together of the elements of a key.

    Attributes:
        records: by leaf the numbers of the candidates that they are made of.
        pickles: of what some of them combine to.
        bounds: by column below, in the midst of and above which of a chunk none of them is.
    """

    records: dict[int, FrozenBitMap] = field(default_factory=dict)
    pickles: list[bytes] = field(default_factory=list)
    bounds: dict[Any, list[tuple[Any, Any, Any]]] = field(default_factory=dict)


class _Group:
    """What is known of the elements of a key.

    Args:
        key: this.
        point: those that are known one by one: pairs.
        known: of the others.
        leaf: the source of which most of their candidates are.

    Attributes:
        key, point, known: the same.
        main: the candidates of that source that others are made of.
        beside: those of other sources.
        every: the candidates of all.
    """

    def __init__(self, key: Any, point: Point, known: Known, leaf: int) -> None:
        self.key = key
        self.point = point
        self.known = known
        self._partials = Partials.of(point)
        self._merged: bytes | None = None
        self.main = known.records.get(leaf, FrozenBitMap())
        others = (numbers for each, numbers in known.records.items() if each != leaf)
        self.beside = FrozenBitMap().union(*others)
        single = FrozenBitMap(point.numbers.ravel().astype(np.uint32))
        self.every = self.main.union(self.beside, single)

    def combined(self, context: LocalContext, chosen: Chosen, functions: Functions) -> Iterator[Any]:
        """What runs of a subset's elements combine to.

        Raises:
            CoarseError: only some of the elements are in it that are known together.
        """
        numbers = chosen.numbers
        if numbers.isdisjoint(self.every):
            return
        if not numbers.isdisjoint(self.main):
            if not (self.main <= numbers and self.beside <= numbers):
                raise CoarseError
            yield self._together(functions)
        for part in self._single(context, chosen, functions).parts:
            yield from (combiner for _, combiner in part)

    def _single(self, context: LocalContext, chosen: Chosen, functions: Functions) -> LocalRdd:
        if self._partials is not None:
            runs = self._partials.rdd(context, chosen)
            try:
                if runs is not None:
                    return runs._combined(functions)
            except MutableError:
                self._partials = None
        return self.point.plain(context, chosen)._combined(functions)

    def _together(self, functions: Functions) -> Any:
        if self._merged is None:
            self._merged = pickled(reduce(functions.merge, map(pickle.loads, self.known.pickles)))
        return pickle.loads(self._merged)  # the program may change it


class Lumps:
    """What an operator that combines by key takes, some of it known together.

    Args:
        point: the elements that are known one by one: pairs.
        known: by key what is known of others.
        sources: the leaves whose ids are candidates.
    """

    def __init__(self, point: Point, known: Mapping[Any, Known], sources: frozenset[int]) -> None:
        self._sources = sources
        counts = Counter[int]()
        for each in known.values():
            counts.update({leaf: len(numbers) for leaf, numbers in each.records.items()})
        self._leaf = max(counts, key=counts.__getitem__, default=-1)
        positions: dict[Any, list[int]] = {key: [] for key in known}
        for position, (key, _) in enumerate(point.held.every):
            positions.setdefault(key, []).append(position)
        self._groups = {
            key: _Group(key, point.only(np.array(own, dtype=np.intp)), known.get(key) or Known(), self._leaf)
            for key, own in positions.items()
        }

    def of_key(self, key: Any) -> FrozenBitMap:
        """The numbers of a key's records."""
        return self._groups[key].every

    def rdd(self, context: LocalContext, chosen: Chosen) -> LocalRdd:
        """A subset's elements, for the operator that combines them, which may raise CoarseError then."""
        return _Lumped(context, self, chosen)

    def combined(
        self, context: LocalContext, chosen: Chosen, functions: Functions
    ) -> Iterator[tuple[Any, Any]]:
        """Keys of a subset's elements, and what runs of them combine to.

        Raises:
            CoarseError: a record is in the subset that is only known with others, which aren't.
        """
        for group in self._groups.values():
            for each in group.combined(context, chosen, functions):
                yield group.key, each

    def rankings(self, key: Any) -> list[Ranking]:
        """Orders in which to suspect the records of a key, as far as they are known one by one."""
        group = self._groups[key]
        point = group.point
        values = [value for _, value in point.held.every]
        if not group.main:
            orders = orders_among(values, point.leaves, point.numbers, self._sources)
            return [Ranking.of(order) for order in orders]
        own = point.leaves == self._leaf
        first = np.argmax(own, axis=1)[:, None]
        numbers = np.take_along_axis(point.numbers, first, axis=1)[:, 0]
        of_source = FrozenBitMap(point.numbers[own].astype(np.uint32)) | group.main
        found = []
        for name, bounds in group.known.bounds.items():
            column = column_of(values, name)
            try:
                low, middle, high = np.array(bounds, dtype=float).T
            except OverflowError:  # whole numbers that no floating-point number comes near
                continue
            low, middle, high = low.min(), np.median(middle), high.max()
            away = np.abs(column - middle)
            farthest = max(middle - low, high - middle)
            for score, extreme in (
                (-away, away > farthest),
                (column, column < low),
                (-column, column > high),
            ):
                extreme = extreme & own.any(axis=1)
                order = in_order(numbers[extreme], score[extreme], repeated=point.numbers.shape[1] > 1)
                records = FrozenBitMap(order)
                if records and records.isdisjoint(group.main):
                    found.append(Ranking(order, records, of_source=of_source, ends_early=True))
        return found


class _Lumped(LocalRdd):
    """Elements that are about to be combined by key, many of which are already.

    Args:
        context: of local RDDs.
        lumps: what is known of them.
        chosen: which of them are there.
    """

    def __init__(self, context: LocalContext, lumps: Lumps, chosen: Chosen) -> None:
        super().__init__(context, [[]])
        self._lumps = lumps
        self._chosen = chosen

    def _combined(self, functions: Functions) -> LocalRdd:
        return LocalRdd(self.ctx, [[*self._lumps.combined(self.ctx, self._chosen, functions)]])
