"""Small windows that ask for something: a text, a choice, or show a value in full."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static, TextArea
from textual.widgets.option_list import Option

from bigdebug.lineage.value_text import visible

_CSS = """
NAME { align: center middle; background: $background 60%; }
NAME > Vertical { width: 90%; max-width: 110; height: auto; max-height: 90%; border: round $primary;
    background: $panel; padding: 0 1; }
NAME Static { height: auto; }
NAME .hint { color: $text-muted; }
NAME .problem { color: $text-error; }
"""


class Prompt(ModalScreen[str | None]):
    """Asks for a line of text.

    Args:
        title: what for.
        value: what stands there at first.
        hint: what can be written.
        check: a problem with a text, in words; None where there is none.
    """

    DEFAULT_CSS = _CSS.replace("NAME", "Prompt")
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Cancel")]

    def __init__(
        self, title: str, value: str = "", hint: str = "", check: Callable[[str], str | None] | None = None
    ) -> None:
        super().__init__()
        self._title, self._value, self._hint, self._check = title, value, hint, check

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(Text(visible(self._title), "bold"))
            yield Input(self._value, select_on_focus=False)
            yield Static(Text(visible(self._hint)), classes="hint")
            yield Static("", classes="problem", markup=False)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        problem = self._check(event.value) if self._check else None
        if problem:
            self.query_one(".problem", Static).update(Text(visible(problem)))
            return
        self.dismiss(event.value)


class Choice(ModalScreen[str | None]):
    """Asks for one of some things.

    Args:
        title: what for.
        choices: what is said of each, by its name.
    """

    DEFAULT_CSS = _CSS.replace("NAME", "Choice") + "Choice OptionList { height: auto; max-height: 20; }"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Cancel")]

    def __init__(self, title: str, choices: Mapping[str, str]) -> None:
        super().__init__()
        self._title, self._choices = title, choices

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(Text(visible(self._title), "bold"))
            yield OptionList(
                *(Option(Text(visible(text)), id=name) for name, text in self._choices.items()), markup=False
            )

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option_id)


class FullText(ModalScreen[None]):
    """A value, or another long text, in full.

    Args:
        title: what it is.
        text: all of it.
    """

    DEFAULT_CSS = _CSS.replace("NAME", "FullText") + "FullText TextArea { height: auto; max-height: 30; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter", "dismiss(None)", "Close", priority=True),
    ]

    def __init__(self, title: str, text: str) -> None:
        super().__init__()
        self._title, self._text = title, text

    def compose(self) -> ComposeResult:
        lines = "\n".join(visible(line) for line in self._text.split("\n"))
        with Vertical():
            yield Static(Text(visible(self._title), "bold"))
            yield TextArea(lines, read_only=True, show_line_numbers=False, soft_wrap=True)
            yield Static(Text("Esc closes"), classes="hint")
