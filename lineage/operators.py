"""A light Python mirror of an analyzed plan: fetched from the JVM once, with the user's call sites on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from bigdebug.lineage.batches import with_batches_opened
from bigdebug.lineage.callsite import CallSite
from bigdebug.lineage.catalyst import ID_PREFIX, Catalyst, class_name
from bigdebug.lineage.checkpoints import with_checkpoints_opened
from bigdebug.lineage.dataflow import Node
from bigdebug.lineage.errors import UnsupportedOperatorError
from bigdebug.lineage.file_tables import with_file_tables_opened
from bigdebug.lineage.influence import subqueries_joined
from bigdebug.lineage.lateral import DOMAIN, is_domain, laterals_joined
from bigdebug.lineage.memory import numbered_as_split
from bigdebug.lineage.set_operations import set_operations_rewritten
from bigdebug.lineage.transposed import with_transposed_opened

# Nodes that only name or wrap their child; nothing of them is left in a mirror.
TRANSPARENT = frozenset({"SubqueryAlias", "View", "PipeOperator", "SQLFunctionNode"})

RECURSION = "UnionLoop"
"""Kind of a recursive common table expression: of its first rows and of those that come of them."""

KEEPING = frozenset(
    {
        "Project",
        "Sort",
        "Window",
        "Repartition",
        "RepartitionByExpression",
        "RebalancePartitions",
        "ResolvedHint",
        "EventTimeWatermark",
        "CollectMetrics",
        "AttachDistributedSequence",
    }
)
"""Kinds of operators that give each row of their input once: what is counted below them holds for them."""

ONE_BY_ONE = frozenset({"Project", "Filter", "Generate", "ResolvedHint"})
"""Operators that take their rows one by one. A sort isn't among them: a limit above it goes by its order."""

NEAREST = frozenset({"AsOfJoin", "NearestByJoin"})
"""Kinds of joins that pick, for each row of their left side, rows of the right one that are nearest to it."""

# Joins whose right side only decides which rows of the left stay.
_ONE_SIDED = frozenset({"LeftSemi", "LeftAnti", "ExistenceJoin"})

NodeLookup = Callable[[str], Node | None]


@dataclass(eq=False)
class Operator:
    """One node of an analyzed plan.

    Attributes:
        plan: the JVM node.
        kind: its class's simple name.
        children: its inputs, aliases and views dropped.
        node: the user's operator that made it, where known.
        tag: the value of bigdebug's tag on this node or the nearest one above it.
        view: for a leaf, the temporary view that stands directly on it.
        table: for a leaf, its catalog table.
        stored: for in-memory data that is to be asked about, the JVM plan with its ids as last column; those
            of a recipe are the recorded ones.
        subqueries: where these are asked about, too, those whose value its expressions hold.
    """

    plan: Any
    kind: str
    children: tuple[Operator, ...] = ()
    node: Node | None = None
    tag: str | None = None
    view: str | None = None
    table: str | None = None
    stored: Any | None = None
    subqueries: tuple[Operator, ...] = ()

    @property
    def child(self) -> Operator:
        (only,) = self.children
        return only

    @property
    def call_site(self) -> CallSite | None:
        return self.node.call_site if self.node else None

    @cached_property
    def join_kind(self) -> str:
        """Of a join `Inner`, `LeftOuter`, `LeftSemi`, …, as Spark's classes are called."""
        return _join_kind(self.plan)

    def walk(self, end: str | None = None) -> Iterator[Operator]:
        """This operator and all below it, parents first, children in the plan's order.

        Args:
            end: a kind of operators below which it doesn't go.
        """
        stack = [self]
        while stack:
            operator = stack.pop()
            yield operator
            if operator.kind != end:
                stack.extend(reversed(operator.children))

    def leaves(self) -> list[Operator]:
        return [operator for operator in self.walk() if not operator.children]

    def walk_all(self) -> Iterator[Operator]:
        """The same, and after them the operators of subqueries."""
        own = list(self.walk())
        yield from own
        for operator in own:
            for subquery in operator.subqueries:
                yield from subquery.walk_all()

    def described(self) -> str:
        """For messages: the operator's name and where it stands, with the code there."""
        return f"{self.located()} ({self.call_site.brief})" if self.call_site else self.kind

    def located(self) -> str:
        """The operator's name and where it stands."""
        return f"{self.kind} at {self.call_site.label}" if self.call_site else self.kind


def normalized(catalyst: Catalyst, plan: Any, *, laterals: bool = False, subqueries: bool = True) -> Any:
    """The analyzed plan with CTEs inlined, lateral joins and set operations turned into others, by Spark's rules.

    Deduplicate stays: which record survives it is asked of the same aggregation that picks the row.

    Args:
        laterals: leave lateral joins as they are.
        subqueries: leave subqueries as they are, within the expressions of operators.
    """
    plan = _opened(catalyst, plan)
    optimizer = catalyst.jvm.org.apache.spark.sql.catalyst.optimizer
    if catalyst.holds(plan, "CTE"):
        _hand_tags_down(catalyst, plan)
        plan = _inline_cte(optimizer).apply(plan)
    if not laterals:
        plan = laterals_joined(catalyst, plan)
    if not subqueries:
        plan = subqueries_joined(catalyst, plan)
    plan = set_operations_rewritten(catalyst, plan)
    for name in (
        "ReplaceIntersectWithSemiJoin",
        "ReplaceExceptWithAntiJoin",
        "ReplaceDistinctWithAggregate",
    ):
        plan = catalyst.singleton(optimizer, name).apply(plan)
    return plan


