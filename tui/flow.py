"""The dataflow of a run: its outputs and operators as a graph, and the user's source beside it."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from textual import on
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
from bigdebug.tui.flow_questions import FlowQuestions
from bigdebug.tui.flow_rows import COLUMNS, FlowRows
from bigdebug.tui.graph import FOLD_ABOVE, GraphRow, chains, draw
from bigdebug.tui.grid import Grid
from bigdebug.tui.marks import Marks
from bigdebug.tui.outputs import output_for
from bigdebug.tui.runs import name_of
from bigdebug.tui.source_view import SourceView
from bigdebug.tui.view import command_of, joined
from bigdebug.wording.commands import store_hint
from bigdebug.wording.quantities import plural

_FOLLOW_SECONDS = 1.0


class FlowView(FlowQuestions):
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
        self.counted: dict[int, int] = {}
        self._unfolded: set[int] = set()
        self._folding = len(run.nodes) > FOLD_ABOVE
        self._ended_said = run.status != "running"
        self._drawn: tuple[Any, ...] = ()

    @property
    def heading(self) -> str:
        return joined("bigdebug", f"{name_of(self.run)} {self.run.run_id}", self.run.status)

    def parts(self) -> ComposeResult:
        with Container(id="both"):
            yield Grid(COLUMNS, id="flow")
            yield SourceView()

    def on_mount(self) -> None:
        super().on_mount()
        self.draw()
        self.call_after_refresh(self._moved)  # once the source pane has its size
        self._say_what_there_is()
        if self.run.status == "running":
            self.set_interval(_FOLLOW_SECONDS, self._follow)

    def on_screen_resume(self) -> None:
        if self.query(Grid):
            self.draw()  # another screen may have set marks

    def _say_what_there_is(self) -> None:
        run = self.run
        told = f"{plural(len(run.outputs), 'output')}, {plural(len(run.nodes), 'operator')}"
        if run.crashes:
            told += f", {plural(sum(each.count for each in run.crashes), 'record')} crashed functions: L"
        if run.problem:
            told += f"; broken: {run.problem}"
        self.say(told)

    def draw(self) -> None:
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
        before = self.line()
        grid.show(COLUMNS, FlowRows(run, lines, self.counted, self.marks), keep=True)
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
            self.draw()
            self.retitle()
        if status != "running":
            self._ended_said = True
            ended = {"done": "the program has ended", "failed": "the program has failed"}
            self.say(ended.get(status, "the program is gone: it was killed"), bad=status != "done")

    def action_refresh(self) -> None:
        self._ended_said = False
        self.begin(self._read_again, group="follow")

    # -- the cursor ---------------------------------------------------------------------------------

    def line(self) -> GraphRow | None:
        grid = self.query_one(Grid)
        rows = grid.rows
        if not isinstance(rows, FlowRows) or not rows.lines:
            return None
        return rows.lines[min(grid.cursor, len(rows.lines) - 1)]

    def _node(self) -> Node | None:
        line = self.line()
        if line is None:
            return None
        if line.node is not None:
            return self.run.nodes.get(line.node)
        output = self.output()
        return None if output is None or output.node is None else self.run.nodes.get(output.node)

    def output(self) -> Output | None:
        line = self.line()
        if line is None:
            return None
        if line.output is not None:
            return next((each for each in self.run.outputs if each.number == line.output), None)
        return None if line.node is None else output_for(self.run, line.node)

    def call_site(self) -> CallSite | None:
        line = self.line()
        if line is None:
            return None
        if line.output is not None:
            output = self.output()
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
        node, line = self._node(), self.line()
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
        line, node = self.line(), self._node()
        if line is None or node is None:
            return
        if line.output is not None:
            self.say("this is an output: no operator reads it")
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
        line = self.line()
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
            self.draw()
            self._to(top)
            return
        self.draw()

    # -- what can be asked --------------------------------------------------------------------------

    @on(Grid.Selected)
    def _selected(self) -> None:
        self.action_open()

    # -- what can be copied -------------------------------------------------------------------------

    def command_line(self) -> str | None:
        return command_of("show", self.run.run_id, "--graph", store=store_hint(self.run.store))

    def shown(self) -> Shown | None:
        rows = self.query_one(Grid).rows
        assert isinstance(rows, FlowRows)
        return rows.shown()
