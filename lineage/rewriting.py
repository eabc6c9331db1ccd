"""Copies of plan nodes with other expressions, and with other plans in the subqueries of these."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bigdebug.lineage.catalyst import EXPRESSION, OPTION, PLAN_EXPRESSION, SEQ, Catalyst


def with_expressions(catalyst: Catalyst, plan: Any, changed: Callable[[Any], Any]) -> Any:
    """A node with its own expressions changed, where these are a field, several, lists of them, or perhaps one."""

    def of(value: Any) -> Any | None:
        if catalyst.is_instance(value, EXPRESSION):
            return changed(value)
        if catalyst.is_instance(value, SEQ):
            items = [(each, of(each)) for each in catalyst.items(value)]
            if any(new is not None for _, new in items):
                return catalyst.seq(each if new is None else new for each, new in items)
        elif catalyst.is_instance(value, OPTION) and value.isDefined():
            new = of(value.get())
            return None if new is None else catalyst.some(new)
        return None

    fields = catalyst.fields(plan)
    changes = {}
    for i in range(len(fields)):
        new = of(fields[i])
        if new is not None:
            changes[str(plan.productElementName(i))] = new
    return catalyst.copy(plan, **changes)


def with_subqueries(catalyst: Catalyst, plan: Any, changed: Callable[[Any], Any]) -> Any:
    """A node with the plans of its own expressions' subqueries changed; those of its children stay."""

    def with_plans(expression: Any) -> Any:
        if not catalyst.holds(expression, "PLAN_EXPRESSION"):
            return expression
        if catalyst.is_instance(expression, PLAN_EXPRESSION):
            return expression.withNewPlan(changed(expression.plan()))
        children = [with_plans(child) for child in catalyst.items(expression.children())]
        return expression.withNewChildren(catalyst.seq(children))

    return with_expressions(catalyst, plan, with_plans)
