"""Reading the files of a relation: what elements of some names stem from."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from bigdebug.lineage.rdd.index.by_key import ByKey, stems_by_key
from bigdebug.lineage.rdd.index.names import PARTITION_SHIFT, PLACE_MASK
from bigdebug.lineage.rdd.index.opening import opened_stream
from bigdebug.lineage.rdd.index.stems import Collected, Stems, as_numpy
from bigdebug.lineage.store.damage import reading_index

_READERS = min(8, os.cpu_count() or 1)


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


Wanted = ByPlace | ByPrefix | ByKey


def stems_of(filesystem: Any, paths: Sequence[str], wanted: Wanted) -> Stems:
    """What the wanted elements of a relation stem from.

    Raises:
        DamagedIndexError: a file can't be read.
    """
    read: Callable[[str], Stems]
    if isinstance(wanted, ByKey):
        read = partial(stems_by_key, filesystem, wanted)
    else:
        read = partial(_stems_by_place, filesystem, wanted)
    found = Collected()
    with ThreadPoolExecutor(_READERS) as pool:  # nearly all is done outside of Python
        for stems in pool.map(read, paths):
            found.add(stems)
    return found.stems()


def _stems_by_place(filesystem: Any, wanted: ByPlace | ByPrefix, path: str) -> Stems:
    """What the wanted elements of one file stem from."""
    found = Collected()
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
                found.add_places(leaf, _values(place, np.int64)[of_leaf])
            else:
                found.add_keys(leaf, _values(key.indices, np.int32)[of_leaf], key.dictionary)
    return found.stems()


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
            opened_stream(filesystem, path) as file,
            pa.ipc.open_stream(file) as reader,
        ):
            yield from reader
