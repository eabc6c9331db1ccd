"""Records that a guard held for: those that Spark only counted are computed again, and each can be traced."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from bigdebug.breakpoints.channel.values import Shown
from bigdebug.breakpoints.points.answers import RddAnswers
from bigdebug.breakpoints.points.given import given_elements, trace_of_rows_given
from bigdebug.breakpoints.points.places import FramePlace, Place, RddPlace
from bigdebug.breakpoints.watch.catching import SameAs
from bigdebug.breakpoints.watch.counts import Caught
from bigdebug.breakpoints.watch.guards import condition_of, held
from bigdebug.lineage.asking import asking
from bigdebug.lineage.beside import Beside
from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.operators import Operator
from bigdebug.lineage.questions import question_about, trace_rows
from bigdebug.lineage.rdd.crossing import through_rdds
from bigdebug.lineage.recorder import Recorder
from bigdebug.lineage.where import RowsOf, Where


def caught_rows(
    recorder: Recorder, place: FramePlace, guard: Any, limit: int, output: int | None
) -> list[Caught]:
    """Up to so many of the rows at a place for which a guard holds.

    Args:
        recorder: what the program did so far.
        place: the watched rows.
        guard: SQL text or a Column.
        limit: how many.
        output: number of the output that they were counted for.

    Raises:
        BigDebugError: they can't be computed again; says why.
    """
    question = question_about(place.spark, place.rows, recorder.node_of)
    catalyst, plan = question.catalyst, question.root.plan
    caught = held(catalyst, condition_of(catalyst, plan, guard))
    with asking(catalyst, "caught records"):
        rows = catalyst.frame(catalyst.filter(caught, plan)).limit(limit).collect()
    return [
        Caught(row.asDict(), output, how=partial(trace_of_row, recorder, place, row.asDict())) for row in rows
    ]


def trace_of_caught(recorder: Recorder, place: Place, value: Any, data: Any, of: int | None) -> Any:
    """A backward trace of the records that are equal to one that a task caught.

    Args:
        recorder: what the program did so far.
        place: where it is watched.
        value: it.
        data: what the task told of it.
        of: the number of the function that it was given to, where that is what is watched; else None.
    """
    if of is not None:
        if isinstance(place, FramePlace):
            return trace_of_rows_given(recorder, place, of, SameAs(data))
        below, of_value = given_elements(place)
        return RddAnswers(recorder, below, SameAs(data, of_value=of_value)).trace()
    if isinstance(place, RddPlace):
        return RddAnswers(recorder, place, SameAs(data)).trace()
    if isinstance(value, Shown):
        raise BigDebugError(
            "a row that is too large to be told can't be named",
            hint="trace the frame itself, with a condition",
        )
    return trace_of_row(recorder, place, value)


def trace_of_row(recorder: Recorder, place: FramePlace, row: dict[str, Any]) -> Any:
    """A backward trace of the rows at a place that are equal to one.

    Args:
        recorder: what the program did so far.
        place: the watched rows.
        row: its columns' values.
    """
    lookup = recorder.node_of
    trace = trace_rows(place.spark, place.rows, lookup, RowsOf(_equal_to(row)))
    return through_rdds(trace, lookup, None, Beside())


def _equal_to(row: dict[str, Any]) -> Callable[[Catalyst, Operator], Where]:
    def where(catalyst: Catalyst, root: Operator) -> Where:
        columns = catalyst.output(root.plan)
        if len(columns) != len(row):
            raise BigDebugError(
                "the watched data has columns of the same name: a row of it can't be named",
                hint="trace the frame itself, with a condition",
            )
        schema = catalyst.frame(root.plan).schema
        one = catalyst.analyzed(catalyst.spark.createDataFrame([tuple(row.values())], schema))
        values = catalyst.rows(one)[0]
        literals = catalyst.singleton(catalyst.expressions, "Literal")
        parts = []
        for ordinal, column in enumerate(columns):
            kind = column.dataType()
            if str(kind.typeName()) in ("map", "interval", "variant"):
                continue  # Spark doesn't compare these
            parts.append(catalyst.same(column, literals.create(values.get(ordinal, kind), kind)))
        condition = catalyst.all_of(parts)
        return Where(
            lambda top: catalyst.filter(
                condition, catalyst.project_more(top.attributes, top.plan, root.plan)
            ),
            condition,
        )

    return where
