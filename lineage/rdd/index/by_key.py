"""Reading files of relations whose names are keys: just the parts of them that can hold some keys."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bigdebug.lineage.rdd.index.arrays import numbers, texts
from bigdebug.lineage.rdd.index.keyed import HASH, hash_of
from bigdebug.lineage.rdd.index.opening import opened_file
from bigdebug.lineage.rdd.index.stems import Collected, Stems, as_numpy
from bigdebug.lineage.store.damage import reading_index


@dataclass(frozen=True)
class ByKey:
    """Elements of some keys.

    Attributes:
        keys: their names.
    """

    keys: frozenset[bytes]

    @cached_property
    def _known(self) -> Any:
        return texts([*self.keys])

    @cached_property
    def _hashes(self) -> Any:
        return np.array(sorted(map(hash_of, self.keys)), dtype=np.int64)

    def may_be_between(self, least: int, most: int) -> bool:
        """Whether one has a hash of these or between."""
        at = int(np.searchsorted(self._hashes, least))
        return at < len(self._hashes) and bool(self._hashes[at] <= most)

    def among(self, names: Any) -> Any:
        """Which of an Arrow array of names are theirs, as numbers."""
        return as_numpy(pc.indices_nonzero(pc.is_in(names, self._known))).astype(np.int64)


def stems_by_key(filesystem: Any, wanted: ByKey, path: str) -> Stems:
    """What the wanted elements of one file stem from.

    Raises:
        DamagedIndexError: it can't be read.
    """
    found = Collected()
    with (
        reading_index("a file of the index"),
        opened_file(filesystem, path) as file,
        pq.ParquetFile(file) as parts,
    ):
        groups = (n for n, least, most in _bounds(parts.metadata) if wanted.may_be_between(least, most))
        # One by one: each row group has its own keys by code.
        for batch in chain.from_iterable(
            parts.iter_batches(row_groups=[n], use_threads=False) for n in groups
        ):
            rows = wanted.among(batch.column("name"))
            leaves = as_numpy(batch.column("leaf"))[rows]
            for leaf in np.unique(leaves).tolist():
                of_leaf = numbers(rows[leaves == leaf])
                places = batch.column("places").take(of_leaf)
                if places.null_count:  # a leaf has places, or it has keys
                    keys = batch.column("keys").take(of_leaf).flatten()
                    found.add_keys(leaf, as_numpy(keys.indices), keys.dictionary)
                else:
                    found.add_places(leaf, as_numpy(places.flatten()))
    return found.stems()


def _bounds(metadata: Any) -> Iterator[tuple[int, int, int]]:
    """Of each row group its number, and the least and the greatest hash."""
    for number in range(metadata.num_row_groups):
        column = metadata.row_group(number).column(0)
        assert column.path_in_schema == HASH
        yield number, column.statistics.min, column.statistics.max
