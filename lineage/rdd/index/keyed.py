"""Files of relations whose names are keys, from which a few keys are found without reading all.

An inverted index: by key the list of what its elements stem from. Each part that a task writes is sorted by hashes of
the keys' names; what the statistics of a row group of the Parquet file tell of these hashes says whether a key can be
in it. Places in a list ascend, so that their differences take few bits.

Written by Spark's Python workers, to which this travels by value.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from zlib import crc32

from bigdebug.lineage.rdd.index.arrays import numbers, texts
from bigdebug.lineage.rdd.index.coding import Codes, coded
from bigdebug.lineage.rdd.index.names import name_of
from bigdebug.lineage.rdd.index.relation_file import RelationFile

ROW_GROUP = 1 << 15
"""So many places or keys of what keys stem from, roughly, are in a row group."""

HASH = "hash"

_NO_LIMIT = 1 << 30


def hash_of(name: bytes) -> int:
    """The hash of a key's name, by which files are sorted."""
    return crc32(name)


class KeyedFile(RelationFile):
    """A file of such a relation: of a key by hash and name, and of a leaf, the places or else the keys there."""

    @staticmethod
    def schema() -> Any:
        import pyarrow as pa

        return pa.schema(
            [
                (HASH, pa.int64()),
                ("name", pa.binary()),
                ("leaf", pa.int32()),
                ("places", pa.list_(pa.int64())),
                ("keys", pa.list_(pa.dictionary(pa.int32(), pa.binary()))),
            ]
        )

    def _writer_of(self, stream: Any, schema: Any) -> Any:
        import pyarrow.parquet as pq

        return pq.ParquetWriter(
            stream,
            schema,
            compression="lz4",
            use_dictionary=["leaf", "keys.list.element"],
            dictionary_pagesize_limit=_NO_LIMIT,  # beyond it each key would be written as often as it is there
            column_encoding={"places.list.element": "DELTA_BINARY_PACKED"},
            write_statistics=[HASH],
        )

    def part(self, keys: Iterable[Any]) -> Part:
        return Part(keys)

    def write_leaf(
        self, part: Part, leaf: int, places: Any, keys: tuple[Any, Codes] | None, ends: Any, names: Any
    ) -> None:
        import numpy as np
        import pyarrow as pa

        ranks = part.ranks[names]
        # Stable, and so places still ascend. Quick, too: numpy sorts 16 bits by their digits.
        order = np.argsort(ranks, kind="stable")
        counts = np.bincount(ranks, minlength=len(part.names))
        there = np.flatnonzero(counts)
        many = np.diff(ends)
        of_keys = numbers(np.append(0, np.cumsum(counts[there])).astype(np.int32))
        schema = self.schema()
        if keys is None:
            found_places = pa.ListArray.from_arrays(of_keys, numbers(np.repeat(places, many)[order]))
            found_keys = pa.nulls(len(there), schema.field("keys").type)
            parts = len(order) // ROW_GROUP
        else:
            found_places = pa.nulls(len(there), schema.field("places").type)
            found_keys = pa.ListArray.from_arrays(
                of_keys, coded(numbers(np.repeat(keys[0], many)[order]), keys[1])
            )
            # Each row group holds all of these keys once more.
            parts = len(order) // max(ROW_GROUP, found_keys.values.dictionary.nbytes // 4)
        known = part.names if len(there) == len(part.names) else [part.names[i] for i in there.tolist()]
        self.write(
            pa.record_batch(
                [
                    numbers(part.hashes[there]),
                    texts(known),
                    numbers(np.full(len(there), leaf, dtype=np.int32)),
                    found_places,
                    found_keys,
                ],
                schema=schema,
            ),
            row_group_size=-(-len(there) // max(1, parts)),
        )


class Part:
    """The keys of a part of a relation that is written together.

    Args:
        keys: in the order of their codes.

    Attributes:
        names: of the keys, sorted by their hashes.
        hashes: of these.
        ranks: by code where the key's name is among them.
    """

    def __init__(self, keys: Iterable[Any]) -> None:
        import numpy as np

        names = [name_of(key) for key in keys]
        hashes = np.array([hash_of(name) for name in names], dtype=np.int64)
        order = np.argsort(hashes, kind="stable")
        self.names = [names[i] for i in order.tolist()]
        self.hashes = hashes[order]
        self.ranks = np.empty(len(names), dtype=np.uint16 if len(names) <= 1 << 16 else np.uint32)
        self.ranks[order] = np.arange(len(names), dtype=self.ranks.dtype)
