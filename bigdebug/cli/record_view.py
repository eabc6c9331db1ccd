"""Shows records with their places so that they can be read at any width."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Number
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bigdebug.cli.rendering import a_table, add_column, fits, show_line, show_table
from bigdebug.lineage.location import TracedRecord
from bigdebug.lineage.value_text import text_value, visible
from bigdebug.wording.quantities import plural

_FEW = 4
"""So many records stand side by side, when their columns don't."""

_LONG_NAME = 30
_MOST_FILES = 5
_WIDE = 60
_GAP = 2


@dataclass(frozen=True)
class _Column:
    title: str
    cells: list[str]
    right: bool = False
    mark: str = ""
    style: str = "bold"

    @property
    def width(self) -> int:
        return min(max(map(cell_len, (self.title, *self.cells))), _WIDE)


def show_records(
    console: Console,
    records: Sequence[TracedRecord],
    files: Sequence[str],
    reached: Sequence[str] = (),
    decided: Sequence[str] = (),
) -> None:
    """Print records: as a table where it fits; else, a few as columns side by side, many in several tables.

    Nothing is cut off: long values are folded. Where all stand in one file, it is named once, above.

    Args:
        console: where to.
        records: what to show.
        files: the files that these and further records stand in.
        reached: the columns whose values reached the rows traced.
        decided: those that only decided which records took part; where there are any of these two, the other
            columns step back.
    """
    at_reached, at_decided = marks(console)
    looks = dict.fromkeys(reached, (at_reached, "bold")) | dict.fromkeys(decided, (at_decided, ""))
    places, values = _places(records, name_files=len(files) != 1), _values(records, looks)
    whole = _table([*places, *values])
    if not fits(console, whole) and any(cell_len(name) > _LONG_NAME for name in _file_names(places)):
        places = _show_numbered_files(console, places, records)
        whole = _table([*places, *values])
    else:
        _show_files(console, files)
    if not records:
        return
    if fits(console, whole):
        show_table(console, whole)
        return
    side_by_side = _side_by_side(places, values, len(records))
    if len(records) <= _FEW and fits(console, side_by_side):
        show_table(console, side_by_side)
        return
    parts = _parts(places, values, console.width)
    shown = 0
    for part in parts:
        if len(parts) > 1:
            which = f"columns {shown + 1} to {shown + len(part)}" if part[1:] else f"column {shown + 1}"
            show_line(console, Text(f"{which} of {len(values)}", style="italic"))
        shown += len(part)
        show_table(console, _table([*places, *part]))


def marks(console: Console) -> tuple[str, str]:
    """What stands at the name of a column whose values reached the rows, and of one that only decided."""
    return ("*", "o") if console.options.ascii_only else ("●", "○")


def _show_files(console: Console, files: Sequence[str]) -> None:
    for file in files[:_MOST_FILES]:
        show_line(console, visible(file))
    if len(files) > _MOST_FILES:
        show_line(console, f"and {plural(len(files) - _MOST_FILES, 'file')} more")


def _places(records: Sequence[TracedRecord], *, name_files: bool) -> list[_Column]:
    """File, partition and position, as far as the source has them."""
    locations = [record.location for record in records]
    places = []
    if name_files and any(location.file is not None for location in locations):
        names = short_names([location.file or "" for location in locations])
        places.append(_Column("file", names))
    for title in ("partition", "position"):
        numbers = [getattr(location, title) for location in locations]
        if any(number is not None for number in numbers):
            cells = ["" if number is None else str(number) for number in numbers]
            places.append(_Column(title, cells, right=True))
    return places


def _file_names(places: Sequence[_Column]) -> list[str]:
    return places[0].cells if places and places[0].title == "file" else []


def _show_numbered_files(
    console: Console, places: Sequence[_Column], records: Sequence[TracedRecord]
) -> list[_Column]:
    """Put numbers in place of long file names, and say what they stand for."""
    numbers: dict[str, str] = {}
    for record in records:
        numbers.setdefault(record.location.file or "", str(len(numbers) + 1))
    for file, number in numbers.items():
        show_line(console, f"file {number}: {visible(file)}")
    cells = [numbers[record.location.file or ""] for record in records]
    return [_Column("file", cells, right=True), *places[1:]]


def _values(records: Sequence[TracedRecord], looks: Mapping[str, tuple[str, str]]) -> list[_Column]:
    other = ("", "dim" if looks else "bold")
    rows = [record.cells for record in records]
    names = dict.fromkeys(name for row in rows for name in row)
    return [
        _Column(
            visible(name) or '""',
            [text_value(row[name]) if name in row else "" for row in rows],
            right=all(_is_number(row.get(name)) for row in rows),
            mark=looks.get(name, other)[0],
            style=looks.get(name, other)[1],
        )
        for name in names
    ]


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, Number) and not isinstance(value, bool))


def short_names(files: Sequence[str]) -> list[str]:
    """The last part of each path, and as many before it as are needed to tell the files apart."""
    parts = {file: file.split("/") for file in files}
    for depth in range(1, max(map(len, parts.values()), default=0) + 1):
        names = {file: "/".join(part[-depth:]) for file, part in parts.items()}
        if len(set(names.values())) == len(parts):
            return [visible(names[file]) for file in files]
    return [visible(file) for file in files]


def _table(columns: Sequence[_Column]) -> Table:
    table = a_table()
    marked = any(column.mark for column in columns)
    for column in columns:
        # Below its name a mark takes no room from the other columns.
        title = f"{column.title}\n{column.mark}" if marked else column.title
        add_column(table, title, right=column.right, style=column.style)
    for cells in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*map(Text, cells))
    return table


def _side_by_side(places: Sequence[_Column], values: Sequence[_Column], count: int) -> Table:
    """The records as columns, under their places."""
    table = a_table()
    marked = any(column.mark for column in values)
    add_column(table, "column")
    if marked:
        add_column(table, "")
    for index in range(count):
        add_column(table, f"record {index + 1}" if count > 1 else "record")
    for column in (*places, *values):
        mark = [column.mark] if marked else []
        table.add_row(Text(column.title, style=column.style), *map(Text, (*mark, *column.cells)))
    return table


def _parts(places: Sequence[_Column], values: Sequence[_Column], width: int) -> list[list[_Column]]:
    """Groups of columns that each fit beside the places."""
    room = width - sum(column.width + _GAP for column in places)
    parts: list[list[_Column]] = []
    left = 0
    for column in values:
        if not parts or column.width > left:
            parts.append([])
            left = room
        parts[-1].append(column)
        left -= column.width + _GAP
    return parts
