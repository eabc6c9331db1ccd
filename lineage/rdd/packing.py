"""Ids as numbers, where they go through a shuffle: most elements have one id, which is the place of a record.

Nested tuples take Python longer to pickle, and to read again, than the elements themselves. Travels by value.
"""

from __future__ import annotations

from typing import Any

_PLACE_BITS = 40
_PARTITION_BITS = 20


def packed(ids: tuple[tuple[int, Any], ...]) -> Any:
    """Ids as a number, if there is but one that is a partition and a place in it; else as they are."""
    if len(ids) == 1:
        leaf, name = ids[0]
        if type(name) is tuple and len(name) == 2 and leaf >= 0:
            partition, place = name
            if type(place) is int and type(partition) is int and place >= 0 and partition >= 0:
                if place >> _PLACE_BITS or partition >> _PARTITION_BITS:
                    return ids
                return (leaf << _PARTITION_BITS | partition) << _PLACE_BITS | place
    return ids


def unpacked(packed_ids: Any) -> tuple[tuple[int, Any], ...]:
    """The way back."""
    if type(packed_ids) is not int:
        ids: tuple[tuple[int, Any], ...] = packed_ids
        return ids
    place = packed_ids & ((1 << _PLACE_BITS) - 1)
    rest = packed_ids >> _PLACE_BITS
    return ((rest >> _PARTITION_BITS, (rest & ((1 << _PARTITION_BITS) - 1), place)),)
