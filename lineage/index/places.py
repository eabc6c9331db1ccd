"""The records of one source that an indexed trace found: where they stand, and their values."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bigdebug.lineage.errors import DamagedIndexError
from bigdebug.lineage.finding import numbered
from bigdebug.lineage.index.manifest import Block, IndexedSource
from bigdebug.lineage.index.names import ID
from bigdebug.lineage.index.rows import Rows, as_arrow, as_numpy, batched
from bigdebug.lineage.location import (
    ORDINAL_MASK,
    PARTITION_SHIFT,
    Location,
    TracedRecord,
    readable_path,
)
from bigdebug.lineage.parquet_records import READERS, UnreadableError, python_values, read_records
from bigdebug.lineage.store.damage import ANEW, reading_index
from bigdebug.lineage.store.tables import TableStore
from bigdebug.lineage.text_records import TextFormat, read_lines
from bigdebug.lineage.unchanged import what_became_of

_RANK, _POSITION = "rank", "position"


class IndexedRecords:
    """Distinct records of a source.

    Args:
        store: of the run.
        folder: the index's.
        source: the source.
        rows: rows of a segment's table.
        columns: those of its columns that hold the source's ids.
    """

    def __init__(
        self, store: TableStore, folder: str, source: IndexedSource, rows: Rows, columns: Sequence[str]
    ) -> None:
        self._store = store
        self._folder = folder
        self._source = source
        self._rows = rows
        self._columns = list(columns)
        self.notes: list[str] = []

    @cached_property
    def count(self) -> int:
        """How many records."""
        return self._rows.count if self._streamed else self._distinct.num_rows

    def numbers(self) -> Any:
        """Their ids, each once and sorted, where these are numbers."""
        batches = [as_numpy(batch.column(0)) for batch in self._ids()]
        return np.unique(np.concatenate(batches)) if batches else np.empty(0, dtype=np.int64)

    def files(self) -> list[str]:
        """The files the records stand in."""
        if self._source.identity not in ("file", "block") or not self.count:
            return []
        numbers: set[int] = set()
        for batch in self._ids():
            numbers |= set(np.unique(self._file_numbers(batch)).tolist())
        return sorted(readable_path(self._source.files[number]) for number in numbers)

    def collect(self, limit: int) -> list[TracedRecord]:
        """The first `limit` records, in the order of a live trace."""
        first = self._first(limit)
        if not first:
            return []
        locations = [self._location(identity) for identity in first]
        order = sorted(range(len(first)), key=lambda i: _sortable(locations[i]))
        values = self._values(first, locations)
        names = numbered([name for name, _ in self._source.columns])
        return [
            TracedRecord(
                self._source.name,
                locations[i],
                None if values is None else dict(zip(names, values[i], strict=True)),
                known=values is not None,
            )
            for i in order
        ]

    # -- ids ----------------------------------------------------------------------------------------

    @property
    def _streamed(self) -> bool:
        """Whether the rows are each a record of its own, so that they need not be held to be counted."""
        return self._rows.segment.unique

    @cached_property
    def _distinct(self) -> pa.Table:
        return self._rows.distinct(self._columns)

    def _ids(self) -> list[Any] | Any:
        return self._rows.batches(self._columns) if self._streamed else self._distinct.to_batches()

    def _first(self, limit: int) -> list[tuple[int, ...]]:
        """Ids of the records to show first: by file and position, as far as blocks of files tell."""
        best: pa.Table | None = None
        for batch in self._ids():
            ranked = pa.table(
                {
                    _RANK: self._ranks(batch),
                    _POSITION: batch.column(len(self._columns) - 1),
                    **{f"k{i}": batch.column(i) for i in range(len(self._columns))},
                }
            )
            both = ranked if best is None else pa.concat_tables([best, ranked])
            keys = [(_RANK, "ascending"), (_POSITION, "ascending")]
            best = both.take(pc.select_k_unstable(both, min(limit, both.num_rows), keys))
        if best is None:
            return []
        columns = [best.column(f"k{i}").to_pylist() for i in range(len(self._columns))]
        return list(zip(*columns, strict=True))

    def _ranks(self, batch: pa.RecordBatch) -> Any:
        if self._source.identity == "file":
            by_name = sorted(range(len(self._source.files)), key=lambda i: self._source.files[i].encode())
            ranks = np.empty(len(by_name), dtype=np.int64)
            ranks[by_name] = np.arange(len(by_name))
            return as_arrow(ranks[self._file_numbers(batch)])
        if self._source.identity == "block":
            ranks = np.array([block.rank for block in self._source.blocks], dtype=np.int64)
            return as_arrow(ranks[self._block_numbers(batch)])
        return as_arrow(np.zeros(batch.num_rows, dtype=np.int64))

    def _file_numbers(self, batch: pa.RecordBatch) -> Any:
        if self._source.identity == "file":
            found = pc.index_in(batch.column(0), as_arrow(np.array(self._source.hashes, dtype=np.int64)))
            if found.null_count:
                raise DamagedIndexError(
                    f"the index names a file of {self._source.name} that it doesn't know", hint=ANEW
                )
            return as_numpy(found)
        files = np.array([block.file for block in self._source.blocks], dtype=np.int64)
        return files[self._block_numbers(batch)]

    def _block_numbers(self, batch: pa.RecordBatch) -> Any:
        starts = np.array([block.first_id for block in self._source.blocks], dtype=np.int64)
        return np.searchsorted(starts, as_numpy(batch.column(0)), side="right") - 1

    # -- places and values --------------------------------------------------------------------------

    def _location(self, identity: tuple[int, ...]) -> Location:
        source = self._source
        if source.identity == "file":
            file, position = identity
            return Location(readable_path(source.files[source.hashes.index(file)]), position)
        (number,) = identity
        if source.identity == "block":
            block = self._block_of(number)
            place = readable_path(source.files[block.file])
            return Location(place, block.first_position + number - block.first_id)
        if source.identity == "range":
            return Location(None, (number - source.first) // source.step)
        if source.identity == "memory":
            return Location(None, number & ORDINAL_MASK, number >> PARTITION_SHIFT)
        return Location(None, None)

    def _values(self, ids: list[tuple[int, ...]], locations: list[Location]) -> list[list[Any]] | None:
        """The columns of each record; None, with a note, where they can't be shown."""
        source = self._source
        if source.identity == "range":
            return [list(identity) for identity in ids]
        why = "reading them needs Spark"
        if source.records is not None:
            with suppress(UnreadableError):
                return self._kept([number for (number,) in ids])
        elif source.columns:
            changed = what_became_of({location.file or "" for location in locations}, source.listed)
            if changed is None:
                try:
                    return self._stored(locations) if source.text is None else self._lines(ids, source.text)
                except UnreadableError:
                    pass
            else:
                why = changed
        note = f"{source.name}: the values of its records aren't shown, for {why}"
        if note not in self.notes:
            self.notes.append(note)
        return None

    def _kept(self, numbers: list[int]) -> list[list[Any]]:
        wanted = as_arrow(np.unique(np.array(numbers, dtype=np.int64)))
        found: list[pa.Table] = []
        for file in self._store.table(f"{self._folder}/{self._source.records}"):
            for some in batched(range(file.num_row_groups), 1):
                with reading_index("a table of the index"):
                    table = file.read_row_groups(some)
                found.append(table.filter(pc.is_in(table.column(ID), wanted)))
        if sum(table.num_rows for table in found) < len(wanted):
            raise DamagedIndexError("a table of the index lacks rows", hint=ANEW)
        table = pa.concat_tables(found)
        columns = [
            python_values(table.column(f"c{i}"), kind) for i, (_, kind) in enumerate(self._source.columns)
        ]
        rows = list(zip(*columns, strict=True)) if columns else [()] * table.num_rows
        by_id = dict(zip(table.column(ID).to_pylist(), rows, strict=True))
        return [list(by_id[number]) for number in numbers]

    def _stored(self, locations: list[Location]) -> list[list[Any]]:
        by_file = defaultdict(list)
        for location in locations:
            by_file[location.file or ""].append(location.position or 0)
        with ThreadPoolExecutor(READERS) as pool:
            reads = {
                file: read_records(pool, file, positions, self._source.columns)
                for file, positions in by_file.items()
            }
            found = {
                (file, position): values
                for file, read in reads.items()
                for position, values in read().items()
            }
        return [found[location.file or "", location.position or 0] for location in locations]

    def _lines(self, ids: list[tuple[int, ...]], form: TextFormat) -> list[list[Any]]:
        by_block = defaultdict(list)
        for (number,) in ids:
            by_block[self._block_of(number)].append(number)
        found: dict[int, list[Any]] = {}
        for block, numbers in by_block.items():
            path = readable_path(self._source.files[block.file])
            ordinals = [number - block.first_id for number in numbers]
            read = read_lines(path, block.first_byte, ordinals, form, self._source.columns)
            found.update((block.first_id + ordinal, values) for ordinal, values in read.items())
        return [found[number] for (number,) in ids]

    def _block_of(self, number: int) -> Block:
        starts = [block.first_id for block in self._source.blocks]
        return self._source.blocks[bisect_right(starts, number) - 1]


def _sortable(location: Location) -> tuple[str, int, int]:
    return (location.file or "", location.partition or 0, location.position or 0)
