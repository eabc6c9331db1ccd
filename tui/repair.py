"""Writes a function that repairs a held record, and tries it before it is applied."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static, TextArea

from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.store import StoredRun
from bigdebug.lineage.value_text import visible

if TYPE_CHECKING:
    from bigdebug.tui.held import Held

_BEGUN = """def repair(x):
    return x
"""


@dataclass(frozen=True)
class Written:
    """A repair that is to be applied.

    Attributes:
        source: of the function.
        all_alike: to all records that wait at the same operator with the same kind of error.
    """

    source: str
    all_alike: bool


class RepairScreen(ModalScreen[Written | None]):
    """See the module.

    Args:
        run: the run.
        held: the record.
        alike: how many records like it wait.
    """

    DEFAULT_CSS = """
    RepairScreen { align: center middle; background: $background 60%; }
    RepairScreen > Vertical { width: 92%; max-width: 110; height: auto; max-height: 95%; border: round $primary;
        background: $panel; padding: 0 1; }
    RepairScreen Static { height: auto; }
    RepairScreen TextArea { height: 8; }
    RepairScreen .hint { text-style: dim; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Cancel", priority=True),
        Binding("ctrl+t", "try", "Try", priority=True),
        Binding("ctrl+s", "apply(False)", "Apply", priority=True),
        Binding("ctrl+l", "apply(True)", "Apply to all alike", priority=True),
    ]

    def __init__(self, run: StoredRun, held: Held, alike: int) -> None:
        super().__init__()
        self._run, self._held, self._alike = run, held, alike

    def compose(self) -> ComposeResult:
        held = self._held
        with Vertical():
            yield Static(Text(visible(f"{held.operator} {held.at} was given {held.value}"), "bold"))
            yield Static(Text(visible(held.error)))
            yield TextArea(_BEGUN, show_line_numbers=False, tab_behavior="indent")
            yield Static("", id="tried", markup=False)
            yield Static(
                Text(
                    f"Ctrl-T tries it · Ctrl-S applies it · Ctrl-L applies it to all {self._alike} alike · Esc"
                ),
                classes="hint",
            )

    @work(exclusive=True, group="try", exit_on_error=False)
    async def action_try(self) -> None:
        from bigdebug.tui.points import asked_of

        held = self._held
        source = self.query_one(TextArea).text
        request = {"resolve": "try", "number": held.number, "index": held.index, "with": source}
        try:
            told = await asked_of(self._run, "crashes", 30.0, **request)
        except BigDebugError as error:
            told = {"error": str(error)}
        lines = []
        if "given" in told:
            lines.append(f"the function is given {told['given']}")
        if "gives" in told:
            lines.append(f"and gives {told['gives']}")
        if "error" in told:
            lines.append(f"it fails: {told['error']}")
        self.query_one("#tried", Static).update(Text(visible("; ".join(lines))))

    def action_apply(self, all_alike: bool) -> None:
        self.dismiss(Written(self.query_one(TextArea).text, all_alike))
