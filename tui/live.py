"""Watchpoints and their hits as they come in, breakpoints, and records that crashed functions or wait for an answer."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical

from bigdebug.lineage.callsite import CallSite
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.store import StoredRun
from bigdebug.tui.actions import bindings
from bigdebug.tui.cells import Cell, Column, ListRows
from bigdebug.tui.copying import Shown
from bigdebug.tui.dialogs import Prompt
from bigdebug.tui.grid import Grid
from bigdebug.tui.held import Held, crashed, waiting
from bigdebug.tui.held_answers import HeldAnswers
from bigdebug.tui.marks import Marks
from bigdebug.tui.pages import Field
from bigdebug.tui.points import (
    POINTS,
    answered,
    asked_of,
    kind_of_guard,
    point_row,
    points_of_ended,
    points_of_live,
)
from bigdebug.tui.table import RecordRows, columns_of
from bigdebug.tui.traced import Records, kind_of
from bigdebug.tui.view import command_of, joined
from bigdebug.wording.commands import store_hint
from bigdebug.wording.live import plain, shown
from bigdebug.wording.quantities import plural

_POLL_SECONDS = 0.5
_CRASHES = (
    Column("", width=7),
    Column("at", most=22),
    Column("operator", most=16),
    Column("value", most=40),
    Column("error", most=60),
)


class LiveView(HeldAnswers):
    """See the module.

    Args:
        run: the run.
        marks: of its call sites, which this screen keeps up to date.
    """

    NAME = "live"
    BINDINGS: ClassVar[list[BindingType]] = bindings("live")
    DEFAULT_CSS = """
    LiveView Grid { border-top: solid $primary; border-title-color: $text-primary; }
    LiveView #points { height: 3fr; }
    LiveView #hits { height: 4fr; }
    LiveView #crashes { height: 3fr; }
    """

    def __init__(self, run: StoredRun, marks: Marks) -> None:
        super().__init__()
        self.run, self.marks = run, marks
        self._points: list[dict[str, Any]] = []
        self._held: list[Held] = []
        self._looked: dict[tuple[str, str], dict[str, Any]] = {}
        self._drawn: Any = None
        self._hits_drawn: Any = None
        self._over = False

    @property
    def heading(self) -> str:
        return joined("bigdebug", self.run.run_id, "watch and crash", self.run.status)

    def parts(self) -> ComposeResult:
        with Vertical():
            yield Grid(POINTS, id="points")
            yield Grid(id="hits", cells=True)
            yield Grid(_CRASHES, id="crashes")

    def on_mount(self) -> None:
        super().on_mount()
        for name, title in (
            ("points", "watchpoints and breakpoints"),
            ("hits", "records"),
            ("crashes", "crashes"),
        ):
            self.query_one(f"#{name}", Grid).border_title = title
        self.begin(self._poll, group="poll")
        self.set_interval(_POLL_SECONDS, self._tick)

    def _tick(self) -> None:
        if self.on_top and not self._over and not any(each.group == "poll" for each in self.workers):
            self.begin(self._poll, group="poll", exclusive=False)

    # -- what there is ------------------------------------------------------------------------------

    async def _poll(self) -> None:
        try:
            run = await asyncio.to_thread(self._read_run)
        except BigDebugError as error:
            self._over = True
            self.say(f"{error.message}; what was loaded stays", bad=True)
            return
        if run.status == "running" and run.place is not None:
            try:
                await self._poll_live(run)
            except BigDebugError as error:
                self.say(f"{error.message}; what was loaded stays", bad=True)
                return
        else:
            await self._read_ended(run)
        ended = self.run.status == "running" and run.status != "running"
        self.run = run
        self._draw()
        if ended:
            self.retitle()
            self.say(
                f"the program has ended ({run.status}); this is what was caught", bad=run.status != "done"
            )

    def _read_run(self) -> StoredRun:
        run = self.ours.store.find(self.run.run_id)
        _ = run.status, run.crashes
        return run

    async def _poll_live(self, run: StoredRun) -> None:
        self._points = await points_of_live(run, self._looked)
        self._held = [*waiting(await answered(run, "crashes")), *crashed(run)]

    async def _read_ended(self, run: StoredRun) -> None:
        self._held = crashed(run)
        if run.place is not None:
            self._points = await points_of_ended(run, self.marks.breakpoints)

    def _draw(self) -> None:
        self.marks.watchpoints = {
            each["call_site"] for each in self._points if each["kind"] == "watch" and each.get("call_site")
        }
        points = [point_row(each) for each in self._points]
        if points != self._drawn:
            self._drawn = points
            self.query_one("#points", Grid).show(POINTS, ListRows(points), keep=True)
        crashes = self.query_one("#crashes", Grid)
        rows: list[list[str | Cell]] = [
            [Cell(each.state, "grid--live" if each.number is not None else "grid--bad"), each.at, each.operator,
             each.value, each.error]
            for each in self._held
        ]  # fmt: skip
        waiting = sum(each.number is not None for each in self._held)
        crashes.show(_CRASHES, ListRows(rows), keep=True)
        keys = ": i skip, e edit, p repair, F fail" if waiting else ""
        crashes.border_title = f"crashes, {waiting} waiting{keys}" if waiting else "crashes"
        self._draw_hits()

    # -- hits ---------------------------------------------------------------------------------------

    def _point(self) -> dict[str, Any] | None:
        grid = self.query_one("#points", Grid)
        return self._points[grid.cursor] if grid.cursor < len(self._points) else None

    def _watched(self) -> dict[str, Any] | None:
        """The watchpoint of a running program that the cursor is on; where there is none, it is said."""
        point = self._point()
        if point is not None and point["kind"] == "watch" and self.run.status == "running":
            return point
        self.say("point at a watchpoint of a running program", bad=True)
        return None

    @on(Grid.Moved, "#points")
    def _moved(self) -> None:
        self._draw_hits()

    def _draw_hits(self) -> None:
        point = self._point()
        records = (point or {}).get("records") or []
        drawn = (point and (point["kind"], point.get("number"), point.get("at")), len(records), records[-1:])
        if drawn == self._hits_drawn:
            return
        self._hits_drawn = drawn
        values = [shown(each) if point and point["kind"] == "watch" else plain(each) for each in records]
        table = _table(values)
        grid = self.query_one("#hits", Grid)
        grid.show(columns_of(table.fields), RecordRows(table), keep=True)
        title = "records"
        if point is not None:
            where = point.get("call_site") or point.get("at") or ""
            title = f"{point['kind']} {where}: {plural(len(values), 'record')} kept"
            if point.get("truncated"):
                title += f" of {point['hits']:,}"
            if point["kind"] == "break" and not values:
                title += "; Enter looks"
            elif point["kind"] == "watch" and len(values) < min(point["hits"], point["capacity"]):
                title += "; Enter computes them"
        from rich.markup import escape

        grid.border_title = escape(title)

    @on(Grid.Selected, "#points")
    def _point_selected(self) -> None:
        point = self._point()
        if point is None:
            return
        if point["kind"] == "watch":
            if self.run.status == "running":
                self.begin(lambda: self._compute_caught(point["number"]))
            return
        if not point.get("at"):
            return
        if self.run.status != "running":
            self._look_ended(point)
            return

        async def look() -> None:
            self.say("computing the records that pass there, in the program")
            found = await asked_of(self.run, "break", at=point["at"], when=point.get("when"), limit=1000)
            for each in found:
                self._looked[(point["at"], point.get("when") or "")] = each
            self.say(f"{point['at']}: {plural(found[0]['count'] or 0, 'record')}" if found else "nothing")

        self.begin(look)

    async def _compute_caught(self, number: int) -> None:
        """Of a guard in SQL Spark counts the records; which they are is computed again in the program."""
        self.say("computing the records that were counted, in the program")
        for each in await asked_of(self.run, "watch", number=number, records=True):
            self._looked["watch", str(number)] = each
            self.say(f"{plural(len(each['records']), 'record')} of {each['hits']:,}")

    def _look_ended(self, point: dict[str, Any]) -> None:
        from bigdebug.tui.outputs import output_for
        from bigdebug.tui.records import RecordsView

        for number, node in self.run.nodes.items():
            output = output_for(self.run, number)
            if node.call_site and node.call_site.label == point["at"] and output is not None:
                self.app.push_screen(RecordsView(self.run, output, number, point.get("when") or ""))
                return
        self.say("nothing that can be computed again passed there", bad=True)

    def call_site(self) -> CallSite | None:
        label = ""
        if self.query_one("#crashes", Grid).has_focus:
            held = self._held_one()
            label = held.at if held else ""
        else:
            point = self._point()
            label = (point.get("call_site") or point.get("at") or "") if point else ""
        sites = (node.call_site for node in self.run.nodes.values())
        return next((site for site in sites if site is not None and site.label == label), None)

    # -- watchpoints and breakpoints ----------------------------------------------------------------

    @work(exclusive=True, group="prompt")
    async def action_guard(self) -> None:
        point = self._watched()
        if point is None:
            return
        guard = await self.app.push_screen_wait(Prompt("Guard", str(point["guard"]), kind_of_guard(point)))
        if guard and guard.strip():
            request = {"number": point["number"], "guard": guard.strip(), "python": point["python"]}
            self.begin(lambda: self._tell("watch", f"the guard is {guard.strip()}", **request))

    def action_remove(self) -> None:
        point = self._watched()
        if point is not None:
            self.begin(lambda: self._tell("watch", "watched no more", number=point["number"], remove=True))

    @work(exclusive=True, group="prompt")
    async def action_watchpoint(self) -> None:
        await self._new_point("watch", "guard", "Watch")

    @work(exclusive=True, group="prompt")
    async def action_breakpoint(self) -> None:
        await self._new_point("break", "when", "Break")

    async def _new_point(self, command: str, condition: str, title: str) -> None:
        if self.run.status != "running":
            self.say("the program has ended", bad=True)
            return
        at = await self.app.push_screen_wait(
            Prompt(f"{title} at", "", "FILE:LINE of an operator, such as etl.py:42")
        )
        if not at:
            return
        hint = "a condition in SQL" + (", or Slow()" if command == "watch" else "")
        when = await self.app.push_screen_wait(Prompt(f"{title} at {at}", "", hint))
        if when is None:
            return
        if command == "break":
            self.marks.breakpoints[at] = when
        self.begin(lambda: self._tell(command, f"set at {at}", **{"at": at, condition: when or None}))

    # -- what can be copied -------------------------------------------------------------------------

    def command_line(self) -> str | None:
        store = store_hint(self.run.store)
        if self.query_one("#crashes", Grid).has_focus:
            return command_of("crashes", self.run.run_id, store=store)
        point = self._point()
        if point is not None and point["kind"] == "break" and point.get("at"):
            when = ["--when", point["when"]] if point.get("when") else []
            return command_of("break", self.run.run_id, point["at"], *when, store=store)
        return command_of("watch", self.run.run_id, store=store)

    def shown(self) -> Shown | None:
        if self.query_one("#crashes", Grid).has_focus:
            names = ["state", "at", "operator", "value", "error"]
            return Shown(names, [[e.state, e.at, e.operator, e.value, e.error] for e in self._held])
        rows = self.query_one("#hits", Grid).rows
        return rows.shown() if isinstance(rows, RecordRows) and rows.count else None


def _table(values: list[Any]) -> Records:
    """Records as they came: by their columns where all have the same, else one text each."""
    if values and all(isinstance(each, dict) and list(each) == list(values[0]) for each in values):
        names = list(values[0])
        return Records(
            [Field(name, kind_of(values, name)) for name in names], [list(e.values()) for e in values]
        )
    return Records([Field("value", "")], [[each] for each in values]) if values else Records((), ())
