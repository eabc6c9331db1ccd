"""Guards in the plan of an action on a DataFrame: above the watched rows, and nothing else of it is changed.

A guard in SQL is an aggregate that Spark computes beside the job (`CollectMetrics`, what `observe` makes). A guard
in Python is a filter whose function is true of every row: the rows themselves stay in the JVM. What the user has
cached stays that: nothing is put below it, where Spark wouldn't know it again.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from bigdebug.breakpoints.crashes.rewriting import replaced_in
from bigdebug.breakpoints.points.given import row_wise_in, takes_one
from bigdebug.breakpoints.watch import pacing
from bigdebug.breakpoints.watch.catching import Watching
from bigdebug.breakpoints.watch.guards import can_raise, held
from bigdebug.breakpoints.watch.pacing import paced_row
from bigdebug.lineage.catalyst import Catalyst, class_name, fresh_name
from bigdebug.lineage.python_functions import command_of, with_command

_ids = itertools.count(1 << 40)
"""Spark tells frames apart by such numbers, from 0 on."""


DROPPED = -1
"""A count that Spark has dropped: with a part of the plan that it saw, as the job ran, to give no rows."""


@dataclass
class FrameGuard:
    """A guard that an action's plan is to have.

    Attributes:
        key: of the watchpoint.
        stands_at: whether it stands at a plan node with some tag.
        condition: of SQL, gives the condition over a node's columns, a JVM expression.
        watching: of Python, what its tasks need to know, by the number of the place.
        by_time: it isn't asked of the node's rows, but of what the node's functions take.
    """

    key: int
    stands_at: Callable[[str], bool]
    condition: Callable[[Any], Any] | None = None
    watching: Callable[[int], Watching] | None = None
    by_time: bool = False
    places: int = 0


@dataclass
class Observed:
    """What Spark counts for one guard in one action.

    Attributes:
        key: of the watchpoint.
        name: of the metrics.
        observation: the JVM `Observation` that gets them.
        execution: the JVM `QueryExecution` of an action that tells of its end too early: it has them then.
    """

    key: int
    name: str
    observation: Any
    execution: Any = None

    def counted(self) -> tuple[int, int] | None:
        """For how many rows the guard held, and for how many it raised; None where it isn't known yet."""
        if self.execution is not None:
            found = self.execution.observedMetrics().get(self.name)
            return None if found.isEmpty() else _numbers(found.get())
        if self.observation.future().isCompleted():
            return _numbers(self.observation.future().value().get().get())
        return None


@dataclass
class Rewritten:
    """A plan with guards in it.

    Attributes:
        frame: of the plan; None where no guard could be put in.
        observed: what Spark counts.
        hidden: keys of watchpoints that stand below something the user has cached.
    """

    frame: Any
    observed: list[Observed] = field(default_factory=list)
    hidden: set[int] = field(default_factory=set)


def with_guards(catalyst: Catalyst, plan: Any, guards: list[FrameGuard]) -> Rewritten | None:
    """A plan with guards; None where none of them stands in it.

    Args:
        catalyst: of the plan's own session.
        plan: the analyzed plan of an action.
        guards: of all watchpoints.
    """
    for everywhere in (True, False):
        inserting = _Inserting(catalyst, guards, everywhere=everywhere)
        found = inserting.into(plan, frozenset())
        if found is plan:
            return Rewritten(None, hidden=inserting.hidden) if inserting.hidden else None
        try:
            return Rewritten(catalyst.frame(found), list(inserting.observed.values()), inserting.hidden)
        except AnalysisException:
            # Several readings of one frame that Spark doesn't take for the same: the first one counts.
            if not everywhere:
                raise
    return None


def _metrics(catalyst: Catalyst, condition: Any) -> Any:
    """What Spark is to count: a Scala `Seq` of named aggregates.

    Args:
        catalyst: of the session.
        condition: over the rows' columns.
    """
    found = held(catalyst, condition)
    metrics = [catalyst.alias(_count(catalyst, found), "hits")]
    if found is not condition:
        metrics.append(catalyst.alias(_count(catalyst, catalyst.expressions.IsNull(found)), "errors"))
    return catalyst.seq(metrics)


