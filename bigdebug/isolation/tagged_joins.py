"""Joins and unions over many subsets of the candidates: rows of different subsets never meet."""

from __future__ import annotations

from typing import Any

from bigdebug.isolation.tagged import NotBatchedError, Tagged, Tagging
from bigdebug.lineage.catalyst import fresh_name
from bigdebug.lineage.operators import Operator

_JOINS = frozenset(
    {"Inner", "Cross", "LeftOuter", "RightOuter", "FullOuter", "LeftSemi", "LeftAnti", "ExistenceJoin"}
)


class TaggedJoins(Tagging):
    """The rules for operators with two inputs, or more."""

    def _join(self, operator: Operator, children: list[Tagged]) -> Tagged:
        catalyst, (left, right) = self._catalyst, children
        kind = operator.join_kind
        if kind not in _JOINS:
            raise NotBatchedError(operator.described())
        # A side that keeps rows without a partner keeps them in every subset.
        if left.subset is None and kind not in ("Inner", "Cross", "RightOuter"):
            left = self._in_every_subset(left)
        if right.subset is None and kind in ("RightOuter", "FullOuter"):
            right = self._in_every_subset(right)
        sides = catalyst.seq([left.operator.plan, right.operator.plan])
        plan = operator.plan.withNewChildren(sides)
        number = left.subset if right.subset is None or kind != "RightOuter" else right.subset
        if left.subset is None:
            number = right.subset
        if left.subset is not None and right.subset is not None:
            inner = catalyst.singleton(catalyst.jvm.org.apache.spark.sql.catalyst.plans, "Inner")
            changes = {"joinType": inner} if kind == "Cross" else {}
            plan = catalyst.copy(plan, condition=self._in_one_subset(operator, left, right), **changes)
        made = self._made(operator, plan, [left, right], number)
        if kind != "FullOuter":
            return made
        either = catalyst.expressions.Coalesce(catalyst.seq([left.subset, right.subset]))
        alias = catalyst.alias(either, fresh_name("subset"))
        kept = catalyst.project([*catalyst.output(operator.plan), alias], plan)
        return self._made(self._as_project(operator), kept, [made], alias.toAttribute())

    def _as_of_join(self, operator: Operator, children: list[Tagged]) -> Tagged:
        catalyst, (left, right) = self._catalyst, children
        if left.subset is None:
            left = self._in_every_subset(left)
        assert left.subset is not None
        plan = operator.plan.withNewChildren(catalyst.seq([left.operator.plan, right.operator.plan]))
        if right.subset is not None:
            plan = catalyst.copy(plan, condition=self._in_one_subset(operator, left, right))
        return self._made(operator, plan, [left, right], left.subset)

    def _in_one_subset(self, operator: Operator, left: Tagged, right: Tagged) -> Any:
        """A join's condition, and that both sides are of one subset."""
        catalyst = self._catalyst
        same = catalyst.expressions.EqualTo(left.subset, right.subset)
        given = operator.plan.condition()
        return catalyst.some(catalyst.expressions.And(given.get(), same) if given.isDefined() else same)

    def _union(self, operator: Operator, children: list[Tagged]) -> Tagged:
        catalyst = self._catalyst
        branches = []
        for child, original in zip(children, operator.children, strict=True):
            known = child if child.subset is not None else self._in_every_subset(child)
            columns = [*catalyst.output(original.plan), known.subset]
            plan = catalyst.project(columns, known.operator.plan)
            branches.append(self._made(self._as_project(operator), plan, [known], known.subset))
        plan = operator.plan.withNewChildren(catalyst.seq([each.operator.plan for each in branches]))
        return self._made(operator, plan, branches, plan.output().last())
