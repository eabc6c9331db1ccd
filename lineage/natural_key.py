"""The columns that tell the rows of an output apart, whatever else is in them."""

from __future__ import annotations

from typing import Any

from bigdebug.lineage.catalyst import Catalyst, class_name
from bigdebug.lineage.operators import Operator

ROW_BY_ROW = frozenset(
    {"Project", "Filter", "Sort", "Repartition", "RepartitionByExpression", "RebalancePartitions"}
)
"""Kinds of operators that give each row of their input once, or not at all."""


def top_aggregate(root: Operator) -> Operator | None:
    """The aggregate of which a dataflow's rows are the groups; None where they aren't."""
    top = root
    while top.kind in ROW_BY_ROW or top.kind in ("GlobalLimit", "LocalLimit"):
        top = top.child
    return top if top.kind == "Aggregate" else None


def natural_key(catalyst: Catalyst, root: Operator) -> tuple[str, ...]:
    """The output's columns that are an aggregate's grouping columns; none where it has none, or not all of them."""
    top = top_aggregate(root)
    if top is None:
        return ()
    grouping = catalyst.items(top.plan.groupingExpressions())
    made: dict[str, Any] = {}
    for column in catalyst.items(top.plan.aggregateExpressions()):
        expression = column.child() if class_name(column) == "Alias" else column
        for place, each in enumerate(grouping):
            if expression.semanticEquals(each):
                made[catalyst.attribute_key(column.toAttribute())] = place
    columns = [
        (made.get(catalyst.attribute_key(each)), str(each.name())) for each in catalyst.output(root.plan)
    ]
    found = {place: name for place, name in columns if place is not None}
    return tuple(found[place] for place in sorted(found)) if len(found) == len(grouping) else ()
