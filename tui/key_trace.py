"""The trace of a shuffle's key: which files its records come from, what they share, and the records themselves."""

from __future__ import annotations

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


class KeyTraceView(TraceView):
    """See the module. A join's key has a trace for each of its sides, one below the other.

    Args:
        run: the run.
        output: one of its outputs.
        finding: a shuffle of it.
        key: one of the shuffle's largest.
    """

    BINDINGS: ClassVar[list[BindingType]] = bindings("trace")
    DEFAULT_CSS = """
    KeyTraceView #told { height: auto; max-height: 6; padding: 0 1; color: $text-warning; }
    """

    def __init__(self, run: StoredRun, output: Output, finding: Finding, key: HotKey) -> None:
        super().__init__(run, output, key.text)
        self._finding, self._key = finding, key

    @property
    def heading(self) -> str:
        return joined("bigdebug", self.run.run_id, f"records of {self._key.text} in {self._finding.operator}")

    def parts(self) -> ComposeResult:
        yield Static(id="told", markup=False)
        yield from super().parts()

    async def _trace(self) -> None:
        finding, key = self._finding, self._key

        def ask(work: Work) -> tuple[list[Way], list[str]]:
            work.say("Tracing the key's records")
            found = finding.trace(key)
            ways = [
                fetched(trace, f"{side} of {finding.operator}", finding.call_site, work)
                for side, trace in found.traces.items()
            ]
            work.say("Looking for their files, and for what they share")
            return ways, found.sentences

        ways, sentences = await self.ours.engine.ask("Tracing the key", ask)
        self.query_one("#told", Static).update(Text("\n".join(map(visible, sentences))))
        self._show(together(ways))

    def command_line(self) -> str | None:
        words = ("skew", self.run.run_id, str(self.output.number), "--trace")
        return command_of(*words, store=store_hint(self.run.store))
