"""An output of two runs, computed again in both: its plans, its rows and the records behind these."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from bigdebug.cli.diff_answer import DiffAnswer, Missing, OutputAnswer, TracedPair
from bigdebug.cli.diff_recorded import operators_behind
from bigdebug.cli.rendering import stage
from bigdebug.cli.replaying import ask_if_large
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.estimate import Estimate
from bigdebug.lineage.output import Output
from bigdebug.lineage.rundiff import changed_operators
from bigdebug.lineage.store import StoredRun

if TYPE_CHECKING:
    from bigdebug.lineage.postmortem import Replay
    from bigdebug.lineage.rdd.postmortem import RddReplay
    from bigdebug.lineage.rowdiff import RowDiff, RowPair
    from bigdebug.lineage.rows_again import RowsAgain


@dataclass(frozen=True)
class Asked:
    """What is asked for.

    Attributes:
        key: columns to pair rows by; none for those that they are grouped by.
        limit: how many rows of each kind are told and traced.
        allow_changed: go on where a source isn't what it was.
    """

    key: Sequence[str]
    limit: int
    allow_changed: bool


class ReplayedOutput:
    """An output of both runs that is computed again.

    Args:
        answer: what was recorded of the runs.
        output: what was recorded of the output.
        replays: the output in the first run and in the second.
        asked: what is asked for.
    """

    def __init__(
        self,
        answer: DiffAnswer,
        output: OutputAnswer,
        replays: Sequence[Replay | RddReplay],
        asked: Asked,
    ) -> None:
        self._answer = answer
        self._output = output
        self._replays = replays
        self._asked = asked
        self._name = f"output {output.pair.first.number}"

    def told(self) -> OutputAnswer:
        """The same with its operators compared by their plans, and its rows compared and traced."""
        answer = self._with_expressions(self._output)
        if self._replays[0].of_rdd != self._replays[1].of_rdd:
            told = "the rows aren't compared: those of one run are an RDD's elements, those of the other a DataFrame's"
            return replace(answer, notes=[*answer.notes, told])
        runs = (self._answer.first, self._answer.second)
        outputs = (answer.pair.first, answer.pair.second)
        sides = [
            self._side(*each) for each in zip(runs, outputs, self._replays, ("first", "second"), strict=True)
        ]
        notes = [*answer.notes, *(note for side in sides for note in side.notes)]
        one, other = sides
        if one.rows is None or other.rows is None:
            return replace(answer, notes=notes)
        try:
            self._ask_if_large()
            rows = self._compared(one.rows, other.rows)
        except BigDebugError as error:
            return replace(answer, notes=[*notes, f"the rows weren't compared: {_told(error)}"])
        traced = [self._traced(pair, number, one, other) for number, pair in enumerate(rows.rows, 1)]
        return replace(answer, rows=rows, traced=traced, notes=notes)

    def _with_expressions(self, answer: OutputAnswer) -> OutputAnswer:
        runs = (self._answer.first, self._answer.second)
        tops = (answer.pair.first.node, answer.pair.second.node)
        try:
            with stage(f"Comparing the plans of {self._name}"):
                one, other = (
                    operators_behind(run, top, replay.expression_texts())
                    for run, top, replay in zip(runs, tops, self._replays, strict=True)
                )
        except BigDebugError as error:
            note = f"the operators were compared by their code alone: {error.message}"
            return replace(answer, notes=[*answer.notes, note])
        return replace(answer, operators=changed_operators(one, other), expressions=True)

    def _side(self, run: StoredRun, output: Output, replay: Any, which: str) -> _Side:
        """A run's rows: computed again, or where that can't be, as an index has them."""
        from bigdebug.lineage.index.reading import open_index
        from bigdebug.lineage.rows_again import rows_indexed

        try:
            with stage(f"Opening {self._name} of the {which} run"):
                # A folder that grew is what two runs are compared for: each reads the files that it read then.
                replay.without_added = True
                rows = replay.rows_again()
        except BigDebugError as error:
            problem = f"the rows of the {which} run can't be computed again: {_told(error)}"
        else:
            notes = [f"the {which} run: {note}" for note in rows.notes]
            return _Side(which, rows, replay.trace, replay.why_not, notes)
        if replay.of_rdd:  # an index of its elements isn't made to be compared
            return _Side(which, None, None, None, [problem])
        try:
            indexed = rows_indexed(replay.spark, run.tables, output.number)
            index = open_index(run.tables, output.number)
        except BigDebugError as error:
            return _Side(which, None, None, None, [problem, f"nor can its index be read: {_told(error)}"])
        if indexed is None or index is None:
            return _Side(which, None, None, None, [problem])
        notes = [f"{problem}; they are taken from its index", *indexed.notes]
        return _Side(which, indexed, index.trace, None, notes)

    def _ask_if_large(self) -> None:
        each = [replay.estimate() for replay in self._replays]
        known = [one.seconds for one in each if one.seconds is not None]
        total = Estimate(sum(one.bytes for one in each), sum(known) if len(known) == len(each) else None)
        ask_if_large(f"Comparing the rows of {self._name}", total)

    def _compared(self, one: RowsAgain, other: RowsAgain) -> RowDiff:
        from bigdebug.lineage.rowdiff import compare_rows

        with stage(f"Comparing the rows of {self._name}"):
            return compare_rows(one, other, self._asked.key, self._asked.limit)

    def _traced(self, pair: RowPair, number: int, first: _Side, second: _Side) -> TracedPair:
        from bigdebug.lineage.tracediff import compare_traces

        if pair.where_first is None or pair.where_second is None:
            return TracedPair(pair, problem="its values can't be written in a condition")
        try:
            with stage(f"Tracing row {number} of {self._name} that isn't the same"):
                one = first.trace(pair.where_first) if pair.first is not None and first.trace else None
                other = second.trace(pair.where_second) if pair.second is not None and second.trace else None
                sources = compare_traces(one, other)
                exact = all(trace.exact for trace in (one, other) if trace is not None)
        except BigDebugError as error:
            return TracedPair(pair, problem=error.message)
        missing = None
        if pair.first is None:
            missing = self._missing(first, pair.where_first)
        elif pair.second is None:
            missing = self._missing(second, pair.where_second)
        return TracedPair(pair, sources, missing, exact)

    def _missing(self, side: _Side, where: str) -> Missing:
        if side.why_not is None:
            return Missing(side.which, None, problem="an index doesn't hold what operators dropped")
        try:
            with stage(f"Asking why a row isn't in the {side.which} run"):
                found = side.why_not(where)
                return Missing(side.which, found.culprit, found.dropped)
        except BigDebugError as error:
            return Missing(side.which, None, problem=error.message)


@dataclass(frozen=True)
class _Side:
    """One run's rows, and how they are asked about.

    Attributes:
        which: `first` or `second`.
        rows: None where they can't be had.
        trace: traces rows back, of a condition.
        why_not: tells why rows are missing; None where it can't be told.
        notes: what there is to know.
    """

    which: str
    rows: RowsAgain | None
    trace: Callable[[str], Any] | None
    why_not: Callable[[str], Any] | None
    notes: Sequence[str]


def _told(error: BigDebugError) -> str:
    return f"{error.message} ({error.hint})" if error.hint else error.message
