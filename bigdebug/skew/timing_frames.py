"""Times the Python functions of a DataFrame's plan, record by record, on a replay."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from bigdebug.breakpoints.crashes.rewriting import replaced_in
from bigdebug.breakpoints.crashes.suspects import BY_NODE, ROW_WISE, VECTORISED, functions_within
from bigdebug.breakpoints.points.given import arguments_of, takes_one, trace_given
from bigdebug.breakpoints.watch import wrapping
from bigdebug.lineage.asking import asking
from bigdebug.lineage.depth import deep_plans
from bigdebug.lineage.operators import Operator
from bigdebug.lineage.python_functions import command_of, with_command
from bigdebug.lineage.questions import Question
from bigdebug.lineage.rdd.conditions import SameValue
from bigdebug.lineage.rdd.travelling import travelling
from bigdebug.lineage.trace import Trace
from bigdebug.skew import timers
from bigdebug.skew.behind import Behind
from bigdebug.skew.slow import SlowRecords, Timed, loaded, slow_records
from bigdebug.skew.thresholds import Thresholds

_MARK = "bigdebug timed "


def slow_records_of(question: Question, top: int, thresholds: Thresholds, where: Any = None) -> SlowRecords:
    """The slowest records of a dataflow's Python functions; computes it once.

    Args:
        question: about the dataflow.
        top: how many.
        thresholds: from when on a record is slow.
        where: of which rows; only the records that these come from are timed. All, if None.

    Raises:
        BigDebugError: the program itself fails on its data, or it can't be told what rows come from.
    """
    began = time.monotonic()
    catalyst = question.catalyst
    context = catalyst.spark.sparkContext
    with asking(catalyst, "times of records"), deep_plans(), travelling(timers, wrapping):
        behind = None if where is None else Behind(question, where)
        timing = _Timing(question, context.accumulator({}, timers.TimesParam(top)), top, behind)
        plan = timing.of(question.root if behind is None else behind.root)
        if timing.timed:
            catalyst.frame(plan).write.format("noop").mode("overwrite").save()
    seconds = time.monotonic() - began
    if not timing.timed:
        timing.notes.append("the dataflow calls no function of Python's record by record")
    return slow_records(
        timing.timed, timing.accumulator.value, top, thresholds.deviations, timing.notes, seconds
    )


class _Timing:
    """Puts stopwatches into a plan."""

    def __init__(self, question: Question, accumulator: Any, top: int, behind: Behind | None) -> None:
        self._behind = behind
        self._question = question
        self._catalyst = question.catalyst
        self.accumulator = accumulator
        self._top = top
        self.timed: list[Timed] = []
        self.notes: list[str] = []

    def of(self, operator: Operator) -> Any:
        """The plan of an operator, with stopwatches in it and below it."""
        catalyst, plan = self._catalyst, operator.plan
        below = [self.of(child) for child in operator.children]
        if any(new is not child.plan for new, child in zip(below, operator.children, strict=True)):
            plan = plan.withNewChildren(catalyst.seq(below))
        if operator.kind in BY_NODE:
            self.notes.append(
                f"{operator.described()} works on many records at once, and isn't timed by record"
            )
            return plan
        while True:
            function = self._next(plan)
            if function is None:
                return plan
            changed = replaced_in(catalyst, plan, function, self._with_stopwatch(operator, function))
            if changed is plan:
                return plan
            plan = changed

    def _next(self, plan: Any) -> Any | None:
        """A function that has no stopwatch yet, those in the arguments of others first."""
        for expression in self._catalyst.items(plan.expressions()):
            for function in functions_within(self._catalyst, expression):
                known = function.evalType() in ROW_WISE or function.evalType() in VECTORISED
                if known and not str(function.name()).startswith(_MARK):
                    return function
        return None

    def _with_stopwatch(self, operator: Operator, function: Any) -> Any:
        catalyst = self._catalyst
        command = command_of(catalyst, function)
        vectorised = VECTORISED.get(function.evalType())
        number, name = len(self.timed), str(function.name())
        if vectorised is None:
            alone = takes_one(catalyst, function)
            wrapper: Any = timers.timed_row(command, number, self.accumulator, self._top, alone=alone)
        else:
            wrapper = timers.timed_batch(command, number, self.accumulator, self._top, *vectorised)
        whole = operator if self._behind is None else self._behind.of(operator)
        can_be_traced = len(operator.children) == 1
        self.timed.append(
            Timed(
                loaded(command),
                name,
                operator.kind,
                operator.call_site,
                vectorised is not None,
                partial(_traced, self._question, whole.child, arguments_of(catalyst, function))
                if can_be_traced
                else None,
            )
        )
        return with_command(catalyst, function, wrapper, function.dataType(), timers, name=f"{_MARK}{name}")


def _traced(question: Question, below: Operator, arguments: Sequence[Any], data: bytes) -> Trace:
    """A trace of the rows of which a function was given some values."""
    return trace_given(question, below, arguments, SameValue(data, spread=len(arguments) > 1))
