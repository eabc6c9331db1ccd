"""Slow records: how long functions take by record, as histograms, and the records they take longest for."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any, ClassVar

from rich.markup import escape
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical

from bigdebug.lineage.callsite import CallSite
from bigdebug.lineage.output import Output
from bigdebug.lineage.store import StoredRun
from bigdebug.lineage.value_text import visible
from bigdebug.tui.actions import bindings
from bigdebug.tui.bars import bar
from bigdebug.tui.cells import Cell, Column, ListRows
from bigdebug.tui.copying import Shown
from bigdebug.tui.engine import Work
from bigdebug.tui.grid import Grid
from bigdebug.tui.view import View, joined
from bigdebug.wording.quantities import duration, plural

if TYPE_CHECKING:
    from bigdebug.skew.slow import FunctionTime, SlowRecord, SlowRecords

_TOP = 50
_BAR = 40
_FUNCTIONS = (
    Column("function", most=30),
    Column("operator", most=20),
    Column("at", most=24),
    Column("records", right=True),
    Column("in all", right=True),
    Column("a record", right=True),
)
_HISTOGRAM = (
    Column("less than", right=True, width=9),
    Column("records", right=True, width=12),
    Column("", width=_BAR),
)
_RECORDS = (
    Column("took", right=True, width=8),
    Column("deviations", right=True, width=10),
    Column("given", most=200),
)


class SlowView(View):
    """See the module.

    Args:
        run: the run.
        output: one of its outputs.
    """

    NAME = "slow"
    BINDINGS: ClassVar[list[BindingType]] = bindings("slow")
    DEFAULT_CSS = """
    SlowView #functions { height: auto; max-height: 5; min-height: 2; }
    SlowView #histogram { height: 1fr; border-top: solid $primary; border-title-color: $text-primary; }
    SlowView #records { height: 1fr; border-top: solid $primary; border-title-color: $text-primary; }
    """

    def __init__(self, run: StoredRun, output: Output) -> None:
        super().__init__()
        self.run, self.output = run, output
        self._answer: SlowRecords | None = None

    @property
    def heading(self) -> str:
        return joined("bigdebug", self.run.run_id, f"slow records of output {self.output.number}")

    def parts(self) -> ComposeResult:
        with Vertical():
            yield Grid(_FUNCTIONS, id="functions")
            yield Grid(_HISTOGRAM, id="histogram")
            yield Grid(_RECORDS, id="records")

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one("#histogram", Grid).border_title = "how long a record takes"
        self.query_one("#records", Grid).border_title = "slowest records"
        self.begin(self._ask)

    async def _ask(self) -> None:
        engine = self.ours.engine

        def ask(work: Work) -> SlowRecords:
            question = engine.open(self.run, self.output, work).opened()
            work.say("Computing the output once more, with a stopwatch at each function")
            return _timed(question)

        self._show(await engine.ask("Timing functions", ask))

    def _show(self, answer: SlowRecords) -> None:
        self._answer = answer
        rows = [
            [
                each.described,
                each.operator,
                each.call_site.label if each.call_site else "",
                f"{each.calls:,}",
                short(each.seconds),
                short(each.mean),
            ]
            for each in answer.functions
        ]
        self.query_one("#functions", Grid).show(_FUNCTIONS, ListRows(rows))
        if not answer.functions:
            self.say("; ".join(answer.notes) or "no times came back from the output's functions", bad=True)
            return
        told = f"{plural(len(answer.functions), 'function')} timed, in {duration(answer.seconds)}"
        if answer.records:
            told += " · Tab, Enter: where a slow record comes from"
        self.say("; ".join([told, *answer.notes]))

    def _function(self) -> FunctionTime | None:
        functions = self._answer.functions if self._answer else ()
        cursor = self.query_one("#functions", Grid).cursor
        return functions[cursor] if cursor < len(functions) else None

    def _records(self) -> list[SlowRecord]:
        """The slowest of the function under the cursor."""
        function = self._function()
        return [each for each in self._answer or () if each.function is function]

    @on(Grid.Moved, "#functions")
    def _moved(self) -> None:
        function = self._function()
        if function is None:
            return
        most = max((count for _, count in function.histogram), default=0)
        slow_from = min((each.seconds for each in self._records() if each.slow), default=None)
        histogram = self.query_one("#histogram", Grid)
        histogram.show(
            _HISTOGRAM,
            ListRows(
                [
                    [
                        short(bound),
                        f"{count:,}",
                        Cell(
                            bar(count, most, _BAR),
                            "grid--bad" if slow_from is not None and bound > slow_from else "grid--good",
                        ),
                    ]
                    for bound, count in function.histogram
                ]
            ),
        )
        shared = ", shared out among the records of a batch" if function.vectorised else ""
        histogram.border_title = escape(visible(f"how long {function.name} takes for a record{shared}"))
        records = self._records()
        self.query_one("#records", Grid).show(
            _RECORDS,
            ListRows(
                [
                    [
                        Cell(short(each.seconds), "grid--bad" if each.slow else ""),
                        f"{each.deviations:,.1f}" if isfinite(each.deviations) else "∞",
                        each.text,
                    ]
                    for each in records
                ]
            ),
        )
        slow = sum(each.slow for each in records)
        self.query_one("#records", Grid).border_title = f"slowest records: {slow} of {len(records)} stand out"

    def call_site(self) -> CallSite | None:
        function = self._function()
        return function.call_site if function else None

    # -- what can be done with it -------------------------------------------------------------------

    @on(Grid.Selected, "#functions")
    def _function_selected(self) -> None:
        self.query_one("#records", Grid).focus()

    @on(Grid.Selected, "#records")
    def _record_selected(self) -> None:
        self.action_trace()

    def action_trace(self) -> None:
        records, cursor = self._records(), self.query_one("#records", Grid).cursor
        if cursor >= len(records):
            self.say("there is no record to trace")
            return
        from bigdebug.tui.found_trace import trace_of_slow

        self.app.push_screen(trace_of_slow(self.run, self.output, records[cursor]))

    def shown(self) -> Shown | None:
        answer = self._answer
        if answer is None or not answer.records:
            return None
        rows = [[each.seconds, each.deviations, each.function.described, each.text] for each in answer]
        return Shown(["seconds", "deviations", "function", "given"], rows)


def short(seconds: float) -> str:
    """A short time: `512 ns`, `3.1 µs`, `12 ms`, `1.2 s`."""
    if seconds >= 0.9995:
        return duration(seconds)
    count, unit = seconds * 1e9, "ns"
    for larger in ("µs", "ms"):
        if count >= 999.5:
            count, unit = count / 1e3, larger
    return f"{count:.0f} {unit}" if count >= 9.95 or unit == "ns" else f"{count:.1f} {unit}"


def _timed(question: Any) -> SlowRecords:
    """The slowest records of an output; on the engine's thread."""
    from bigdebug.lineage.rdd.questions import RddQuestion
    from bigdebug.skew.thresholds import Thresholds
    from bigdebug.skew.timing_frames import slow_records_of
    from bigdebug.skew.timing_rdds import slow_elements_of

    if isinstance(question, RddQuestion):
        return slow_elements_of(question, _TOP, Thresholds())
    return slow_records_of(question, _TOP, Thresholds())
