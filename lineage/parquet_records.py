"""Records of a local Parquet file by their positions, read without Spark and no further than their row groups.

Spark would decode a whole split to show one record of it. Only what Spark's own reader is known to make the same
of is read here; of everything else the answer is that it can't be, and Spark has to be asked.
"""

from __future__ import annotations

import datetime
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from itertools import accumulate
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from bigdebug.lineage.moments import as_shown

Column = tuple[str, str]
"""A column's name and Spark's name of its type."""

# Before these, what a value means depends on which Spark wrote the file.
_FIRST_DATE = datetime.date(1582, 10, 15)

_BATCH = 8_192
READERS = 4
"""Row groups that are read at a time: as many as small machines have cores."""

_WHOLE = {"tinyint": 8, "smallint": 16, "int": 32, "bigint": 64}


class UnreadableError(Exception):
    """Spark's reader may make something else of it."""


def read_records(
    pool: Executor, path: str, positions: Iterable[int], columns: Sequence[Column]
) -> Callable[[], dict[int, list[Any]]]:
    """The records at some positions of a file, by position, each a list of its columns' values as PySpark gives them.

    Args:
        pool: reads row groups beside one another, and beside those of other files.
        path: of the file.
        positions: of the records.
        columns: of the source.

    Returns:
        What waits for them; it may raise an UnreadableError, too.

    Raises:
        UnreadableError: Spark has to be asked instead.
    """
    with _readable():
        reading = _Reading(path, columns)
        groups = [pool.submit(reading.group, *each) for each in reading.groups(sorted(set(positions)))]

    def read() -> dict[int, list[Any]]:
        with _readable():
            return {position: values for group in groups for position, values in group.result().items()}

    return read


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except (OSError, pa.ArrowException, ValueError, OverflowError) as error:
        raise UnreadableError(str(error)) from error


class _Reading:
    def __init__(self, path: str, columns: Sequence[Column]) -> None:
        self._path = path
        with pq.ParquetFile(path, memory_map=True) as file:
            self._metadata = metadata = file.metadata
            schema = file.schema_arrow
        if b"org.apache.spark.legacyDateTime" in (metadata.metadata or {}):
            raise UnreadableError("an old Spark wrote it")
        self._fields = [_field(schema, name) for name, _ in columns]
        if any(metadata.schema.column(i).physical_type == "INT96" for i in range(len(metadata.schema))):
            raise UnreadableError("it holds timestamps of the old kind")
        self._makers = [
            None if field is None else _maker(field.type, kind)
            for field, (_, kind) in zip(self._fields, columns, strict=True)
        ]
        self._names = [field.name for field in self._fields if field is not None]
        self._ends = list(accumulate(metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)))

    def groups(self, positions: list[int]) -> list[tuple[int, list[int]]]:
        """The row groups that hold some positions, and which of these each holds."""
        found = defaultdict(list)
        for position in positions:
            group = bisect_right(self._ends, position)
            if group == len(self._ends):
                raise UnreadableError("it has fewer records")
            found[group].append(position)
        return list(found.items())

    def group(self, group: int, wanted: list[int]) -> dict[int, list[Any]]:
        """The records of one row group."""
        first = self._ends[group - 1] if group else 0
        taken = self._taken(group, [position - first for position in wanted])
        values = [
            [None] * len(wanted) if make is None else _made(taken.column(field.name), make)
            for field, make in zip(self._fields, self._makers, strict=True)
        ]
        if not values:
            return {position: [] for position in wanted}
        return dict(zip(wanted, map(list, zip(*values, strict=True)), strict=True))

    def _taken(self, group: int, ordinals: list[int]) -> pa.Table:
        """Some rows of a row group, which is read up to the last of them."""
        if not self._names:
            return pa.table({})
        found = []
        first = 0
        spelled = self._spelled_once(group)
        with pq.ParquetFile(
            self._path, memory_map=True, metadata=self._metadata, read_dictionary=spelled
        ) as file:
            batches = file.iter_batches(_BATCH, row_groups=[group], columns=self._names, use_threads=False)
            for batch in batches:
                found += [
                    batch.slice(ordinal - first, 1)
                    for ordinal in ordinals
                    if first <= ordinal < first + batch.num_rows
                ]
                first += batch.num_rows
                if first > ordinals[-1]:
                    break
        return pa.Table.from_batches(found)

    def _spelled_once(self, group: int) -> list[str]:
        """Texts that stand in a dictionary: kept so, they needn't be spelled out for rows nobody looks at."""
        chunks = self._metadata.row_group(group)
        texts = {
            field.name
            for field in self._fields
            if field is not None and (pa.types.is_string(field.type) or pa.types.is_binary(field.type))
        }
        return [
            chunk.path_in_schema
            for chunk in map(chunks.column, range(chunks.num_columns))
            if chunk.path_in_schema in texts and any("DICTIONARY" in each for each in chunk.encodings)
        ]


def _field(schema: pa.Schema, name: str) -> Any:
    """The file's field of that name; None where it has none."""
    found = [field for field in schema if field.name.casefold() == name.casefold()]
    if len(found) > 1 or (found and found[0].name != name):
        raise UnreadableError(f"its columns aren't called {name} to the letter")
    return found[0] if found else None


def python_values(column: Any, kind: str) -> list[Any]:
    """The values of a pyarrow column as PySpark gives those of a type.

    Raises:
        UnreadableError: Spark may make something else of them.
    """
    return _made(column, _maker(column.type, kind))


def _made(column: Any, make: Callable[[Any], Any]) -> list[Any]:
    return [None if value is None else make(value) for value in column.to_pylist()]


def _maker(kind: Any, wanted: str) -> Callable[[Any], Any]:
    """What makes a value of Spark's type out of pyarrow's."""
    width = _WHOLE.get(wanted)
    if width is not None:
        if pa.types.is_signed_integer(kind) and kind.bit_width <= width:
            return int
    elif wanted == "timestamp":
        if pa.types.is_timestamp(kind) and kind.tz is not None and kind.unit in ("ms", "us"):
            return as_shown
    elif wanted == "timestamp_ntz":
        if pa.types.is_timestamp(kind) and kind.tz is None and kind.unit in ("ms", "us"):
            return _wall_time
    elif wanted == "date":
        if pa.types.is_date32(kind):
            return _date
    elif wanted == "binary":
        if pa.types.is_binary(kind):
            return bytearray
    elif kind == _SAME.get(wanted) or (
        wanted.startswith("decimal(") and pa.types.is_decimal(kind) and str(kind) in _decimals(wanted)
    ):
        return lambda value: value
    raise UnreadableError(f"a column is {kind} and is to be {wanted}")


_SAME = {
    "boolean": pa.bool_(),
    "float": pa.float32(),
    "double": pa.float64(),
    "string": pa.string(),
}


def _decimals(wanted: str) -> set[str]:
    size = wanted.removeprefix("decimal(").removesuffix(")").replace(",", ", ")
    return {f"decimal128({size})"}


def _date(value: datetime.date) -> datetime.date:
    if value < _FIRST_DATE:
        raise UnreadableError("a date before 1582")
    return value


def _wall_time(value: datetime.datetime) -> datetime.datetime:
    if value.year < 1900:
        raise UnreadableError("a time before 1900")
    return value
