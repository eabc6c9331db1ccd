"""What an action that gave the first elements had read of partitions: a generator that never ends mustn't be run on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from bigdebug.lineage.rdd import placing, workers
from bigdebug.lineage.rdd.annotator import Annotator, contributing, is_boundary, within
from bigdebug.lineage.rdd.kinds import BY_PARTITION
from bigdebug.lineage.rdd.operator import RddOperator


class FirstOnly:
    """How far functions of whole partitions had read them for the elements that an action gave.

    Args:
        annotator: that made the annotated RDDs.
        operators: all of the program.
        top: the operator whose elements they are.
        given: the annotated elements.
    """

    def __init__(
        self, annotator: Annotator, operators: Iterable[RddOperator], top: RddOperator, given: Any
    ) -> None:
        self._annotator = annotator
        self._tops = {below for each in operators if is_boundary(each) for below in contributing(each)}
        # By operator at the top of a segment of which no more was read, its elements.
        self._known: dict[RddOperator, Any] = {top: given}

    def read_of(self, boundary: RddOperator, annotated: Any) -> tuple[Any, Sequence[int] | None]:
        """What was read of a boundary's input, and the partitions that it stands in; None for all of them.

        Boundaries must be asked about before those below them.

        Args:
            boundary: one that goes by partition.
            annotated: its input.
        """
        if boundary.kind not in BY_PARTITION:
            return annotated, None
        leading = [given for top, given in self._known.items() if _leads_to(top, boundary)]
        others = self._tops - self._known.keys()
        if not leading or any(_leads_to(top, boundary) for top in others):
            return annotated, None
        names = [given.flatMap(workers.ids_of(self._annotator.leaf(boundary))) for given in leading]
        every = self._annotator.context.union(names) if len(names) > 1 else names[0]
        reads = dict(every.reduceByKey(max).collect())
        read = annotated.mapPartitionsWithIndex(placing.read_before(reads), True)
        (below,) = boundary.inputs
        self._known[below] = read
        return read, sorted(reads)


def _leads_to(top: RddOperator, boundary: RddOperator) -> bool:
    """Whether elements may stem from a boundary without another in between."""
    return any(each is boundary for each in within(top))
