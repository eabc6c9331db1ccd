"""What Spark's workers do to gather the candidates. Travels by value: they need not have bigdebug."""

from __future__ import annotations

import pickle
from array import array
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pyspark import cloudpickle

from bigdebug.lineage.rdd.packing import Annotated, named, without_doubles

BATCH = 2_000
"""Elements that are sent together."""

Fetched = tuple[int, bytes, bytes, list[bytes]]
"""Of a batch of elements: the partition, how many ids each has, these as (leaf, partition, place), and the pickles."""


def by_partition(places: Iterable[tuple[int, int]]) -> Iterator[tuple[int, bytes]]:
    """Places as the partition, and all places in it as 64-bit numbers."""
    found: dict[int, array[int]] = {}
    for partition, place in places:
        if partition not in found:
            found[partition] = array("q")
        found[partition].append(place)
    for partition, numbers in found.items():
        yield partition, numbers.tobytes()


def of_candidates(
    wanted: dict[int, dict[int, bytes]],
) -> Callable[[int, Iterable[Any]], Iterator[Fetched]]:
    """The annotated elements that are made of nothing but candidates, in batches.

    Args:
        wanted: by leaf and partition, which places are candidates': a bit for each.
    """

    def is_wanted(leaf: int, partition: int, place: int) -> bool:
        bits = wanted.get(leaf, {}).get(partition, b"")
        return place >> 3 < len(bits) and bool(bits[place >> 3] >> (place & 7) & 1)

    def fetch(partition: int, elements: Iterable[Any]) -> Iterator[Fetched]:
        widths, flat, pickles = array("q"), array("q"), list[bytes]()
        for element, ids in elements:
            several = tuple(named(without_doubles(ids)))
            if all(is_wanted(leaf, *place) for leaf, place in several):
                widths.append(len(several))
                for leaf, place in several:
                    flat.extend((leaf, *place))
                pickles.append(_pickled(element))
                if len(pickles) == BATCH:
                    yield partition, widths.tobytes(), flat.tobytes(), pickles
                    widths, flat, pickles = array("q"), array("q"), []
        yield partition, widths.tobytes(), flat.tobytes(), pickles

    return fetch


def all_pickled(partition: int, elements: Iterable[Any]) -> Iterator[tuple[int, list[bytes]]]:
    """All elements, in batches."""
    pickles: list[bytes] = []
    for element in elements:
        pickles.append(_pickled(element))
        if len(pickles) == BATCH:
            yield partition, pickles
            pickles = []
    yield partition, pickles


def key_and_ids(annotated: Annotated) -> Annotated:
    """Of an annotated element what it is followed by: the first part of a pair, and its ids, each once."""
    element, ids = annotated
    return first_part(element), without_doubles(ids)


def first_part(element: Any) -> Any:
    """The first part of a pair, if it can be a key; else None."""
    if not isinstance(element, tuple) or len(element) != 2:
        return None
    try:
        hash(element[0])
    except TypeError:
        return None
    return element[0]


def _pickled(element: Any) -> bytes:
    try:
        return pickle.dumps(element, protocol=5)
    except Exception:  # of a class that can't be imported: that goes by value
        return bytes(cloudpickle.dumps(element))
