"""Python functions in the condition of a join: of one of its sides, or of pairs of rows.

Spark applies a function of one side before it joins, and one of both to what else makes a pair
(`ExtractPythonUDFFromJoinCondition`); as filters these are looked into.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.conditions import conjuncts_of
from bigdebug.lineage.operators import Operator


def filters_of(catalyst: Catalyst, join: Operator) -> Iterator[Operator]:
    """The parts of a join's condition that call Python functions, as filters of what these are called for.

    Args:
        catalyst: of the session that is asked in.
        join: the join.
    """
    condition = join.plan.condition()
    if condition.isEmpty():
        return
    every = conjuncts_of(catalyst, condition.get())
    calling = [each for each in every if catalyst.holds(each, "PYTHON_UDF")]
    others = [each for each in every if not catalyst.holds(each, "PYTHON_UDF")]
    pairs = None
    for each in calling:
        below = next(
            (side for side in join.children if each.references().subsetOf(side.plan.outputSet())), None
        )
        if below is None:
            pairs = pairs or _pairs(catalyst, join, others)
            below = pairs
        yield Operator(catalyst.filter(each, below.plan), "Filter", (below,), join.node, join.tag)


def _pairs(catalyst: Catalyst, join: Operator, conditions: list[Any]) -> Operator:
    """An inner join on the other conditions alone."""
    some = catalyst.jvm.scala.Some
    condition = some(catalyst.all_of(conditions)) if conditions else catalyst.none
    inner = catalyst.singleton(catalyst.jvm.org.apache.spark.sql.catalyst.plans, "Inner")
    plan = catalyst.copy(join.plan, joinType=inner, condition=condition)
    return Operator(plan, "Join", join.children, join.node, join.tag)
