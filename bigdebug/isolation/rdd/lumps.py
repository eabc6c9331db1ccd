"""Large groups of which most elements are only known by what they combine to.

That is enough for replays of few records, and of all but a few.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
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
    """What is known together of the elements of a key.

    Attributes:
        parts: by partition the numbers of the records, and pickles of what some of these combine to.
        bounds: by column below, in the midst of and above which of a chunk no element of these is.
        every: the numbers of all records of the key, those that are known one by one, too.
    """

    parts: dict[int, tuple[FrozenBitMap, list[bytes]]] = field(default_factory=dict)
    bounds: dict[Any, list[tuple[Any, Any, Any]]] = field(default_factory=dict)
    every: FrozenBitMap = field(default_factory=FrozenBitMap)

    def within(self, chosen: FrozenBitMap) -> Iterator[list[bytes]]:
        """What records of a subset combine to. Raises CoarseError if some are in it that are known with others."""
        for numbers, combined in self.parts.values():
            if numbers <= chosen:
                yield combined
            elif not numbers.isdisjoint(chosen):
                raise CoarseError


class Lumps:
    """What an operator that combines by key takes, most of it known together.

    Args:
        point: the elements that are known one by one: pairs.
        lumps: by partition what is known together.
        numbers_of: gives the numbers of the records at some places of a partition.
        functions: what combines elements.

    Attributes:
        partitions: how many there are.
    """

    def __init__(
        self,
        point: Point,
        lumps: Iterable[tuple[int, Lump]],
        numbers_of: Mapping[int, Numbers],
        functions: Functions,
    ) -> None:
        self.partitions = len(point.held.bounds) - 1
        self._point = point
        self._partials = Partials.of(point)
        self._functions = functions
        self._groups: dict[Any, _Group] = {}
        self._merged: dict[Any, bytes] = {}
        places: dict[tuple[Any, int], list[Numbers]] = {}
        for partition, (key, data, combined, bounds) in lumps:
            group = self._groups.setdefault(key, _Group())
            places.setdefault((key, partition), []).append(np.frombuffer(data, dtype=np.int64))
            group.parts.setdefault(partition, (FrozenBitMap(), []))[1].append(combined)
            for name, each in bounds.items():
                group.bounds.setdefault(name, []).append(each)
        for (key, partition), several in places.items():
            numbers = FrozenBitMap(numbers_of[partition][np.concatenate(several)].astype(np.uint32))
            self._groups[key].parts[partition] = numbers, self._groups[key].parts[partition][1]
        self._place_of_key = self._by_key()
        for key, positions in self._place_of_key.items():
            group = self._groups.setdefault(key, _Group())
            own = FrozenBitMap(point.numbers[positions, 0].astype(np.uint32))
            group.every = own.union(*(numbers for numbers, _ in group.parts.values()))

    def of_key(self, key: Any) -> FrozenBitMap:
        """The numbers of a key's records."""
        return self._groups[key].every

    def rdd(self, context: LocalContext, chosen: Chosen) -> LocalRdd:
        """A subset's elements, for the operator that combines them.

        Raises:
            CoarseError: only some of the records are in it that are known together.
        """
        known = [
            (key, combined)
            for key, group in self._groups.items()
            for combined in self._within(key, group, chosen.numbers)
        ]
        return _Lumped(context, self, chosen, known)

    def single(self, context: LocalContext, chosen: Chosen, functions: Functions) -> LocalRdd:
        """By partition the elements of each key combined, of those of a subset that are known one by one."""
        if self._partials is not None:
            runs = self._partials.rdd(context, chosen)
            try:
                if runs is not None:
                    return runs._combined(functions)
            except MutableError:
                self._partials = None
        return self._point.plain(context, chosen)._combined(functions)

    def rankings(self, key: Any) -> list[Ranking]:
        """Orders in which to suspect the records of a key, as far as they are known one by one."""
        group = self._groups[key]
        positions = self._place_of_key[key]
        values = [value for _, value in self._point.held.at(positions)]
        numbers = self._point.numbers[positions, 0].astype(np.uint32)
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
                    of_source = group.every
                    found.append(Ranking(order, FrozenBitMap(order), of_source=of_source, ends_early=True))
        return found

    # -- inside -------------------------------------------------------------------------------------

    def _by_key(self) -> dict[Any, np.ndarray[Any, np.dtype[np.intp]]]:
        """By key where its elements stand that are known one by one."""
        found: dict[Any, list[int]] = {key: [] for key in self._groups}
        for position, (key, _) in enumerate(self._point.held.every):
            found.setdefault(key, []).append(position)
        return {key: np.array(positions, dtype=np.intp) for key, positions in found.items()}

    def _within(self, key: Any, group: _Group, chosen: FrozenBitMap) -> Iterator[Any]:
        """What the lumps of a key in a subset combine to."""
        if not group.parts or chosen.isdisjoint(group.every):
            return
        if not group.every <= chosen and not all(numbers <= chosen for numbers, _ in group.parts.values()):
            for combined in group.within(chosen):
                yield self._together(combined)
            return
        if key not in self._merged:
            every = [each for _, combined in group.parts.values() for each in combined]
            self._merged[key] = pickled(self._together(every))
        yield pickle.loads(self._merged[key])

    def _together(self, combined: Sequence[bytes]) -> Any:
        return reduce(self._functions.merge, map(pickle.loads, combined))


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
        known: keys, and what those combine to that are there and known together.
    """

    def __init__(
        self, context: LocalContext, lumps: Lumps, chosen: Chosen, known: list[tuple[Any, Any]]
    ) -> None:
        super().__init__(context, [])
        self._lumps = lumps
        self._chosen = chosen
        self._known = known

    def getNumPartitions(self) -> int:  # noqa: N802
        return self._lumps.partitions + 1

    def _combined(self, functions: Functions) -> LocalRdd:
        single = self._lumps.single(self.ctx, self._chosen, functions)
        return LocalRdd(self.ctx, [*single.parts, self._known])
