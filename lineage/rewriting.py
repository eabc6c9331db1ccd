"""Copies of plan nodes with other expressions, and with other plans in the subqueries of these."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bigdebug.lineage.catalyst import EXPRESSION, OPTION, PLAN_EXPRESSION, SEQ, Catalyst


def with_expressions(catalyst: Catalyst, plan: Any, changed: Callable[[Any], Any]) -> Any:
    """A node with its own expressions changed, where these are a field, several, or perhaps one."""
    fields = catalyst.fields(plan)
    changes: dict[str, Any] = {}
    for i in range(len(fields)):
        value, name = fields[i], str(plan.productElementName(i))
        if catalyst.is_instance(value, EXPRESSION):
            changes[name] = changed(value)
        elif catalyst.is_instance(value, SEQ):
            items = catalyst.items(value)
            if any(catalyst.is_instance(each, EXPRESSION) for each in items):
                changes[name] = catalyst.seq(changed(each) for each in items)
        elif catalyst.is_instance(value, OPTION) and value.isDefined():
            inner = value.get()
            if catalyst.is_instance(inner, EXPRESSION):
                changes[name] = catalyst.some(changed(inner))
    return catalyst.copy(plan, **changes)


def with_subqueries(catalyst: Catalyst, plan: Any, changed: Callable[[Any], Any]) -> Any:
    """A node with the plans of its own expressions' subqueries changed; those of its children stay."""
    pattern = catalyst.jvm.org.apache.spark.sql.catalyst.trees.TreePattern.PLAN_EXPRESSION()

    def with_plans(expression: Any) -> Any:
        if not expression.containsPattern(pattern):
            return expression
        if catalyst.is_instance(expression, PLAN_EXPRESSION):
            return expression.withNewPlan(changed(expression.plan()))
        children = [with_plans(child) for child in catalyst.items(expression.children())]
        return expression.withNewChildren(catalyst.seq(children))

    return with_expressions(catalyst, plan, with_plans)
