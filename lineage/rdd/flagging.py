"""Rebuilds an RDD program so that each element carries a flag: whether chosen source records went into it.

The rules are those of backward traces: a flag travels as the ids of records do, which an element then has or hasn't.
Where those end, at a boundary, the groups with a flag are looked up, and all that is made of them has one, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bigdebug.lineage.rdd import few_names, flags, workers
from bigdebug.lineage.rdd.annotator import (
    Annotator,
    Marks,
    NumberedRows,
    contributing,
    is_boundary,
    output_key,
)
from bigdebug.lineage.rdd.freezing import Frozen
from bigdebug.lineage.rdd.kinds import BY_PARTITION
from bigdebug.lineage.rdd.known_keys import known_key_of, stands_for_nan
from bigdebug.lineage.rdd.operator import RddOperator
from bigdebug.lineage.rdd.walk import MOST_KEYS, Predicate


class Flagger(Annotator):
    """Makes RDDs with flags. Runs a job for each boundary when its RDD is made.

    Args:
        context: the SparkContext.
        chosen: which records, by the source that reads them; None for all of it.
        frames: the DataFrames whose rows, with flags, are among the elements, by the operators that give these.

    Attributes:
        nan_keys: the boundaries where keys that aren't equal to themselves have a flag.
    """

    def __init__(
        self,
        context: Any,
        chosen: Mapping[RddOperator, Predicate | None],
        frames: Mapping[RddOperator, NumberedRows] | None = None,
    ) -> None:
        super().__init__(context, frames)
        self._chosen = chosen
        self.nan_keys: set[RddOperator] = set()

    def reached(self, operator: RddOperator, given: Frozen) -> Any:
        """The elements of an operator that have a flag."""
        return self.annotated(operator, given).filter(flags.has_ids).map(workers.element_of)

    def _annotate(self, operator: RddOperator, frozen: Frozen, marks: Marks | None) -> Any:
        if not operator.inputs and operator not in self.frames:
            plain = self.plain(operator, frozen)
            if operator not in self._chosen:
                return plain.map(workers.with_no_ids, True)
            return plain.map(flags.flagged_if(self._chosen[operator]), True)
        if operator.inputs and is_boundary(operator) and operator.kind not in BY_PARTITION:
            return self._grouped(operator, frozen)
        return super()._annotate(operator, frozen, marks)

    def _by_partition(self, operator: RddOperator, frozen: Frozen) -> Any:
        below = self.annotated(operator.inputs[0], frozen)
        arguments = self.arguments(operator, frozen)
        function = self._function(operator, below, arguments)
        return below.mapPartitionsWithIndex(
            flags.flagged_since(function), bool(arguments.get("preservesPartitioning", False))
        )

    def _grouped(self, operator: RddOperator, frozen: Frozen) -> Any:
        plain = self.plain(operator, frozen)
        key = self.input_keys(operator, frozen)
        flagged = [self.reached(below, frozen) for below in contributing(operator)]
        every = self.context.union(flagged) if len(flagged) > 1 else flagged[0]
        names = every.map(known_key_of(key))
        keys = names.treeAggregate(set(), *few_names.most_of(MOST_KEYS))
        made = output_key(operator)
        if any(map(stands_for_nan, keys)):
            self.nan_keys.add(operator)
        if not keys:
            return plain.map(workers.with_no_ids, True)
        if len(keys) <= MOST_KEYS:
            return plain.map(flags.flagged_among(frozenset(keys), made), True)
        if not names.filter(stands_for_nan).isEmpty():
            self.nan_keys.add(operator)
        return _joined(plain, names, made)


def _joined(plain: Any, names: Any, key: Callable[[Any], Any]) -> Any:
    """Elements with a flag where they have one of very many keys, in the partitions and the order that they had."""
    placed = plain.mapPartitionsWithIndex(flags.placed_by_key(key))
    found = placed.leftOuterJoin(names.map(flags.with_flag).distinct()).values().map(flags.flagged_at_place)
    ordered = found.repartitionAndSortWithinPartitions(plain.getNumPartitions(), workers.first_of)
    return ordered.map(workers.second_of)
