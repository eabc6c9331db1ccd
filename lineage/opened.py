"""Leaves that stand for another plan, which a question looks at in their place.

Of checkpoints, transposed frames and micro-batches Spark keeps only what came of them; the plan itself is kept as a
tag on the leaf.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bigdebug.lineage.catalyst import Catalyst, class_name
from bigdebug.lineage.rewriting import with_subqueries


def tag_named(jvm: Any, name: str) -> Any:
    """The tag of a name, for plans to carry something under."""
    return getattr(jvm, "org.apache.spark.sql.catalyst.trees.TreeNodeTag")(name)


def with_leaves_opened(
    catalyst: Catalyst,
    plan: Any,
    kind: str,
    stands: Callable[[Any], bool],
    behind: Callable[[Any], Any | None],
) -> Any:
    """A plan with others in place of some of its leaves, those of subqueries among them.

    Args:
        kind: of such leaves.
        stands: whether a leaf of that kind stands for another plan.
        behind: gives that plan, with as many columns; None to let the leaf be.
    """
    return _Opening(catalyst, kind, stands, behind, catalyst.pattern("PLAN_EXPRESSION")).of(plan)


class Kept:
    """What leaves of one kind were made of, which they carry as a tag.

    Until the first is kept in this process, nobody looks for one: to look through every plan would cost.

    Args:
        kind: of the leaves.
        name: of the tag.
    """

    def __init__(self, kind: str, name: str) -> None:
        self.kind = kind
        self._name = name
        self._any = False

    def keep(self, jvm: Any, leaf: Any, made_of: Any) -> None:
        """Have a leaf carry what it was made of, as long as it lives."""
        leaf.setTagValue(tag_named(jvm, self._name), made_of)
        self._any = True

    def behind(self, catalyst: Catalyst, leaf: Any) -> Any | None:
        """What a leaf was made of; None if that isn't known."""
        if not self._any or class_name(leaf) != self.kind:
            return None
        found = leaf.getTagValue(tag_named(catalyst.jvm, self._name))
        return found.get() if found.isDefined() else None

    def opened(self, catalyst: Catalyst, plan: Any, given: Callable[[Any, Any], Any | None]) -> Any:
        """A plan with others in place of such leaves.

        Args:
            given: gives the plan in a leaf's place, of the leaf and what it was made of; None to let the leaf be.
        """
        if not self._any:
            return plan
        tag = tag_named(catalyst.jvm, self._name)
        return with_leaves_opened(
            catalyst,
            plan,
            self.kind,
            lambda leaf: bool(leaf.getTagValue(tag).isDefined()),
            lambda leaf: given(leaf, leaf.getTagValue(tag).get()),
        )


class _Opening:
    def __init__(
        self,
        catalyst: Catalyst,
        kind: str,
        stands: Callable[[Any], bool],
        behind: Callable[[Any], Any | None],
        subqueries: Any,
    ) -> None:
        self._catalyst = catalyst
        self._kind = kind
        self._stands = stands
        self._behind = behind
        self._subqueries = subqueries

    def of(self, plan: Any) -> Any:
        catalyst = self._catalyst
        below = catalyst.items(plan.children())
        if not below:
            opened = self._behind(plan) if self._is_one(plan) else None
            return plan if opened is None else _in_place_of(catalyst, plan, opened)
        children = [self.of(child) for child in below]
        if any(new is not old for new, old in zip(children, below, strict=True)):
            plan = plan.withNewChildren(catalyst.seq(children))
        if plan.containsPattern(self._subqueries) and self._is_within(plan):
            plan = with_subqueries(catalyst, plan, self.of)
        return plan

    def _is_one(self, leaf: Any) -> bool:
        return class_name(leaf) == self._kind and self._stands(leaf)

    def _is_within(self, plan: Any) -> bool:
        """Whether such a leaf stands in a subquery of the node itself, or in one within that."""
        items = self._catalyst.items
        return any(
            self._is_one(leaf)
            for subquery in items(plan.subqueries())
            for each in (subquery, *items(subquery.subqueriesAll()))
            for leaf in items(each.collectLeaves())
        )


def _in_place_of(catalyst: Catalyst, leaf: Any, plan: Any) -> Any:
    wanted, given = catalyst.output(leaf), catalyst.output(plan)
    if len(wanted) != len(given):
        return leaf
    if [catalyst.attribute_key(a) for a in wanted] == [catalyst.attribute_key(a) for a in given]:
        return plan
    # Joined with itself, the frame has other ids on one of the sides.
    pairs = zip(given, wanted, strict=True)
    named = catalyst.project(
        [catalyst.alias(one, other.name(), other.exprId()) for one, other in pairs], plan
    )
    own = leaf.getTagValue(catalyst.tag)
    if own.isDefined():
        named.setTagValue(catalyst.tag, own.get())
    return named
