"""Rows of an output or of an operator, in a table of any length, with a filter and an order."""

from __future__ import annotations

import asyncio
import json
from typing import Any, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType

from bigdebug.lineage.callsite import CallSite
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.output import Output
from bigdebug.lineage.store import StoredRun
from bigdebug.lineage.value_text import json_value
from bigdebug.tui.actions import bindings
from bigdebug.tui.cells import Column, titled
from bigdebug.tui.conditions import FAULTS, failing, of_element, of_row
from bigdebug.tui.copying import Shown
from bigdebug.tui.dialogs import Choice, FullText, Prompt
from bigdebug.tui.grid import Grid
from bigdebug.tui.pages import Field, PageRows, Pages
from bigdebug.tui.view import View, command_of, joined
from bigdebug.wording.commands import store_hint

_MOST_COPIED = 1_000


class RecordsView(View):
    """See the module.

    Args:
        run: the run.
        output: one of its outputs.
        node: the id of an operator on the way to it, whose rows are shown; None for the output's own.
        where: which rows: a condition as the filter takes it; empty for all.
    """

    NAME = "records"
    BINDINGS: ClassVar[list[BindingType]] = bindings("records")

    def __init__(self, run: StoredRun, output: Output, node: int | None = None, where: str = "") -> None:
        super().__init__()
        self.run = run
        self.output = output
        self.node = node
        self._where = where
        self._tried = where
        self._order: int | None = None
        self._descending = False
        self._rows: PageRows | None = None
        self._of_rdd = False

    @property
    def heading(self) -> str:
        output = self.output
        what = f"output {output.number} ({output.target or output.action})"
        node = self.run.nodes.get(self.node or 0)
        if node is not None:
            what = f"{node.id} {node.operator}, on the way to {what}"
        return joined("bigdebug", self.run.run_id, what, f"where {self._where}" if self._where else "")

    def parts(self) -> ComposeResult:
        yield Grid(cells=True, id="records")

    def on_mount(self) -> None:
        super().on_mount()
        self.say("the rows are computed again from what was recorded")
        self.begin(self._compute)

    # -- the rows -----------------------------------------------------------------------------------

    async def _compute(self) -> None:
        from bigdebug.tui.spark_rows import Wanted, all_rows, first_rows  # loads PySpark

        engine = self.ours.engine
        wanted = Wanted(self.node, self._tried, self._order, self._descending)
        pages: Pages = await engine.ask(
            "Computing the rows", lambda work: first_rows(engine, self.run, self.output, wanted, work)
        )
        self._of_rdd = engine.is_of_rdd(self.run, self.output)
        if self._where != self._tried:
            self._where = self._tried
            self.retitle()
        self._show(pages, keep=False)
        if not pages.complete:
            self.say(f"the first {pages.count:,} rows; all of them are being computed")
            pages = await engine.ask(
                "Computing all rows", lambda work: all_rows(engine, self.run, self.output, wanted, work)
            )
            self._show(pages, keep=True)
        more = "" if pages.complete else " (the first ones: all of them are too many to keep in memory)"
        self.say(f"{pages.count:,} rows{more}" if pages.count != 1 else "1 row")
        if not pages.count:
            key = "y tells why they are missing" if self.node is None else "the filter is / "
            self.say(f"no rows{f' where {self._where}' if self._where else ''}: {key}")

    def failed(self, error: BigDebugError) -> None:
        self._tried = self._where

    def _show(self, pages: Pages, *, keep: bool) -> None:
        self._rows = rows = PageRows(pages)
        # What is on the screen first is at hand: a page in memory, or one small block of a file.
        rows.load(0, min(200, pages.count))
        self.query_one(Grid).show(self._columns(pages.fields), rows, keep=keep)
        if not keep and pages.fields:
            self.query_one(Grid).cell = 1

    def _columns(self, fields: list[Field]) -> list[Column]:
        columns = [Column("#", right=True, style="grid--dim")]
        for place, each in enumerate(fields):
            column = Column(each.name, each.kind, right=each.is_number)
            if place == self._order:
                column = titled(column, " ▼" if self._descending else " ▲")
            columns.append(column)
        return columns

    @on(Grid.Wanted)
    def _wanted(self, event: Grid.Wanted) -> None:
        rows = event.grid.rows
        if isinstance(rows, PageRows):

            async def load() -> None:
                await asyncio.to_thread(rows.load, event.first, event.last)
                event.grid.loaded()

            self.begin(load, group="page")

    # -- the cursor ---------------------------------------------------------------------------------

    def _field(self) -> int | None:
        """The number of the cursor's column among the fields."""
        place = self.query_one(Grid).cell - 1
        return place if self._rows is not None and 0 <= place < len(self._rows.pages.fields) else None

    def _values(self) -> list[Any] | None:
        grid = self.query_one(Grid)
        return self._rows.values(grid.cursor) if self._rows is not None and self._rows.count else None

    def _around(self) -> list[list[Any]]:
        """Rows around the cursor that are loaded, to tell its row from."""
        if self._rows is None:
            return []
        place = self.query_one(Grid).cursor
        found = (self._rows.values(index) for index in range(max(0, place - 600), place + 600))
        return [row for row in found if row is not None]

    def call_site(self) -> CallSite | None:
        node = self.run.nodes.get(self.node or 0)
        return node.call_site if node else self.output.call_site

    @on(Grid.Selected)
    def _selected(self) -> None:
        self.action_value()

    def action_value(self) -> None:
        row, place = self._values(), self._field()
        if row is None or self._rows is None:
            return
        fields = self._rows.pages.fields
        if place is None:
            text = "\n".join(
                f"{each.name}: {_in_full(value)}" for each, value in zip(fields, row, strict=True)
            )
            self.app.push_screen(FullText(f"row {self.query_one(Grid).cursor:,}", text))
            return
        self.app.push_screen(FullText(f"{fields[place].name}  {fields[place].kind}", _in_full(row[place])))

    # -- filter and order ---------------------------------------------------------------------------

    @work(exclusive=True, group="prompt")
    async def action_filter(self) -> None:
        hint = (
            "Python, of an element x, or of the key and value of a pair; empty for all"
            if self._of_rdd
            else "a condition in SQL on the columns; empty for all"
        )
        found = await self.app.push_screen_wait(Prompt("Only rows where", self._where, hint))
        if found is not None and found.strip() != self._where:
            self._tried = found.strip()
            self.begin(self._compute)

    def action_sort(self) -> None:
        place = self._field()
        if place is not None:
            self._sort(place)

    def _sort(self, place: int) -> None:
        if self._order != place:
            self._order, self._descending = place, False
        elif not self._descending:
            self._descending = True
        else:
            self._order, self._descending = None, False
        self.begin(self._compute)

    @on(Grid.HeaderClicked)
    def _header(self, event: Grid.HeaderClicked) -> None:
        if self._rows is not None and event.column > 0:
            self._sort(event.column - 1)

    # -- what can be asked --------------------------------------------------------------------------

    def _condition(self) -> str:
        """A condition for the row of the cursor; empty where there is none."""
        row = self._values()
        if row is None or self._rows is None:
            return ""
        if self._of_rdd:
            return of_element(str(row[0]))
        return of_row(self._rows.pages.fields, row, self._around())

    @work(exclusive=True, group="prompt")
    async def action_trace(self) -> None:
        if self.node is not None:
            self.say("a trace begins at an output's row: go back and open the output", bad=True)
            return
        where = self._condition()
        if not where:
            there = self._values() is not None
            hint = (
                "no column of this row can be compared: write a condition"
                if there
                else "no row is here yet to point at: write a condition"
            )
            asked = await self.app.push_screen_wait(Prompt("Trace which rows back?", "", hint))
            where = asked or ""
        if where:
            from bigdebug.tui.trace import TraceView

            self.app.push_screen(TraceView(self.run, self.output, where))

    @work(exclusive=True, group="prompt")
    async def action_why(self) -> None:
        where = self._where
        if not where or (self._rows is not None and self._rows.count):
            hint = "what the missing rows would fulfil: a condition in SQL on the columns"
            if self._of_rdd:
                hint = (
                    "what the missing elements would fulfil: a condition in Python of x, or of key and value"
                )
            asked = await self.app.push_screen_wait(Prompt("Why are these rows missing?", where, hint))
            where = asked or ""
        if where:
            from bigdebug.tui.why import WhyNotView

            self.app.push_screen(WhyNotView(self.run, self.output, where))

    @work(exclusive=True, group="prompt")
    async def action_isolate(self) -> None:
        row, place = self._values(), self._field()
        if row is None or self._rows is None or self.node is not None:
            self.say("point at a wrong row of an output", bad=True)
            return
        fields = self._rows.pages.fields
        if self._of_rdd:
            condition = of_element(str(row[0]))
            hint = "a condition in Python that holds as long as it is wrong"
        else:
            place = place or 0
            sensible = ("missing", "there") if row[place] is None else ("large", "small", "value", "there")
            shown = {name: FAULTS[name] for name in sensible}
            fault = await self.app.push_screen_wait(
                Choice(f"{fields[place].name} = {_short(row[place])}", shown)
            )
            if fault is None:
                return
            condition = failing(fault, fields, row, place, self._around())
            hint = "the row fails as long as this holds: mend the bound, if there is a better one"
        asked = await self.app.push_screen_wait(Prompt("Which rows are wrong?", condition, hint))
        condition = asked or ""
        if condition.strip():
            from bigdebug.tui.isolate import IsolateView

            self.app.push_screen(IsolateView(self.run, self.output, condition.strip()))

    # -- what can be copied -------------------------------------------------------------------------

    def command_line(self) -> str | None:
        where = self._where or self._condition()
        store = store_hint(self.run.store)
        site = self.call_site()
        if self.node is not None and site is not None:
            when = ["--when", self._where] if self._where else []
            return command_of("break", self.run.run_id, site.label, *when, store=store)
        if not where:
            return command_of("show", self.run.run_id, store=store)
        return command_of("trace", self.run.run_id, str(self.output.number), "--where", where, store=store)

    def shown(self) -> Shown | None:
        if self._rows is None:
            return None
        first = (
            max(0, self.query_one(Grid).cursor - _MOST_COPIED // 2) if self._rows.count > _MOST_COPIED else 0
        )
        rows = self._rows.pages.values(first, min(first + _MOST_COPIED, self._rows.count))
        return Shown([each.name for each in self._rows.pages.fields], rows)


def _in_full(value: Any) -> str:
    """A value over as many lines as it takes."""
    if isinstance(value, str):
        return value
    plain = json_value(value)
    return plain if isinstance(plain, str) else json.dumps(plain, indent=2, ensure_ascii=False)


def _short(value: Any) -> str:
    text = _in_full(value)
    return text if len(text) <= 40 else text[:39] + "…"
