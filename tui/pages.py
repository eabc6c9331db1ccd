"""Rows of an output or operator, read a page at a time; never all of them at once."""

from __future__ import annotations

import bisect
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from bigdebug.lineage.value_text import text_value

if TYPE_CHECKING:
    import pyarrow as pa

_NUMBERS = ("int", "bigint", "smallint", "tinyint", "double", "float", "decimal")
_BLOCKS = 12


@dataclass(frozen=True)
class Field:
    """A column of rows.

    Attributes:
        name: as the output has it; two may be alike.
        kind: Spark's name of its type.
    """

    name: str
    kind: str

    @property
    def is_number(self) -> bool:
        """Whether it stands at the right."""
        return self.kind.startswith(_NUMBERS)


class Pages(Protocol):
    """Rows by number.

    Attributes:
        fields: the columns.
        count: how many rows there are, as far as that is known.
        complete: whether these are all.
    """

    fields: list[Field]
    count: int
    complete: bool

    def values(self, first: int, last: int) -> list[list[Any]]:
        """Some rows, each a list of values. May read a file."""


class ArrowPages:
    """Rows that are all in memory, as Arrow."""

    def __init__(self, fields: Sequence[Field], table: pa.Table, *, complete: bool = True) -> None:
        self.fields = list(fields)
        self.count = table.num_rows
        self.complete = complete
        self._table = table

    def values(self, first: int, last: int) -> list[list[Any]]:
        return rows_of(self._table.slice(first, max(last - first, 0)))


class ParquetPages:
    """Rows in the Parquet files of a folder, in the order of the files' names.

    Args:
        fields: the columns.
        folder: that Spark wrote.
    """

    complete = True

    def __init__(self, fields: Sequence[Field], folder: Path) -> None:
        import pyarrow.parquet as pq

        self.fields = list(fields)
        self._blocks: list[tuple[Path, int]] = []
        self._starts: list[int] = []
        self._read: OrderedDict[int, pa.Table] = OrderedDict()
        self._lock = threading.Lock()
        count = 0
        for path in sorted(folder.glob("part-*.parquet")):
            metadata = pq.read_metadata(path)
            for group in range(metadata.num_row_groups):
                self._blocks.append((path, group))
                self._starts.append(count)
                count += metadata.row_group(group).num_rows
        self.count = count

    def values(self, first: int, last: int) -> list[list[Any]]:
        found: list[list[Any]] = []
        while first < min(last, self.count):
            block = bisect.bisect_right(self._starts, first) - 1
            table = self._block(block)
            offset = first - self._starts[block]
            part = table.slice(offset, last - first)
            found += rows_of(part)
            first += part.num_rows
        return found

    def _block(self, number: int) -> pa.Table:
        import pyarrow.parquet as pq

        with self._lock:
            if number in self._read:
                self._read.move_to_end(number)
                return self._read[number]
        path, group = self._blocks[number]
        with pq.ParquetFile(path) as file:
            table = file.read_row_group(group, use_threads=False)
        with self._lock:
            self._read[number] = table
            while len(self._read) > _BLOCKS:
                self._read.popitem(last=False)
        return table


def rows_of(table: pa.Table) -> list[list[Any]]:
    """The values of an Arrow table by row; columns may have the same name."""
    columns = [_column(column) for column in table.columns]
    return (
        [list(row) for row in zip(*columns, strict=True)] if columns else [[] for _ in range(table.num_rows)]
    )


def _column(column: Any) -> list[Any]:
    try:
        values: list[Any] = column.to_pylist(maps_as_pydicts="lossy")
        return values
    except (ValueError, OverflowError):
        return [_safely(each) for each in column]


def _safely(scalar: Any) -> Any:
    try:
        return scalar.as_py()
    except (ValueError, OverflowError):  # a time that Python has none of
        return str(scalar)


class PageRows:
    """Rows for a grid, with their numbers in front. Pages are kept as they come; `load` fetches one.

    Args:
        pages: where from.
    """

    def __init__(self, pages: Pages, block: int = 200, most: int = 60) -> None:
        self.pages = pages
        self._block = block
        self._most = most
        self._kept: OrderedDict[int, list[list[Any]]] = OrderedDict()
        self._cells: OrderedDict[int, list[str]] = OrderedDict()

    @property
    def count(self) -> int:
        return self.pages.count

    def row(self, index: int) -> Sequence[str] | None:
        if index in self._cells:
            return self._cells[index]
        values = self.values(index)
        if values is None:
            return None
        cells = [f"{index:,}", *map(text_value, values)]
        self._cells[index] = cells
        if len(self._cells) > 2_000:
            self._cells.popitem(last=False)
        return cells

    def values(self, index: int) -> list[Any] | None:
        """The values of a row, where they are there."""
        block = self._kept.get(index // self._block)
        if block is None:
            return None
        place = index % self._block
        return block[place] if place < len(block) else None

    def load(self, first: int, last: int) -> None:
        """Read the pages that hold some rows. On any thread."""
        for number in range(first // self._block, (max(last, first + 1) - 1) // self._block + 1):
            if number not in self._kept:
                start = number * self._block
                self._kept[number] = self.pages.values(start, min(start + self._block, self.count))
                while len(self._kept) > self._most:
                    self._kept.popitem(last=False)
