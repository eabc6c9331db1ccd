"""The runs of the store, newest first."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType

from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.store import StoredRun
from bigdebug.tui.actions import bindings
from bigdebug.tui.cells import Cell, Column, Row
from bigdebug.tui.copying import Shown
from bigdebug.tui.dialogs import Prompt
from bigdebug.tui.grid import Grid
from bigdebug.tui.view import View, command_of, joined
from bigdebug.wording.commands import store_hint
from bigdebug.wording.quantities import duration, moment, plural

_AGAIN_SECONDS = 2.0
_STATUS = {"done": "grid--good", "failed": "grid--bad", "lost": "grid--odd", "broken": "grid--odd"}
_COLUMNS = (
    Column("", width=1, style="grid--live"),
    Column("run"),
    Column("name", most=24),
    Column("when"),
    Column("status", width=7),
    Column("out", right=True),
    Column("fail", right=True),
    Column("crash", right=True),
    Column("hits", right=True),
    Column("took", right=True),
)


@dataclass(frozen=True)
class Details:
    """What takes a look into a run's folder.

    Attributes:
        status: its state.
        ended: when it ended.
        outputs, failed: how many outputs there are, and how many of them failed.
        crashes: how many records crashed functions.
        findings: how many records watchpoints caught.
        problem: what is wrong with its folder.
    """

    status: str
    ended: float | None
    outputs: int
    failed: int
    crashes: int
    findings: int
    problem: str | None


def details_of(run: StoredRun) -> Details:
    """Look into a run's folder."""
    outputs = run.outputs
    return Details(
        "broken" if run.problem else run.status,
        run.ended,
        len(outputs),
        sum(output.status == "failed" for output in outputs),
        sum(crash.count for crash in run.crashes),
        _findings(run),
        run.problem,
    )


