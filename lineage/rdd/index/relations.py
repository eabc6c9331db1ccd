"""Reading the files of a relation: what elements of some names stem from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bigdebug.lineage.rdd.index.names import PARTITION_SHIFT, PLACE_MASK
from bigdebug.lineage.store.damage import reading_index


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
        numbers = names.to_numpy(zero_copy_only=False)
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
        numbers = names.to_numpy(zero_copy_only=False)
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

    def __call__(self, names: Any) -> Any:
        wanted = pc.is_in(names.dictionary, pa.array(self.keys, pa.binary())).to_numpy(zero_copy_only=False)
        codes = names.indices.to_numpy(zero_copy_only=False)
        if not wanted.any():
            return np.zeros(len(codes), dtype=bool)
        return wanted[codes]


Wanted = ByPlace | ByPrefix | ByKey


def stems_of(filesystem: Any, paths: Sequence[str], wanted: Wanted) -> Stems:
    """What the wanted elements of a relation stem from.

    Raises:
        DamagedIndexError: a file can't be read.
    """
    places: dict[int, list[Any]] = {}
    keys: dict[int, set[bytes]] = {}
    for batch in batches(filesystem, paths):
        names = batch.column("names")
        chosen = np.flatnonzero(wanted(names.flatten()))
        if not len(chosen):
            continue
        offsets = names.offsets.to_numpy()
        rows = np.unique(np.searchsorted(offsets, chosen + offsets[0], side="right") - 1)
        some = batch.take(pa.array(rows))
        leaves = some.column("leaf").to_numpy()
        for leaf in np.unique(leaves).tolist():
            of_leaf = some.filter(pa.array(leaves == leaf))
            if of_leaf.column("place").null_count == 0:
                places.setdefault(leaf, []).append(np.unique(of_leaf.column("place").to_numpy()))
            else:
                known = of_leaf.column("key").dictionary_decode().unique().to_pylist()
                keys.setdefault(leaf, set()).update(known)
    merged = {leaf: np.unique(np.concatenate(found)) for leaf, found in places.items()}
    return Stems(merged, keys)


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
