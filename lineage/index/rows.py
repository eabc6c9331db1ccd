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

from bigdebug.lineage.index.manifest import IndexedSegment
from bigdebug.lineage.index.names import KEY
from bigdebug.lineage.store.tables import TableStore


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
            yield from file.iter_batches(columns=list(columns))

    def distinct(self, columns: Sequence[str]) -> pa.Table:
        """Distinct rows of some columns, those that are null in the first left out."""
        chosen = self._held(columns)
        chosen = chosen.filter(pc.is_valid(chosen.column(0)))
        return chosen.group_by(list(columns), use_threads=False).aggregate([])

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
        return int(chosen.group_by(columns, use_threads=False).aggregate([]).num_rows)


def no_rows(columns: Sequence[str]) -> pa.Table:
    """A table of ids or hashes without rows."""
    return pa.table({name: pa.array([], pa.int64()) for name in columns})


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
        return self._store.table(self._name)

    def all(self) -> Rows:
        """All rows."""
        return Rows(None, self._segment, self._files)

    def none(self) -> Rows:
        """No rows."""
        return Rows(no_rows(self._ids), self._segment, self._files)

    def where(self, condition: pc.Expression) -> Rows:
        """The rows that a condition over the table's columns holds for."""
        found = self._store.dataset(self._name).to_table(columns=self._ids, filter=condition)
        return Rows(found, self._segment, self._files)

    def of_keys(self, keys: pa.Table) -> Rows:
        """The rows of some keys, two columns of hashes. Reads no more than the row groups they may stand in."""
        first = np.unique(keys.column(0).to_numpy())
        found = []
        for file in self._files:
            groups = [g for g in range(file.num_row_groups) if _may_hold(file.metadata.row_group(g), first)]
            if groups:
                table = file.read_row_groups(groups, columns=[*KEY, *self._ids])
                table = table.filter(pc.is_in(table.column(KEY[0]), pa.array(first)))
                if table.num_rows:
                    found.append(table)
        if not found:
            return self.none()
        table = pa.concat_tables(found)
        # Two keys that share the first hash differ in the second.
        table = table.join(
            keys.rename_columns(list(KEY)), keys=list(KEY), join_type="left semi", use_threads=False
        )
        return Rows(table.select(self._ids), self._segment, self._files)


def _may_hold(group: Any, hashes: np.ndarray[Any, Any]) -> bool:
    """Whether a row group, which knows its least and greatest first hash, may hold one of these."""
    statistics = group.column(0).statistics
    if statistics is None or not statistics.has_min_max:
        return True
    at = int(np.searchsorted(hashes, statistics.min))
    return at < len(hashes) and bool(hashes[at] <= statistics.max)
