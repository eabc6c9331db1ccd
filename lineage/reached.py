"""The rows that source records went into: of an output, and of the operators on the way to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from pyspark.sql import Column, DataFrame

from bigdebug.lineage.annotated import Annotated
from bigdebug.lineage.asking import asking
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.flags import Flagging
from bigdebug.lineage.found import Step
from bigdebug.lineage.identity import SourceLeaf
from bigdebug.lineage.location import Location, TracedRecord
from bigdebug.lineage.operators import KEEPING, Operator
from bigdebug.lineage.questions import Question
from bigdebug.lineage.records import as_dict
from bigdebug.lineage.segments import local_relation
from bigdebug.lineage.where import rows_where


@dataclass(frozen=True)
class Reached:
    """The rows of an output, or of one of its operators, that records went into.

    Args:
        question: about the output.
        flagging: knows the records.
        operator: whose rows.
    """

    question: Question
    flagging: Flagging
    operator: Operator

    def frame(self) -> DataFrame:
        """The operator's columns, one row a row reached."""
        catalyst = self.question.catalyst
        annotated = self.flagging.annotate(self.operator)
        columns = catalyst.output(self.operator.plan)
        return catalyst.frame(catalyst.project(columns, self._narrowed(annotated)))

    def count(self) -> int:
        """How many rows."""
        annotated = self.flagging.annotate(self.operator)
        catalyst = self.question.catalyst
        return int(catalyst.frame(catalyst.project([], self._narrowed(annotated))).count())

    def files(self) -> list[str]:
        """None: what an action gave stands in no file that a trace knows of."""
        return []

    def collect(self, name: str, limit: int) -> list[TracedRecord]:
        rows = self.frame().limit(limit).collect()
        return [TracedRecord(name, Location(None, None), as_dict(row)) for row in rows]

    def _narrowed(self, annotated: Annotated) -> Any:
        catalyst = self.question.catalyst
        reached = self.flagging.is_reached(annotated)
        if reached is None:
            return local_relation(catalyst, annotated.plan.output(), catalyst.seq([]))
        return catalyst.filter(reached, annotated.plan)


def matching_of(question: Question, leaf: SourceLeaf, where: str | Column | None) -> Callable[[], int]:
    """What counts the records of a source that a condition holds for."""
    reached = Reached(question, flagging_of(question, [leaf], where), leaf.operator)

    def matching() -> int:
        with asking(question.catalyst, "matching records"):
            return reached.count()

    return matching


def unfollowed(question: Question) -> list[str]:
    """Where a DataFrame was made of an RDD to which no trace goes on: records may have come that way."""
    return [leaf.unfollowed for leaf in question.sources.values() if leaf.unfollowed is not None]


def flagging_of(
    question: Question,
    leaves: Sequence[SourceLeaf],
    where: str | Column | None,
    made: Mapping[Operator, Callable[[], Annotated]] | None = None,
) -> Flagging:
    """What flags the rows of a question that records went into.

    Args:
        question: about the rows.
        leaves: that hold the records.
        where: which of them; None for all.
        made: gives for sources that were made of what has flags already their rows with these.
    """
    conditions = {leaf.operator: condition_on(question, leaf, where) for leaf in leaves}
    return Flagging(question.catalyst, question.sources, conditions, made)


def condition_on(question: Question, leaf: SourceLeaf, where: str | Column | None) -> Any:
    """A condition on the records of a source.

    Raises:
        BigDebugError: it is no condition on one record, or on what the run didn't read.
    """
    catalyst = question.catalyst
    if where is None:
        return catalyst.literal(True)
    found = rows_where(catalyst, leaf.operator, where, rows_of=leaf.name)
    if found.condition is None:
        raise BigDebugError(
            f"where={str(where)!r} is no condition on one record of {leaf.name}",
            hint="leave window functions and generators out of it",
        )
    if leaf.pinned is not None:
        pinned = {catalyst.attribute_key(column) for column in leaf.pinned}
        for column in catalyst.items(found.condition.references().toSeq()):
            if catalyst.attribute_key(column) not in pinned:
                raise BigDebugError(
                    f"the run didn't read the column {column.name()} of {leaf.name}, and which of its malformed "
                    "records count depends on the columns read",
                    hint=f"ask by the columns it read: {', '.join(leaf.columns)}",
                )
    return found.condition


def steps_of(question: Question, flagging: Flagging) -> Iterator[Step]:
    """The operators of a DataFrame that records went through, from the source up."""
    counts: dict[Operator, int] = {}
    with asking(question.catalyst, "steps"):
        for operator in reversed(list(question.root.walk())):
            if not operator.children or not flagging.annotate(operator).ids or operator.kind == "LocalLimit":
                continue
            reached = Reached(question, flagging, operator)
            below = operator.children[0]
            if operator.kind in KEEPING and below in counts:
                counts[operator] = counts[below]
            else:
                counts[operator] = reached.count()
            yield Step(operator.kind, operator.call_site, counts[operator], partial(_rows, reached))


def _rows(reached: Reached) -> DataFrame:
    return reached.frame()
