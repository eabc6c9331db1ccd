"""Reading the files of a relation: what elements of some names stem from."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bigdebug.lineage.rdd.index.names import PARTITION_SHIFT, PLACE_MASK
from bigdebug.lineage.store.damage import reading_index

_COMPARED = 4
"""Codes are compared with so many at most: with more, looking each up takes less."""
_READERS = min(8, os.cpu_count() or 1)


@dataclass
class Stems:
    """What elements stem from, by the numbers of leaves.

    Attributes:
        places: of each leaf the places of records, as sorted numbers, each once.
        keys: of each leaf the names of keys.
    """

    places: dict[int, Any] = field(default_factory=dict)
    keys: dict[int, set[bytes]] = field(default_factory=dict)

    def add(self, other: Stems) -> None:
        """Take in what other elements stem from."""
        for leaf, places in other.places.items():
            mine = self.places.get(leaf)
            self.places[leaf] = places if mine is None else np.union1d(mine, places)
        for leaf, keys in other.keys.items():
            self.keys.setdefault(leaf, set()).update(keys)


@dataclass(frozen=True)
class ByPlace:
    """Elements at some places.

    Attributes:
        places: sorted numbers, each once; None for all.
    """

    places: Any | None

    def __call__(self, names: Any) -> Any:
        numbers = as_numpy(names)
        if self.places is None:
            return np.ones(len(numbers), dtype=bool)
        return np.isin(numbers, self.places)


@dataclass(frozen=True)
class ByPrefix:
    """Elements that were read of their partition before others were made.

    Attributes:
        reads: by partition, how many had been read.
    """

    reads: dict[int, int]

    def __call__(self, names: Any) -> Any:
        numbers = as_numpy(names)
        partitions, places = numbers >> PARTITION_SHIFT, numbers & PLACE_MASK
        found = np.zeros(len(numbers), dtype=bool)
        for partition in np.unique(partitions).tolist():
            found |= (partitions == partition) & (places < self.reads.get(partition, 0))
        return found


@dataclass(frozen=True)
class ByKey:
    """Elements of some keys.

    Attributes:
        keys: their names.
    """

    keys: frozenset[bytes]

    @cached_property
    def _known(self) -> Any:
        # By hand: to make an array of what Python holds Arrow loads pandas, which takes longer than most traces.
        keys = list(self.keys)
        ends = np.cumsum([0, *map(len, keys)], dtype=np.int32)
        return pa.Array.from_buffers(
            pa.binary(), len(keys), [None, pa.py_buffer(ends), pa.py_buffer(b"".join(keys))]
        )

    def __call__(self, names: Any) -> Any:
        known = pc.is_in(names.dictionary, self._known)
        few = as_numpy(pc.indices_nonzero(known))
        codes = as_numpy(names.indices)
        if len(few) > _COMPARED:
            wanted = np.zeros(len(names.dictionary), dtype=bool)
            wanted[few] = True
            return wanted[codes]
        found = np.zeros(len(codes), dtype=bool)
        for code in few:
            found |= codes == code
        return found


Wanted = ByPlace | ByPrefix | ByKey


def stems_of(filesystem: Any, paths: Sequence[str], wanted: Wanted) -> Stems:
    """What the wanted elements of a relation stem from.

    Raises:
        DamagedIndexError: a file can't be read.
    """
    places: dict[int, list[Any]] = {}
    keys: dict[int, set[bytes]] = {}
    with ThreadPoolExecutor(_READERS) as pool:  # nearly all is done outside of Python
        for rows in pool.map(partial(_stems_in, filesystem, wanted), paths):
            for leaf, found in rows.places.items():
                places.setdefault(leaf, []).append(found)
            for leaf, known in rows.keys.items():
                keys.setdefault(leaf, set()).update(known)
    return Stems(_merged(places), keys)


def _stems_in(filesystem: Any, wanted: Wanted, path: str) -> Stems:
    places: dict[int, list[Any]] = {}
    keys: dict[int, set[bytes]] = {}
    for batch in batches(filesystem, [path]):
        names = batch.column("names")
        chosen = np.flatnonzero(wanted(names.flatten()))
        if not len(chosen):
            continue
        offsets = as_numpy(names.offsets)
        rows = np.unique(np.searchsorted(offsets, chosen + offsets[0], side="right") - 1)
        leaves = as_numpy(batch.column("leaf"))[rows]
        for leaf in np.unique(leaves).tolist():
            of_leaf = rows[leaves == leaf]
            place, key = batch.column("place"), batch.column("key")
            if place[int(of_leaf[0])].is_valid:  # a leaf has places, or it has keys
                places.setdefault(leaf, []).append(np.unique(_values(place, np.int64)[of_leaf]))
            else:
                codes = np.unique(_values(key.indices, np.int32)[of_leaf]).tolist()
                keys.setdefault(leaf, set()).update(key.dictionary[code].as_py() for code in codes)
    return Stems(_merged(places), keys)


def _merged(places: dict[int, list[Any]]) -> dict[int, Any]:
    return {leaf: np.unique(np.concatenate(found)) for leaf, found in places.items()}


def as_numpy(numbers: Any) -> Any:
    """An Arrow array of numbers without nulls, as it lies in memory; its own `to_numpy` loads pandas, too."""
    return np.from_dlpack(numbers)


def _values(numbers: Any, kind: Any) -> Any:
    """The same of one with nulls, where whatever stands in their place."""
    start = numbers.offset
    return np.frombuffer(numbers.buffers()[1], dtype=kind)[start : start + len(numbers)]


def batches(filesystem: Any, paths: Sequence[str]) -> Iterator[Any]:
    """The record batches of files.

    Raises:
        DamagedIndexError: a file can't be read.
    """
    for path in paths:
        with (
            reading_index("a file of the index"),
            _opened(filesystem, path) as file,
            pa.ipc.open_stream(file) as reader,
        ):
            yield from reader


def _opened(filesystem: Any, path: str) -> Any:
    if filesystem.type_name == "local":
        return pa.memory_map(path)  # what isn't looked at isn't read
    return filesystem.open_input_stream(path)
