"""Files of relations whose names are places, as Spark's Python workers write them, to which this travels by value."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bigdebug.lineage.rdd.index.arrays import numbers
from bigdebug.lineage.rdd.index.coding import Codes, coded
from bigdebug.lineage.rdd.index.relation_file import RelationFile


class PlacedFile(RelationFile):
    """A file of such a relation."""

    @staticmethod
    def schema() -> Any:
        import pyarrow as pa

        return pa.schema(
            [
                ("leaf", pa.int32()),
                ("place", pa.int64()),
                ("key", pa.dictionary(pa.int32(), pa.binary())),
                ("names", pa.list_(pa.int64())),
            ]
        )

    def part(self, keys: Iterable[Any]) -> None:
        """Nothing: there are none."""

    def write_leaf(
        self, part: None, leaf: int, places: Any, keys: tuple[Any, Codes] | None, ends: Any, names: Any
    ) -> None:
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
                schema=self.schema(),
            )
        )
