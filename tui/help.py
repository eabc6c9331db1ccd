"""The keys of a screen, as the table of actions has them."""

from __future__ import annotations

from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from bigdebug.tui.actions import ACTIONS, SCREENS, key_file, keys_of

_MOVING = (
    ("↑ ↓ k j", "The row above, below; also the mouse and its wheel."),
    ("← → h l", "The cell beside it, or scroll to the side."),
    ("PgUp PgDn Home End", "Go far."),
    ("Tab", "Go to the next part of the screen."),
    ("Ctrl-P", "The palette: all of this by its name."),
)


class HelpScreen(ModalScreen[None]):
    """See the module.

    Args:
        screen: whose keys.
        own: the user's own keys, by action.
    """

    DEFAULT_CSS = """
    HelpScreen { align: center middle; background: $background 60%; }
    HelpScreen > VerticalScroll { width: 92%; max-width: 104; height: 92%; border: round $primary;
        background: $panel; padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,f1,enter", "dismiss(None)", "Close", priority=True)
    ]

    def __init__(self, screen: str, own: dict[str, str]) -> None:
        super().__init__()
        self._screen, self._own = screen, own

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield Static(self._table())

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 2))
        table.add_column(no_wrap=True)
        table.add_column()
        here = [each for each in ACTIONS if each.screens and each.on(self._screen)]
        everywhere = [each for each in ACTIONS if not each.screens]
        for title, some in ((SCREENS.get(self._screen, ""), here), ("Everywhere", everywhere)):
            table.add_row(Text(title, "bold underline"), "")
            for each in some:
                table.add_row(Text(keys_of(each, self._own), "bold"), Text(f"{each.label}. {each.help}"))
            table.add_row("", "")
        table.add_row(Text("Moving", "bold underline"), "")
        for keys, told in _MOVING:
            table.add_row(Text(keys, "bold"), Text(told))
        table.add_row("", "")
        table.add_row(Text("Your keys", "bold underline"), Text(f'{key_file()}: lines such as trace = "f5"'))
        return table
