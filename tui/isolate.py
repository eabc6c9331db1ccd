"""Isolation: what is wrong, how the search gets on, the records to blame, and a test of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Static

from bigdebug.lineage.callsite import CallSite
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.location import TracedRecord
from bigdebug.lineage.output import Output
from bigdebug.lineage.store import StoredRun
from bigdebug.lineage.value_text import text_value, visible
from bigdebug.tui.actions import bindings
from bigdebug.tui.copying import Shown
from bigdebug.tui.dialogs import Prompt
from bigdebug.tui.engine import Work
from bigdebug.tui.grid import Grid
from bigdebug.tui.pages import Field
from bigdebug.tui.table import RecordRows, columns_of
from bigdebug.tui.traced import Records, of_records
from bigdebug.tui.view import View, command_of, joined
from bigdebug.wording.commands import store_hint
from bigdebug.wording.proofs import of_culprits, of_reproduction
from bigdebug.wording.quantities import duration, plural

if TYPE_CHECKING:
    from bigdebug.isolation.found import IsolatedRow, Isolation
    from bigdebug.isolation.isolating import Progress
    from bigdebug.isolation.suspects import Suspect

_BAR = 30
_SUSPECTS = 3
_ROWS = 5


@dataclass(frozen=True)
class Answer:
    """An isolation, fetched for the screen.

    Attributes:
        found: the isolation itself.
        culprits: of all failing rows, with what is said of each in front.
        listed: the same as records with their places.
        told: the summary.
        suspects: operators to suspect.
    """

    found: Isolation
    culprits: Records
    listed: list[TracedRecord]
    told: Text
    suspects: list[Suspect]


class IsolateView(View):
    """See the module.

    Args:
        run: the run.
        output: one of its outputs.
        failing: which of its rows are wrong.
    """

    NAME = "isolate"
    BINDINGS: ClassVar[list[BindingType]] = bindings("isolate")
    DEFAULT_CSS = """
    IsolateView #told { height: auto; max-height: 60%; padding: 0 1; scrollbar-size-vertical: 1; }
    IsolateView #told Static { height: auto; }
    IsolateView #records { height: 1fr; min-height: 4; border-top: solid $primary; border-title-color: $text-primary; }
    """

    def __init__(self, run: StoredRun, output: Output, failing: str) -> None:
        super().__init__()
        self.run, self.output, self.failing = run, output, failing
        self._work: Work | None = None
        self._progress: Progress | None = None
        self._least = 0
        self._answer: Answer | None = None

    @property
    def heading(self) -> str:
        return joined("bigdebug", self.run.run_id, f"output {self.output.number} wrong where {self.failing}")

    def parts(self) -> ComposeResult:
        with Vertical():
            with VerticalScroll(id="told", can_focus=True):
                yield Static(id="text")
            yield Grid(id="records", cells=True)

    def on_mount(self) -> None:
        super().on_mount()
        self.begin(self._search)
        self.set_interval(0.2, self._draw_progress)

    # -- the search ---------------------------------------------------------------------------------

    async def _search(self) -> None:
        engine = self.ours.engine
        self._work = work = Work("Isolating")

        def told(progress: Progress) -> None:
            self._progress = progress
            if work.stopped:
                raise KeyboardInterrupt  # the search ends with the best found so far
            work.say(f"Trying parts of {plural(progress.candidates, 'candidate')}")

        def ask(work: Work) -> Answer:
            asked = engine.open(self.run, self.output, work)
            work.say("Looking at the sources")
            question = asked.opened()
            work.say("Finding the failing rows and their candidates")
            found = _isolated(question, self.failing, told, self.run, self.output)
            return _fetched(found, work)

        self._show(await engine.ask("Isolating", ask, work))

    def _draw_progress(self) -> None:
        progress = self._progress
        if progress is None or self._answer is not None or not self.on_top:
            return
        share = progress.left / progress.candidates if progress.candidates else 0.0
        filled = round(share * _BAR)
        text = Text.assemble(
            (f"{plural(progress.rows, 'failing row')}, {plural(progress.candidates, 'candidate')}\n", "bold"),
            ("█" * filled + "░" * (_BAR - filled), ""),
            f"  {progress.left:,} left after {plural(progress.replays, 'replay')}, {duration(progress.seconds)}\n",
            (". ends the search with the best found so far; Esc gives it up", "dim"),
        )
        self.query_one("#text", Static).update(text)

    def _show(self, answer: Answer) -> None:
        self._answer = answer
        found = answer.found
        self.query_one("#text", Static).update(answer.told)
        grid = self.query_one("#records", Grid)
        if not found.matched:
            self.say(f"no row of output {self.output.number} fails: {self.failing}", bad=True)
            return
        grid.show(columns_of(answer.culprits.fields, kinds=False), RecordRows(answer.culprits))
        shown = len(answer.listed)
        some = f", the first {shown:,}" if shown < found.culprits.total else ""
        grid.border_title = f"culprits: {plural(found.culprits.total, 'record')}{some}"
        grid.focus()
        took = f"{plural(found.replays, 'replay')} in {plural(found.jobs, 'job')}, {duration(found.seconds)}"
        self.say(f"{took} · S saves a test · Enter opens the file at the record")

    def failed(self, error: BigDebugError) -> None:
        self.query_one("#text", Static).update(Text(visible(str(error))))

    def action_stop(self) -> None:
        if self._work is not None and self._work in self.ours.engine.work:
            self._work.stopped = True
            self.say("the search ends after this round")
        else:
            self.say("the search is over")

    # -- what can be done with it -------------------------------------------------------------------

    def call_site(self) -> CallSite | None:
        if self._answer is not None:
            for each in self._answer.suspects:
                if each.call_site is not None:
                    return each.call_site
        return self.output.call_site

    @on(Grid.Selected)
    def _selected(self) -> None:
        answer = self._answer
        if answer is None or not answer.listed:
            return
        record = answer.listed[self.query_one(Grid).cursor]
        if record.location.file is None:
            self.say("this record stands in no file")
            return
        from bigdebug.tui.file import FileView

        self.app.push_screen(FileView(record, ""))

    def action_trace(self) -> None:
        from bigdebug.tui.trace import TraceView

        self.app.push_screen(TraceView(self.run, self.output, self.failing))

    @work(exclusive=True, group="prompt")
    async def action_save_test(self) -> None:
        answer = self._answer
        if answer is None or not answer.found.matched:
            self.say("there is nothing to test for yet", bad=True)
            return
        script = Path(self.run.argv[0]).stem if self.run.argv else "output"
        hint = "a file for pytest; one that is there is written anew"
        path = await self.app.push_screen_wait(Prompt("Save the test as", f"test_{script}.py", hint))
        if not path:
            return
        chosen = Path(path).expanduser()

        async def write() -> None:
            written = await self.ours.engine.ask("Writing the test", lambda _: answer.found.to_pytest(chosen))
            self.say(f"wrote {written}: it fails until the fault is mended; run it: pytest {written}")

        self.begin(write)

    def command_line(self) -> str | None:
        words = ("isolate", self.run.run_id, str(self.output.number), "--failing", self.failing)
        return command_of(*words, store=store_hint(self.run.store))

    def shown(self) -> Shown | None:
        rows = self.query_one(Grid).rows
        return rows.shown() if isinstance(rows, RecordRows) and rows.count else None


def _isolated(question: Any, failing: str, told: Any, run: StoredRun, output: Output) -> Isolation:
    from bigdebug.isolation.isolating import isolate
    from bigdebug.isolation.rdd.isolating import isolate_rdd
    from bigdebug.isolation.writing import Origin
    from bigdebug.lineage.rdd.questions import RddQuestion

    if isinstance(question, RddQuestion):
        return isolate_rdd(question, failing, progress=told)
    origin = Origin(run.store, run.run_id, output.number, tuple(run.redact))
    return isolate(question, failing, progress=told, origin=origin)


def _fetched(found: Isolation, work: Work) -> Answer:
    """All that the screen shows; on the engine's thread."""
    if not found.matched:
        return Answer(found, Records((), ()), [], Text("nothing fails"), [])
    work.say("Fetching the culprits")
    listed = list(found.culprits)
    table = of_records(listed)
    influences = found.culprits.influence
    if any(each is not None for each in influences):
        fields = [Field("influence", "double"), *table.fields]
        rows = [[weight, *row] for weight, row in zip(influences, table.rows, strict=True)]
        table = replace(table, fields=fields, rows=rows)
    work.say("Looking for what the culprits share")
    suspects: list[Suspect] = []
    shared = Text()
    try:
        patterns = found.explanation
        suspects = list(found.operators[:_SUSPECTS])
    except BigDebugError as error:
        shared.append(f"\nwhat the culprits share can't be told: {visible(str(error))}\n", "dim")
    else:
        if patterns:
            one = found.culprits.total == 1
            shared.append(
                "\nwhat tells the culprit from the others\n" if one else "\nwhat the culprits share\n", "bold"
            )
        for pattern in patterns:
            shared.append(f"{visible(str(pattern))}\n")
            if pattern.condition is not None and pattern.condition != pattern.text:
                shared.append(f"  in SQL: {visible(pattern.condition)}\n", "dim")
        if suspects:
            shared.append("\noperators to suspect\n", "bold")
        for each in suspects:
            at = f" at {each.call_site.label}" if each.call_site else ""
            shared.append(f"{each.score:.2f}  {visible(f'{each.operator}{at}: {each.branch}')}\n")
    told = Text()
    if not found.exact:
        told.append(f"inexact: {visible('; '.join(found.notes))}\n", "bold")
    else:
        told.append("".join(f"note: {visible(note)}\n" for note in found.notes), "dim")
    for number, row in enumerate(found.rows[:_ROWS], 1):
        _tell_row(told, row, f"failing row {number} of {len(found.rows)}: " if found.rows[1:] else "")
    if len(found.rows) > _ROWS:
        told.append(f"and {len(found.rows) - _ROWS:,} more failing rows\n", "dim")
    told.append_text(shared)
    told.rstrip()
    return Answer(found, table, listed, told, suspects)


def _tell_row(told: Text, row: IsolatedRow, head: str) -> None:
    value = row.value
    text = text_value(value)
    if isinstance(value, dict):
        text = ", ".join(f"{name} = {text_value(each)}" for name, each in value.items())
    told.append(head, "bold")
    told.append(f"{text}\n")
    of = f"of {plural(row.candidates, 'candidate')}"
    if row.culprits.total:
        told.append(f"{plural(row.culprits.total, 'culprit')} {of}: ", "bold")
        told.append(f"{of_culprits(row)}\n")
    else:
        told.append(f"no culprits {of}\n", "bold")
    for note in row.notes:
        told.append(f"note: {visible(note)}\n")
    if row.reproduction.total:
        counted = plural(row.reproduction.total, "record")
        same = " (the same)" if row.reproduction.numbers == row.culprits.numbers else ""
        told.append(f"reproduction with {counted}{same}: ", "bold")
        told.append(f"{of_reproduction(row.reproduction)}\n")
