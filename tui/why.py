"""Why rows are missing: how many like them enter and leave each operator, and what was dropped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical

from bigdebug.lineage.callsite import CallSite
from bigdebug.lineage.output import Output
from bigdebug.lineage.sampling import Dropped
from bigdebug.lineage.store import StoredRun
from bigdebug.lineage.value_text import text_value
from bigdebug.lineage.whynot import WhyNotStep
from bigdebug.tui.actions import bindings
from bigdebug.tui.cells import Cell, Column, ListRows
from bigdebug.tui.copying import Shown
from bigdebug.tui.engine import Work
from bigdebug.tui.grid import Grid
from bigdebug.tui.view import View, command_of, joined
from bigdebug.wording.code_line import code_line
from bigdebug.wording.commands import store_hint

_COLUMNS = (
    Column("", width=1, style="grid--mark"),
    Column("operator", most=30),
    Column("at", most=24),
    Column("rows in", right=True),
    Column("rows out", right=True),
    Column("code", most=100, style="grid--dim"),
)
_DROPPED = (Column("dropped", most=60), Column("because", most=90), Column("near", most=40))


@dataclass(frozen=True)
class Told:
    """The answer, fetched.

    Attributes:
        steps: the operators, from the sources up.
        culprit: the number of the step that dropped the rows; None where nothing is missing.
        dropped: some of the rows.
        notes: what else there is to know.
        exact: whether a second run gives these rows for sure.
    """

    steps: list[WhyNotStep]
    culprit: int | None
    dropped: list[Dropped]
    notes: list[str]
    exact: bool


class WhyNotView(View):
    """See the module.

    Args:
        run: the run.
        output: one of its outputs.
        where: what the missing rows would fulfil.
    """

    NAME = "why"
    BINDINGS: ClassVar[list[BindingType]] = bindings("why")
    DEFAULT_CSS = """
    WhyNotView #steps { height: 3fr; }
    WhyNotView #dropped { height: 2fr; border-top: solid $primary; border-title-color: $text-primary; }
    """

    def __init__(self, run: StoredRun, output: Output, where: str) -> None:
        super().__init__()
        self.run, self.output, self.where = run, output, where
        self._told: Told | None = None

    @property
    def heading(self) -> str:
        return joined("bigdebug", self.run.run_id, f"why not in output {self.output.number}: {self.where}")

    def parts(self) -> ComposeResult:
        with Vertical():
            yield Grid(_COLUMNS, id="steps")
            yield Grid(_DROPPED, id="dropped")

    def on_mount(self) -> None:
        super().on_mount()
        self.begin(self._ask)

    async def _ask(self) -> None:
        engine = self.ours.engine

        def ask(work: Work) -> Told:
            asked = engine.open(self.run, self.output, work)
            answer = asked.replay.why_not(self.where)
            work.say("Counting the rows at each operator")
            steps, culprit = answer.steps, answer.culprit
            work.say("Looking at what was dropped")
            number = None if culprit is None else steps.index(culprit)
            return Told(steps, number, answer.dropped, [*answer.notes, *answer.not_carried], answer.exact)

        self._show(await engine.ask("Looking for what dropped them", ask))

    def _show(self, told: Told) -> None:
        self._told = told
        nodes = self.run.nodes.values()
        rows = []
        for number, step in enumerate(told.steps):
            bad = number == told.culprit
            rows.append(
                [
                    "✗" if bad else "",
                    Cell(step.operator, "grid--bad" if bad else ""),
                    step.call_site.label if step.call_site else "",
                    f"{step.rows_in:,}",
                    Cell(f"{step.rows_out:,}", "grid--bad" if bad else ""),
                    code_line(step.call_site, nodes),
                ]
            )
        grid = self.query_one("#steps", Grid)
        grid.show(_COLUMNS, ListRows(rows))
        dropped = self.query_one("#dropped", Grid)
        dropped.show(
            _DROPPED,
            ListRows(
                [
                    [_pairs(each.row), "; ".join(each.reasons), "; ".join(map(_pairs, each.near))]
                    for each in told.dropped
                ]
            ),
        )
        dropped.border_title = "some of what it dropped" if told.dropped else "nothing to show was dropped"
        if told.culprit is not None:
            grid.place(told.culprit)
            step = told.steps[told.culprit]
            at = f" at {step.call_site.label}" if step.call_site else ""
            notes = "".join(f"; {note}" for note in told.notes)
            if step.rows_in:
                self.say(
                    f"{step.operator}{at} dropped them: {step.rows_in:,} in, {step.rows_out:,} out{notes}"
                )
            else:
                self.say("; ".join(told.notes))
        else:
            self.say("; ".join(told.notes) or "nothing is missing")

    def call_site(self) -> CallSite | None:
        if self._told is None or not self._told.steps:
            return None
        return self._told.steps[self.query_one("#steps", Grid).cursor].call_site

    @on(Grid.Selected, "#steps")
    def _selected(self) -> None:
        self.query_one("#dropped", Grid).focus()

    def action_next(self) -> None:
        self.query_one("#steps", Grid).action_move(1)

    def action_down(self) -> None:
        self.query_one("#steps", Grid).action_move(-1)  # the sources stand above

    def action_up(self) -> None:
        self.action_next()

    def action_go_on(self) -> None:
        if self._told is not None and self._told.culprit is not None:
            self.query_one("#steps", Grid).place(self._told.culprit)

    def command_line(self) -> str | None:
        words = ("why-not", self.run.run_id, str(self.output.number), "--where", self.where)
        return command_of(*words, store=store_hint(self.run.store))

    def shown(self) -> Shown | None:
        if self._told is None:
            return None
        rows = [
            [each.operator, each.call_site.label if each.call_site else "", each.rows_in, each.rows_out]
            for each in self._told.steps
        ]
        return Shown(["operator", "at", "rows in", "rows out"], rows)


def _pairs(row: dict[str, object]) -> str:
    return ", ".join(f"{name} = {text_value(value)}" for name, value in row.items())
