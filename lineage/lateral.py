"""Lateral joins as plain joins, by Spark's own rules of decorrelation.

What a lateral subquery does for each row of the left side is then an ordinary plan, with rules for all of its
operators. Where it speaks of the left side's columns other than by an equality, Spark joins it with their distinct
values, a "domain" (Neumann and Kemper, "Unnesting Arbitrary Queries", BTW 2015). No row comes from a domain: it
only says for which values the subquery is asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bigdebug.lineage.catalyst import PLAN_EXPRESSION, Catalyst, class_name
from bigdebug.lineage.rewriting import with_expressions

DOMAIN = "Domain"
"""Kind of the operator that gives a domain; its mirror has no inputs."""

_RULES = ("OptimizeOneRowRelationSubquery", "PullupCorrelatedPredicates", "RewriteLateralSubquery")


def laterals_joined(catalyst: Catalyst, plan: Any) -> Any:
    """The plan without lateral joins, or the plan itself; the domains of it are marked."""
    if not catalyst.holds(plan, "LATERAL_JOIN"):
        return plan
    optimizer = catalyst.jvm.org.apache.spark.sql.catalyst.optimizer
    others = _correlated(catalyst, plan)
    for name in _RULES:
        plan = catalyst.singleton(optimizer, name).apply(plan)
    if others:
        plan = _with_subqueries_as_they_were(catalyst, plan, others)
    plan = _ordered(catalyst, plan)
    mark_domains(catalyst, plan)
    return plan


def _correlated(catalyst: Catalyst, plan: Any) -> dict[int, Any]:
    """The correlated subqueries of a plan that aren't lateral, by their ids: the rules take these apart, too."""
    if not catalyst.holds(plan, "PLAN_EXPRESSION"):
        return {}
    found: dict[int, Any] = {}
    for child in catalyst.items(plan.children()):
        found |= _correlated(catalyst, child)
    for expression in catalyst.items(plan.expressions()):
        for subquery in _subqueries_of(catalyst, expression):
            if class_name(subquery) != "LateralSubquery" and not subquery.outerAttrs().isEmpty():
                found[subquery.exprId().id()] = subquery
    return found


def _subqueries_of(catalyst: Catalyst, expression: Any) -> Iterator[Any]:
    if not catalyst.holds(expression, "PLAN_EXPRESSION"):
        return
    if catalyst.is_instance(expression, PLAN_EXPRESSION):
        yield expression
    for child in catalyst.items(expression.children()):
        yield from _subqueries_of(catalyst, child)


def _with_subqueries_as_they_were(catalyst: Catalyst, plan: Any, others: Mapping[int, Any]) -> Any:
    """The plan with subqueries as they were before the rules; in a domain's copy of the left side, of its columns."""
    if not catalyst.holds(plan, "PLAN_EXPRESSION"):
        return plan
    children = catalyst.items(plan.children())
    below = [_with_subqueries_as_they_were(catalyst, child, others) for child in children]
    if any(new is not child for new, child in zip(below, children, strict=True)):
        plan = plan.withNewChildren(catalyst.seq(below))

    def restored(expression: Any) -> Any:
        if not catalyst.holds(expression, "PLAN_EXPRESSION"):
            return expression
        if catalyst.is_instance(expression, PLAN_EXPRESSION):
            known = others.get(expression.exprId().id())
            return expression if known is None else _as_it_was(catalyst, expression, known)
        return expression.withNewChildren(
            catalyst.seq([restored(child) for child in catalyst.items(expression.children())])
        )

    if any(True for each in catalyst.items(plan.expressions()) for _ in _subqueries_of(catalyst, each)):
        plan = with_expressions(catalyst, plan, restored)
    return plan


def _as_it_was(catalyst: Catalyst, now: Any, then: Any) -> Any:
    old, new = catalyst.items(then.outerAttrs()), catalyst.items(now.outerAttrs())
    pairs = [(a, b) for a, b in zip(old, new, strict=True) if not a.equals(b)]
    if not pairs:
        return then
    tuples = catalyst.seq([catalyst.jvm.scala.Tuple2(a, b) for a, b in pairs])
    renamed = catalyst.singleton(catalyst.expressions, "AttributeMap").apply(tuples)
    # Spark renames what a subquery speaks of in the operator that holds it.
    holder = catalyst.filter(then, catalyst.logical.OneRowRelation())
    return holder.rewriteAttrs(renamed).condition()


def is_domain(catalyst: Catalyst, plan: Any) -> bool:
    """Whether a node gives a domain."""
    return bool(plan.getTagValue(_mark(catalyst)).isDefined())


def _ordered(catalyst: Catalyst, plan: Any) -> Any:
    """With an order, by a constant, for windows that number rows in none.

    Spark makes such of a correlated limit, and then would not take them from us.
    """
    children = [_ordered(catalyst, child) for child in catalyst.items(plan.children())]
    plan = plan.withNewChildren(catalyst.seq(children))
    if class_name(plan) != "Window" or not plan.orderSpec().isEmpty():
        return plan
    if "row_number()" not in str(plan.windowExpressions().mkString()):
        return plan
    constant = catalyst.literal(1)
    ascending = catalyst.singleton(catalyst.expressions, "Ascending")
    order = catalyst.seq(
        [
            catalyst.expressions.SortOrder(
                constant, ascending, ascending.defaultNullOrdering(), catalyst.seq([])
            )
        ]
    )
    numbered = []
    for alias in catalyst.items(plan.windowExpressions()):
        window = alias.child()
        spec = catalyst.copy(window.windowSpec(), orderSpec=order)
        numbered.append(alias.withNewChildren(catalyst.seq([catalyst.copy(window, windowSpec=spec)])))
    return catalyst.copy(plan, windowExpressions=catalyst.seq(numbered), orderSpec=order)


def mark_domains(catalyst: Catalyst, plan: Any) -> None:
    """Note which aggregates below a join's right side give distinct values of its left side."""
    if class_name(plan) == "Join":
        _mark_those_of(catalyst, plan.right(), plan.left())
    for child in catalyst.items(plan.children()):
        mark_domains(catalyst, child)


def _mark_those_of(catalyst: Catalyst, plan: Any, left: Any) -> None:
    # A plan of the user's that reads the same again has other expression ids.
    if class_name(plan) == "Aggregate" and plan.child().fastEquals(left):
        plan.setTagValue(_mark(catalyst), "domain")
        return
    for child in catalyst.items(plan.children()):
        _mark_those_of(catalyst, child, left)


def _mark(catalyst: Catalyst) -> Any:
    return catalyst.jvm.org.apache.spark.sql.catalyst.trees.TreeNodeTag("bigdebug.domain")
