"""Keys as numbers, in the order that they come in. Travels by value to Spark's Python workers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bigdebug.lineage.rdd.index.arrays import texts
from bigdebug.lineage.rdd.index.names import name_of


class Codes(dict[Any, int]):
    """Numbers for keys, given as they come."""

    def __missing__(self, key: Any) -> int:
        self[key] = code = len(self)
        return code


def coded(codes: Any, known: Iterable[Any]) -> Any:
    """Codes of keys as an array of their names.

    Args:
        codes: Arrow's array of `int32`.
        known: the keys, in the order of their codes.
    """
    import pyarrow as pa

    # Keys that Python's dictionaries keep apart may have the same name: not numbers.
    return pa.DictionaryArray.from_arrays(codes, texts([name_of(key) for key in known]))
