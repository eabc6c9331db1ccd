"""Which operators can be run in this process, on some of their records, and where replays begin.

A replay begins as far up as possible: what is made of the records one by one is worked out in Spark, once. There the
whole source is read, so that what goes by position or by chance (`zipWithIndex`, `sample`, `zip`) comes out for each
record as it did in the program, whichever records are left out later on.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from bigdebug.lineage.errors import UnsupportedOperatorError
from bigdebug.lineage.rdd.annotator import contributing
from bigdebug.lineage.rdd.kinds import (
    BY_PARTITION,
    MOVING,
    NUMBERING,
    RECORD_WISE,
    SAMPLING,
    UNIONS,
)
from bigdebug.lineage.rdd.operator import RddOperator
from bigdebug.lineage.rdd.record_wise import is_declared

_ONE_BY_ONE = RECORD_WISE | SAMPLING | MOVING | NUMBERING | UNIONS | {"zip"}
_IN_STEP = frozenset({"map", "mapValues", "keyBy", "keys", "values", "zip"}) | NUMBERING
"""Give just one element for each, at its place."""

_SPREADING = frozenset({"coalesce", "repartition", "fold", "aggregate", "treeAggregate", "zip"})
"""What these give depends on how the elements are split into partitions."""


def points_of(root: RddOperator) -> list[RddOperator]:
    """The operators where replays begin, the earliest first: what they give is worked out once.

    Raises:
        UnsupportedOperatorError: an operator above can't be run on part of its records; says which and where.
    """
    alone = _one_by_one(root)
    found: dict[RddOperator, None] = {root: None} if root in alone else {}
    for operator in _contributing_from(root):
        if operator in alone:
            continue
        _require_replayable(operator, alone)
        found.update((below, None) for below in contributing(operator) if below in alone)
    return sorted(found, key=lambda operator: operator.serial)


def above(points: list[RddOperator], root: RddOperator) -> list[RddOperator]:
    """The operators that replays run, the last one first."""
    stops = set(points)
    return [each for each in _contributing_from(root, stops) if each not in stops]


def goes_by_partition(operators: list[RddOperator]) -> bool:
    """Whether one of some operators gives something else where elements are in other partitions."""
    partial = BY_PARTITION | NUMBERING | _SPREADING
    return any(operator.kind in partial for operator in operators)


def is_by_record(operator: RddOperator, points: Collection[RddOperator]) -> bool:
    """Whether each element of an operator is there just as long as the candidates are that it is made of.

    Args:
        operator: above some of the points, or one of them.
        points: where replays begin.
    """
    if operator in points:
        return True
    kept = operator.kind in RECORD_WISE or operator.kind in ("join", "union")
    return kept and all(is_by_record(below, points) for below in operator.inputs)


def _one_by_one(root: RddOperator) -> set[RddOperator]:
    """The operators whose elements are each made of one record of a source, or of one of each by their places."""
    found: set[RddOperator] = set()
    for operator in sorted(root.walk(), key=lambda each: each.serial):
        goes = operator.kind in _ONE_BY_ONE or is_declared(operator)
        if not operator.inputs or (goes and all(below in found for below in operator.inputs)):
            found.add(operator)
    return found


def _contributing_from(root: RddOperator, stops: set[RddOperator] | None = None) -> Iterator[RddOperator]:
    seen = {root}
    waiting = [root]
    while waiting:
        operator = waiting.pop()
        yield operator
        if stops is None or operator not in stops:
            for below in contributing(operator):
                if below not in seen:
                    seen.add(below)
                    waiting.append(below)


def _require_replayable(operator: RddOperator, alone: set[RddOperator]) -> None:
    if operator.kind in SAMPLING:
        raise UnsupportedOperatorError(
            f"{operator.described()} takes elements by chance and by their places, which are others as soon as "
            "records are left out: it can't be run on some of them",
            hint="sample the source before elements are grouped or joined, or ask about the RDD below it",
        )
    if operator.kind == "zip" and not _stand_in_step(*operator.inputs):
        raise UnsupportedOperatorError(
            f"{operator.described()} pairs elements by their places, which are others as soon as records are "
            "left out: it can't be run on some of them",
            hint="join them by a key, or ask about the RDDs below it",
        )


def _stand_in_step(left: RddOperator, right: RddOperator) -> bool:
    """Whether two RDDs are made of the same one, an element of each."""
    return not _down(left).isdisjoint(_down(right))


def _down(operator: RddOperator) -> set[RddOperator]:
    found = {operator}
    while operator.kind in _IN_STEP and operator.inputs:
        operator = operator.inputs[0]
        found.add(operator)
    return found
