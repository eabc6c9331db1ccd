"""How tables, times and sizes look on a terminal and in a pipe."""

import datetime
import os
import sys
import threading
import time
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


def duration(seconds: float | None) -> str:
    """`0.4 s`, `12 s`, `3 min 05 s`, `2 h 05 min`, `3 d 4 h`; `-` where it isn't known."""
    if seconds is None:
        return "-"
    seconds = max(seconds, 0.0)
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def moment(started: float, now: float | None = None) -> str:
    """A point in time, in local time: `today 09:31`, `yesterday 18:02`, `14 Nov 09:31`, `2025-11-14`."""
    then = time.localtime(started)
    today = time.localtime(now)
    clock = time.strftime("%H:%M", then)
    days = _day(today) - _day(then)
    if days in (0, 1):
        return f"{'yesterday' if days else 'today'} {clock}"
    if then.tm_year == today.tm_year:
        return f"{then.tm_mday} {time.strftime('%b', then)} {clock}"
    return time.strftime("%Y-%m-%d", then)


def _day(when: time.struct_time) -> int:
    return datetime.date(when.tm_year, when.tm_mon, when.tm_mday).toordinal()


def size(count: float) -> str:
    """`512 bytes`, `3.4 MB`, `12 GB`: powers of ten, as disks are sold."""
    if count < 1000:
        return f"{count:.0f} bytes"
    units = iter(("kB", "MB", "GB", "TB", "PB"))
    while count >= 999.5:
        count, unit = count / 1000, next(units)
    return f"{count:.1f} {unit}" if count < 9.95 else f"{count:.0f} {unit}"


def plural(count: int, noun: str) -> str:
    """`1 record`, `1,200 records`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


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
