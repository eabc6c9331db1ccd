"""What can be asked at an operator or an output of a dataflow: rows, traces, what is wrong, breakpoints."""

from __future__ import annotations

from textual import work

from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.output import Output
from bigdebug.lineage.store import StoredRun
from bigdebug.tui.dialogs import Prompt
from bigdebug.tui.engine import Work
from bigdebug.tui.graph import GraphRow
from bigdebug.tui.marks import Marks
from bigdebug.tui.view import View


class FlowQuestions(View):
    """The actions that open another screen or compute something; the dataflow itself is drawn by who derives from it.

    Attributes:
        run: that is shown.
        marks: of its call sites.
        counted: rows that operators gave, by their ids.
    """

    run: StoredRun
    marks: Marks
    counted: dict[int, int]

    def line(self) -> GraphRow | None:
        """The line of the cursor; None where there is none."""
        raise NotImplementedError

    def output(self) -> Output | None:
        """The output of the cursor's line, or one that was made of the operator's rows."""
        raise NotImplementedError

    def draw(self) -> None:
        """Draw the dataflow with what is known now."""
        raise NotImplementedError

    def _recorded(self) -> Output | None:
        output = self.output()
        if output is None:
            self.say("no output that can be computed again was made of it", bad=True)
            return None
        if output.recipe == "unavailable":
            self.say(f"it can't be computed again: {output.recipe_problem or 'no recipe was kept'}", bad=True)
            return None
        return output

    def action_open(self) -> None:
        line, output = self.line(), self._recorded()
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
                    self.counted |= await engine.ask("Counting rows", rows)
                except BigDebugError as error:
                    problems.append(f"output {output.number} can't be counted: {error.message}")
                self.draw()
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

    def action_skew(self) -> None:
        output = self._recorded()
        if output is not None:
            from bigdebug.tui.skew import SkewView

            self.app.push_screen(SkewView(self.run, output, self.marks))

    def action_slow(self) -> None:
        output = self._recorded()
        if output is not None:
            from bigdebug.tui.slow import SlowView

            self.app.push_screen(SlowView(self.run, output))

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
            self.draw()
            self.say(f"no breakpoint at {label} any more")
            return
        hint = "a condition in SQL, for only some of the records that pass; empty for all"
        when = await self.app.push_screen_wait(Prompt(f"Break at {label} when", "", hint))
        if when is None:
            return
        self.marks.breakpoints[label] = when.strip()
        self.draw()
        if self.run.status == "running" and self.run.place is not None:
            self.begin(lambda: self._break_live(label, when.strip()))
        else:
            line, output = self.line(), self.output()
            self.say(f"breakpoint at {label}; Enter shows what passed it")
            if output is not None and line is not None and output.recipe == "stored":
                self._records(output, line.node, when.strip())

    async def _break_live(self, label: str, when: str) -> None:
        from bigdebug.tui.live import LiveView
        from bigdebug.tui.points import asked_of

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
        hint = "from the next action on: a condition in SQL, or Slow() for what your function takes long over"
        guard = await self.app.push_screen_wait(Prompt(f"Watch {site.label} for", "", hint, _something))
        if guard:
            self.begin(lambda: self._watch_live(site.label, guard))

    async def _watch_live(self, label: str, guard: str) -> None:
        from bigdebug.tui.live import LiveView
        from bigdebug.tui.points import asked_of

        await asked_of(self.run, "watch", at=label, guard=guard)
        self.marks.watchpoints.add(label)
        self.draw()
        self.app.push_screen(LiveView(self.run, self.marks))

    def action_live(self) -> None:
        from bigdebug.tui.live import LiveView

        self.app.push_screen(LiveView(self.run, self.marks))


def _something(text: str) -> str | None:
    return None if text.strip() else "write a condition"
