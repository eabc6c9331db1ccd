"""Rows counted before a join, not after it: what a shuffle above a join holds, without joining every row.

Of the rows of a join only some columns are asked for. A side of which none is but the join's key is put together by
that key first, and each of its rows stands for as many as it was made of: eager aggregation (Yan and Larson, VLDB
1995).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from pyspark.sql import Column
from pyspark.sql import functions as F

from bigdebug.lineage.catalyst import Catalyst, class_name, fresh_name
from bigdebug.lineage.conditions import conjuncts_of, references
from bigdebug.lineage.equalities import join_condition
from bigdebug.lineage.operators import Operator

_NAMING = frozenset({"SubqueryAlias", "ResolvedHint", "View"})


@dataclass(frozen=True)
class Weighed:
    """Rows that stand for several.

    Attributes:
        plan: JVM plan that gives them, with the columns that were wanted.
        weights: attributes of its output whose product says for how many; none: each for one.
    """

    plan: Any
    weights: tuple[Any, ...]


def weighed(
    catalyst: Catalyst, operator: Operator, wanted: set[str], conditions: Sequence[Any] = ()
) -> Weighed | None:
    """The rows of an operator, put together below its joins; None where no join lets them be.

    Args:
        catalyst: of the pinned session.
        operator: gives the rows.
        wanted: keys of the attributes of its output that are asked for.
        conditions: JVM conditions over its output that rows have to fulfil.
    """
    if operator.kind in _NAMING:
        return weighed(catalyst, operator.child, wanted, conditions)
    if operator.kind == "Filter":
        own = conjuncts_of(catalyst, operator.plan.condition())
        if not all(_plain(catalyst, each) for each in own):
            return None
        return weighed(catalyst, operator.child, wanted, [*conditions, *own])
    if operator.kind == "Project":
        return _of_project(catalyst, operator, wanted, conditions)
    if operator.kind == "Join" and operator.join_kind == "Inner":
        return _of_join(catalyst, operator, wanted, conditions)
    return None


def _of_project(
    catalyst: Catalyst, operator: Operator, wanted: set[str], conditions: Sequence[Any]
) -> Weighed | None:
    below = _output(catalyst, operator.child)
    handed = [each for each in conditions if references(catalyst, each).keys() <= below]
    kept = [each for each in conditions if each not in handed]
    wanted = wanted.union(*(references(catalyst, each) for each in kept))
    columns = [
        each
        for each in catalyst.items(operator.plan.projectList())
        if catalyst.attribute_key(each.toAttribute()) in wanted
    ]
    if not all(_plain(catalyst, each) for each in columns):
        return None
    spoken = {key for each in columns for key in references(catalyst, each)}
    found = weighed(catalyst, operator.child, spoken & below, handed)
    if found is None:
        return None
    plan = catalyst.project([*columns, *found.weights], found.plan)
    return Weighed(_filtered(catalyst, kept, plan), found.weights)


def _of_join(
    catalyst: Catalyst, operator: Operator, wanted: set[str], conditions: Sequence[Any]
) -> Weighed | None:
    condition = join_condition(catalyst, operator)
    keys = [each for equality in condition.equalities for each in equality.sides]
    if not keys or condition.others or not all(_plain(catalyst, each) for each in keys):
        return None
    outputs = [_output(catalyst, child) for child in operator.children]
    across = [
        each for each in conditions if not any(references(catalyst, each).keys() <= own for own in outputs)
    ]
    wanted = wanted.union(*(references(catalyst, each) for each in across))
    sides, pairs = [], []
    for place, child in enumerate(operator.children):
        own = [each for each in conditions if references(catalyst, each).keys() <= outputs[place]]
        given = [each.sides[place] for each in condition.equalities]
        side, named = _side(catalyst, child, given, wanted & outputs[place], own)
        sides.append(side)
        pairs.append(named)
    weights = tuple(weight for each in sides for weight in each.weights)
    if not weights:
        return None
    expressions = catalyst.expressions
    equal = [
        (expressions.EqualNullSafe if equality.null_safe else expressions.EqualTo)(*two)
        for equality, *two in zip(condition.equalities, *pairs, strict=True)
    ]
    plan = catalyst.copy(
        operator.plan,
        left=sides[0].plan,
        right=sides[1].plan,
        condition=catalyst.some(catalyst.all_of(equal)),
    )
    return Weighed(_filtered(catalyst, across, plan), weights)


def _side(
    catalyst: Catalyst, operator: Operator, keys: Sequence[Any], wanted: set[str], conditions: Sequence[Any]
) -> tuple[Weighed, list[Any]]:
    """A side of a join, put together where it can be, and its keys there."""
    plain = {catalyst.attribute_key(key): key for key in keys if class_name(key) == "AttributeReference"}
    spoken = wanted.union(*(references(catalyst, each) for each in keys))
    found = weighed(catalyst, operator, spoken, conditions)
    if found is None:
        found = Weighed(_filtered(catalyst, conditions, operator.plan), ())
    if not wanted <= plain.keys():
        return found, list(keys)
    named = [catalyst.alias(key, fresh_name("key")) for key in keys]
    more = [catalyst.alias(each, fresh_name("weight")) for each in found.weights]
    rows = catalyst.frame(catalyst.project([*named, *more], found.plan))
    count = F.sum(product([str(each.name()) for each in more])) if more else F.count(F.lit(1))
    weight = fresh_name("weight")
    together = rows.groupBy(*(str(each.name()) for each in named)).agg(count.alias(weight))
    plan = catalyst.analyzed(together)
    output = catalyst.output(plan)
    # Under the ids that the operators above know.
    again = [
        catalyst.alias(new, str(old.name()), old.exprId())
        for new, old in zip(output, keys, strict=False)
        if class_name(old) == "AttributeReference" and catalyst.attribute_key(old) in wanted
    ]
    return Weighed(catalyst.project([*output, *again], plan), (output[-1],)), output[:-1]


def _output(catalyst: Catalyst, operator: Operator) -> set[str]:
    return {catalyst.attribute_key(each) for each in catalyst.output(operator.plan)}


def _plain(catalyst: Catalyst, expression: Any) -> bool:
    """Whether an expression gives the same wherever it stands, and asks no subquery."""
    return bool(expression.deterministic()) and not catalyst.holds(expression, "PLAN_EXPRESSION")


def _filtered(catalyst: Catalyst, conditions: Sequence[Any], plan: Any) -> Any:
    return catalyst.filter(catalyst.all_of(list(conditions)), plan) if conditions else plan


def product(names: Sequence[str]) -> Column:
    """What columns give, multiplied; 1 of none."""
    return reduce(Column.__mul__, (F.col(name) for name in names), F.lit(1).cast("long"))
