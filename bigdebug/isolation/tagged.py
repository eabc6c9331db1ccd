"""Operators over many subsets of the candidates, and what rules for them share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bigdebug.isolation.candidate_set import Members
from bigdebug.isolation.subqueries import Subqueries
from bigdebug.lineage.catalyst import Catalyst, class_name
from bigdebug.lineage.identity import SourceLeaf
from bigdebug.lineage.operators import Operator


class NotBatchedError(Exception):
    """An operator goes by position, or otherwise can't tell subsets apart: its replays run one by one."""


@dataclass(frozen=True)
class Tagged:
    """An operator over many subsets.

    Attributes:
        operator: it, with the number of the subset among its columns.
        subset: that column, a JVM attribute; None where no candidate is below: it is the same for all subsets.
    """

    operator: Operator
    subset: Any


class Tagging:
    """What rules for a mirrored plan share.

    Args:
        catalyst: of the pinned session.
        members: by the operator where replays begin its source and what gives its rows by subset.
        subsets: gives a plan of all subsets' numbers, with that attribute.
        count: how many there are.
        sources: of the original leaves.
        subqueries: within the operators' expressions.

    Attributes:
        sources: of the new leaves.
        numbers: names the columns that hold subsets' numbers.
    """

    def __init__(
        self,
        catalyst: Catalyst,
        members: Mapping[Operator, tuple[SourceLeaf, Members]],
        subsets: Callable[[], tuple[Any, Any]],
        count: int,
        sources: Mapping[Operator, SourceLeaf],
        subqueries: Subqueries,
    ) -> None:
        self._catalyst = catalyst
        self._asked = subqueries
        self._members = members
        self._subsets = subsets
        self._count = count
        self.sources = dict(sources)
        self.numbers: set[str] = set()

    def _in_every_subset(self, side: Tagged) -> Tagged:
        """Rows that are the same in every subset, once for each."""
        every, number = self._all_subsets()
        joined = self._joined("Inner", side.operator, side.operator, every, None)
        return self._told(joined, number)

    def _all_subsets(self) -> tuple[Operator, Any]:
        plan, number = self._subsets()
        self.numbers.add(self._catalyst.attribute_key(number))
        return Operator(plan, "OneRowRelation", ()), number

    def _joined(self, kind: str, of: Operator, left: Operator, right: Operator, condition: Any) -> Operator:
        catalyst = self._catalyst
        join_type = catalyst.singleton(catalyst.jvm.org.apache.spark.sql.catalyst.plans, kind)
        no_hint = catalyst.singleton(catalyst.logical, "JoinHint").NONE()
        given = catalyst.none if condition is None else catalyst.some(condition)
        plan = catalyst.logical.Join(left.plan, right.plan, join_type, given, no_hint)
        return Operator(plan, "Join", (left, right), of.node)

    @staticmethod
    def _as_project(operator: Operator) -> Operator:
        return Operator(operator.plan, "Project", (), operator.node)

    def _made(self, operator: Operator, plan: Any, children: list[Tagged], subset: Any) -> Tagged:
        below = tuple(child.operator for child in children)
        return self._told(Operator(plan, operator.kind, below, operator.node, operator.tag), subset)

    def _told(self, operator: Operator, subset: Any) -> Tagged:
        self.numbers.add(self._catalyst.attribute_key(subset))
        return Tagged(operator, subset)

    def _is_number(self, expression: Any) -> bool:
        if class_name(expression) != "AttributeReference":
            return False
        return self._catalyst.attribute_key(expression) in self.numbers
