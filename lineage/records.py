"""The records of one source that are on a trace: their places and values."""

from __future__ import annotations

from typing import Any

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from bigdebug.lineage.asking import asking
from bigdebug.lineage.catalyst import Catalyst, fresh_name
from bigdebug.lineage.identity import SourceLeaf, annotate_leaf
from bigdebug.lineage.layout import (
    PARTITION_SHIFT,
    FileLayout,
    memory_location,
    range_location,
)
from bigdebug.lineage.location import Location, TracedRecord, readable_path
from bigdebug.lineage.segments import RowSet, local_relation, wrapped

# More files than this aren't listed.
_LISTED_FILES = 1000


class SourceRecords:
    """Distinct records of a source.

    Args:
        catalyst: of the pinned session.
        leaf: the source.
        rows: distinct ids, and their values where they were fetched.
    """

    def __init__(self, catalyst: Catalyst, leaf: SourceLeaf, rows: RowSet) -> None:
        self._catalyst = catalyst
        self.leaf = leaf
        self._rows = rows
        self._layout = FileLayout(catalyst, leaf) if leaf.in_files and not leaf.identified_by_file else None

    @property
    def count(self) -> int:
        return self._rows.count

    def files(self) -> list[str]:
        """The files the records stand in."""
        if not self.leaf.in_files:
            return []
        with asking(self._catalyst, f"files of {self.leaf.name}"):
            if self._rows.fetched:
                return sorted({location.file or "" for location in self._locations(self._ids())})
            files = self.frame().select("_record.file").distinct().limit(_LISTED_FILES).collect()
            return sorted(row.file for row in files)

    def collect(self, limit: int) -> list[TracedRecord]:
        """The first `limit` records by file and position."""
        if self.count == 0 or limit <= 0:
            return []
        rows = self._rows if self._rows.fetched else self._first(limit)
        pairs = rows.frame().collect()
        locations = self._locations([pair[0] for pair in pairs])
        order = sorted(range(len(pairs)), key=lambda i: _sortable(locations[i]))[:limit]
        return [TracedRecord(self.leaf.name, locations[i], as_dict(pairs[i][1])) for i in order]

    def frame(self) -> DataFrame:
        """The source's columns and `_record(file, position, partition)`, one row a record."""
        rows = self._rows if self._rows.fetched else self._valued(self._rows)
        identity, value = self._catalyst.output(rows.plan)
        frame = rows.frame()
        id_column, value_name = F.col(identity.name()), value.name()
        if self._layout is not None:
            blocks = self._layout.table()
            inside = (id_column >= blocks["first_id"]) & (id_column < blocks["next_id"])
            frame = frame.join(F.broadcast(blocks), inside)
            place = _place(F.col("file"), F.col("first_position") + id_column - F.col("first_id"))
        elif self.leaf.identified_by_file:
            place = _place(_readable(id_column["file"]), id_column["position"])
        elif self.leaf.kind == "range":
            plan = self.leaf.operator.plan
            place = _place(None, ((id_column - plan.start()) / plan.step()).cast("long"))
        elif self.leaf.has_positions:
            mask = (1 << PARTITION_SHIFT) - 1
            partition = F.shiftright(id_column, PARTITION_SHIFT).cast("int")
            place = _place(None, id_column.bitwiseAND(F.lit(mask)), partition)
        else:
            place = _place(None, None)
        return frame.select(f"{value_name}.*", place.alias("_record"))

    # -- ids and values -----------------------------------------------------------------------------

    def _ids(self) -> list[Any]:
        identity = self._catalyst.output(self._rows.plan)[0]
        plan = self._catalyst.project([identity], self._rows.plan)
        return [row[0] for row in self._catalyst.frame(plan).collect()]

    def _locations(self, ids: list[Any]) -> list[Location]:
        if self._layout is not None:
            located = self._layout.locate(ids)
            return [located[identity] for identity in ids]
        if self.leaf.identified_by_file:
            return [Location(readable_path(identity.file), identity.position) for identity in ids]
        if self.leaf.kind == "range":
            return [range_location(self.leaf.operator.plan, identity) for identity in ids]
        if self.leaf.has_positions:
            return [memory_location(identity) for identity in ids]
        return [Location(None, None) for _ in ids]

    def _first(self, limit: int) -> RowSet:
        """The first records by id, with their values."""
        identity = self._catalyst.output(self._rows.plan)[0]
        first = self._rows.frame().orderBy(F.col(identity.name())).limit(limit)
        rows = first._jdf.queryExecution().executedPlan().executeCollect()
        ids = local_relation(
            self._catalyst, self._catalyst.analyzed(first).output(), wrapped(self._catalyst, rows)
        )
        return self._valued(RowSet(self._catalyst, ids, len(rows), True))

    def _valued(self, ids: RowSet) -> RowSet:
        """Ids with the records' values, read from the source once more."""
        annotated = annotate_leaf(self._catalyst, self.leaf)
        source = self._catalyst.frame(self._catalyst.project([annotated.id, annotated.value], annotated.plan))
        wanted_name = fresh_name("wanted")
        wanted = ids.frame()
        wanted = wanted.select(F.col(wanted.columns[0]).alias(wanted_name))
        if ids.fetched:
            wanted = F.broadcast(wanted)
        identity = source[annotated.id.name()]
        valued = source.join(wanted, identity == F.col(wanted_name), "left_semi")
        return RowSet(self._catalyst, self._catalyst.analyzed(valued), ids.count, False)


def _place(file: Column | None, position: Column | None, partition: Column | None = None) -> Column:
    return F.struct(
        (F.lit(None) if file is None else file).cast("string").alias("file"),
        (F.lit(None) if position is None else position).cast("long").alias("position"),
        (F.lit(None) if partition is None else partition).cast("int").alias("partition"),
    )


def _readable(uri: Column) -> Column:
    """`readable_path` as an expression."""
    decoded = F.url_decode(F.replace(uri, F.lit("+"), F.lit("%2B")))
    return F.regexp_replace(decoded, "^file:/+", "/")


def _sortable(location: Location) -> tuple[str, int, int]:
    return (location.file or "", location.partition or 0, location.position or 0)


def as_dict(row: Row) -> dict[str, Any]:
    """A record's columns by name; the second of two equal names is `name#2`."""
    from bigdebug.lineage.sources import numbered

    return dict(zip(numbered(row.__fields__), row, strict=True))
