"""Rows of an index's tables: those a condition holds for, those of some keys, all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bigdebug.lineage.errors import DamagedIndexError
from bigdebug.lineage.index.manifest import IndexedSegment
from bigdebug.lineage.index.masks import Bounds, Mask, constant
from bigdebug.lineage.index.names import AT, KEY
from bigdebug.lineage.store.damage import ANEW, reading_index
from bigdebug.lineage.store.tables import TableStore

_FEW = 200_000

# Row groups that are read at once; those of an index are small.
_AT_ONCE = 64


@dataclass(frozen=True)
class Rows:
    """Rows of a segment's table: their id columns.

    Attributes:
        table: the rows; None for all of the segment's, which may be more than memory holds.
        segment: what is known of the whole table.
        files: its files.
    """

    table: pa.Table | None
    segment: IndexedSegment
    files: Sequence[pq.ParquetFile]

    @property
    def count(self) -> int:
        return self.segment.rows if self.table is None else self.table.num_rows

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """The rows, some at a time."""
        if self.table is not None:
            yield from self.table.select(list(columns)).to_batches()
            return
        for file in self.files:
            with reading_index("a table of the index"):
                yield from file.iter_batches(columns=list(columns))

    def distinct(self, columns: Sequence[str]) -> pa.Table:
        """Distinct rows of some columns, those that are null in the first left out."""
        chosen = self._held(columns)
        chosen = chosen.filter(pc.is_valid(chosen.column(0)))
        return distinct(chosen)

    def _held(self, columns: Sequence[str]) -> pa.Table:
        if self.table is not None:
            return self.table.select(list(columns))
        batches = list(self.batches(columns))
        return pa.Table.from_batches(batches) if batches else no_rows(columns)

    def distinct_count(self, groups: Sequence[Sequence[str]]) -> int:
        """How many rows differ in some id columns, those that are null in all of them left out."""
        if self.segment.unique:
            return self.count  # one source, never null
        first = [group[0] for group in groups]
        columns = [name for group in groups for name in group]
        table = self._held(columns)
        there = table.column(first[0]).is_valid()
        for name in first[1:]:
            there = pc.or_(there, table.column(name).is_valid())
        chosen = table.select(columns).filter(there)
        return int(distinct(chosen).num_rows)


def distinct(table: pa.Table) -> pa.Table:
    """The distinct rows of a table of numbers and truth values."""
    if table.num_rows > _FEW:
        return table.group_by(table.column_names).aggregate([])
    # What pyarrow has for this takes a fifth of a second to load.
    columns = [as_numpy(column) for column in table.columns]
    columns += [as_numpy(column.is_null()) for column in table.columns if column.null_count]
    order = np.lexsort(columns)
    first = np.zeros(len(order), dtype=bool)
    first[:1] = True
    for column in columns:
        first[1:] |= column[order][1:] != column[order][:-1]
    return table.take(as_arrow(order[first].astype(np.int64)))


def _matching(table: pa.Table, keys: pa.Table) -> pa.Table:
    """The rows whose two hashes are a key's; each one's first is some key's already."""
    ones, twos = (as_numpy(keys.column(i)) for i in range(2))
    order = np.argsort(ones)
    ones, twos = ones[order], twos[order]
    if (ones[1:] == ones[:-1]).any():
        named = keys.rename_columns(list(KEY))
        return table.join(named, keys=list(KEY), join_type="left semi")
    at = np.searchsorted(ones, as_numpy(table.column(KEY[0])))
    same = np.flatnonzero(twos[at] == as_numpy(table.column(KEY[1])))
    return table.take(as_arrow(same.astype(np.int64)))


def _within(table: pa.Table, keys: pa.Table) -> pa.Table:
    """The rows that fall into a session of their key; sessions of one key don't overlap."""
    one, two, start, end = (as_numpy(keys.column(i)) for i in range(4))
    row_one, row_two, at = (as_numpy(table.column(name)) for name in (*KEY, AT))
    # Sessions and rows in one order, a session before the rows that begin when it does: each row's is the last
    # session before it.
    kind = np.concatenate([np.zeros(len(one), np.int64), np.ones(len(at), np.int64)])
    when = np.concatenate([start, at])
    order = np.lexsort([kind, when, np.concatenate([two, row_two]), np.concatenate([one, row_one])])
    sessions = np.maximum.accumulate(np.where(kind[order] == 0, np.arange(len(order)), -1))
    found = np.full(len(order), -1, np.int64)
    found[order] = np.where(sessions >= 0, order[sessions], -1)
    mine = found[len(one) :]
    inside = (mine >= 0) & (one[mine] == row_one) & (two[mine] == row_two) & (at < end[mine])
    return table.take(as_arrow(np.flatnonzero(inside).astype(np.int64)))


def no_rows(columns: Sequence[str]) -> pa.Table:
    """A table of ids or hashes without rows."""
    return pa.table({name: as_arrow(np.empty(0, dtype=np.int64)) for name in columns})


