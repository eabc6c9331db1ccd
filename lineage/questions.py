"""From what an action was about to a trace of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.sql import Column, SparkSession

from bigdebug.lineage.asking import asking
from bigdebug.lineage.beside import Beside
from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.certainty import doubts
from bigdebug.lineage.comparison import Comparison
from bigdebug.lineage.dataflow import Node
from bigdebug.lineage.depth import deep_plans
from bigdebug.lineage.identity import SourceLeaf
from bigdebug.lineage.operators import NodeLookup, Operator, mirror, normalized
from bigdebug.lineage.output import Output, OutputRows
from bigdebug.lineage.pinned import pinned_session, rebinder
from bigdebug.lineage.python_functions import uncounted
from bigdebug.lineage.scans import pin_columns
from bigdebug.lineage.sources import require_unchanged, sources_of
from bigdebug.lineage.trace import Trace
from bigdebug.lineage.where import RowsOf


@dataclass(frozen=True)
class Question:
    """What an action was about, ready to be asked about.

    Attributes:
        catalyst: of the pinned session.
        root: the dataflow of the rows.
        sources: its sources, a leaf each, in the plan's order.
        notes: what is already known to make an answer inexact.
        comparison: of the rows with those the run gave; None where there is no output to compare with.
        lookup: gives the recorded node of a tag's value.
    """

    catalyst: Catalyst
    root: Operator
    sources: dict[Operator, SourceLeaf]
    notes: tuple[str, ...]
    comparison: Comparison | None
    lookup: NodeLookup

    def doubts(self) -> list[str]:
        """Why a second run may give other rows, or is already known to."""
        with asking(self.catalyst, "what a second run can't tell"):
            return [*self.notes, *doubts(self.catalyst, self.root, self.sources.values())]


def question_about(
    spark: SparkSession,
    rows: OutputRows,
    lookup: NodeLookup,
    *,
    names: Sequence[str] | None = None,
    notes: Sequence[str] = (),
    action: Output | None = None,
    influence: bool = False,
    counted: bool = False,
) -> Question:
    """Get an action's rows ready for questions.

    Args:
        spark: a live session of the context that the plan belongs to.
        rows: the plan, the settings it ran with, and which of its rows the action gave.
        lookup: gives the recorded node of a tag's value.
        names: the sources' names, in the plan's order, where a recipe recorded them.
        notes: what is already known to make the answer inexact.
        action: the output asked about, which a limit of its own (`show`, `take`) is put down to.
        influence: ask about subqueries, too; `names` are then those of all sources.
        counted: let the program's accumulators hear of what its functions add to them.

    Raises:
        SourceChangedError: a file isn't what it was when the program's plan listed it.
        UnreachableError: Spark was stopped.
    """
    catalyst = pinned_session(spark, rows.conf)
    asked = None if action is None else Node(0, action.action, action.call_site)
    with deep_plans():
        plan = bounded(catalyst, rows)
        plan = plan if counted else uncounted(catalyst, plan)
        plan = normalized(catalyst, plan, subqueries=not influence)
        timed = at_one_time(catalyst, plan)
        if timed is not plan:
            notes = [*notes, "it asks for the current time, which was another one when it ran"]
        root = mirror(catalyst, timed, lookup, rebinder(catalyst), asked, subqueries=influence)
        sources = sources_of(catalyst, root, names)
        if names is None:  # a recipe's sources were compared when it was opened
            require_unchanged(catalyst, sources.values())
        pin_columns(catalyst, root, sources.values())
        comparison = None if action is None else Comparison(catalyst, root.plan, rows.conf, action)
    return Question(catalyst, root, sources, tuple(notes), comparison, lookup)


def trace_rows(
    spark: SparkSession,
    rows: OutputRows,
    lookup: NodeLookup,
    where: str | Column | RowsOf | None = None,
    *,
    names: Sequence[str] | None = None,
    notes: Sequence[str] = (),
    action: Output | None = None,
    beside: Beside | None = None,
) -> Trace:
    """A backward trace of an action's rows: `question_about` has the arguments, and some of the errors.

    Args:
        where: which rows to trace; None for all.
        beside: what counts as contributors, too.

    Raises:
        UnsupportedOperatorError: the dataflow holds an operator whose lineage isn't understood.
        UnknownNameError: `where` names a column that the output doesn't have.
    """
    beside = beside or Beside()
    asked = question_about(
        spark, rows, lookup, names=names, notes=notes, action=action, influence=beside.influence
    )
    with deep_plans():
        return Trace(asked.catalyst, asked.root, asked.sources, where, asked.notes, asked.comparison, beside)


def at_one_time(catalyst: Catalyst, plan: Any) -> Any:
    """The plan with the present moment wherever it asks for the current time, or the plan itself.

    All jobs of a question then see the same moment. In a recipe it is the run's already.
    """
    optimizer = catalyst.jvm.org.apache.spark.sql.catalyst.optimizer
    timed = catalyst.singleton(optimizer, "ComputeCurrentTime").apply(plan)
    return plan if timed.equals(plan) else timed


def bounded(catalyst: Catalyst, rows: OutputRows) -> Any:
    """The plan of just the rows that the action gave."""
    if rows.limit is not None:
        return catalyst.analyzed(catalyst.frame(rows.plan).limit(rows.limit))
    if rows.tail is not None:
        number = catalyst.literal(rows.tail)
        return catalyst.logical.Tail(number, rows.plan)
    return rows.plan
