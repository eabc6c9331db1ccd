"""What the records at the beginning of a chain are named by. Travels by value to Spark's Python workers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from bigdebug.lineage.rdd.index.writing import Codes, coded


@dataclass(frozen=True)
class PlaceHead:
    """Records of a leaf: an id is a place, as a number.

    Attributes:
        leaf: the leaf's number.
    """

    leaf: int


@dataclass(frozen=True)
class KeyHead:
    """What a boundary made: an id is its key.

    Attributes:
        leaf: the boundary's number.
        key: gives the key of an element; None takes its first part.
    """

    leaf: int
    key: Callable[[Any], Any] | None


@dataclass(frozen=True)
class PairHead:
    """Pairs that a join made: an id is a pair of ids, of each side, None where that had no partner.

    Attributes:
        left, right: of both sides.
    """

    left: Head
    right: Head


Head = PlaceHead | KeyHead | PairHead

Stem = tuple[int, Any, Any, Any]
"""A leaf's number; places, or else names of keys, as arrays; and which of some ids they are of."""


def stems(head: Head, ids: Any, rows: Any) -> Iterator[Stem]:
    """Ids of a head as places and keys of leaves.

    Args:
        head: whose ids they are.
        ids: of places an array of numbers, else a list.
        rows: an array: which of the records each is of.
    """
    import numpy as np
    import pyarrow as pa

    if isinstance(head, PlaceHead):
        yield head.leaf, pa.array(np.asarray(ids, dtype=np.int64)), None, rows
    elif isinstance(head, KeyHead):
        codes = Codes()
        numbers = pa.array([codes[key] for key in ids], pa.int32())
        yield head.leaf, None, coded(numbers, codes), rows
    else:
        for below, of_side in zip((head.left, head.right), zip(*ids, strict=True), strict=True):
            if None not in of_side:
                yield from stems(below, of_side, rows)
                continue
            there = [i for i, one in enumerate(of_side) if one is not None]
            if there:
                yield from stems(below, [of_side[i] for i in there], rows[np.array(there)])