def _opened(catalyst: Catalyst, plan: Any) -> Any:
    """The plan with what checkpoints, transposed frames and micro-batches were made of in their place."""
    plan = with_batches_opened(catalyst, with_checkpoints_opened(catalyst, plan))
    plan = with_transposed_opened(catalyst, plan, lambda below: _opened(catalyst, below))
    return with_file_tables_opened(catalyst, plan)


def _hand_tags_down(catalyst: Catalyst, plan: Any) -> None:
    """`WithCTE` goes when its definitions are inlined: its tag, that of a whole SQL text, goes to its query."""
    if class_name(plan) == "WithCTE":
        tag, query = plan.getTagValue(catalyst.tag), plan.plan()
        if tag.isDefined() and query.getTagValue(catalyst.tag).isEmpty():
            query.setTagValue(catalyst.tag, tag.get())
    for child in catalyst.items(plan.children()):
        if catalyst.holds(child, "CTE"):
            _hand_tags_down(catalyst, child)


def _inline_cte(optimizer: Any) -> Any:
    """`InlineCTE(alwaysInline=True, …)`: its further flags differ between versions."""
    from py4j.protocol import Py4JError

    try:
        return optimizer.InlineCTE(True, False)
    except Py4JError:
        return optimizer.InlineCTE(True, False, False)


def mirror(
    catalyst: Catalyst,
    plan: Any,
    lookup: NodeLookup,
    rebind: Callable[[Any], Any] | None = None,
    asked: Node | None = None,
    *,
    subqueries: bool = False,
) -> Operator:
    """Fetch a plan from the JVM as a tree of `Operator`s.

    Args:
        plan: an analyzed plan, already `normalized`.
        lookup: gives the recorded node of a tag's value.
        rebind: for questions, gives what shall stand in a leaf's place, with the same output, or the leaf itself.
        asked: what operators above the first tagged one are put down to.
        subqueries: fetch those within expressions, too.
    """
    return _Mirror(catalyst, lookup, rebind, subqueries).of(plan, tag=None, node=asked)


@dataclass(frozen=True)
class _Mirror:
    catalyst: Catalyst
    lookup: NodeLookup
    rebind: Callable[[Any], Any] | None
    subqueries: bool

    def of(self, plan: Any, tag: str | None, node: Node | None) -> Operator:
        view = table = None
        while True:
            own_tag = plan.getTagValue(self.catalyst.tag)
            if own_tag.isDefined():
                tag = own_tag.get()
                node = self.lookup(tag) or node
            kind = class_name(plan)
            if kind not in TRANSPARENT:
                break
            if kind == "View":
                identifier = plan.desc().identifier()
                if plan.isTempView():
                    view = identifier.table()
                else:
                    table = identifier.unquotedString()
            plan = plan.children().apply(0)
        if kind == "Aggregate" and is_domain(self.catalyst, plan):
            return Operator(plan, DOMAIN, (), node, tag)
        below = self.catalyst.items(plan.children())
        if kind == "Project" and _is_stored(self.catalyst, below[0]):
            return Operator(plan, "LocalRelation", (), node, tag, view, table, stored=below[0])
        if not below:
            stored = None
            if self.rebind is not None:
                plan = self.rebind(plan)
                if kind == "LocalRelation":
                    stored = numbered_as_split(self.catalyst, plan)
            return Operator(plan, kind, (), node, tag, view, table, stored)
        children = tuple(self.of(child, tag, node) for child in below)
        if any(operator.plan is not child for operator, child in zip(children, below, strict=True)):
            plan = plan.withNewChildren(self.catalyst.seq(operator.plan for operator in children))
        operator = Operator(plan, kind, children, node, tag)
        if self.subqueries:
            operator.subqueries = tuple(self._subqueries(plan, tag, node))
        return operator

    def _subqueries(self, plan: Any, tag: str | None, node: Node | None) -> Iterator[Operator]:
        for subquery in self.catalyst.items(plan.subqueries()):
            if self.catalyst.holds(subquery, "OUTER_REFERENCE"):
                raise UnsupportedOperatorError(
                    f"{Operator(plan, plan.nodeName(), (), node).described()} has a subquery that depends on its row "
                    "where Spark has no join for it",
                    hint="trace without influence",
                )
            yield self.of(normalized(self.catalyst, subquery, subqueries=False), tag, node)


def _is_stored(catalyst: Catalyst, plan: Any) -> bool:
    if class_name(plan) != "LocalRelation" or plan.output().isEmpty():
        return False
    return str(plan.output().last().name()).startswith(ID_PREFIX)


def is_distinct(operator: Operator) -> bool:
    """`dropDuplicates()` over all columns, which is `distinct()`: all the duplicates are where a row came from."""
    if operator.kind != "Deduplicate":
        return False
    return bool(operator.plan.child().outputSet().subsetOf(operator.plan.references()))


def is_one_sided(operator: Operator) -> bool:
    """A join whose right side only decides which rows of the left stay."""
    return operator.kind == "Join" and operator.join_kind in _ONE_SIDED


def _join_kind(join: Any) -> str:
    return class_name(join.joinType()).rstrip("$")
