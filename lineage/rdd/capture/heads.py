"""What the records at the beginning of a chain are named by. Travels by value to Spark's Python workers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from bigdebug.lineage.rdd.capture.carried import taken_along
from bigdebug.lineage.rdd.index.coding import Codes


class _Head:
    def __reduce__(self) -> Any:
        from bigdebug.lineage.rdd.capture.carried import pickled

        return pickled(type(self), tuple(vars(self).values()))


@taken_along
@dataclass(frozen=True)
class PlaceHead(_Head):
    """Records of a leaf: an id is a place, as a number.

    Attributes:
        leaf: the leaf's number.
    """

    leaf: int


@taken_along
@dataclass(frozen=True)
class KeyHead(_Head):
    """What a boundary made: an id is its key.

    Attributes:
        leaf: the boundary's number.
        key: gives the key of an element; None takes its first part.
    """

    leaf: int
    key: Callable[[Any], Any] | None


@taken_along
@dataclass(frozen=True)
class PairHead(_Head):
    """Pairs that a join made: an id is a pair of ids, of each side, None where that had no partner.

    The id of a place is twice its number there, with the side in the last bit, and -1 for no partner.

    Attributes:
        left, right: of both sides.
    """

    left: Head
    right: Head


Head = PlaceHead | KeyHead | PairHead

Stem = tuple[int, Any | None, tuple[Any, Codes] | None, Any]
"""A leaf's number; places, or else codes of keys and these keys; and which of some ids they are of, ascending."""


def stems(head: Head, ids: Any, rows: Any) -> Iterator[Stem]:
    """Ids of a head as places, or as keys, of leaves.

    Args:
        head: whose ids they are.
        ids: of places numbers, of keys these; of pairs the ids of both sides, each by itself, where
            None, or of a place -1, says that there was no partner.
        rows: an array: which of the records each is of.
    """
    import numpy as np

    if isinstance(head, PlaceHead):
        places = np.asarray(ids, dtype=np.int64)
        there = places >= 0
        if there.all():
            yield head.leaf, places, None, rows
        elif there.any():
            yield head.leaf, places[there], None, rows[there]
    elif isinstance(head, KeyHead):
        codes = Codes()
        numbers = np.array([codes[key] for key in ids], dtype=np.int32)
        yield head.leaf, None, (numbers, codes), rows
    else:
        for below, of_side in zip((head.left, head.right), ids, strict=True):
            known, of_known = of_side, rows
            if isinstance(below, PlaceHead):
                known = np.asarray(of_side, dtype=np.int64) >> 1
            else:
                kept = [i for i, one in enumerate(of_side) if one is not None]
                if not kept:
                    continue
                known, of_known = [of_side[i] for i in kept], rows[np.array(kept)]
                if isinstance(below, PairHead):
                    known = tuple(zip(*known, strict=True))
            yield from stems(below, known, of_known)