def as_numpy(column: pa.Array | pa.ChunkedArray) -> np.ndarray[Any, Any]:
    """Numbers or truth values as 64-bit numbers, nulls as 0. Arrow's own way would load pandas."""
    filled = column.cast(pa.int64()).fill_null(constant(0, pa.int64()))
    chunks = filled.chunks if isinstance(filled, pa.ChunkedArray) else [filled]
    parts = [
        np.frombuffer(chunk.buffers()[1], dtype=np.int64, count=len(chunk), offset=8 * chunk.offset)
        for chunk in chunks
        if len(chunk)
    ]
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)


def as_arrow(numbers: np.ndarray[Any, Any]) -> pa.Array:
    """64-bit numbers as an Arrow array. `pyarrow.array` would load pandas, which takes half a second."""
    return pa.Array.from_buffers(pa.int64(), len(numbers), [None, pa.py_buffer(numbers)])


class SegmentRows:
    """The table of a segment, to be looked up in.

    Args:
        store: of the run.
        folder: the index's.
        segment: which.
    """

    def __init__(self, store: TableStore, folder: str, segment: IndexedSegment) -> None:
        self._store = store
        self._name = f"{folder}/{segment.folder}"
        self._segment = segment
        self._ids = [name for column in segment.ids for name in column.columns]

    @cached_property
    def _files(self) -> list[pq.ParquetFile]:
        files = self._store.table(self._name)
        if sum(file.metadata.num_rows for file in files) != self._segment.rows:
            raise DamagedIndexError("a table of the index lacks rows", hint=ANEW)
        return files

    def all(self) -> Rows:
        """All rows."""
        return Rows(None, self._segment, self._files)

    def none(self) -> Rows:
        """No rows."""
        return Rows(no_rows(self._ids), self._segment, self._files)

    def where(self, condition: Mask) -> Rows:
        """The rows that a condition over the table's columns holds for."""
        columns = list(dict.fromkeys([*self._ids, *condition.columns]))
        found = [no_rows(self._ids)]
        for file in self._files:
            groups = [g for g in range(file.num_row_groups) if condition.may(_bounds(file, g))]
            for some in batched(groups, _AT_ONCE):
                with reading_index("a table of the index"):
                    table = file.read_row_groups(some, columns=columns)
                held = table.filter(condition.of(table)).select(self._ids)
                if held.num_rows:
                    found.append(held)
        return Rows(pa.concat_tables(found[1:] or found), self._segment, self._files)

    def of_keys(self, keys: pa.Table) -> Rows:
        """The rows of some keys, two columns of hashes. Reads no more than the row groups they may stand in."""
        table = self._of_hashes(keys, KEY)
        if table is None:
            return self.none()
        return Rows(_matching(table, keys).select(self._ids), self._segment, self._files)

    def of_sessions(self, keys: pa.Table) -> Rows:
        """The rows of some sessions: two columns of hashes, and when each starts and ends."""
        table = self._of_hashes(keys, (*KEY, AT))
        if table is None:
            return self.none()
        return Rows(_within(table, keys).select(self._ids), self._segment, self._files)

    def _of_hashes(self, keys: pa.Table, columns: Sequence[str]) -> pa.Table | None:
        """Some columns and the ids of the rows whose first hash is a key's; None where there are none."""
        first = np.unique(as_numpy(keys.column(0)))
        found = []
        for file in self._files:
            groups = [g for g in range(file.num_row_groups) if _may_hold(file.metadata.row_group(g), first)]
            if groups:
                with reading_index("a table of the index"):
                    table = file.read_row_groups(groups, columns=[*columns, *self._ids])
                table = table.filter(pc.is_in(table.column(KEY[0]), as_arrow(first)))
                if table.num_rows:
                    found.append(table)
        return pa.concat_tables(found) if found else None


def _bounds(file: pq.ParquetFile, group: int) -> Bounds:
    """The bounds of the columns in a row group."""
    described = file.metadata.row_group(group)

    def of(name: str) -> tuple[Any, Any] | None:
        statistics = described.column(file.schema_arrow.names.index(name)).statistics
        if statistics is None or not statistics.has_min_max:
            return None
        return statistics.min, statistics.max

    return of


def batched(items: Sequence[int], size: int) -> Iterator[list[int]]:
    """The items, so many at a time."""
    for start in range(0, len(items), size):
        yield list(items[start : start + size])


def _may_hold(group: Any, hashes: np.ndarray[Any, Any]) -> bool:
    """Whether a row group, which knows its least and greatest first hash, may hold one of these."""
    statistics = group.column(0).statistics
    if statistics is None or not statistics.has_min_max:
        return True
    at = int(np.searchsorted(hashes, statistics.min))
    return at < len(hashes) and bool(hashes[at] <= statistics.max)
