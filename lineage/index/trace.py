"""Traces of rows out of tables: without Spark, without Java, and without the sources' files but for values to show."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from bigdebug.lineage.described import Described, Description, trace_description
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.finding import find_source, place_of_column
from bigdebug.lineage.found import Source, Step
from bigdebug.lineage.index.conditions import NeedsSparkError, parse_condition
from bigdebug.lineage.index.manifest import Manifest
from bigdebug.lineage.index.masks import Mask
from bigdebug.lineage.index.places import IndexedRecords
from bigdebug.lineage.index.rows import Rows, SegmentRows
from bigdebug.lineage.location import TracedRecord
from bigdebug.lineage.store.tables import TableStore

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


class IndexedTrace(Described):
    """Where rows came from. Has the face of a live `Trace`, but for what is a DataFrame there.

    Args:
        store: where the run lies.
        manifest: what the index says of itself.
        where: which rows, as a condition in SQL, or over the table of the rows; None for all.
        column: of the output, whose sources' columns are told; None for all.
    """

    def __init__(
        self, store: TableStore, manifest: Manifest, where: str | Mask | None, column: str | None = None
    ) -> None:
        self._store = store
        self._manifest = manifest
        self._column = None
        if column is not None:
            names = [each.name for each in manifest.columns]
            self._column = manifest.columns[place_of_column(names, column)]
            if len(self._column.rests_on) < len(manifest.sources):
                raise NeedsSparkError(
                    "it was written before indexes told what a single column rests on",
                    hint="make it anew: bigdebug index RUN OUTPUT",
                )
        self._condition: Mask | None = None
        if isinstance(where, Mask):
            self._condition = where
        elif where is not None:
            self._condition = parse_condition(
                where, manifest.columns, manifest.time_zone, case_sensitive=manifest.case_sensitive
            )

    @cached_property
    def matched(self) -> int:
        """How many rows of the output the trace starts from."""
        return self._segments[0].count

    @property
    def names(self) -> list[str]:
        """What the sources are called."""
        return [each.name for _, each in self._manifest.own_sources()]

    @cached_property
    def sources(self) -> list[Source]:
        """The sources, in the plan's order, with the number of their records on the trace.

        Those where it goes on in an RDD aren't among them.
        """
        found = []
        for number, source in self._manifest.own_sources():
            records = self._records.get(number)
            if records is not None:
                columns = (source.reached, source.deciding)
                if self._column is not None:
                    of_column = self._column.rests_on[number]
                    columns = (of_column.columns, of_column.deciding)
                found.append(
                    Source(
                        source.name,
                        source.kind,
                        source.call_site,
                        records.count,
                        records,
                        partial(_same, columns),
                    )
                )
        return found

    @cached_property
    def steps(self) -> list[Step]:
        """The operators on the way back, from the output down."""
        found = []
        for number, rows in self._segments.items():
            segment = self._manifest.segments[number]
            for step in segment.steps:
                groups = [segment.ids[i].columns for i in step.ids]
                found.append(Step(step.operator, step.call_site, rows.distinct_count(groups), _no_rows))
        return found

    def collect(self, limit: int = 1000) -> list[TracedRecord]:
        """Up to `limit` records of each source."""
        return [record for source in self.sources for record in self.collect_source(source.name, limit)]

    def collect_source(self, source: str, limit: int = 1000) -> list[TracedRecord]:
        """Up to `limit` records of one source."""
        chosen = find_source(self.sources, source)
        for number, each in self._manifest.own_sources():
            if each.name == chosen.name:
                return self._records[number].collect(limit)
        raise AssertionError(chosen.name)

    def arrivals(self) -> Iterator[tuple[int, Any]]:
        """Where it goes on in RDDs: the number of the leaf there, and the numbers of the rows on the trace, sorted."""
        for number, leaf in self._manifest.joints:
            if number in self._records:
                yield leaf, self._records[number].numbers()

    @property
    def exact(self) -> bool:
        """Whether these are just the records that the rows came from, told for sure."""
        return self._manifest.exact

    @property
    def notes(self) -> list[str]:
        """Why the trace isn't exact, and what else a person must know about it."""
        return [*self._manifest.notes, *(note for each in self._records.values() for note in each.notes)]

    def _description(self) -> Description:
        return trace_description(self)

    def __repr__(self) -> str:
        return f"<IndexedTrace back to {', '.join(self.names)}>"

    # -- how it gets there --------------------------------------------------------------------------

    @cached_property
    def _segments(self) -> dict[int, Rows]:
        """The rows of each segment that are on the trace, in the order of a live trace."""
        return dict(self._descend(0, self._first))

    @cached_property
    def _first(self) -> Rows:
        top = self._table(0)
        return top.all() if self._condition is None else top.where(self._condition)

    def _table(self, number: int) -> SegmentRows:
        return SegmentRows(self._store, self._manifest.folder, self._manifest.segments[number])

    def _descend(self, number: int, rows: Rows) -> Iterator[tuple[int, Rows]]:
        yield number, rows
        for column in self._manifest.segments[number].ids:
            if column.segment is None:
                continue
            below = self._manifest.segments[column.segment]
            keys = rows.distinct(column.columns)
            table = self._table(column.segment)
            if not keys.num_rows:
                found = table.none()
            elif below.sessions:
                found = table.of_sessions(keys)
            elif below.keyed:
                found = table.of_keys(keys)
            else:
                found = table.all()
            yield from self._descend(column.segment, found)

    @cached_property
    def _records(self) -> dict[int, IndexedRecords]:
        found = {}
        for number, rows in self._segments.items():
            for column in self._manifest.segments[number].ids:
                if column.source is not None:
                    source = self._manifest.sources[column.source]
                    found[column.source] = IndexedRecords(
                        self._store, self._manifest.folder, source, rows, column.columns
                    )
        return dict(sorted(found.items()))


def _same(columns: tuple[tuple[str, ...], tuple[str, ...]]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return columns


def _no_rows() -> DataFrame:
    raise BigDebugError(
        "an index holds which records rows came from, not the rows of operators",
        hint="ask with Spark: session.trace(…).steps, or bigdebug show",
    )
