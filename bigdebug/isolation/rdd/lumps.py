"""Large groups of which most elements are only known by what they combine to.

That is enough for replays of few records, and of all but a few.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Any

import numpy as np
from pyroaring import FrozenBitMap

from bigdebug.isolation.ranking import CoarseError, Order, Ranking
from bigdebug.isolation.rdd.copies import pickled
from bigdebug.isolation.rdd.fetching import Lump
from bigdebug.isolation.rdd.local import Functions, LocalContext, LocalRdd
from bigdebug.isolation.rdd.partials import MutableError, Partials
from bigdebug.isolation.rdd.points import Chosen, Point
from bigdebug.isolation.rdd.proposals import orders_among

Numbers = np.ndarray[Any, np.dtype[np.int64]]


@dataclass
class _Group:
    """What is known of the elements of a key.

    Attributes:
        key: this.
        point: the elements that are known one by one: pairs.
        parts: by partition the numbers of the other records, and pickles of what some of these combine to.
        bounds: by column below, in the midst of and above which of a chunk no element of these is.
    """

    key: Any
    point: Point
    parts: dict[int, tuple[FrozenBitMap, list[bytes]]]
    bounds: dict[Any, list[tuple[Any, Any, Any]]]

    def __post_init__(self) -> None:
        self._partials = Partials.of(self.point)
        self._merged: bytes | None = None

    @cached_property
    def together(self) -> FrozenBitMap:
        """The numbers of the records that are only known with others."""
        return FrozenBitMap().union(*(numbers for numbers, _ in self.parts.values()))

    @cached_property
    def every(self) -> FrozenBitMap:
        """The numbers of all records."""
        return self.together | FrozenBitMap(self.point.numbers[:, 0].astype(np.uint32))

    def combined(self, context: LocalContext, chosen: Chosen, functions: Functions) -> Iterator[Any]:
        """What runs of a subset's elements combine to.

        Raises:
            CoarseError: a record is in the subset that is only known with others, which aren't.
        """
        numbers = chosen.numbers
        if numbers.isdisjoint(self.every):
            return
        if self.together <= numbers:
            if self.parts:
                yield self._of_all(functions)
        else:
            for own, pickles in self.parts.values():
                if own <= numbers:
                    yield _merged(pickles, functions)
                elif not own.isdisjoint(numbers):
                    raise CoarseError
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

    def _of_all(self, functions: Functions) -> Any:
        if self._merged is None:
            pickles = [each for _, own in self.parts.values() for each in own]
            self._merged = pickled(_merged(pickles, functions))
        return pickle.loads(self._merged)  # the program may change it


class Lumps:
    """What an operator that combines by key takes, most of it known together.

    Args:
        point: the elements that are known one by one: pairs.
        lumps: by partition what is known together.
        numbers_of: by partition and place a record's number.
    """

    def __init__(
        self, point: Point, lumps: Iterable[tuple[int, Lump]], numbers_of: Mapping[int, Numbers]
    ) -> None:
        bounds: dict[Any, dict[Any, list[tuple[Any, Any, Any]]]] = {}
        places: dict[Any, dict[int, list[Numbers]]] = {}
        pickles: dict[Any, dict[int, list[bytes]]] = {}
        for partition, (key, data, combined, ends) in lumps:
            own = np.frombuffer(data, dtype=np.int64)
            places.setdefault(key, {}).setdefault(partition, []).append(own)
            pickles.setdefault(key, {}).setdefault(partition, []).append(combined)
            for name, each in ends.items():
                bounds.setdefault(key, {}).setdefault(name, []).append(each)
        positions: dict[Any, list[int]] = {key: [] for key in places}
        for position, (key, _) in enumerate(point.held.every):
            positions.setdefault(key, []).append(position)
        self._groups = {}
        for key, own_positions in positions.items():
            parts = {
                partition: (
                    FrozenBitMap(numbers_of[partition][np.concatenate(several)].astype(np.uint32)),
                    pickles[key][partition],
                )
                for partition, several in places.get(key, {}).items()
            }
            own_point = point.only(np.array(own_positions, dtype=np.intp))
            self._groups[key] = _Group(key, own_point, parts, bounds.get(key, {}))

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
        values = [value for _, value in group.point.held.every]
        numbers = group.point.numbers[:, 0].astype(np.uint32)
        if not group.parts:
            return [Ranking.of(order) for order in orders_among(values, numbers)]
        found = []
        for name, bounds in group.bounds.items():
            column = np.array([_part(value, name) for value in values], dtype=float)
            low, high = min(each[0] for each in bounds), max(each[2] for each in bounds)
            middle = float(np.median([each[1] for each in bounds]))
            away = np.abs(column - middle)
            farthest = max(abs(low - middle), abs(high - middle))
            for score, extreme in (
                (-away, away > farthest),
                (column, column < low),
                (-column, column > high),
            ):
                order: Order = numbers[extreme][np.argsort(score[extreme], kind="stable")]
                if len(order):
                    records = FrozenBitMap(order)
                    found.append(Ranking(order, records, of_source=group.every, ends_early=True))
        return found


def _merged(pickles: Sequence[bytes], functions: Functions) -> Any:
    return reduce(functions.merge, map(pickle.loads, pickles))


def _part(value: Any, name: Any) -> float:
    try:
        return float(value if name is None else value[name])
    except (TypeError, IndexError, ValueError, OverflowError):
        return np.nan


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
