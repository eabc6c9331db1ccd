"""Skew: the shuffles of an output, the worst first, with bars of keys and partitions, advice, and what it brings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from rich.markup import escape
from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Static

from bigdebug.lineage.callsite import CallSite
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.output import Output
from bigdebug.lineage.store import StoredRun
from bigdebug.lineage.value_text import visible
from bigdebug.tui.actions import bindings
from bigdebug.tui.cells import ListRows
from bigdebug.tui.copying import Shown
from bigdebug.tui.dialogs import Choice, Prompt
from bigdebug.tui.engine import Work
from bigdebug.tui.grid import Grid
from bigdebug.tui.marks import Marks
from bigdebug.tui.skew_rows import (
    FINDINGS,
    KEYS,
    PARTITIONS,
    PARTITIONS_THEN,
    advice_text,
    finding_row,
    foretold_text,
    key_rows,
    keys_title,
    partition_rows,
)
from bigdebug.tui.view import View, command_of, joined
from bigdebug.wording.commands import store_hint
from bigdebug.wording.quantities import plural

if TYPE_CHECKING:
    from bigdebug.skew.finding import Finding, HotKey
    from bigdebug.skew.report import SkewReport
    from bigdebug.skew.what_if import Foretold


class SkewView(View):
    """See the module.

    Args:
        run: the run.
        output: one of its outputs.
        marks: of the run's call sites; those of lopsided shuffles get one.
    """

    NAME = "skew"
    BINDINGS: ClassVar[list[BindingType]] = bindings("skew")
    DEFAULT_CSS = """
    SkewView #findings { height: auto; max-height: 5; min-height: 2; }
    SkewView #keys { height: 2fr; border-top: solid $primary; border-title-color: $text-primary; }
    SkewView #partitions { height: 6; border-top: solid $primary; border-title-color: $text-primary; }
    SkewView #partitions > .grid--cursor { background: $surface; text-style: none; }
    SkewView #advice { height: 2fr; border-top: solid $primary; border-title-color: $text-primary; padding: 0 1;
        scrollbar-size-vertical: 1; }
    SkewView #advice:focus { background-tint: $foreground 3%; }
    SkewView #advice Static { height: auto; }
    SkewView.-wide #findings { max-height: 30%; }
    """

    def __init__(self, run: StoredRun, output: Output, marks: Marks) -> None:
        super().__init__()
        self.run, self.output, self.marks = run, output, marks
        self._report: SkewReport | None = None
        self._change = ""
        self._foretold: dict[int, Foretold] = {}

    @property
    def heading(self) -> str:
        return joined("bigdebug", self.run.run_id, f"skew of output {self.output.number}")

    def parts(self) -> ComposeResult:
        with Vertical():
            yield Grid(FINDINGS, id="findings")
            yield Grid(KEYS, id="keys")
            yield Grid(PARTITIONS, id="partitions")
            with VerticalScroll(id="advice", can_focus=True):
                yield Static(id="text")

    def on_mount(self) -> None:
        super().on_mount()
        partitions = self.query_one("#partitions", Grid)
        partitions.can_focus = False
        self.query_one("#keys", Grid).border_title = "keys"
        partitions.border_title = "partitions"
        self.query_one("#advice", VerticalScroll).border_title = "advice"
        self.begin(self._ask)

    # -- the report ---------------------------------------------------------------------------------

    async def _ask(self) -> None:
        engine = self.ours.engine

        def ask(work: Work) -> SkewReport:
            question = engine.open(self.run, self.output, work).opened()
            work.say("Counting the records of each key")
            return _report(question, self.output.seconds)

        self._show(await engine.ask("Looking for skew", ask))

    def _show(self, report: SkewReport) -> None:
        self._report = report
        self.marks.skews |= {each.call_site.label for each in report.skewed if each.call_site}
        nodes = self.run.nodes.values()
        rows = [finding_row(each, nodes) for each in report]
        self.query_one("#findings", Grid).show(FINDINGS, ListRows(rows))
        notes = "".join(f"; {note}" for note in report.notes)
        if not report:
            self.query_one("#text", Static).update(Text("nothing is shuffled"))
            self.say(f"the output needs no shuffle{notes}")
            return
        lopsided = len(report.skewed)
        told = f"{lopsided} of {plural(len(report), 'shuffle')} lopsided"
        if any(each.hot_keys for each in report.skewed):
            told += " · Tab, Enter: the files of a key"
        told += " · m: slow records"
        self.say(told + notes)

    def failed(self, error: BigDebugError) -> None:
        if self._report is None:
            self.query_one("#text", Static).update(Text(visible(str(error))))

    def _finding(self) -> Finding | None:
        grid = self.query_one("#findings", Grid)
        return self._report[grid.cursor] if self._report and grid.cursor < len(self._report) else None

    @on(Grid.Moved, "#findings")
    def _moved(self) -> None:
        finding = self._finding()
        if finding is None:
            return
        keys = self.query_one("#keys", Grid)
        keys.show(KEYS, ListRows(key_rows(finding)))
        keys.border_title = escape(visible(keys_title(finding)))
        foretold = self._foretold.get(finding.number)
        partitions = self.query_one("#partitions", Grid)
        changed = foretold is not None and foretold.applies
        rows = partition_rows(finding, foretold)
        partitions.show(PARTITIONS_THEN if changed else PARTITIONS, ListRows(rows))
        held = finding.records_of_partitions.count
        title = f"partitions: {finding.partitions:,}, of which {held:,} {'holds' if held == 1 else 'hold'} records"
        if foretold is not None:
            title = f"partitions, and what {self._change} makes of them"
            self.say(foretold_text(self._change, foretold))
        partitions.border_title = escape(title)
        self.query_one("#text", Static).update(advice_text(finding))
        self.query_one("#advice", VerticalScroll).scroll_home(animate=False)

    def call_site(self) -> CallSite | None:
        finding = self._finding()
        return finding.call_site if finding else None

    # -- what can be done with it -------------------------------------------------------------------

    @on(Grid.Selected, "#findings")
    def _finding_selected(self) -> None:
        self.query_one("#keys", Grid).focus()

    @on(Grid.Selected, "#keys")
    def _key_selected(self) -> None:
        self.action_trace()

    def _key(self) -> HotKey | None:
        finding, cursor = self._finding(), self.query_one("#keys", Grid).cursor
        return finding.largest[cursor] if finding and cursor < len(finding.largest) else None

    def action_trace(self) -> None:
        finding, key = self._finding(), self._key()
        if finding is None or key is None:
            self.say("there is no key to trace")
            return
        from bigdebug.tui.found_trace import trace_of_key

        self.app.push_screen(trace_of_key(self.run, self.output, finding, key))

    def action_slow(self) -> None:
        from bigdebug.tui.slow import SlowView

        self.app.push_screen(SlowView(self.run, self.output))

    @work(exclusive=True, group="prompt")
    async def action_what_if(self) -> None:
        report = self._report
        if not report:
            self.say("there is no shuffle to change")
            return
        hint = "salt=16, partitions=400 or nulls=drop, or several of them"
        change = await self.app.push_screen_wait(
            Prompt("What if", self._change or "salt=16", hint, _wrong_change)
        )
        if change and change.strip():
            self.begin(lambda: self._foretell(report, change))

    async def _foretell(self, report: SkewReport, text: str) -> None:
        from bigdebug.skew.what_if import Change

        change = Change.parsed([text])

        def ask(work: Work) -> list[Foretold]:
            work.say("Working out the change")
            return report.what_if(change.salt, change.partitions, drop_nulls=change.drop_nulls)

        found = await self.ours.engine.ask("What if", ask)
        self._change = str(change)
        self._foretold = {each.finding.number: each for each in found}
        self._moved()

    @work(exclusive=True, group="prompt")
    async def action_copy_code(self) -> None:
        finding = self._finding()
        changes = {each.change: each.text for each in finding.advice if each.change} if finding else {}
        if not changes:
            self.say("no advice here has code")
            return
        chosen = next(iter(changes))
        if len(changes) > 1:
            picked = await self.app.push_screen_wait(
                Choice("Copy the code of", {str(place): text for place, text in enumerate(changes.values())})
            )
            if picked is None:
                return
            chosen = list(changes)[int(picked)]
        self.ours.copy(f"{chosen}\n")
        self.say(f"copied: {chosen.splitlines()[0]}")

    # -- what can be copied -------------------------------------------------------------------------

    def command_line(self) -> str | None:
        words = ["skew", self.run.run_id, str(self.output.number)]
        for each in self._change.split():
            words += ["--what-if", each]
        return command_of(*words, store=store_hint(self.run.store))

    def shown(self) -> Shown | None:
        report, finding = self._report, self._finding()
        if not report or finding is None:
            return None
        if self.query_one("#keys", Grid).has_focus and finding.largest:
            names = [*finding.largest[0].key, "records", "share", "bytes", "hot by"]
            keys = [
                [*key.key.values(), key.records, key.share, key.bytes, ", ".join(key.hot_by)]
                for key in finding.largest
            ]
            return Shown(names, keys)
        names = ["skew", "operator", "at", "by", "ratio", "records", "longest partition"]
        rows: list[list[Any]] = [
            [each.severity, each.operator, each.call_site.label if each.call_site else "", ", ".join(each.keys),
             each.ratio, each.records, each.records_of_partitions.most]
            for each in report
        ]  # fmt: skip
        return Shown(names, rows)


def _report(question: Any, seconds: float | None) -> SkewReport:
    """How lopsided an output's shuffles are; on the engine's thread."""
    from bigdebug.lineage.rdd.questions import RddQuestion
    from bigdebug.skew.rdds import skew_of_rdd
    from bigdebug.skew.report import skew_of

    if isinstance(question, RddQuestion):
        return skew_of_rdd(question, None, seconds)
    return skew_of(question, None, seconds)


def _wrong_change(text: str) -> str | None:
    from bigdebug.skew.what_if import Change

    try:
        Change.parsed([text])
    except BigDebugError as error:
        return f"{error.message} — {error.hint}" if error.hint else error.message
    return None
