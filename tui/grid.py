"""A table of any length: it draws what is on the screen, and asks for rows that it lacks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from bigdebug.lineage.value_text import visible
from bigdebug.tui.cells import Cell, Column, ListRows, Row, Rows

_GAP = 2


class Grid(ScrollView, can_focus=True):
    """See the module. Texts are shown as they are: neither markup nor escape sequences in them are obeyed."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "grid--header",
        "grid--note",
        "grid--cursor",
        "grid--cell",
        "grid--missing",
        "grid--dim",
        "grid--good",
        "grid--bad",
        "grid--odd",
        "grid--live",
        "grid--mark",
        "grid--strong",
    }

    DEFAULT_CSS = """
    Grid { background: $surface; color: $foreground; scrollbar-size-vertical: 1; scrollbar-size-horizontal: 0; }
    Grid:focus { background-tint: $foreground 3%; }
    Grid > .grid--header { text-style: bold; color: $text-primary; background: $panel; }
    Grid > .grid--note { text-style: dim; background: $panel; }
    Grid > .grid--cursor { background: $secondary; text-style: bold; }
    Grid > .grid--cell { background: $primary; color: $text; text-style: bold underline; }
    Grid > .grid--missing { text-style: dim; }
    Grid > .grid--dim { text-style: dim; }
    Grid > .grid--good { color: $text-success; }
    Grid > .grid--bad { color: $text-error; }
    Grid > .grid--odd { color: $text-warning; }
    Grid > .grid--live { color: $text-accent; }
    Grid > .grid--mark { color: $text-error; text-style: bold; }
    Grid > .grid--strong { text-style: bold; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False, id="grid.up"),
        Binding("down,j", "move(1)", "Down", show=False, id="grid.down"),
        Binding("left,h", "side(-1)", "Left", show=False, id="grid.left"),
        Binding("right,l", "side(1)", "Right", show=False, id="grid.right"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="grid.page_up"),
        Binding("pagedown", "page(1)", "Page down", show=False, id="grid.page_down"),
        Binding("home", "end(0)", "First", show=False, id="grid.first"),
        Binding("end,G", "end(1)", "Last", show=False, id="grid.last"),
        Binding("enter", "select", "Open", show=False, id="grid.open"),
    ]

    cursor: reactive[int] = reactive(0)
    cell: reactive[int] = reactive(0)

    class Moved(Message):
        """The cursor is on another row or cell."""

        def __init__(self, grid: Grid) -> None:
            super().__init__()
            self.grid = grid

        @property
        def control(self) -> Grid:
            return self.grid

    class Selected(Message):
        """A row was chosen, by Enter or a click on the cursor."""

        def __init__(self, grid: Grid) -> None:
            super().__init__()
            self.grid = grid

        @property
        def control(self) -> Grid:
            return self.grid

    class Wanted(Message):
        """Rows are on the screen that aren't loaded."""

        def __init__(self, grid: Grid, first: int, last: int) -> None:
            super().__init__()
            self.grid = grid
            self.first = first
            self.last = last

        @property
        def control(self) -> Grid:
            return self.grid

    class HeaderClicked(Message):
        """The title of a column was clicked."""

        def __init__(self, grid: Grid, column: int) -> None:
            super().__init__()
            self.grid = grid
            self.column = column

        @property
        def control(self) -> Grid:
            return self.grid

    def __init__(
        self,
        columns: Sequence[Column] = (),
        rows: Rows | None = None,
        *,
        cells: bool = False,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        """Args:
        columns: what stands above.
        rows: what is shown.
        cells: the cursor goes from cell to cell, too.
        """
        super().__init__(id=id, classes=classes)
        self.columns: list[Column] = []
        self.rows: Rows = ListRows()
        self._cells = cells
        self._widths: list[int] = []
        self._asked: tuple[int, int] | None = None
        self._styles: dict[str, Style] = {}
        self.show(columns, rows or ListRows())

    # -- what is shown ------------------------------------------------------------------------------

    def show(self, columns: Sequence[Column], rows: Rows, *, keep: bool = False) -> None:
        """Show something else.

        Args:
            columns: of it.
            rows: of it.
            keep: leave the cursor where it is, as far as there are rows.
        """
        self.columns = list(columns)
        self.rows = rows
        self._widths = [column.width or min(self._needed(column), column.most) for column in columns]
        self._asked = None
        self._widen(0, min(rows.count, 60))
        if not keep:
            self.cell = 0
            self.set_reactive(Grid.cursor, 0)
            if self.is_mounted:
                self.scroll_to(0, 0, animate=False, immediate=True)
        self.set_reactive(Grid.cursor, max(0, min(self.cursor, rows.count - 1)))
        self._resize()
        self.refresh()
        if rows.count and self.is_mounted:
            self.post_message(self.Moved(self))

    def loaded(self) -> None:
        """Rows have come, or how many there are has changed."""
        self._asked = None
        top = self._top
        self._widen(top, min(self.rows.count, top + max(self.size.height, 30)))
        self._resize()
        self.refresh()

    def place(self, row: int, cell: int | None = None) -> None:
        """Put the cursor on a row."""
        self.cursor = max(0, min(row, self.rows.count - 1))
        if cell is not None:
            self.cell = max(0, min(cell, len(self.columns) - 1))
        self._show_cursor()

    @property
    def _top(self) -> int:
        return int(self.scroll_offset.y)

    @property
    def _head(self) -> int:
        return 0 if not any(c.title for c in self.columns) else 2 if any(c.note for c in self.columns) else 1

    @staticmethod
    def _needed(column: Column) -> int:
        return max(cell_len(visible(column.title)), cell_len(visible(column.note)), 1)

    def _widen(self, first: int, last: int) -> None:
        """Make columns as wide as some rows need; a column never gets narrower while it is shown."""
        for index in range(first, last):
            row = self.rows.row(index)
            for place, each in enumerate(row or ()):
                if place >= len(self.columns):
                    break
                column = self.columns[place]
                if not column.width and self._widths[place] < column.most:
                    text = each.text if isinstance(each, Cell) else each
                    needed = min(cell_len(visible(text[: 4 * column.most])), column.most)
                    self._widths[place] = max(self._widths[place], needed)

    def _resize(self) -> None:
        width = sum(self._widths) + _GAP * len(self._widths)
        self.virtual_size = Size(width, self.rows.count + self._head)

    # -- how it is drawn ----------------------------------------------------------------------------

    def _style(self, name: str = "") -> Style:
        """A component's style, or the grid's own; looked up once, for it takes longer than the drawing."""
        found = self._styles.get(name)
        if found is None:
            if name in ("grid--header", "grid--note"):
                found = self.get_component_rich_style(name)
            else:
                found = self.get_component_rich_style(name, partial=True) if name else self.rich_style
            self._styles[name] = found
        return found

    def notify_style_update(self) -> None:
        self._styles.clear()
        super().notify_style_update()

    def render_line(self, y: int) -> Strip:
        head = self._head
        width = self.size.width
        left = int(self.scroll_offset.x)
        if y < head:
            return self._header(y, left, width)
        index = self._top + y - head
        base = self._style()
        if index >= self.rows.count:
            return Strip.blank(width, base)
        row = self.rows.row(index)
        if row is None:
            self._ask(index)
            style = base + self._style("grid--missing")
            return Strip([Segment(set_cell_size("  …", width), style)], width)
        return self._line(index, row, base).crop_extend(left, left + width, self._row_style(index, base))

    def _header(self, y: int, left: int, width: int) -> Strip:
        style = self._style("grid--note" if y else "grid--header")
        segments = []
        for place, column in enumerate(self.columns):
            text = visible(column.note if y else column.title)
            segments.append(Segment(self._fitted(text, place, column.right) + " " * _GAP, style))
        return Strip(segments).crop_extend(left, left + width, style)

    def _row_style(self, index: int, base: Style) -> Style:
        if index == self.cursor:
            return base + self._style("grid--cursor")
        return base

    def _line(self, index: int, row: Row, base: Style) -> Strip:
        style = self._row_style(index, base)
        segments = []
        for place, each in enumerate(row[: len(self.columns)]):
            text, name = (each.text, each.style) if isinstance(each, Cell) else (each, "")
            name = name or self.columns[place].style
            own = style
            if name:
                own = style + replace_background(self._style(name))
            if self._cells and index == self.cursor and place == self.cell:
                own = base + self._style("grid--cell")
            shown = visible(text[: 4 * self._widths[place] + 8])
            segments.append(Segment(self._fitted(shown, place, self.columns[place].right), own))
            segments.append(Segment(" " * _GAP, style))
        return Strip(segments)

    def _fitted(self, text: str, place: int, right: bool) -> str:
        width = self._widths[place]
        length = cell_len(text)
        if length > width:
            return set_cell_size(text, width - 1) + "…"
        padding = " " * (width - length)
        return padding + text if right else text + padding

    def _ask(self, index: int) -> None:
        first, last = max(index - 1, 0), min(index + max(self.size.height, 1), self.rows.count)
        if self._asked is None or not self._asked[0] <= index < self._asked[1]:
            self._asked = (first, last)
            # Drawing happens in the screen's name; the message is to come from the grid.
            self.call_next(self._want, first, last)

    def _want(self, first: int, last: int) -> None:
        self.post_message(self.Wanted(self, first, last))

    # -- the cursor ---------------------------------------------------------------------------------

    def watch_cursor(self, before: int, now: int) -> None:
        if before != now:
            for index in (before, now):
                y = index - self._top + self._head
                if 0 <= y < self.size.height:
                    self.refresh(Region(0, y, self.size.width, 1))
            self._show_cursor()
            self.post_message(self.Moved(self))

    def watch_cell(self, before: int, now: int) -> None:
        if before != now:
            self.refresh(Region(0, self.cursor - self._top + self._head, self.size.width, 1))
            self._show_cursor()
            self.post_message(self.Moved(self))

    def _show_cursor(self) -> None:
        if not self.is_mounted or not self._widths:
            return
        room = max(self.scrollable_content_region.height - self._head, 1)
        top = self._top
        if self.cursor < top:
            top = self.cursor
        elif self.cursor >= top + room:
            top = self.cursor - room + 1
        left = int(self.scroll_offset.x)
        if self._cells:
            start = sum(self._widths[: self.cell]) + _GAP * self.cell
            end = start + self._widths[self.cell] if self.cell < len(self._widths) else start
            if start < left:
                left = start
            elif end > left + self.size.width:
                left = min(start, end - self.size.width + _GAP)
        if (left, top) != (int(self.scroll_offset.x), self._top):
            self.scroll_to(left, top, animate=False, immediate=True)

    def action_move(self, by: int) -> None:
        self.place(self.cursor + by)

    def action_side(self, by: int) -> None:
        if self._cells:
            self.place(self.cursor, self.cell + by)
        else:
            self.scroll_relative(x=8 * by, animate=False)

    def action_page(self, by: int) -> None:
        self.place(self.cursor + by * max(self.size.height - self._head - 1, 1))

    def action_end(self, last: int) -> None:
        self.place(self.rows.count - 1 if last else 0)

    def action_select(self) -> None:
        if self.rows.count:
            self.post_message(self.Selected(self))

    async def _on_click(self, event: events.Click) -> None:
        y = event.y - self._head
        place = self._column_at(event.x + int(self.scroll_offset.x))
        if y < 0:
            if place is not None:
                self.post_message(self.HeaderClicked(self, place))
            return
        index = self._top + y
        if not 0 <= index < self.rows.count:
            return
        again = index == self.cursor and event.chain > 1
        self.place(index, place)
        if again:
            self.action_select()

    def _column_at(self, x: int) -> int | None:
        for place, width in enumerate(self._widths):
            if x < width + _GAP:
                return place
            x -= width + _GAP
        return None


def replace_background(style: Style) -> Style:
    """A style without a background of its own: the cursor's goes through."""
    return Style(color=style.color, bold=style.bold, dim=style.dim, underline=style.underline)
