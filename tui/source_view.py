"""The user's source file, with the line lit that the cursor is about."""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import ClassVar

from rich.markup import escape
from rich.segment import Segment
from rich.style import Style
from rich.syntax import Syntax
from rich.text import Text
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from bigdebug.lineage.callsite import CallSite
from bigdebug.lineage.value_text import visible

_MOST_BYTES = 4_000_000
_GUTTER = 6
_MOST_COLOURED = 8
_SOON_SECONDS = 0.05


class SourceView(ScrollView, can_focus=True):
    """See the module."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"source--line", "source--number", "source--marked"}
    DEFAULT_CSS = """
    SourceView { background: $surface; scrollbar-size-vertical: 1; scrollbar-size-horizontal: 0;
        border-title-color: $text-primary; }
    SourceView > .source--line { background: $secondary; text-style: bold; }
    SourceView > .source--number { text-style: dim; }
    SourceView > .source--marked { color: $text-error; text-style: bold; }
    """

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines: list[Text] = []
        self._file: str | None = None
        self._line = 0
        self._first = 1
        self._marked: frozenset[int] = frozenset()
        self._settled = False
        self._note = ""
        self._drawn: dict[tuple[int, bool], Strip] = {}
        self._base: Style | None = None
        self._coloured_files: dict[tuple[str, str, int], list[Text]] = {}
        self._plain: list[str] = []
        self._colours: tuple[str, bool] | None = None

    def go_to(self, site: CallSite | None, since: float | None = None) -> None:
        """Show a call site.

        Args:
            site: of an operator.
            since: when the run read the file: a later change of it is said.
        """
        if site is None:
            self._show(None, [], 1)
            self.border_title = "no place in your code is known"
            self._line = 0
            return
        if site.file != self._file:
            self._load(site, since)
        elif self._first != 1:
            self._show(site.file, site.text.splitlines(), site.line)
        title = escape(visible(site.label + self._note))
        if self.border_title != title:
            self.border_title = title
        before, self._line = self._line, site.line
        if not self.size.height:
            self.call_after_refresh(self._to_line)
        elif before != site.line or not self._settled:
            self._to_line()

    def show_lines(self, file: str, lines: list[str], first: int, lit: int) -> None:
        """Show lines of a file that isn't the user's source.

        Args:
            file: its path.
            lines: these.
            first: number of the first.
            lit: number of the one that is lit; 0 for none.
        """
        self._show(file, lines, first)
        self._line = lit
        self.call_after_refresh(self._to_line)

    def mark(self, lines: Collection[int]) -> None:
        """Put a mark at some lines."""
        if self._marked != frozenset(lines):
            self._marked = frozenset(lines)
            self.refresh()

    def _load(self, site: CallSite, since: float | None) -> None:
        self._note = ""
        try:
            if os.path.getsize(site.file) > _MOST_BYTES:
                raise ValueError("too large")
            with open(site.file, encoding="utf-8", errors="replace") as file:
                text = file.read()
            if since is not None and os.path.getmtime(site.file) > since:
                self._note = " — changed since the run"
            self._show(site.file, text.split("\n"), 1)
        except (OSError, ValueError):
            self._note = " — the file isn't there any more; the statement as it was"
            self._show(site.file, site.text.splitlines() or ["(its text isn't known)"], site.line)

    def _show(self, file: str | None, lines: list[str], first: int) -> None:
        self._file, self._first = file, first
        self._plain = [visible(line.expandtabs(4)) for line in lines]
        self._colours = None
        self._settled = False
        width = max((len(line) for line in self._plain), default=0) + _GUTTER + 1
        self.virtual_size = Size(width, len(lines))
        self.refresh()

    def _to_line(self) -> None:
        place = self._line - self._first
        height = max(self.size.height, 3)
        if not self._first <= self._line < self._first + len(self._plain):
            return
        top = int(self.scroll_offset.y)
        self._settled = self.size.height > 0
        if not top + 1 <= place < top + height - 2:
            wanted = max(place - height // 3, 0)
            self.scroll_to(0, wanted, animate=False, immediate=True)
            # Before the layout knows of a new file there is nothing to scroll yet.
            if self._settled and int(self.scroll_offset.y) < min(wanted, len(self._plain) - height):
                self._settled = False
                self.set_timer(_SOON_SECONDS, self._to_line)
        self.refresh()

    def on_resize(self) -> None:
        self._to_line()

    def _coloured(self) -> list[Text]:
        """The lines in the colours of the theme; made when the first of them is drawn, and kept for a few files."""
        wanted = (self.app.theme, self.app.current_theme.dark)
        if self._colours == wanted:
            return self._lines
        self._colours = wanted
        self._drawn.clear()
        key = (str(self._file), self.app.theme, hash(tuple(self._plain)))
        known = self._coloured_files.pop(key, None)
        if known is None:
            if self.app.theme.startswith("ansi-") or not str(self._file).endswith(".py"):
                known = [Text(line) for line in self._plain]
            else:
                style = "github-dark" if self.app.current_theme.dark else "friendly"
                code = Syntax("", "python", theme=style).highlight("\n".join(self._plain))
                known = list(code.split("\n", allow_blank=True))
        self._coloured_files[key] = self._lines = known
        while len(self._coloured_files) > _MOST_COLOURED:
            del self._coloured_files[next(iter(self._coloured_files))]
        return known

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        place = int(self.scroll_offset.y) + y
        base = self._base = self._base or self.rich_style
        if place >= len(self._plain):
            return Strip.blank(width, base)
        number = self._first + place
        lit = number == self._line
        left = int(self.scroll_offset.x)
        text = self._coloured()[place]
        style = base + self.get_component_rich_style("source--line", partial=True) if lit else base
        marked = number in self._marked
        known = None if marked else self._drawn.get((number, lit))
        if known is not None:
            return known.crop_extend(left, left + width, style)
        name = "source--marked" if number in self._marked else "source--number"
        told = self.get_component_rich_style(name, partial=True)
        sign = "◉" if number in self._marked else ("▶" if lit else " ")
        gutter = Segment(f"{number:>{_GUTTER - 2}}{sign} ", style + _ink(told))
        inner = [
            Segment(each.text, style + _ink(each.style or Style()))
            for each in text.render(self.app.console, end="")
        ]
        strip = Strip([gutter, *inner])
        if not marked:
            self._drawn[number, lit] = strip
        return strip.crop_extend(left, left + width, style)

    def notify_style_update(self) -> None:
        self._drawn.clear()
        self._base = None
        super().notify_style_update()


def _ink(style: Style) -> Style:
    return Style(color=style.color, bold=style.bold, dim=style.dim, italic=style.italic)
