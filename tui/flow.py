"""The dataflow of a run: its outputs and operators as a graph, and the user's source beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container

from bigdebug.lineage.callsite import CallSite
from bigdebug.lineage.dataflow import Node
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.output import Output
from bigdebug.lineage.store import StoredRun
from bigdebug.tui.actions import bindings
from bigdebug.tui.copying import Shown
from bigdebug.tui.dialogs import Prompt
from bigdebug.tui.engine import Work
from bigdebug.tui.graph import FOLD_ABOVE, GraphRow, chains, draw
from bigdebug.tui.grid import Cell, Column, Grid, Row
from bigdebug.tui.marks import Marks
from bigdebug.tui.runs import name_of
from bigdebug.tui.source_view import SourceView
from bigdebug.tui.view import View, command_of, joined
from bigdebug.wording.code_line import code_line
from bigdebug.wording.commands import store_hint
from bigdebug.wording.quantities import duration, plural

_FOLLOW_SECONDS = 1.0
_MOST_PATH = 24
_COLUMNS = (
    Column("", width=3, style="grid--mark"),
    Column("dataflow", most=44),
    Column("rows in", right=True),
    Column("rows out", right=True),
    Column("at", most=24),
    Column("code", most=100, style="grid--dim"),
)
_STATUS = {"done": "grid--good", "failed": "grid--bad"}


def made_of(run: StoredRun, node: int) -> set[int]:
    """An operator, and all that read what it gave."""
    found = {node}
    for number, each in sorted(run.nodes.items()):
        if found.intersection(each.parents):
            found.add(number)
    return found


def output_for(run: StoredRun, node: int) -> Output | None:
    """An output that can be computed again and was made of what an operator gave: the nearest one."""
    below = made_of(run, node)
    found = [each for each in run.outputs if each.recipe == "stored" and each.node in below]
    return min(found, key=lambda each: (each.node or 0, each.number), default=None)


class FlowRows:
    """The lines of the drawing as rows of a grid.

    Args:
        run: the run.
        lines: of the drawing.
        counted: rows that operators gave, by their ids.
        marks: of the run.
    """

    def __init__(
        self, run: StoredRun, lines: Sequence[GraphRow], counted: dict[int, int], marks: Marks
    ) -> None:
        self.lines = lines
        self._nodes = run.nodes
        self._outputs = {each.number: each for each in run.outputs}
        self._counted = counted
        self._marks = marks
        self._made: dict[int, Row] = {}

    @property
    def count(self) -> int:
        return len(self.lines)

    def row(self, index: int) -> Row:
        if index not in self._made:
            line = self.lines[index]
            self._made[index] = self._output(line) if line.output is not None else self._operator(line)
        return self._made[index]

    def _output(self, line: GraphRow) -> Row:
        output = self._outputs[line.output or 0]
        name = f"{output.action} {output.target}" if output.target else output.action
        took = "" if output.seconds is None else f"  {duration(output.seconds)}"
        rows = "" if output.rows is None else f"{output.rows:,}"
        said = f"{output.status}{took}"
        if output.missing:
            said += f", {output.missing:,} left out"
        if output.error:
            said += f"  {output.error}"
        elif output.recipe == "unavailable":
            said += f"  no recipe: {output.recipe_problem or 'not known why'}"
        return (
            "",
            Cell(f"{line.rails} output {output.number}: {name}", "grid--strong"),
            "",
            rows,
            output.call_site.label if output.call_site else "",
            Cell(said, _STATUS.get(output.status, "grid--live")),
        )

    def _operator(self, line: GraphRow) -> Row:
        node = self._nodes[line.node or 0]
        label = node.call_site.label if node.call_site else ""
        if line.folded:
            text = f"{line.rails} {line.folded} operators, {node.operator} … (Space unfolds)"
            return ("", Cell(text, "grid--dim"), "", self._rows(node.id), label, "")
        text = " ".join((f"{line.rails} {node.id}", node.operator, *map(_shortened, node.paths)))
        entering = [self._counted.get(parent) for parent in node.parents]
        told = [count for count in entering if count is not None]
        rows_in = f"{sum(told):,}" if told and len(told) == len(entering) else ""
        code = code_line(node.call_site, self._nodes.values())
        return (self._marks.of(label), text, rows_in, self._rows(node.id), label, code)

    def _rows(self, node: int) -> str:
        count = self._counted.get(node)
        return "" if count is None else f"{count:,}"


class FlowView(View):
    """See the module.

    Args:
        run: the run.
    """

    NAME = "flow"
    BINDINGS: ClassVar[list[BindingType]] = bindings("flow")
    DEFAULT_CSS = """
    FlowView #both { layout: vertical; height: 1fr; }
    FlowView #both > Grid { height: 3fr; }
    FlowView #both > SourceView { height: 2fr; border-top: solid $primary; }
    FlowView.-wide #both { layout: horizontal; }
    FlowView.-wide #both > Grid { width: 3fr; height: 100%; }
    FlowView.-wide #both > SourceView { width: 2fr; height: 100%; border-top: none; border-left: solid $primary; }
    """

    def __init__(self, run: StoredRun) -> None:
        super().__init__()
        self.run = run
        self.marks = Marks()
        self._counted: dict[int, int] = {}
        self._unfolded: set[int] = set()
        self._folding = len(run.nodes) > FOLD_ABOVE
        self._ended_said = run.status != "running"
        self._drawn: tuple[Any, ...] = ()

    @property
    def heading(self) -> str:
        return joined("bigdebug", f"{name_of(self.run)} {self.run.run_id}", self.run.status)

    def parts(self) -> ComposeResult:
        with Container(id="both"):
            yield Grid(_COLUMNS, id="flow")
            yield SourceView()

    def on_mount(self) -> None:
        super().on_mount()
        self._draw()
        self.call_after_refresh(self._moved)  # once the source pane has its size
        self._say_what_there_is()
        if self.run.status == "running":
            self.set_interval(_FOLLOW_SECONDS, self._follow)

    def _say_what_there_is(self) -> None:
        run = self.run
        told = f"{plural(len(run.outputs), 'output')}, {plural(len(run.nodes), 'operator')}"
        if run.crashes:
            told += f", {plural(sum(each.count for each in run.crashes), 'record')} crashed functions: L"
        if run.problem:
            told += f"; broken: {run.problem}"
        self.say(told)

    def _draw(self) -> None:
        run = self.run
        self.marks.crashes = {each.call_site.label for each in run.crashes if each.call_site}
        folded = {}
        if self._folding:
            acted = {each.node for each in run.outputs if each.node is not None}
            marked = {
                number
                for number, node in run.nodes.items()
                if node.call_site and self.marks.of(node.call_site.label)
            }
            every = chains(run.nodes, acted | marked)
            folded = {top: chain for top, chain in every.items() if top not in self._unfolded}
        lines = draw(run.nodes, run.outputs, folded)
        grid = self.query_one(Grid)
        before = self._line()
        grid.show(_COLUMNS, FlowRows(run, lines, self._counted, self.marks), keep=True)
        if before is not None:
            same = (
                i for i, each in enumerate(lines) if (each.node, each.output) == (before.node, before.output)
            )
            grid.place(next(same, min(grid.cursor, max(len(lines) - 1, 0))))
        self._mark_source()

    def _mark_source(self) -> None:
        site = self.call_site()
        lines = set()
        for label in self.marks.breakpoints:
            name, _, line = label.rpartition(":")
            if site is not None and site.label.rpartition(":")[0] == name and line.isdecimal():
                lines.add(int(line))
        self.query_one(SourceView).mark(lines)

    # -- a run that goes on -------------------------------------------------------------------------

    def _follow(self) -> None:
        if not self._ended_said:
            self.begin(self._read_again, group="follow")

    async def _read_again(self) -> None:
        def look() -> tuple[StoredRun, str]:
            run = self.ours.store.find(self.run.run_id)
            return run, run.status

        try:
            run, status = await asyncio.to_thread(look)
        except BigDebugError as error:
            self.say(f"{error.message}; what was loaded stays", bad=True)
            return
        if run.problem and len(run.nodes) < len(self.run.nodes):
            self.say(f"the run can't be read any more: {run.problem}; what was loaded stays", bad=True)
            return
        drawn = (len(run.nodes), [(each.number, each.status, each.recipe) for each in run.outputs], status)
        self.run = run
        if drawn != self._drawn:
            self._drawn = drawn
            self._draw()
            self.retitle()
        if status != "running":
            self._ended_said = True
            ended = {"done": "the program has ended", "failed": "the program has failed"}
            self.say(ended.get(status, "the program is gone: it was killed"), bad=status != "done")

    def action_refresh(self) -> None:
        self._ended_said = False
        self.begin(self._read_again, group="follow")

    # -- the cursor ---------------------------------------------------------------------------------

    def _line(self) -> GraphRow | None:
        grid = self.query_one(Grid)
        rows = grid.rows
        if not isinstance(rows, FlowRows) or not rows.lines:
            return None
        return rows.lines[min(grid.cursor, len(rows.lines) - 1)]

    def _node(self) -> Node | None:
        line = self._line()
        if line is None:
            return None
        if line.node is not None:
            return self.run.nodes.get(line.node)
        output = self._output()
        return None if output is None or output.node is None else self.run.nodes.get(output.node)

    def _output(self) -> Output | None:
        """The output of the cursor's line, or one that was made of the operator's rows."""
        line = self._line()
        if line is None:
            return None
        if line.output is not None:
            return next((each for each in self.run.outputs if each.number == line.output), None)
        return None if line.node is None else output_for(self.run, line.node)

    def call_site(self) -> CallSite | None:
        line = self._line()
        if line is None:
            return None
        if line.output is not None:
            output = self._output()
            return output.call_site if output else None
        node = self._node()
        return node.call_site if node else None

    @on(Grid.Moved)
    def _moved(self) -> None:
        self.query_one(SourceView).go_to(self.call_site(), self.run.started)
        self._mark_source()

    def action_next(self) -> None:
        self.query_one(Grid).action_move(1)

    def action_down(self) -> None:
        node, line = self._node(), self._line()
        if node is None or line is None:
            return
        if line.output is not None:
            self._to(node.id)
            return
        last = node
        if line.folded:
            chain = chains(self.run.nodes, ()).get(node.id, [node.id])
            last = self.run.nodes[chain[-1]]
        if last.parents:
            self._to(last.parents[0])
        else:
            self.say("this is a source: it reads no operator")

    def action_up(self) -> None:
        line, node = self._line(), self._node()
        if line is None or node is None or line.output is not None:
            return
        child = next((each.id for each in self.run.nodes.values() if node.id in each.parents), None)
        if child is not None:
            self._to(child)
            return
        output = next((each for each in self.run.outputs if each.node == node.id), None)
        if output is not None:
            self._to_where(lambda each: each.output == output.number)

    def action_go_on(self) -> None:
        grid = self.query_one(Grid)
        rows = grid.rows
        assert isinstance(rows, FlowRows)
        for index in range(grid.cursor + 1, rows.count):
            line = rows.lines[index]
            node = self.run.nodes.get(line.node or 0)
            marked = node is not None and node.call_site and self.marks.of(node.call_site.label)
            if line.output is not None or marked or (node is not None and not node.parents):
                grid.place(index)
                return
        self.say("that was the last output, mark or source")

    def _to(self, node: int) -> None:
        if not self._to_where(lambda each: each.node == node):
            for top, chain in chains(self.run.nodes, ()).items():
                if node in chain:
                    self._to_where(lambda each: each.node == top)  # noqa: B023 - called at once
                    return

    def _to_where(self, wanted: Any) -> bool:
        grid = self.query_one(Grid)
        rows = grid.rows
        assert isinstance(rows, FlowRows)
        place = next((index for index, each in enumerate(rows.lines) if wanted(each)), None)
        if place is not None:
            grid.place(place)
        return place is not None

    def action_fold(self) -> None:
        line = self._line()
        if line is None or line.node is None:
            return
        if line.folded:
            self._unfolded.add(line.node)
        else:
            every = chains(self.run.nodes, {each.node for each in self.run.outputs if each.node is not None})
            top = next((top for top, chain in every.items() if line.node in chain), None)
            if top is None:
                self.say("no long chain of operators stands here")
                return
            if not self._folding:
                self._folding, self._unfolded = True, set(every)
            self._unfolded.discard(top)
            self._draw()
            self._to(top)
            return
        self._draw()

    # -- what can be asked --------------------------------------------------------------------------

    @on(Grid.Selected)
    def _selected(self) -> None:
        self.action_open()

    def _recorded(self) -> Output | None:
        output = self._output()
        if output is None:
            self.say("no output that can be computed again was made of it", bad=True)
            return None
        if output.recipe == "unavailable":
            self.say(f"it can't be computed again: {output.recipe_problem or 'no recipe was kept'}", bad=True)
            return None
        return output

    def action_open(self) -> None:
        line, output = self._line(), self._recorded()
        if output is not None and line is not None:
            self._records(output, line.node)

    def _records(self, output: Output, node: int | None, where: str = "") -> None:
        from bigdebug.tui.records import RecordsView

        self.app.push_screen(RecordsView(self.run, output, node, where))

    def action_count(self) -> None:
        outputs = [each for each in self.run.outputs if each.recipe == "stored"]
        if not outputs:
            self.say("no output has a recipe, so no rows can be counted", bad=True)
            return
        engine = self.ours.engine

        async def count() -> None:
            problems = []
            for output in outputs:

                def rows(work: Work, output: Output = output) -> dict[int, int]:
                    asked = engine.open(self.run, output, work)
                    work.say(f"Counting the rows behind output {output.number}")
                    return asked.replay.rows_of_operators()

                try:
                    self._counted |= await engine.ask("Counting rows", rows)
                except BigDebugError as error:
                    problems.append(f"output {output.number} can't be counted: {error.message}")
                self._draw()
            self.say("; ".join(problems) or "counted, by computing the outputs again", bad=bool(problems))

        self.begin(count)

    @work(exclusive=True, group="prompt")
    async def action_trace(self) -> None:
        output = self._recorded()
        if output is None:
            return
        where = await self._asked_for("Trace which rows back?", output)
        if where:
            from bigdebug.tui.trace import TraceView

            self.app.push_screen(TraceView(self.run, output, where))

    @work(exclusive=True, group="prompt")
    async def action_why(self) -> None:
        output = self._recorded()
        if output is None:
            return
        where = await self._asked_for("Why are these rows missing?", output)
        if where:
            from bigdebug.tui.why import WhyNotView

            self.app.push_screen(WhyNotView(self.run, output, where))

    @work(exclusive=True, group="prompt")
    async def action_isolate(self) -> None:
        output = self._recorded()
        if output is None:
            return
        failing = await self._asked_for("Which rows are wrong?", output)
        if failing:
            from bigdebug.tui.isolate import IsolateView

            self.app.push_screen(IsolateView(self.run, output, failing))

    async def _asked_for(self, title: str, output: Output) -> str | None:
        hint = f"a condition in SQL on the columns of output {output.number}; of an RDD in Python, of an element x"
        return await self.app.push_screen_wait(Prompt(title, "", hint, _something))

    # -- breakpoints and watchpoints ----------------------------------------------------------------

    @work(exclusive=True, group="prompt")
    async def action_breakpoint(self) -> None:
        site = self.call_site()
        if site is None:
            self.say("no place in your code is known here")
            return
        label = site.label
        if label in self.marks.breakpoints:
            del self.marks.breakpoints[label]
            self._draw()
            self.say(f"no breakpoint at {label} any more")
            return
        hint = "a condition in SQL, for only some of the records that pass; empty for all"
        when = await self.app.push_screen_wait(Prompt(f"Break at {label} when", "", hint))
        if when is None:
            return
        self.marks.breakpoints[label] = when.strip()
        self._draw()
        if self.run.status == "running" and self.run.place is not None:
            self.begin(lambda: self._break_live(label, when.strip()))
        else:
            line, output = self._line(), self._output()
            self.say(f"breakpoint at {label}; Enter shows what passed it")
            if output is not None and line is not None and output.recipe == "stored":
                self._records(output, line.node, when.strip())

    async def _break_live(self, label: str, when: str) -> None:
        from bigdebug.tui.live import LiveView, asked_of

        await asked_of(self.run, "break", at=label, when=when or None)
        self.app.push_screen(LiveView(self.run, self.marks))

    @work(exclusive=True, group="prompt")
    async def action_watchpoint(self) -> None:
        site = self.call_site()
        if site is None:
            self.say("no place in your code is known here")
            return
        if self.run.status != "running":
            self.say(
                "the program has ended: nothing can be watched any more; b shows what passed a line", bad=True
            )
            return
        hint = "which records to catch: a condition in SQL; it takes hold with the next action"
        guard = await self.app.push_screen_wait(Prompt(f"Watch {site.label} for", "", hint, _something))
        if guard:
            self.begin(lambda: self._watch_live(site.label, guard))

    async def _watch_live(self, label: str, guard: str) -> None:
        from bigdebug.tui.live import LiveView, asked_of

        await asked_of(self.run, "watch", at=label, guard=guard)
        self.marks.watchpoints.add(label)
        self._draw()
        self.app.push_screen(LiveView(self.run, self.marks))

    def action_live(self) -> None:
        from bigdebug.tui.live import LiveView

        self.app.push_screen(LiveView(self.run, self.marks))

    # -- what can be copied -------------------------------------------------------------------------

    def command_line(self) -> str | None:
        return command_of("show", self.run.run_id, "--graph", store=store_hint(self.run.store))

    def shown(self) -> Shown | None:
        rows = self.query_one(Grid).rows
        assert isinstance(rows, FlowRows)
        names = [column.title or "marks" for column in _COLUMNS]
        table = [
            [each.text if isinstance(each, Cell) else each for each in rows.row(index)]
            for index in range(rows.count)
        ]
        return Shown(names, table)


def _shortened(path: str) -> str:
    """A path as the user wrote it; the end of a long one."""
    return path if len(path) <= _MOST_PATH else "…/" + path.rstrip("/").rpartition("/")[2]


def _something(text: str) -> str | None:
    return None if text.strip() else "write a condition"
