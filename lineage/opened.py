"""Leaves that stand for a plan: Spark keeps only an RDD of it, and the plan itself is kept as a tag on the leaf."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bigdebug.lineage.catalyst import Catalyst, class_name


def tag_named(jvm: Any, name: str) -> Any:
    """The tag of a name, for plans to carry something under."""
    return getattr(jvm, "org.apache.spark.sql.catalyst.trees.TreeNodeTag")(name)


def with_leaves_opened(catalyst: Catalyst, plan: Any, tag: Any, behind: Callable[[Any], Any | None]) -> Any:
    """A plan with others in place of some of its leaves.

    Args:
        tag: which such leaves carry.
        behind: gives the plan to stand in a leaf's place, of what that carries; None to let it be.
    """
    below = catalyst.items(plan.children())
    if not below:
        if class_name(plan) != "LogicalRDD":
            return plan
        found = plan.getTagValue(tag)
        opened = behind(found.get()) if found.isDefined() else None
        return plan if opened is None else _in_place_of(catalyst, plan, opened)
    children = [with_leaves_opened(catalyst, child, tag, behind) for child in below]
    if all(new is old for new, old in zip(children, below, strict=True)):
        return plan
    return plan.withNewChildren(catalyst.seq(children))


def _in_place_of(catalyst: Catalyst, leaf: Any, plan: Any) -> Any:
    wanted, given = catalyst.output(leaf), catalyst.output(plan)
    if len(wanted) != len(given):
        return leaf
    if [catalyst.attribute_key(a) for a in wanted] == [catalyst.attribute_key(a) for a in given]:
        return plan
    # Joined with itself, the frame has other ids on one of the sides.
    pairs = zip(given, wanted, strict=True)
    return catalyst.project([catalyst.alias(one, other.name(), other.exprId()) for one, other in pairs], plan)
