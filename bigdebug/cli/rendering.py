"""How tables look on a terminal and in a pipe."""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

_UNBOUNDED = 10_000
_BETWEEN_COLUMNS = 2
_PATIENCE_SECONDS = 1.0

_STATUS_STYLE = {"done": "green", "failed": "red", "lost": "yellow", "broken": "yellow", "running": "cyan"}


def output_console() -> Console:
    """Standard output. In a pipe nothing is wrapped or cut, unless COLUMNS asks for a width."""
    width = None if sys.stdout.isatty() or os.environ.get("COLUMNS") else _UNBOUNDED
    return Console(width=width, highlight=False, emoji=False, markup=False)


def message_console() -> Console:
    """Standard error: all that isn't data."""
    width = None if sys.stderr.isatty() or os.environ.get("COLUMNS") else _UNBOUNDED
    return Console(stderr=True, width=width, highlight=False, emoji=False, markup=False)


def a_table() -> Table:
    """An empty table in the style of all our tables."""
    return Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0), header_style="")


def add_column(
    table: Table, title: str, *, right: bool = False, whole: bool = False, style: str = "bold"
) -> None:
    """Add a column whose cells are folded, never cut; `whole` ones aren't even folded. `style`: its title's."""
    table.add_column(
        title, justify="right" if right else "left", overflow="fold", no_wrap=whole, header_style=style
    )


def show_line(console: Console, *parts: Text | str) -> None:
    """Print one line. The terminal itself wraps it, so that a path or command in it can still be copied."""
    console.print(Text.assemble(*parts), soft_wrap=True)


def fits(console: Console, table: Table) -> bool:
    """Whether a table can be printed without folding a cell."""
    return _width(console, table) <= console.width


def room_beside(console: Console, table: Table) -> int:
    """How wide one more column of a table may be so that no cell is folded; below 1 where there is no room."""
    return console.width - _width(console, table) - _BETWEEN_COLUMNS


def _width(console: Console, table: Table) -> int:
    return table.__rich_measure__(console, console.options.update(width=_UNBOUNDED)).maximum


def shortened(text: str, width: int) -> str:
    """A text of at most so many cells, with `…` where its end was cut off."""
    cut = Text(text)
    cut.truncate(width, overflow="ellipsis")
    return cut.plain


def show_table(console: Console, table: Table) -> None:
    """Print a table, without the blanks that would pad its lines in a pipe."""
    if console.is_terminal:
        console.print(table)
        return
    with console.capture() as capture:
        console.print(table)
    console.file.writelines(f"{line.rstrip()}\n" for line in capture.get().splitlines())


def status_text(status: str) -> Text:
    """A status in its colour."""
    return Text(status, style=_STATUS_STYLE.get(status, ""))


@contextmanager
def stage(text: str) -> Iterator[Callable[[str], None]]:
    """Say on a terminal what goes on, once it has taken a second. Yields what says that it is something else now."""
    console = message_console()
    if not console.is_terminal:
        yield lambda _: None
        return
    status = console.status(text)
    lock, over = threading.Lock(), threading.Event()

    def show() -> None:
        with lock:
            if not over.is_set():
                status.start()

    timer = threading.Timer(_PATIENCE_SECONDS, show)
    timer.daemon = True
    timer.start()
    try:
        yield status.update
    finally:
        with lock:
            over.set()
            timer.cancel()
            status.stop()
