"""The app: its screens stand one on the other, the runs of the store at the bottom."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import ClassVar

from textual.app import App, SystemCommand
from textual.binding import BindingType
from textual.screen import Screen
from textual.theme import Theme

from bigdebug.lineage.store import Store
from bigdebug.tui.actions import ACTIONS, own_keys
from bigdebug.tui.engine import Engine
from bigdebug.tui.runs import RunsView
from bigdebug.tui.terminal import Said
from bigdebug.tui.view import View

THEMES = ("bigdebug-dark", "bigdebug-light", "ansi-dark", "ansi-light")
"""The last ones take the terminal's own colours. With NO_COLOR set there are none at all."""

_DARK = Theme(
    name="bigdebug-dark",
    primary="#3b6ea5",
    secondary="#2d4f73",
    accent="#e5b567",
    warning="#e5b567",
    error="#d9667b",
    success="#7fc98b",
    foreground="#dddddd",
    background="#14171c",
    surface="#1a1e24",
    panel="#252b33",
    dark=True,
)
_LIGHT = Theme(
    name="bigdebug-light",
    primary="#2f6db0",
    secondary="#c4daf3",
    accent="#8a5a00",
    warning="#8a5a00",
    error="#b3243f",
    success="#1f7a35",
    foreground="#1c1f24",
    background="#ffffff",
    surface="#fafafa",
    panel="#e6eaf0",
    dark=False,
)


class BigDebugApp(App[None]):
    """See the module.

    Args:
        store: a folder or object-store prefix.
        run: a run to open at once, as `bigdebug show` takes it; None for the list of runs.
        engine: asks Spark; a new one if left out.
        said: what Spark says of itself.
    """

    TITLE = "bigdebug"
    BINDINGS: ClassVar[list[BindingType]] = []
    ENABLE_COMMAND_PALETTE = True

    def __init__(
        self, store: str, run: str | None = None, *, engine: Engine | None = None, said: Said | None = None
    ) -> None:
        super().__init__(ansi_color=False)
        self.store = Store(store)
        self.first_run = run
        self.engine = engine or Engine()
        self.said = said
        self.keys = own_keys()
        self.copied = ""
        self.register_theme(_DARK)
        self.register_theme(_LIGHT)
        wanted = os.environ.get("BIGDEBUG_THEME", "")
        self.theme = wanted if wanted in self.available_themes else THEMES[0]

    def on_mount(self) -> None:
        if self.keys:
            self.set_keymap(self.keys)
        self.push_screen(RunsView(self.first_run))

    def next_theme(self) -> None:
        """Go on to the next theme."""
        place = THEMES.index(self.theme) if self.theme in THEMES else -1
        self.theme = THEMES[(place + 1) % len(THEMES)]

    def copy(self, text: str) -> None:
        """Copy to the clipboard, through the terminal where that can do it, also over ssh."""
        self.copied = text
        self.copy_to_clipboard(text)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The palette: what the table of actions has for the screen."""
        if not isinstance(screen, View):
            return
        for each in ACTIONS:
            method = getattr(screen, f"action_{each.name}", None)
            if method is not None and each.on(screen.NAME):
                yield SystemCommand(each.label, each.help, method)
