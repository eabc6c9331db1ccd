"""A source file, open at a record: the line of a text file, the row of a Parquet file."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from bigdebug.lineage.callsite import CallSite
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.location import TracedRecord, local_path
from bigdebug.tui.actions import bindings
from bigdebug.tui.copying import Shown
from bigdebug.tui.grid import Grid
from bigdebug.tui.pages import Field, rows_of
from bigdebug.tui.source_view import SourceView
from bigdebug.tui.table import RecordRows, columns_of
from bigdebug.tui.traced import Records
from bigdebug.tui.view import View, joined

_AROUND = 300
_COMPRESSED = (".gz", ".bz2", ".zst", ".snappy", ".lz4", ".deflate", ".xz")
_OFFSETS = 3
"""A header, or a comment, may stand before the first record."""


@dataclass(frozen=True)
class Lines:
    """Lines of a file.

    Attributes:
        first: number of the first one, from 1.
        lines: these.
        lit: the record's; 0 where it wasn't found.
        guessed: its position alone tells it.
    """

    first: int
    lines: list[str]
    lit: int
    guessed: bool = False


def lines_at(path: str, record: TracedRecord) -> Lines:
    """Lines around a record of a text file, found by its position and its values.

    Raises:
        BigDebugError: the file can't be read.
    """
    position = record.location.position or 0
    kept: list[tuple[int, str]] = []
    records = 0
    try:
        with open(path, encoding="utf-8", errors="replace", newline="\n") as file:
            for number, line in enumerate(file, 1):
                if records > position + _AROUND:
                    break
                if records >= position - _AROUND:
                    kept.append((number, line.rstrip("\r\n")))
                records += bool(line.strip())
    except OSError as error:
        raise BigDebugError(f"{path} can't be read: {error.strerror or error}") from None
    if not kept:
        raise BigDebugError(
            f"{path} has fewer records than {position:,}", hint="it was changed since the run"
        )
    filled = [(number, line) for number, line in kept if line.strip()]
    place = position - (records - len(filled))
    candidates = filled[max(place, 0) : place + _OFFSETS + 1]
    texts = [str(each) for each in record.cells.values()]
    texts = [text for text in texts if text and text != "None"]
    lit = _line_of(candidates, texts) if texts else (candidates[0][0] if candidates else 0)
    return Lines(kept[0][0], [line for _, line in kept], lit, guessed=not texts)


def _line_of(candidates: Sequence[tuple[int, str]], texts: Sequence[str]) -> int:
    """The line of a record: of those that it may stand in, the one that its values stand in; 0 for none."""
    scored = [
        (sum(text in line for text in texts), -index, number)
        for index, (number, line) in enumerate(candidates)
    ]
    best = max(scored, default=(0, 0, 0))
    return best[2] if best[0] else 0


def rows_at(path: str, position: int) -> tuple[list[Field], list[list[Any]], int]:
    """Rows around one of a Parquet file: the columns, the rows, and the number of the first one."""
    import pyarrow.parquet as pq

    first = max(position - _AROUND, 0)
    try:
        with pq.ParquetFile(path) as file:
            fields = [Field(each.name, str(each.type)) for each in file.schema_arrow]
            start, rows = 0, []
            for group in range(file.metadata.num_row_groups):
                count = file.metadata.row_group(group).num_rows
                if start + count > first and start < position + _AROUND:
                    begin, end = max(first - start, 0), min(position + _AROUND - start, count)
                    rows += rows_of(file.read_row_group(group).slice(begin, end - begin))
                start += count
    except (OSError, ValueError) as error:
        raise BigDebugError(f"{path} can't be read: {error}") from None
    return fields, rows, first


class FileView(View):
    """See the module.

    Args:
        record: of a source, with its place.
        kind: the source's format.
    """

    NAME = "file"
    AUTO_FOCUS = "SourceView, Grid"
    BINDINGS: ClassVar[list[BindingType]] = bindings("file")
    DEFAULT_CSS = """
    FileView SourceView { height: 1fr; }
    FileView.-table SourceView { display: none; }
    FileView Grid { display: none; height: 1fr; }
    FileView.-table Grid { display: block; }
    """

    def __init__(self, record: TracedRecord, kind: str) -> None:
        super().__init__()
        self.record, self.kind = record, kind
        self._line = 0

    @property
    def heading(self) -> str:
        return joined("bigdebug", self.record.location.file or "", f"record {self.record.location.position}")

    def parts(self) -> ComposeResult:
        yield SourceView()
        yield Grid(id="rows")

    def on_mount(self) -> None:
        super().on_mount()
        self.begin(self._open)

    async def _open(self) -> None:
        location = self.record.location
        path = local_path(location.file or "")
        if path is None:
            raise BigDebugError(f"{location.file} isn't on this machine", hint="its records are in the trace")
        if self.kind == "parquet" or path.endswith(".parquet"):
            fields, rows, first = await asyncio.to_thread(rows_at, path, location.position or 0)
            self.set_class(True, "-table")
            numbered = [[first + index, *row] for index, row in enumerate(rows)]
            records = Records([Field("position", "bigint"), *fields], numbered)
            grid = self.query_one(Grid)
            grid.show(columns_of(records.fields), RecordRows(records))
            grid.place((location.position or 0) - first)
            grid.focus()
            self.say(f"row {location.position:,} of {os.path.basename(path)}")
            return
        if self.kind not in ("csv", "text", "json", "xml", "hadoop", "") or path.endswith(_COMPRESSED):
            raise BigDebugError(
                f"a {self.kind} file has no lines to show", hint="its records are in the trace"
            )
        found = await asyncio.to_thread(lines_at, path, self.record)
        self._line = found.lit
        self.query_one(SourceView).show_lines(path, found.lines, found.first, found.lit)
        if found.guessed:
            self.say(
                f"line {found.lit:,} is record {location.position:,}, or a later one if the file has a header"
            )
        elif found.lit:
            self.say(f"line {found.lit:,} of {os.path.basename(path)} is record {location.position:,}")
        else:
            self.say("the record's values stand in none of the lines here: the file has changed", bad=True)

    def call_site(self) -> CallSite | None:
        path = local_path(self.record.location.file or "")
        return CallSite(path, max(self._line, 1)) if path else None

    def shown(self) -> Shown | None:
        cells = self.record.cells
        return Shown(list(cells), [list(cells.values())])
