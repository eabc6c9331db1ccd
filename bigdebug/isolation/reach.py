"""How far a removal reaches: where records beside the traced ones could take the place of one that is gone."""

from __future__ import annotations

from typing import Any

from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.operators import NEAREST, Operator, is_distinct, is_one_sided

_LIMITS = frozenset({"GlobalLimit", "LocalLimit", "Offset", "Tail"})
_KEEPING_ROWS = frozenset({"Project", "Sort", "Filter", "Repartition", "RepartitionByExpression"})


def without_last_limits(catalyst: Catalyst, operator: Operator) -> Operator:
    """The dataflow without the limits that come last.

    A row is followed wherever it stands in the order: whether it is computed right doesn't depend on whether a better
    one would push it out of the first ten.
    """
    if operator.kind in _LIMITS:
        return without_last_limits(catalyst, operator.child)
    if operator.kind not in _KEEPING_ROWS:
        return operator
    child = without_last_limits(catalyst, operator.child)
    if child is operator.child:
        return operator
    plan: Any = operator.plan.withNewChildren(catalyst.seq([child.plan]))
    return Operator(plan, operator.kind, (child,), operator.node, operator.tag)


def replaceable(root: Operator) -> set[Operator]:
    """The leaves of which a record that is gone may be replaced by one that isn't on the trace.

    Below a limit, an operator that keeps one of several rows, or one that joins the nearest, all records count.
    """
    found: set[Operator] = set()
    for operator in root.walk():
        one_of_several = operator.kind == "Deduplicate" and not is_distinct(operator)
        if operator.kind in _LIMITS or operator.kind in NEAREST or one_of_several:
            found.update(operator.leaves())
    return found


def deciding_alone(root: Operator) -> set[Operator]:
    """The leaves whose records only decide which others stay: no trace goes to them."""
    found: set[Operator] = set()
    for operator in root.walk():
        if is_one_sided(operator):
            found.update(operator.children[1].leaves())
    return found
