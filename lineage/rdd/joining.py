"""A join whose values go through the shuffle with what they were made of. Travels by value to the workers.

PySpark's own joins tell the values of the two sides apart by a number beside each, and go on as this one does: the
same pairs, in the same partitions and the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from bigdebug.lineage.rdd.packing import Annotated, Ids

IDS_BESIDE = -2
"""And the side, 0 or 1: stands in front of a value that is followed by its ids. Ids in front are above."""

Value = tuple[Any, Any]
"""The ids of a value, and the value."""

NO_LEFT = frozenset({"rightOuterJoin", "fullOuterJoin"})
NO_RIGHT = frozenset({"leftOuterJoin", "fullOuterJoin"})
"""Joins that pair what has no partner on a side with None."""


def join(left: Any, right: Any, partitions: int | None, pairs: Any) -> Any:
    """The RDD of a join.

    Args:
        left, right: RDDs of a key and a value each, as `values_by_side` takes them.
        partitions: how many the join shall have; None leaves it to Spark.
        pairs: makes the elements out of a partition's number and its keys with all of their values.
    """
    return left.union(right).groupByKey(partitions).mapPartitionsWithIndex(pairs, True)


def values_by_side(
    groups: Iterable[tuple[Any, Iterable[Any]]], kind: str, none_left: Value, none_right: Value
) -> Iterator[tuple[Any, list[Value], list[Value]]]:
    """The keys of a join that give pairs, each with the values of both sides.

    Args:
        groups: each key with all values: ids, which have the side in their last bit, and the value; or
            `IDS_BESIDE` + the side, the value and the ids.
        kind: of the join.
        none_left, none_right: what stands for no value.
    """
    no_left, no_right = kind in NO_LEFT, kind in NO_RIGHT
    for key, values in groups:
        left: list[Value] = []
        right: list[Value] = []
        for value in values:
            ids = value[0]
            (right if ids & 1 else left).append(value if ids >= 0 else (value[2], value[1]))
        if no_left and not left:
            left.append(none_left)
        if no_right and not right:
            right.append(none_right)
        if left and right:
            yield key, left, right


def on_side(side: int) -> Callable[[int, Iterable[Annotated]], Iterator[tuple[Any, Any]]]:
    """Annotated pairs as a join takes them on a side, 0 or 1."""

    def told(_: int, elements: Iterable[Annotated]) -> Iterator[tuple[Any, Any]]:
        beside = IDS_BESIDE + side
        return (
            (element[0], (ids << 1 | side, element[1]) if isinstance(ids, int) else (beside, element[1], ids))
            for element, ids in elements
        )

    return told


def joined(kind: str) -> Callable[[int, Iterable[Any]], Iterator[Annotated]]:
    """The annotated pairs of a join, out of the values of each key with their ids."""

    def own(ids: Ids) -> tuple[Any, ...]:
        return (ids >> 1,) if isinstance(ids, int) else ids

    def made(_: int, groups: Iterable[Any]) -> Iterator[Annotated]:
        return (
            ((key, (of_left, of_right)), own(left_ids) + own(right_ids))
            for key, left, right in values_by_side(groups, kind, ((), None), ((), None))
            for left_ids, of_left in left
            for right_ids, of_right in right
        )

    return made
