"""Files of relations whose names are places, as Spark's Python workers write them, to which this travels by value."""

from __future__ import annotations

from typing import Any

from bigdebug.lineage.rdd.index.arrays import numbers
from bigdebug.lineage.rdd.index.coding import Codes, coded
from bigdebug.lineage.rdd.index.task_file import TaskFile


def placed_schema() -> Any:
    """The columns of files of a relation whose names are places."""
    import pyarrow as pa

    return pa.schema(
        [
            ("leaf", pa.int32()),
            ("place", pa.int64()),
            ("key", pa.dictionary(pa.int32(), pa.binary())),
            ("names", pa.list_(pa.int64())),
        ]
    )


class PlacedFile(TaskFile):
    """A file of such a relation, that a task writes.

    Args:
        filesystem: pyarrow's.
        folder: where it is to be.
        name: of the file, that no other attempt has.
    """

    def __init__(self, filesystem: Any, folder: str, name: str) -> None:
        super().__init__(filesystem, folder, name, placed_schema())

    def write_leaf(
        self, leaf: int, places: Any, keys: tuple[Any, Codes] | None, ends: Any, names: Any
    ) -> None:
        """Write what elements stem from at one leaf.

        Args:
            leaf: its number.
            places: there; None where it has keys.
            keys: codes of keys there, and the keys; None where it has places.
            ends: by place or key where its names begin, and where the last one's end.
            names: of all of these the places of the elements.
        """
        import numpy as np
        import pyarrow as pa

        count = len(ends) - 1
        self.write(
            pa.record_batch(
                [
                    numbers(np.full(count, leaf, dtype=np.int32)),
                    pa.nulls(count, pa.int64()) if places is None else numbers(places),
                    coded(pa.nulls(count, pa.int32()), ())
                    if keys is None
                    else coded(numbers(keys[0]), keys[1]),
                    pa.ListArray.from_arrays(numbers(ends.astype(np.int32)), numbers(names)),
                ],
                schema=placed_schema(),
            )
        )
