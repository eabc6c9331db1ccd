"""Carry up a dataflow whether a row came from one of the source records asked about.

The rules are those of the backward direction. In place of ids a truth value travels from the source; where a
boundary makes one row of many it is true if it is for one of them. So a row is reached by a forward trace of a
record just where a backward trace of that row reaches the record, and one pass tells.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bigdebug.lineage.annotate import Annotator
from bigdebug.lineage.annotated import Annotated, IdColumn
from bigdebug.lineage.catalyst import Catalyst, fresh_name
from bigdebug.lineage.grouped_functions import any_in_python, carried_past, python_aggregate
from bigdebug.lineage.identity import SourceLeaf, annotate_leaf
from bigdebug.lineage.mapped import is_mapped, keep_input, on_kept_input, partition_number
from bigdebug.lineage.operators import RECURSION, Operator


class Flagging(Annotator):
    """Annotates with flags; rows that can't come from the records asked about carry none.

    Args:
        catalyst: of the session that will run the plan.
        sources: the source of each leaf.
        asked: for the sources asked about the condition on their records, resolved.
        made: gives for sources that were made of what has flags already their rows with these.
    """

    def __init__(
        self,
        catalyst: Catalyst,
        sources: Mapping[Operator, SourceLeaf],
        asked: Mapping[Operator, Any],
        made: Mapping[Operator, Callable[[], Annotated]] | None = None,
    ) -> None:
        super().__init__(catalyst, sources)
        self._asked = asked
        self._made = made or {}

    def annotate(self, operator: Operator) -> Annotated:
        source = self.sources.get(operator)
        if source is None:
            return super().annotate(operator)
        if operator in self._made:
            return self._made[operator]()
        condition = self._asked.get(operator)
        if condition is None:
            return Annotated(operator.plan, ())
        plan = operator.plan
        if source.pinned is not None:
            # The id keeps the scan reading the columns that decide which records there are.
            leaf = annotate_leaf(self.catalyst, source, valued=False)
            zero = self.catalyst.literal(0)
            numbered = self.catalyst.expressions.GreaterThanOrEqual(leaf.id, self.catalyst.as_long(zero))
            plan, condition = leaf.plan, self.catalyst.all_of([condition, numbered])
        flag = self.catalyst.alias(condition, fresh_name("flag"))
        plan = self.catalyst.project_more([flag], plan, operator.plan)
        return Annotated(plan, (IdColumn(source, flag.toAttribute()),))

    def takes_job(self, root: Operator) -> bool:
        """Whether annotating a dataflow runs a job."""
        return bool(self._made) or any(
            is_mapped(operator) or operator.kind == RECURSION for operator in root.walk()
        )

    def is_reached(self, annotated: Annotated) -> Any | None:
        """The condition that a row came from a record asked about; None where none of the rows did."""
        truth = self.catalyst.literal(True)
        flags = [self.catalyst.same(column.id, truth) for column in annotated.ids]
        return self.catalyst.any_of(flags) if flags else None

    def _boundary(self, operator: Operator, aggregate: Any) -> Annotated:
        below = self.annotate(operator.child)
        if not below.ids:
            return Annotated(aggregate, ())
        columns = self.catalyst.items(aggregate.aggregateExpressions())
        flags = [
            self.catalyst.alias(self._any(columns, column.id), fresh_name("flag")) for column in below.ids
        ]
        plan = self.catalyst.copy(
            aggregate, aggregateExpressions=self.catalyst.seq([*columns, *flags]), child=below.plan
        )
        return Annotated(
            plan,
            tuple(
                IdColumn(column.origin, flag.toAttribute())
                for column, flag in zip(below.ids, flags, strict=True)
            ),
        )

    def _mapped(self, operator: Operator) -> Annotated:
        catalyst, kept = self.catalyst, keep_input(self, operator)
        reached = self.is_reached(kept.annotated)
        if reached is None:
            return Annotated(operator.plan, ())
        number = catalyst.alias(kept.partition, "number")
        rows = catalyst.frame(catalyst.project([number], catalyst.filter(reached, kept.annotated.plan)))
        numbers = [row.number for row in rows.distinct().collect()]
        literal = catalyst.singleton(catalyst.expressions, "Literal")
        listed = catalyst.seq(literal.apply(number) for number in numbers)
        flag = catalyst.alias(catalyst.expressions.In(partition_number(catalyst), listed), fresh_name("flag"))
        plan = catalyst.project_more([flag], on_kept_input(catalyst, operator, kept), operator.plan)
        return Annotated(plan, (IdColumn(kept.annotated.ids[0].origin, flag.toAttribute()),))

    def _recursion(self, operator: Operator) -> Annotated:
        catalyst = self.catalyst
        literal = catalyst.singleton(catalyst.expressions, "Literal")
        plan, ids = operator.plan, []
        for leaf in (each for each in operator.leaves() if each in self.sources):
            below = self.annotate(leaf)
            reached = self.is_reached(below)
            if reached is not None:
                some = (
                    catalyst.frame(catalyst.project([], catalyst.filter(reached, below.plan)))
                    .limit(1)
                    .count()
                )
                flag = catalyst.alias(literal.apply(bool(some)), fresh_name("flag"))
                plan = catalyst.project_more([flag], plan)
                ids.append(IdColumn(below.ids[0].origin, flag.toAttribute()))
        return Annotated(plan, tuple(ids))

    def _any(self, columns: list[Any], flag: Any) -> Any:
        """The aggregate that says whether a flag is set in a group, beside the aggregates of some columns."""
        for column in columns:
            in_python = python_aggregate(self.catalyst, column)
            if in_python is not None:
                return any_in_python(self.catalyst, in_python, self._set(flag))
        return self.catalyst.expressions.aggregate.Max(flag).toAggregateExpression()

    def _set(self, flag: Any) -> Any:
        """A flag that isn't null."""
        untrue = self.catalyst.literal(False)
        return self.catalyst.expressions.Coalesce(self.catalyst.seq([flag, untrue]))

    def _grouped_function(self, operator: Operator) -> Annotated:
        sides = [self.annotate(child) for child in operator.children]
        every = [column for side in sides for column in side.ids]
        if not every:
            return Annotated(operator.plan, ())
        untrue = self.catalyst.literal(False)
        inputs, flags = [], []
        for child, side in zip(operator.children, sides, strict=True):
            own = {id(column) for column in side.ids}
            flags = [
                self.catalyst.alias(self._set(column.id) if id(column) in own else untrue, fresh_name("flag"))
                for column in every
            ]
            inputs.append(self.catalyst.project([*self.catalyst.output(child.plan), *flags], side.plan))
        ours = [flag.toAttribute() for flag in flags]
        plan, carried = carried_past(self.catalyst, operator, inputs, ours, constant=False)
        ids = [IdColumn(column.origin, flag) for column, flag in zip(every, carried, strict=True)]
        return Annotated(plan, tuple(ids))

    def _check_keys(self, operator: Operator, keys: list[Any]) -> None:
        """Any key will do: nothing is looked up by it."""
