"""EXCEPT ALL and INTERSECT ALL, of which Spark's rules make several operators.

They make of either a union whose rows are counted by group, judged by these counts and given that often
(`RewriteExceptAll`, `RewriteIntersectAll`). A question about single rows would take those of either input for
rows of the union; but what EXCEPT ALL takes away never becomes a row of it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bigdebug.lineage.catalyst import Catalyst, class_name

if TYPE_CHECKING:
    from bigdebug.lineage.operators import Operator

EXCEPT_ALL = "ExceptAll"
INTERSECT_ALL = "IntersectAll"

# The operators of either from the top down; below them is a projection of each input.
_REWRITTEN = {
    EXCEPT_ALL: ("Project", "Generate", "Filter", "Aggregate", "Union"),
    INTERSECT_ALL: ("Project", "Generate", "Project", "Filter", "Aggregate", "Union"),
}


def set_operations_rewritten(catalyst: Catalyst, plan: Any) -> Any:
    """A plan with EXCEPT ALL and INTERSECT ALL turned into others by Spark's rules.

    What gives the rows has columns of its own. By the rules they are the very ones below it, which Spark renames
    where it makes an aggregate of `dropDuplicates`: it then looks for them in vain.
    """
    optimizer = catalyst.jvm.org.apache.spark.sql.catalyst.optimizer
    rewritten = plan
    for name in ("RewriteExceptAll", "RewriteIntersectAll"):
        rewritten = catalyst.singleton(optimizer, name).apply(rewritten)
    return plan if rewritten.equals(plan) else _with_own_columns(catalyst, rewritten)


def _with_own_columns(catalyst: Catalyst, plan: Any) -> Any:
    if not catalyst.holds(plan, "GENERATE"):
        return plan
    children = catalyst.seq(_with_own_columns(catalyst, child) for child in catalyst.items(plan.children()))
    plan = plan.withNewChildren(children)
    if class_name(plan) != "Project" or not _replicates(plan.child()):
        return plan
    generate = plan.child()
    given = [catalyst.attribute_key(each) for each in catalyst.items(plan.projectList())]
    own = {
        catalyst.attribute_key(each): each.newInstance()
        for each in catalyst.items(generate.generatorOutput())
    }
    if given != list(own):
        return plan  # one of the program's own
    columns = [
        catalyst.alias(own[key], each.name(), each.exprId())
        for key, each in zip(given, catalyst.items(plan.projectList()), strict=True)
    ]
    generate = catalyst.copy(generate, generatorOutput=catalyst.seq(own.values()))
    return catalyst.copy(plan, projectList=catalyst.seq(columns), child=generate)


def _replicates(plan: Any) -> bool:
    return class_name(plan) == "Generate" and class_name(plan.generator()) == "ReplicateRows"


def with_set_operations(catalyst: Catalyst, root: Operator) -> Operator:
    """A dataflow with these operators in place of those that Spark's rules made of them."""
    for kind, form in _REWRITTEN.items():
        union = _union(root, form)
        if union is not None:
            inputs = tuple(with_set_operations(catalyst, side.child) for side in union.children)
            return replace(root, kind=kind, children=inputs)
    children = tuple(with_set_operations(catalyst, child) for child in root.children)
    if all(new is old for new, old in zip(children, root.children, strict=True)):
        return root
    return replace(root, children=children)


def _union(root: Operator, form: tuple[str, ...]) -> Operator | None:
    """The union below operators of these kinds, if they stand there to give rows as often as they were counted."""
    operator, *below = root, *form[1:]
    if operator.kind != form[0]:
        return None
    for kind in below:
        if len(operator.children) != 1 or operator.child.kind != kind:
            return None
        operator = operator.child
        if kind == "Generate" and not _replicates(operator.plan):
            return None
    return operator if [side.kind for side in operator.children] == ["Project"] * 2 else None
