"""What all screens share: a title, a line that says what goes on, the footer, and the actions that are everywhere."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, ClassVar, cast

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import Screen
from textual.widgets import Footer, Static

from bigdebug.lineage.callsite import CallSite
from bigdebug.lineage.errors import BigDebugError, UnreachableError
from bigdebug.lineage.failure import error_text
from bigdebug.lineage.value_text import visible
from bigdebug.tui.actions import ACTIONS
from bigdebug.tui.copying import Shown
from bigdebug.tui.engine import CancelledError

if TYPE_CHECKING:
    from bigdebug.tui.app import BigDebugApp

_TICK_SECONDS = 0.2


class View(Screen[None]):
    """A screen. Its own part comes from `parts`."""

    NAME: ClassVar[str] = ""
    AUTO_FOCUS = "Grid"
    BINDINGS: ClassVar[list[BindingType]] = []
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012 - as Screen declares it

    DEFAULT_CSS = """
    View { background: $surface; }
    View > #title { height: 1; background: $primary; color: $text; text-style: bold; padding: 0 1; }
    View > #parts { height: 1fr; }
    View > #state { height: 1; background: $panel; color: $foreground; padding: 0 1; }
    View > #state.-bad { color: $text-error; text-style: bold; }
    View > #state.-busy { color: $text-accent; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._said = ""
        self._bad = False
        self._state_shown = ("", False, False)

    # -- what a screen says of itself ---------------------------------------------------------------

    def parts(self) -> ComposeResult:
        """The widgets between title and state."""
        yield from ()

    @property
    def heading(self) -> str:
        """The title."""
        return ""

    def command_line(self) -> str | None:
        """The exact command for what is on the screen; None where there is none."""
        return None

    def shown(self) -> Shown | None:
        """What can be copied."""
        return None

    def call_site(self) -> CallSite | None:
        """The place in the user's code that the cursor is about."""
        return None

    @property
    def ours(self) -> BigDebugApp:
        """The app."""
        return cast("BigDebugApp", self.app)

    @property
    def on_top(self) -> bool:
        """Whether the screen is seen, maybe behind a dialog: to Textual one that is covered is current, too."""
        top = self.app.screen
        return top is self or (top.is_modal and self.is_current)

    # -- drawing ------------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        yield Static(id="title", markup=False)
        with Vertical(id="parts"):
            yield from self.parts()
        yield Static(id="state", markup=False)
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        self.retitle()
        self.set_interval(_TICK_SECONDS, self._show_state)

    def retitle(self) -> None:
        """Draw the title anew."""
        self.query_one("#title", Static).update(
            Text(visible(self.heading), no_wrap=True, overflow="ellipsis")
        )

    def say(self, text: str, *, bad: bool = False) -> None:
        """Say something in the line above the footer."""
        self._said, self._bad = visible(text), bad
        self._show_state()

    def _show_state(self) -> None:
        if not self.on_top:
            return
        busy = self.ours.engine.state
        text = f"⏳ {busy} · Esc cancels" if busy else self._said
        wanted = (text, bool(busy), self._bad and not busy)
        if wanted == self._state_shown:
            return
        self._state_shown = wanted
        line = self.query_one("#state", Static)
        line.update(Text(text, no_wrap=True, overflow="ellipsis"))
        line.set_class(wanted[1], "-busy")
        line.set_class(wanted[2], "-bad")

    # -- work ---------------------------------------------------------------------------------------

    def begin(
        self, job: Callable[[], Awaitable[None]], group: str = "asked", *, exclusive: bool = True
    ) -> None:
        """Do something that takes long, beside the screen; what goes wrong is said.

        Args:
            job: the work.
            group: a later one of the same group ends it.
            exclusive: there is only one of that group at a time.
        """
        self.run_worker(self._guarded(job), group=group, exclusive=exclusive, exit_on_error=False)

    async def _guarded(self, job: Callable[[], Awaitable[None]]) -> None:
        try:
            await job()
        except CancelledError as error:
            self.say(error.message)
        except BigDebugError as error:
            self.say(f"{error.message}" + (f" — {error.hint}" if error.hint else ""), bad=True)
            self._show_last_words(error)
            self.failed(error)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            self.say(f"unexpected {error_text(error)}", bad=True)
            self.failed(BigDebugError(error_text(error)))

    def _show_last_words(self, error: BigDebugError) -> None:
        """Where Spark couldn't be started, its own last words tell why."""
        last = self.ours.said.last() if self.ours.said and isinstance(error, UnreachableError) else ""
        if last and "Spark" in error.message:
            from bigdebug.tui.dialogs import FullText

            self.app.push_screen(FullText(error.message, last))

    def failed(self, error: BigDebugError) -> None:
        """Work that was begun ended with an error."""

    # -- actions that are everywhere ----------------------------------------------------------------

    def action_back(self) -> None:
        if self.ours.engine.work:
            self.ours.engine.cancel()
        elif len(self.app.screen_stack) > 2:
            self.app.pop_screen()
        else:
            self.app.exit()

    def action_cancel(self) -> None:
        if not self.ours.engine.work:
            self.say("nothing is being computed")
        self.ours.engine.cancel()

    def action_quit(self) -> None:
        self.app.exit()

    def action_theme(self) -> None:
        self.ours.next_theme()

    def action_help(self) -> None:
        from bigdebug.tui.help import HelpScreen

        self.app.push_screen(HelpScreen(self.NAME, self.ours.keys))

    @work(exclusive=True, group="copy")
    async def action_copy(self) -> None:
        from bigdebug.tui.dialogs import Choice

        shown, command = self.shown(), self.command_line()
        choices: dict[str, str] = {}
        if shown is not None:
            choices = {"text": "as text", "csv": "as CSV", "json": "as JSON"}
        if command:
            choices["command"] = f"the command: {command}"
        if not choices:
            self.say("there is nothing here to copy")
            return
        chosen = await self.app.push_screen_wait(Choice("Copy", choices))
        if chosen == "command":
            self.action_command()
        elif chosen and shown is not None:
            self.ours.copy(shown.as_(chosen))
            self.say(f"copied {len(shown.rows):,} rows as {chosen}")

    def action_command(self) -> None:
        command = self.command_line()
        if command is None:
            self.say("no command shows this")
            return
        self.ours.copy(command)
        self.say(f"copied: {command}")

    def action_editor(self) -> None:
        site = self.call_site()
        if site is None:
            self.say("no call site is known here")
            return
        self.open_in_editor(site.file, site.line)

    def open_in_editor(self, file: str, line: int) -> None:
        """Open a file in the user's editor, at a line."""
        from bigdebug.tui.editor import open_editor

        problem = open_editor(self.app, file, line)
        if problem:
            self.say(problem, bad=True)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in _NAMES and not hasattr(self, f"action_{action}"):
            return False
        return super().check_action(action, parameters)


_NAMES = {each.name for each in ACTIONS}


def command_of(*words: str, store: str = "") -> str:
    """A command of ours, as it is typed.

    Args:
        words: its subcommand and arguments; those that need quotes get them.
        store: what names the store, as it stands.
    """
    from bigdebug.wording.commands import for_a_shell

    return f"bigdebug {' '.join(_typed(word, for_a_shell) for word in words)}{store}"


def _typed(word: str, quoting: Callable[[str], str]) -> str:
    return word if shlex.quote(word) == word else quoting(word)


def joined(*parts: str) -> str:
    """Parts of a title, those that there are."""
    return " > ".join(part for part in parts if part)