def _is_plain(catalyst: Catalyst, aggregate: Any) -> bool:
    """Whether one more aggregate changes nothing about how Spark computes the others."""
    waiting = catalyst.items(aggregate.aggregateExpressions()) + catalyst.items(
        aggregate.groupingExpressions()
    )
    while waiting:
        each = waiting.pop()
        if class_name(each) == "AggregateExpression" and each.isDistinct():
            return False
        if class_name(each) in ("PythonUDAF", "PythonUDF", "ScalaUDAF"):
            return False
        waiting += catalyst.items(each.children())
    return True


def _mark(catalyst: Catalyst, condition: Any) -> Any:
    """A column of ours that isn't null where a condition holds."""
    one = catalyst.literal(1)
    return catalyst.alias(
        catalyst.expressions.If(condition, one, catalyst.null(one.dataType())), fresh_name("held")
    )


def _count(catalyst: Catalyst, condition: Any) -> Any:
    one = catalyst.literal(1)
    counted = catalyst.expressions.If(condition, one, catalyst.null(one.dataType()))
    return catalyst.expressions.aggregate.Count(catalyst.seq([counted])).toAggregateExpression()


class _Inserting:
    def __init__(self, catalyst: Catalyst, guards: list[FrameGuard], *, everywhere: bool) -> None:
        self._catalyst = catalyst
        self._guards = guards
        self._everywhere = everywhere
        manager = catalyst.jsession.sharedState().cacheManager()
        self._cache = None if manager.isEmpty() else manager
        self.observed: dict[int, Observed] = {}
        self.hidden: set[int] = set()

    def into(self, node: Any, above: frozenset[int], cached: bool = False) -> Any:
        """A node with what stands at it or below.

        Args:
            above: the watchpoints that stand further up on this way already.
            cached: whether the user has cached something above.
        """
        here = self._at(node, above)
        if cached:
            self.hidden.update(guard.key for guard in here)
            here = []
        below = above | {guard.key for guard in here}
        hides = cached or self._is_cached(node)
        within = None if hides or not self._everywhere else self._counted_within(node, below)
        if within is not None:
            node = within
        else:
            children = self._catalyst.items(node.children())
            fresh = [self.into(child, below, hides) for child in children]
            if any(one is not other for one, other in zip(children, fresh, strict=True)):
                node = node.withNewChildren(self._catalyst.seq(fresh))
        for guard in here:
            node = self._with(guard, node)
        return node

    def _at(self, node: Any, above: frozenset[int]) -> list[FrameGuard]:
        """The guards that stand at a node, and not further up."""
        found = node.getTagValue(self._catalyst.tag)
        tag = str(found.get()) if found.isDefined() else None
        return [
            guard
            for guard in self._guards
            if tag is not None and guard.key not in above and guard.stands_at(tag)
        ]

    def _counted_within(self, aggregate: Any, above: frozenset[int]) -> Any | None:
        """An aggregate that counts the rows that it reads by itself; None where that isn't possible.

        Spark computes it with the others, in the same loop: what it takes for `CollectMetrics` is paid for each
        group, and no more for each row.
        """
        catalyst = self._catalyst
        if class_name(aggregate) != "Aggregate" or not _is_plain(catalyst, aggregate):
            return None
        between = []
        node = aggregate.child()
        while not (guards := self._at(node, above)):
            if class_name(node) not in ("Project", "SubqueryAlias") or self._is_cached(node):
                return None
            if class_name(node) == "Project":
                between.append(node)
            node = node.children().apply(0)
        (guard, *others) = guards
        if others or guard.condition is None or guard.key in self.observed:
            return None
        guard.places += 1
        found = held(catalyst, guard.condition(node))
        marks = [_mark(catalyst, found)]
        if can_raise(catalyst, guard.condition(node)):
            marks.append(_mark(catalyst, catalyst.expressions.IsNull(found)))
        columns = [mark.toAttribute() for mark in marks]
        plan = catalyst.project_more(marks, self.into(node, above | {guard.key}))
        for each in reversed(between):
            plan = catalyst.project(catalyst.items(catalyst.extended(each.projectList(), columns)), plan)
        functions = catalyst.expressions.aggregate
        counts = [
            catalyst.alias(
                functions.Count(catalyst.seq([column])).toAggregateExpression(), fresh_name("hits")
            )
            for column in columns
        ]
        plan = catalyst.copy(
            aggregate,
            aggregateExpressions=catalyst.extended(aggregate.aggregateExpressions(), counts),
            child=plan,
        )
        sums = [
            catalyst.alias(functions.Sum(count.toAttribute()).toAggregateExpression(), name)
            for count, name in zip(counts, ("hits", "errors"), strict=False)
        ]
        return catalyst.project(
            catalyst.output(aggregate), self._counted(guard.key, catalyst.seq(sums), plan)
        )

    def _is_cached(self, node: Any) -> bool:
        return self._cache is not None and bool(
            self._cache.lookupCachedData(self._catalyst.jsession, node).isDefined()
        )

    def _with(self, guard: FrameGuard, node: Any) -> Any:
        if guard.by_time:
            return self._paced(guard, node)
        guard.places += 1
        if guard.watching is not None:
            if not self._everywhere and guard.places > 1:
                return node
            return self._filtered(guard.watching(guard.places - 1), node)
        assert guard.condition is not None
        known = self.observed.get(guard.key)
        if known is not None and not self._everywhere:
            return node
        return self._counted(guard.key, _metrics(self._catalyst, guard.condition(node)), node)

    def _counted(self, key: int, metrics: Any, node: Any) -> Any:
        catalyst = self._catalyst
        known = self.observed.get(key)
        number = next(_ids)
        if known is None:
            name = f"bigdebug watch {key} {number}"
            observation = catalyst.jvm.org.apache.spark.sql.Observation(name)
            catalyst.jsession.observationManager().register(observation, number)
            known = self.observed[key] = Observed(key, name, observation)
        return catalyst.logical.CollectMetrics(known.name, metrics, node, number)

    def _paced(self, guard: FrameGuard, node: Any) -> Any:
        """A node whose functions are timed; their places are numbered in the order that `row_wise_in` has them in."""
        catalyst = self._catalyst
        assert guard.watching is not None
        timed = 0
        while timed < len(functions := row_wise_in(catalyst, node)):
            function = functions[timed]
            wrapper = paced_row(
                guard.watching(guard.places),
                command_of(catalyst, function),
                alone=takes_one(catalyst, function),
            )
            made = with_command(catalyst, function, wrapper, function.dataType(), pacing)
            node = replaced_in(catalyst, node, function, made)
            guard.places += 1
            timed += 1
        return node

    def _filtered(self, watching: Watching, node: Any) -> Any:
        # Not deterministic, as far as Spark is told: it must neither move it nor leave it out.
        look = F.udf(watching.row(), "boolean").asNondeterministic()
        frame = self._catalyst.frame(node)
        return self._catalyst.analyzed(frame.filter(look(F.struct("*"))))


