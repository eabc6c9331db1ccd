"""The operators on a trace's way, and how many of their rows are on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from pyspark.sql import DataFrame

from bigdebug.lineage.annotate import Annotator
from bigdebug.lineage.annotated import Annotated, Boundary, IdColumn
from bigdebug.lineage.catalyst import Catalyst, fresh_name
from bigdebug.lineage.found import Step
from bigdebug.lineage.grouped_functions import GROUPED_FUNCTIONS
from bigdebug.lineage.identity import SourceLeaf
from bigdebug.lineage.operators import KEEPING, Operator, is_distinct, is_one_sided
from bigdebug.lineage.segments import Segment

# Operators of which one input row may give several output rows: their rows need a number of their own.
_MULTIPLYING = frozenset({"Generate", "BinBy", "Expand", "Sample"}) | GROUPED_FUNCTIONS


class Marking(Annotator):
    """Annotates, and besides numbers rows that ids don't tell apart, and keeps some operator's rows.

    Args:
        annotator: whose sources and rules these are.
        kept: the operator whose rows are wanted as well, if any.
    """

    def __init__(self, annotator: Annotator, kept: Operator | None = None) -> None:
        super().__init__(annotator.catalyst, annotator.sources, kept=annotator.kept, beside=annotator.beside)
        self._kept = kept

    def annotate(self, operator: Operator) -> Annotated:
        annotated = super().annotate(operator)
        if _needs_numbers(self, operator):
            number = self.catalyst.expressions.MonotonicallyIncreasingID()
            annotated = self._with(annotated, operator, number)
        if operator is self._kept:
            columns = self.catalyst.output(operator.plan)
            row = self.catalyst.struct((column.name(), column) for column in columns)
            annotated = self._with(annotated, Kept(), row)
        return annotated

    def _with(self, annotated: Annotated, origin: Any, expression: Any) -> Annotated:
        column = self.catalyst.alias(expression, fresh_name("mark"))
        plan = self.catalyst.project_more([column], annotated.plan)
        return Annotated(plan, (*annotated.ids, IdColumn(origin, column.toAttribute())))


class Kept:
    """Origin of the column that holds the rows of one operator."""


def steps_of(
    catalyst: Catalyst, annotator: Annotator, segments: Sequence[Segment], opened: list[Segment]
) -> Iterator[Step]:
    """A step for each operator of each segment, from the output down, sources left out.

    Args:
        segments: those of the trace, run.
        opened: gets the segments that had to be run once more, to be released with the trace.
    """
    for segment in segments:
        if any(_needs_numbers(annotator, operator) for operator in within(annotator, segment.top)):
            segment = Segment(catalyst, Marking(annotator), segment.top, segment.narrow)
            opened.append(segment)
        rows = segment.rows()
        for operator, numbers in steps_within(annotator, segment.top, segment.ids):
            ids = [segment.ids[i].id for i in numbers]
            count = rows.distinct(ids, key=_any(catalyst, ids)).count
            records = partial(_rows_at, catalyst, annotator, segment, operator)
            yield Step(operator.kind, operator.call_site, count, records)


def steps_within(
    annotator: Annotator, top: Operator, ids: Sequence[IdColumn]
) -> Iterator[tuple[Operator, tuple[int, ...]]]:
    """The operators of a segment that are steps, each with which of the segment's id columns tell its rows apart."""
    for operator in within(annotator, top):
        if not operator.children or operator.kind == "LocalLimit":  # half of a limit
            continue
        below = tuple(i for i, column in enumerate(ids) if _below(annotator, column, operator))
        if below:
            yield operator, below


def within(annotator: Annotator, top: Operator) -> Iterator[Operator]:
    """The operators of a segment: down from its top to the sources and boundaries, these included."""
    yield top
    if annotator.is_boundary(top):
        return
    for child in top.children[:1] if is_one_sided(top) else top.children:
        yield from within(annotator, child)


def _needs_numbers(annotator: Annotator, operator: Operator) -> bool:
    """Whether several rows of an operator may have the same ids.

    Of boundaries only aggregates have a key for each row; that of a partition stands for many.
    """
    if operator.kind in _MULTIPLYING:
        return True
    return annotator.is_boundary(operator) and operator.kind != "Aggregate" and not is_distinct(operator)


def gives_records_once(annotator: Annotator, top: Operator) -> bool:
    """Whether a segment stands on one source alone and none of its operators gives a row of it twice."""
    operators = list(within(annotator, top))
    return operators[-1] in annotator.sources and all(
        len(operator.children) == 1 and operator.kind not in _MULTIPLYING for operator in operators[:-1]
    )


def gives_all_records(annotator: Annotator, top: Operator) -> bool:
    """Whether a segment stands on one source alone, and each record of it is in one of its rows."""
    operators = list(within(annotator, top))
    return operators[-1] in annotator.sources and all(each.kind in KEEPING for each in operators[:-1])


def _below(annotator: Annotator, column: IdColumn, operator: Operator) -> bool:
    origin: Any = column.origin
    if isinstance(origin, SourceLeaf | Boundary):
        origin = origin.operator
    return any(below is origin for below in within(annotator, operator))


def _any(catalyst: Catalyst, ids: list[Any]) -> Any:
    """Not null where at least one of the ids isn't."""
    if len(ids) == 1:
        return ids[0]
    conditions = [catalyst.expressions.IsNotNull(column) for column in ids]
    some = catalyst.any_of(conditions)
    truth = catalyst.literal(True)
    return catalyst.expressions.If(some, truth, catalyst.null(truth.dataType()))


def _rows_at(catalyst: Catalyst, annotator: Annotator, segment: Segment, operator: Operator) -> DataFrame:
    keeping = Marking(annotator, kept=operator)
    annotated = keeping.annotate(segment.top)
    plan = segment.narrow(annotated)
    (kept,) = [column for column in annotated.ids if isinstance(column.origin, Kept)]
    # Told apart by their ids: two equal rows of an operator are two rows.
    ids = [
        column.id for column in annotated.ids if _below(annotator, column, operator) and column is not kept
    ]
    frame = catalyst.frame(catalyst.project([*ids, kept.id], plan)).filter(f"{kept.id.name()} is not null")
    names = [attribute.name() for attribute in ids]
    return frame.dropDuplicates(names).select(f"{kept.id.name()}.*")
