"""A trace that another answer holds: of a shuffle's key, with the files its records come from, or of a slow record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import Static

from bigdebug.lineage.output import Output
from bigdebug.lineage.store import StoredRun
from bigdebug.lineage.value_text import visible
from bigdebug.tui.actions import bindings
from bigdebug.tui.engine import Work
from bigdebug.tui.trace import TraceView
from bigdebug.tui.traced import Way, fetched, together
from bigdebug.tui.view import command_of, joined
from bigdebug.wording.commands import store_hint

if TYPE_CHECKING:
    from bigdebug.skew.finding import Finding, HotKey
    from bigdebug.skew.slow import SlowRecord

Find = Callable[[Work], tuple[list[Way], list[str]]]
"""Gives the ways of a trace, and what is said of them; on the engine's thread."""


class FoundTraceView(TraceView):
    """See the module. Of several ways each stands below the other.

    Args:
        run: the run.
        output: one of its outputs.
        what: is traced, for the title.
        find: gives it.
        command: the words of the command that shows it; none where no command does.
    """

    BINDINGS: ClassVar[list[BindingType]] = bindings("trace")
    DEFAULT_CSS = """
    FoundTraceView #told { height: auto; max-height: 6; padding: 0 1; color: $text-warning; }
    """

    def __init__(
        self, run: StoredRun, output: Output, what: str, find: Find, command: Sequence[str] = ()
    ) -> None:
        super().__init__(run, output, what)
        self._find, self._command = find, command

    @property
    def heading(self) -> str:
        return joined("bigdebug", self.run.run_id, self.where)

    def parts(self) -> ComposeResult:
        yield Static(id="told", markup=False)
        yield from super().parts()

    async def _trace(self) -> None:
        ways, sentences = await self.ours.engine.ask("Tracing", self._find)
        self.query_one("#told", Static).update(Text("\n".join(map(visible, sentences))))
        self._show(together(ways))

    def command_line(self) -> str | None:
        return command_of(*self._command, store=store_hint(self.run.store)) if self._command else None


def trace_of_key(run: StoredRun, output: Output, finding: Finding, key: HotKey) -> FoundTraceView:
    """The records of a key; those of a join's key on each of its sides."""

    def find(work: Work) -> tuple[list[Way], list[str]]:
        work.say("Tracing the key's records")
        found = finding.trace(key)
        ways = [
            fetched(trace, f"{side} of {finding.operator}", finding.call_site, work)
            for side, trace in found.traces.items()
        ]
        work.say("Looking for their files, and for what they share")
        return ways, found.sentences

    command = ("skew", run.run_id, str(output.number), "--trace")
    return FoundTraceView(run, output, f"records of {key.text} in {finding.operator}", find, command)


def trace_of_slow(run: StoredRun, output: Output, record: SlowRecord) -> FoundTraceView:
    """The source records behind what a function took long for."""
    function = record.function

    def find(work: Work) -> tuple[list[Way], list[str]]:
        work.say("Tracing what the function was given")
        way = fetched(record.trace(), f"given to {function.name}", function.call_site, work)
        return [way], [record.text]

    return FoundTraceView(run, output, f"given to {function.described}", find)