def _numbers(row: Any) -> tuple[int, int]:
    """The counts in metrics: a row, or (of an `Observation` of Spark 4.0) a map by name."""
    if str(row.getClass().getName()).startswith("scala.collection."):
        hits, errors = (row.get(name) for name in ("hits", "errors"))
        if hits.isEmpty():
            return DROPPED, 0
        return int(hits.get() or 0), int(errors.get() or 0) if errors.isDefined() else 0
    if row.length() == 0:
        return DROPPED, 0
    # A sum over no groups is null.
    found = [0 if row.isNullAt(i) else int(row.getLong(i)) for i in range(row.length())]
    return found[0], found[1] if len(found) > 1 else 0


# -- what an action is called on ----------------------------------------------------------------------


def standing_in(subject: Any, frame: Any) -> tuple[Any, Any, Callable[[], None]] | None:
    """What an action is called on so that it computes another plan.

    Args:
        subject: a DataFrame, or the writer of one.
        frame: of the plan to be computed.

    Returns:
        What to call it on, the JVM `QueryExecution` of the plan, and what to do when it has ended; None where it
        can't be had otherwise.
    """
    execution = frame._jdf.queryExecution()
    if isinstance(subject, DataFrame):
        return frame, execution, lambda: None
    known = getattr(subject, "__dict__", {})
    writer = known.get("_jwrite") or known.get("_jwriter")
    if writer is None:
        return None
    # The user's own writer, for it remembers what the action tells it (its mode …).
    values = {"df": frame._jdf, "logicalPlan": execution.logical()}
    before = []
    for place in writer.getClass().getDeclaredFields():
        if place.getName() in values:
            place.setAccessible(True)
            before.append((place, place.get(writer)))
            place.set(writer, values[place.getName()])
    if not before:
        return None

    def put_back() -> None:
        for place, value in before:
            place.set(writer, value)

    return subject, execution, put_back
