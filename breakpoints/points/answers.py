"""What a point answers: the records that pass it, how many there are, and where they come from.

A place of rows and one of elements are asked the same way; each runs jobs of ours, and none of the user's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from typing import Any, Protocol

from bigdebug.breakpoints.points.places import FramePlace, Place, RddPlace
from bigdebug.lineage.asking import asking, jobs_of_ours
from bigdebug.lineage.beside import Beside
from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.questions import Question, question_about, trace_rows
from bigdebug.lineage.rdd.annotator import Annotator
from bigdebug.lineage.rdd.conditions import predicate_of
from bigdebug.lineage.rdd.crossing import through_rdds
from bigdebug.lineage.rdd.kinds import OF_FRAME
from bigdebug.lineage.rdd.live import live_rdd_trace
from bigdebug.lineage.rdd.operator import FrameRows
from bigdebug.lineage.rdd.trace import RddTrace
from bigdebug.lineage.rdd.travelling import travelling
from bigdebug.lineage.recorder import Recorder
from bigdebug.lineage.where import Where, rows_where


class Answers(Protocol):
    """The records that pass a point."""

    def records(self, limit: int) -> list[Any]:
        """Up to so many of them."""

    def count(self) -> int:
        """How many there are."""

    def trace(self) -> Any:
        """A backward trace of them."""


def answers_at(recorder: Recorder, place: Place, when: Any) -> Answers:
    """The answers of a point.

    Args:
        recorder: what the program did so far.
        place: the point.
        when: which records: SQL text or a Column over rows; of elements a function or an expression in Python;
            None for all.

    Raises:
        BigDebugError: `when` can't be asked there; says why.
    """
    if isinstance(place, FramePlace):
        return FrameAnswers(recorder, place, when)
    return RddAnswers(recorder, place, when)


class FrameAnswers:
    """Of the rows of a plan."""

    def __init__(self, recorder: Recorder, place: FramePlace, when: Any) -> None:
        self._recorder = recorder
        self._place = place
        self._when = when
        self._where  # noqa: B018 - what is wrong with the condition is said now, not at the first job

    def records(self, limit: int) -> list[Any]:
        with asking(self.catalyst, "records at a breakpoint"):
            return list(self._frame().limit(limit).collect())

    def count(self) -> int:
        with asking(self.catalyst, "the number of records at a breakpoint"):
            return int(self._frame().count())

    def trace(self) -> Any:
        place, lookup = self._place, self._recorder.node_of
        trace = trace_rows(place.spark, place.rows, lookup, self._when, action=place.action)
        return through_rdds(trace, lookup, None, Beside())

    @property
    def catalyst(self) -> Catalyst:
        return self._question.catalyst

    def _frame(self) -> Any:
        plan = self._question.root.plan
        if self._where.condition is not None:
            plan = self.catalyst.filter(self._where.condition, plan)
        return self.catalyst.frame(plan)

    @cached_property
    def _question(self) -> Question:
        place = self._place
        return question_about(place.spark, place.rows, self._recorder.node_of, action=place.action)

    @cached_property
    def _where(self) -> Where:
        found = rows_where(self.catalyst, self._question.root, self._when, "the breakpoint", "when")
        if not found.is_condition:
            raise BigDebugError(
                f"when={str(self._when)!r} is no condition on one row",
                hint="leave window functions, generators and hidden columns out of it",
            )
        return found


class RddAnswers:
    """Of the elements of an RDD."""

    def __init__(self, recorder: Recorder, place: RddPlace, when: Any) -> None:
        self._recorder = recorder
        self._place = place
        self._when: Callable[[Any], Any] | None = predicate_of(when)

    def records(self, limit: int) -> list[Any]:
        with self._asking("elements at a breakpoint"):
            return list(self._elements().take(limit))

    def count(self) -> int:
        with self._asking("the number of elements at a breakpoint"):
            return int(self._elements().count())

    def trace(self) -> Any:
        if self._place.rdd is not None:
            return live_rdd_trace(self._recorder, self._place.rdd, self._when, Beside())
        return RddTrace(replace(self._place.rows, action=None, arguments=None), self._when)

    def _asking(self, what: str) -> Any:
        return jobs_with_functions(self._place.operator.context, what)

    def _elements(self) -> Any:
        found = plain_rdd(self._place)
        return found if self._when is None else found.filter(self._when)


@contextmanager
def jobs_with_functions(context: Any, what: str) -> Iterator[None]:
    """Jobs of ours with functions of ours in them.

    Args:
        context: the SparkContext.
        what: is asked for.
    """
    with travelling(), jobs_of_ours(context, what):
        yield


def plain_rdd(place: RddPlace) -> Any:
    """The RDD at a place: the program's own, or the same made again.

    Raises:
        BigDebugError: it can't be made again.
    """
    if place.rdd is not None:
        return place.rdd
    for each in place.operator.walk():
        if each.kind == OF_FRAME and isinstance(each.frame, FrameRows) and each.rdd is None:
            raise BigDebugError(
                f"the RDD of the DataFrame at {each.described()} is no longer at hand",
                hint="hold the RDD in a variable, or set the breakpoint at the DataFrame",
            )
        if each.problem:
            raise BigDebugError(f"it can't be computed again: {each.problem}")
    return Annotator(place.operator.context).plain(place.operator, place.rows.frozen)
