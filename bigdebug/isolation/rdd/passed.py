"""What a pass in Spark told of the elements on the trace, and whose they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from pyroaring import FrozenBitMap

from bigdebug.isolation.rdd.candidates import Places, RddCandidates, RddStand, each_once
from bigdebug.isolation.rdd.fetching import Gathered, Lump
from bigdebug.isolation.rdd.lumps import Known, Lumps
from bigdebug.isolation.rdd.points import Held, Point, in_columns
from bigdebug.lineage.rdd.annotator import Annotator

Ordinals = np.ndarray[Any, np.dtype[np.int64]]

_NOTHING = np.zeros(0, dtype=np.int64)


class Passed:
    """What a pass told.

    Args:
        partitions: how many there are.
        batches: what it told, by partition.
        leaf: the number of the source of all elements, whose places are told; None where ids are.
        partitioner: that says in which partition an element is, if there is one.

    Attributes:
        totals: how many records each partition has that was told of to its end.
        count: how many elements were told one by one.
        lumped: whether others were told together.
    """

    def __init__(
        self, partitions: int, batches: Iterable[Gathered], leaf: int | None = None, partitioner: Any = None
    ) -> None:
        self._leaf = leaf
        self._partitioner = partitioner
        self._pieces: list[list[bytes]] = [[] for _ in range(partitions)]
        whose: list[list[tuple[bytes, bytes]]] = [[] for _ in range(partitions)]
        self._lumps: list[tuple[int, Lump]] = []
        self.totals: dict[int, int] = {}
        for partition, total, own, pickles, lumps in batches:
            whose[partition].append(own)
            self._pieces[partition] += pickles
            self._lumps += ((partition, lump) for lump in lumps)
            if total >= 0:
                self.totals[partition] = total
        self._whose = [
            (_numbers(widths for widths, _ in each), _numbers(flat for _, flat in each)) for each in whose
        ]
        self.count = sum(len(flat if leaf is not None else widths) for widths, flat in self._whose)
        self.lumped = bool(self._lumps)

    @property
    def whole(self) -> bool:
        """Whether all partitions were told of to their ends."""
        return len(self.totals) == len(self._pieces)

    def places(self) -> dict[int, Places]:
        """By leaf and partition the places of all records on the trace, each once."""
        leaves, partitions, places = self._ids
        parts = {leaf: [(partitions[mine], places[mine])] for leaf, mine in _each(leaves)}
        for own, (_, records, _, _) in self._lumps:
            for leaf, where, data in records:
                parts.setdefault(leaf, []).append(_placed(own, where, data))
        return {leaf: _by_partition(several) for leaf, several in parts.items()}

    def point(self, annotator: Annotator, candidates: RddCandidates) -> Point:
        """The elements that were told one by one, with the numbers of their candidates.

        Args:
            annotator: gives leaves their numbers.
            candidates: among which they are.
        """
        leaves, partitions, places = self._ids
        numbers = np.zeros(len(leaves), dtype=np.int64)
        for leaf, stand in _stands(annotator, candidates).items():
            mine = leaves == leaf
            numbers[mine] = stand.numbers_of(partitions[mine], places[mine])
        held = Held(self._pieces)
        if self._leaf is None:
            widths = np.concatenate([_NOTHING, *(widths for widths, _ in self._whose)])
            in_rows, of_rows = in_columns(widths, leaves, numbers)
            return Point(held, in_rows, of_rows, self._partitioner)
        order = np.argsort(numbers, kind="stable")  # they may have come key by key
        held.put_in(order)
        return Point(held, leaves[:, None], numbers[order][:, None], self._partitioner)

    def lumps(self, annotator: Annotator, candidates: RddCandidates) -> Lumps:
        """What is known of the elements of each key.

        Args:
            annotator: gives leaves their numbers.
            candidates: among which they are.
        """
        stands = _stands(annotator, candidates)
        known: dict[Any, Known] = {}
        records: dict[Any, dict[int, list[tuple[Ordinals, Ordinals]]]] = {}
        for own, (key, several, combined, bounds) in self._lumps:
            of_key = known.setdefault(key, Known())
            of_key.pickles.append(combined)
            for name, each in bounds.items():
                of_key.bounds.setdefault(name, []).append(each)
            of_leaf = records.setdefault(key, {})
            for leaf, where, data in several:
                of_leaf.setdefault(leaf, []).append(_placed(own, where, data))
        for key, of_leaf in records.items():
            for leaf, each_part in of_leaf.items():
                partitions, places = map(np.concatenate, zip(*each_part, strict=True))
                numbers = stands[leaf].numbers_of(partitions, places)
                known[key].records[leaf] = FrozenBitMap(numbers.astype(np.uint32))
        return Lumps(self.point(annotator, candidates), known, frozenset(stands))

    @cached_property
    def _ids(self) -> tuple[Ordinals, Ordinals, Ordinals]:
        """Of each id of each element the leaf, the partition and the place."""
        flat = np.concatenate([_NOTHING, *(flat for _, flat in self._whose)])
        if self._leaf is None:
            leaves, partitions, places = flat.reshape(-1, 3).T
            return leaves, partitions, places
        counts = [len(flat) for _, flat in self._whose]
        return np.full_like(flat, self._leaf), np.repeat(np.arange(len(counts)), counts), flat


def _stands(annotator: Annotator, candidates: RddCandidates) -> dict[int, RddStand]:
    return {annotator.leaf(stand.leaf.operator): stand for stand in candidates.every}


def _numbers(parts: Iterable[bytes]) -> Ordinals:
    return np.frombuffer(b"".join(parts), dtype=np.int64)


def _placed(own: int, partitions: bytes, places: bytes) -> tuple[Ordinals, Ordinals]:
    """Partitions and places of records; those of which no partition is told are in the one that told of them."""
    found = np.frombuffer(places, dtype=np.int64)
    return np.frombuffer(partitions, dtype=np.int64) if partitions else np.full_like(found, own), found


def _each(leaves: Ordinals) -> Iterator[tuple[int, np.ndarray[Any, np.dtype[np.bool_]]]]:
    for leaf in np.unique(leaves).tolist():
        yield leaf, leaves == leaf


def _by_partition(several: Sequence[tuple[Ordinals, Ordinals]]) -> Places:
    """By partition the places in it, each once, going up."""
    partitions, places = map(np.concatenate, zip(*several, strict=True))
    order = np.argsort(partitions, kind="stable")
    partitions, places = partitions[order], places[order]
    found = {}
    starts = np.flatnonzero(np.diff(partitions, prepend=-1)).tolist()
    for low, high in pairwise([*starts, len(partitions)]):
        found[int(partitions[low])] = each_once(places[low:high])
    return found