def _findings(run: StoredRun) -> int:
    if run.place is None:
        return 0
    found = 0
    try:
        for path in (run.place / "captures").glob("watch-*.json"):
            found += int(json.loads(path.read_bytes())["hits"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # none, or one is being written
    return found


def name_of(run: StoredRun) -> str:
    """A run's name, or else that of its script."""
    return run.name or (run.argv[0].rpartition("/")[2] if run.argv else "")


class RunRows:
    """Runs as rows of a grid: their details come when they are on the screen."""

    def __init__(self, runs: Sequence[StoredRun], details: dict[str, Details]) -> None:
        self.runs = runs
        self.details = details

    @property
    def count(self) -> int:
        return len(self.runs)

    def row(self, index: int) -> Row | None:
        run = self.runs[index]
        known = self.details.get(run.run_id)
        if known is None:
            return None
        return (
            "●" if known.status == "running" else "",
            run.run_id,
            name_of(run),
            moment(run.started),
            Cell(known.status, _STATUS.get(known.status, "grid--live")),
            str(known.outputs),
            Cell(str(known.failed or ""), "grid--bad"),
            Cell(f"{known.crashes:,}" if known.crashes else "", "grid--bad"),
            Cell(f"{known.findings:,}" if known.findings else "", "grid--odd"),
            "-" if known.ended is None else duration(known.ended - run.started),
        )


class RunsView(View):
    """See the module.

    Args:
        first: a run to open at once.
    """

    NAME = "runs"
    BINDINGS: ClassVar[list[BindingType]] = bindings("runs")

    def __init__(self, first: str | None = None) -> None:
        super().__init__()
        self._first = first
        self._runs: list[StoredRun] = []
        self._details: dict[str, Details] = {}
        self._search = ""

    @property
    def heading(self) -> str:
        searched = f'those with "{self._search}"' if self._search else ""
        return joined("bigdebug", self.ours.store.location, searched)

    def parts(self) -> ComposeResult:
        yield Grid(_COLUMNS, RunRows((), {}), id="runs")

    def on_mount(self) -> None:
        super().on_mount()
        self.say("reading the store")
        self.begin(self._read)
        self.set_interval(_AGAIN_SECONDS, self._again)

    # -- the store ----------------------------------------------------------------------------------

    async def _read(self) -> None:
        if self._first is not None:
            name, self._first = self._first, None
            run = await asyncio.to_thread(self.ours.store.find, name)
            self._open(run)
        runs = await asyncio.to_thread(self.ours.store.runs)
        self._runs = runs
        known = {run.run_id for run in runs if self._settled(run)}
        self._details = {name: each for name, each in self._details.items() if name in known}
        await self._look(runs[:40])
        self._draw()
        if not runs:
            self.say("The store holds no runs yet. Record one: bigdebug run script.py")
        else:
            self.say(plural(len(runs), "run"))

    def _settled(self, run: StoredRun) -> bool:
        known = self._details.get(run.run_id)
        return known is not None and known.status != "running"

    async def _look(self, runs: Sequence[StoredRun]) -> None:
        unknown = [run for run in runs if run.run_id not in self._details]
        found = await asyncio.to_thread(lambda: [details_of(run) for run in unknown])
        self._details.update((run.run_id, each) for run, each in zip(unknown, found, strict=True))

    def failed(self, error: BigDebugError) -> None:
        if self._runs:
            self.say(f"{error.message}; what was loaded stays", bad=True)

    def _again(self) -> None:
        if self.on_top and not self.ours.engine.work:
            self.begin(self._read_quietly)

    async def _read_quietly(self) -> None:
        """Look for new runs, and how those that go on are getting on."""
        runs = await asyncio.to_thread(self.ours.store.runs)
        news = {run.run_id for run in runs} != {run.run_id for run in self._runs}
        going = [run for run in runs if not self._settled(run) and run.run_id in self._details]
        if not news and not going:
            return
        for run in going:
            del self._details[run.run_id]
        self._runs = runs
        await self._look([*runs[:40], *going])
        self._draw()

    def _draw(self) -> None:
        text = self._search.casefold()
        runs = [
            run
            for run in self._runs
            if text in f"{run.run_id} {name_of(run)} {' '.join(run.argv)}".casefold()
        ]
        grid = self.query_one(Grid)
        before = self._chosen()
        grid.show(_COLUMNS, RunRows(runs, self._details), keep=True)
        if before is not None:
            place = next((i for i, run in enumerate(runs) if run.run_id == before.run_id), None)
            if place is not None:
                grid.place(place)

    @on(Grid.Wanted)
    def _wanted(self, event: Grid.Wanted) -> None:
        rows = event.grid.rows
        assert isinstance(rows, RunRows)
        runs = rows.runs[event.first : event.last]

        async def look() -> None:
            await self._look(runs)
            event.grid.loaded()

        self.begin(look, group="details")

    # -- what can be done ---------------------------------------------------------------------------

    def _chosen(self) -> StoredRun | None:
        grid = self.query_one(Grid)
        rows = grid.rows
        return rows.runs[grid.cursor] if isinstance(rows, RunRows) and rows.runs else None

    @on(Grid.Selected)
    def _selected(self) -> None:
        self.action_open()

    def action_open(self) -> None:
        run = self._chosen()
        if run is not None:
            self._open(run)

    def _open(self, run: StoredRun) -> None:
        from bigdebug.tui.flow import FlowView

        self.app.push_screen(FlowView(run))

    @work(exclusive=True, group="search")
    async def action_search(self) -> None:
        found = await self.app.push_screen_wait(
            Prompt("Search", self._search, "of the id, the name or the script")
        )
        if found is not None:
            self._search = found.strip()
            self._draw()
            self.retitle()
            self.say(f"{plural(self.query_one(Grid).rows.count, 'run')} of {len(self._runs):,}")

    def action_refresh(self) -> None:
        self._details = {}
        self.begin(self._read)

    def command_line(self) -> str | None:
        return command_of("runs", store=store_hint(self.ours.store.location))

    def shown(self) -> Shown | None:
        rows = self.query_one(Grid).rows
        assert isinstance(rows, RunRows)
        names = [column.title for column in _COLUMNS[1:]]
        table = [rows.row(index) or () for index in range(rows.count)]
        return Shown(
            names,
            [[each.text if isinstance(each, Cell) else each for each in row[1:]] for row in table if row],
        )
