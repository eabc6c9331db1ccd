"""Subqueries that give one value for all rows, where they read candidates, too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.dataflow import Node
from bigdebug.lineage.identity import SourceLeaf
from bigdebug.lineage.operators import Operator, mirror, normalized
from bigdebug.lineage.pinned import rebinder
from bigdebug.lineage.rewriting import with_subqueries
from bigdebug.lineage.scans import pin_columns
from bigdebug.lineage.sources import names_of, sources_of


class Subqueries:
    """The subqueries within the expressions of a dataflow's operators, and within their own.

    Args:
        catalyst: of the pinned session.
        root: the dataflow.

    Attributes:
        sources: theirs.
    """

    def __init__(self, catalyst: Catalyst, root: Operator) -> None:
        self._catalyst = catalyst
        self._of: dict[Operator, list[Operator]] = {}
        self.sources: dict[Operator, SourceLeaf] = {}
        self._find(root)

    def of(self, operator: Operator) -> list[Operator]:
        """Those within an operator's own expressions, in the order in which `with_plans` meets them."""
        return self._of.get(operator, [])

    def below(self, operator: Operator) -> Iterator[Operator]:
        """The operators of a subquery, and of subqueries within these."""
        for each in operator.walk():
            yield each
            for subquery in self.of(each):
                yield from self.below(subquery)

    def with_plans(self, operator: Operator, plan: Any, changed: Callable[[Operator], Any]) -> Any:
        """A plan of an operator, other plans in the place of its subqueries'."""
        each = iter(self.of(operator))
        return with_subqueries(self._catalyst, plan, lambda _: changed(next(each)))

    def _find(self, root: Operator) -> None:
        if not self._catalyst.holds(root.plan, "PLAN_EXPRESSION"):
            return
        for operator in root.walk():
            if operator.plan.subqueries().isEmpty():
                continue
            found: list[Operator] = []
            with_subqueries(self._catalyst, operator.plan, partial(self._mirrored, found))
            self._of[operator] = found
            for subquery in found:
                self._find(subquery)

    def _mirrored(self, found: list[Operator], plan: Any) -> Any:
        catalyst = self._catalyst
        subquery = mirror(catalyst, normalized(catalyst, plan), _untold, rebinder(catalyst))
        names = [f"{name} in a subquery" for name in names_of(catalyst, subquery)]
        sources = sources_of(catalyst, subquery, names)
        pin_columns(catalyst, subquery, sources.values())
        self.sources |= sources
        found.append(subquery)
        return plan


def _untold(_: str) -> Node | None:
    return None


def is_one_row(subquery: Operator) -> bool:
    """Whether it gives one row, whatever it reads."""
    while subquery.kind in ("Project", "ResolvedHint"):
        subquery = subquery.child
    return subquery.kind == "Aggregate" and bool(subquery.plan.groupingExpressions().isEmpty())
