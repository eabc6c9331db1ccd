"""Times the functions of an RDD's program, record by record, on a replay."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from bigdebug.breakpoints.watch import wrapping
from bigdebug.breakpoints.watch.wrapping import MadeThere
from bigdebug.lineage.asking import jobs_of_ours
from bigdebug.lineage.rdd.annotator import Annotator
from bigdebug.lineage.rdd.conditions import SameValue
from bigdebug.lineage.rdd.freezing import Frozen, frozen_for
from bigdebug.lineage.rdd.kinds import OF_FRAME, RECORD_WISE
from bigdebug.lineage.rdd.operator import RddOperator
from bigdebug.lineage.rdd.questions import RddQuestion
from bigdebug.lineage.rdd.rows import RddRows
from bigdebug.lineage.rdd.trace import RddTrace
from bigdebug.lineage.rdd.travelling import travelling
from bigdebug.skew import timers
from bigdebug.skew.behind import ElementsBehind
from bigdebug.skew.slow import SlowRecords, Timed, slow_records
from bigdebug.skew.thresholds import Thresholds

_BY_PARTITION = {"mapPartitions": False, "mapPartitionsWithIndex": True}
"""Whether the function is given the partition's number, too."""


def slow_elements_of(
    question: RddQuestion, top: int, thresholds: Thresholds, where: Any = None
) -> SlowRecords:
    """The slowest elements of a program's functions; computes it once.

    Args:
        question: about the RDD.
        top: how many.
        thresholds: from when on an element is slow.
        where: of which elements; only the records that these come from are timed. All, if None.

    Raises:
        BigDebugError: the program itself fails on its data, or it can't be told what elements come from.
    """
    began = time.monotonic()
    rows = question.rows
    context = rows.operator.context
    with jobs_of_ours(context, "times of elements"), travelling(timers, wrapping):
        behind = None if where is None else ElementsBehind(question, where)
        times = context.accumulator({}, timers.TimesParam(top))
        timing = _TimingAnnotator(context, times, top, rows, behind)
        rdd = timing.plain(rows.operator, rows.frozen)
        rdd.mapPartitions(timers.exhausted).collect()
    notes = list(question.notes)
    if not timing.timed:
        notes.append("the program calls no function element by element")
    seconds = time.monotonic() - began
    return slow_records(timing.timed, timing.accumulator.value, top, thresholds.deviations, notes, seconds)


class _TimingAnnotator(Annotator):
    """Makes the program's RDDs again, with stopwatches around its functions."""

    def __init__(
        self,
        context: Any,
        accumulator: Any,
        top: int,
        rows: RddRows,
        behind: ElementsBehind | None,
    ) -> None:
        super().__init__(context)
        self._inputs = {} if behind is None else behind.records
        self.accumulator = accumulator
        self._top = top
        self._rows = rows
        self.timed: list[Timed] = []

    def arguments(self, operator: RddOperator, frozen: Frozen) -> dict[str, Any]:
        known = (operator, id(frozen)) in self._arguments
        arguments = super().arguments(operator, frozen)
        function = arguments.get("f")
        if known or function is None:
            return arguments
        number = len(self.timed)
        if operator.kind in RECORD_WISE:
            flat = operator.kind.startswith("flatMap")
            watched: Any = MadeThere(timers.timed, function, number, self.accumulator, self._top, flat)
        elif operator.kind in _BY_PARTITION:
            indexed = _BY_PARTITION[operator.kind]
            watched = timers.timed_partition(function, number, self.accumulator, self._top, indexed=indexed)
        else:
            return arguments
        self.timed.append(
            Timed(
                function,
                getattr(function, "__name__", operator.kind),
                operator.label,
                operator.call_site,
                False,
                partial(_traced, operator, frozen_for(operator, frozen)),
            )
        )
        arguments = {**arguments, "f": watched}
        self._arguments[operator, id(frozen)] = arguments
        return arguments

    def plain(self, operator: RddOperator, given: Frozen) -> Any:
        return self._inputs[operator] if operator in self._inputs else super().plain(operator, given)

    def _own(self, operator: RddOperator) -> Any | None:
        # Not what Spark has shuffled or kept already: there the functions would not be called.
        return operator.rdd if operator.kind == OF_FRAME else None


def _traced(operator: RddOperator, frozen: Frozen, data: bytes) -> RddTrace:
    """A trace of the elements that a function was given and that are equal to one."""
    (below,) = operator.inputs
    of_pair = operator.kind in ("mapValues", "flatMapValues")
    return RddTrace(RddRows(below, frozen), SameValue(data, of_pair=of_pair))
