"""The records of one source that are on a trace: their places and values."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from typing import Any

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from bigdebug.lineage.asking import asking
from bigdebug.lineage.catalyst import Catalyst, fresh_name
from bigdebug.lineage.finding import numbered
from bigdebug.lineage.identity import SourceLeaf, annotate_leaf
from bigdebug.lineage.layout import (
    FileLayout,
    memory_location,
    range_location,
)
from bigdebug.lineage.location import PARTITION_SHIFT, Location, TracedRecord, readable_path
from bigdebug.lineage.parquet_records import READERS
from bigdebug.lineage.reading import read_values
from bigdebug.lineage.segments import RowSet
from bigdebug.lineage.sources import require_unchanged
from bigdebug.lineage.spelling import spelled_out

# Up to so many fetched ids are read one by one, which takes less than a query over them.
_FEW = 30


class SourceRecords:
    """Distinct records of a source.

    Args:
        catalyst: of the pinned session.
        leaf: the source.
        rows: distinct ids, and the records' values where these travelled with them.
    """

    def __init__(self, catalyst: Catalyst, leaf: SourceLeaf, rows: RowSet) -> None:
        self._catalyst = catalyst
        self.leaf = leaf
        self._rows = rows
        self._valued = int(rows.plan.output().length()) == 2
        self._layout = FileLayout(catalyst, leaf)

    @property
    def rows(self) -> RowSet:
        """The ids, with what travels with them."""
        return self._rows

    @property
    def count(self) -> int:
        return self._rows.count

    def files(self) -> list[str]:
        """The files the records stand in."""
        if not self.leaf.in_files or self.count == 0:
            return []
        with asking(self._catalyst, f"files of {self.leaf.name}"):
            if self.leaf.identified_by_file:
                return sorted(readable_path(uri) for uri in self._distinct(self._part_of_id("file")))
            partitions = self._partitions()
            if all(len(self._layout.packed[p]) == 1 for p in partitions):
                return sorted({readable_path(self._layout.packed[p][0][0]) for p in partitions})
            files = self._placed(self._ids_alone()).select("_record.file").distinct().collect()
            return sorted(row.file for row in files)

    def collect(self, limit: int) -> list[TracedRecord]:
        """The first `limit` records by file and position, as far as blocks of files tell without counting."""
        return [record for _, record in self.collect_with_ids(limit)]

    def collect_with_ids(self, limit: int) -> list[tuple[Any, TracedRecord]]:
        """The same, each with its id."""
        with ThreadPoolExecutor(READERS) as pool:
            return self.begin_collecting(limit, pool)()

    def begin_collecting(self, limit: int, pool: Executor) -> Callable[[], list[tuple[Any, TracedRecord]]]:
        """The same, by what waits for them: several sources are read at a time."""
        if self.count == 0 or limit <= 0:
            return list
        pairs = self._pairs(limit)
        ids = [pair[0] for pair in pairs]
        places = self._locations(ids)
        order = sorted(range(len(ids)), key=lambda i: _sortable(places[i]))
        read: Callable[[], list[Any]] = partial(list, [pair[-1] for pair in pairs])
        if not self._valued:
            require_unchanged(self._catalyst, [self.leaf], {each.file or "" for each in places})
            read = read_values(self._catalyst, self.leaf, ids, pool)

        def collect() -> list[tuple[Any, TracedRecord]]:
            values = read()
            return [(ids[i], TracedRecord(self.leaf.name, places[i], as_dict(values[i]))) for i in order]

        return collect

    def frame(self) -> DataFrame:
        """The source's columns and `_record(file, position, partition)`, one row a record."""
        if self._valued:
            frame = self._rows.frame()
        else:
            require_unchanged(self._catalyst, [self.leaf])
            frame = self._read_again()
        value = frame.columns[1]
        return self._placed(frame).select(f"{value}.*", "_record")

    # -- ids and values -----------------------------------------------------------------------------

    @property
    def _id(self) -> Any:
        return self._catalyst.output(self._rows.plan)[0]

    def _ids_alone(self) -> DataFrame:
        return self._catalyst.frame(self._catalyst.project([self._id], self._rows.plan))

    def _pairs(self, limit: int) -> list[Any]:
        """The ids, with what travels with them, of the records to show."""
        shown = self._first(limit) if self.count > limit else self._rows
        if isinstance(shown, RowSet):
            if shown.count <= _FEW and shown.fetched and not self._valued:
                return [(identity,) for identity in self._read_out(shown)]
            shown = shown.frame()
        pairs: list[Any] = spelled_out(shown).collect()
        return pairs

    def _read_out(self, rows: RowSet) -> list[Any]:
        """A few fetched ids, without a query and in one call."""
        if not self.leaf.identified_by_file:
            return [int(text) for text in rows.texts([self._id])]
        parts = [self._part_of_id("position"), self._part_of_id("file")]
        alias = self._catalyst.alias
        texts = rows.texts([alias(part, fresh_name("part")) for part in parts])
        split = (text.split(",", 1) for text in texts)
        return [Row(file=file, position=int(position)) for position, file in split]

    def _first(self, limit: int) -> DataFrame | RowSet:
        """The rows to show first."""
        ordinal = F.col(str(self._id.name()))
        ordered = [ordinal]
        if self.leaf.in_files and not self.leaf.identified_by_file and not self._layout.in_order:
            ranks = ", ".join(map(str, self._layout.ranks))
            ordered.insert(0, F.expr(f"array({ranks})")[F.shiftright(ordinal, PARTITION_SHIFT).cast("int")])
        if self._rows.fetched:
            return self._rows.first(limit, by=ordered[:-1])
        return self._rows.frame().orderBy(*ordered).limit(limit)

    def _distinct(self, expression: Any) -> list[Any]:
        """Distinct values of an expression over the ids."""
        alias = self._catalyst.alias(expression, fresh_name("part"))
        unique = self._rows.unique(self._catalyst.project([alias], self._rows.plan))
        return [row[0] for row in unique.frame().collect()]

    def _part_of_id(self, name: str) -> Any:
        ordinal = self._id.dataType().fieldIndex(name)
        return self._catalyst.field(self._id, ordinal)

    def _partitions(self) -> set[int]:
        shift = self._catalyst.literal(PARTITION_SHIFT)
        return set(self._distinct(self._catalyst.expressions.ShiftRight(self._id, shift)))

    def _locations(self, ids: list[Any]) -> list[Location]:
        return locations(self.leaf, self._layout, ids)

    def _placed(self, frame: DataFrame) -> DataFrame:
        """A frame whose first column is the id, with `_record` appended."""
        id_column = F.col(frame.columns[0])
        if self.leaf.identified_by_file:
            place = place_of(_readable(id_column["file"]), id_column["position"])
        elif self.leaf.in_files:
            blocks = self._layout.table(self._partitions())
            inside = (id_column >= blocks["first_id"]) & (id_column < blocks["next_id"])
            frame = frame.join(F.broadcast(blocks), inside)
            place = place_of(F.col("file"), F.col("first_position") + id_column - F.col("first_id"))
        elif self.leaf.kind == "range":
            plan = self.leaf.operator.plan
            place = place_of(None, ((id_column - plan.start()) / plan.step()).cast("long"))
        elif self.leaf.has_positions:
            mask = (1 << PARTITION_SHIFT) - 1
            partition = F.shiftright(id_column, PARTITION_SHIFT).cast("int")
            place = place_of(None, id_column.bitwiseAND(F.lit(mask)), partition)
        else:
            place = place_of(None, None)
        return frame.withColumn("_record", place)

    def _read_again(self) -> DataFrame:
        """The ids with their records, read from the source once more."""
        annotated = annotate_leaf(self._catalyst, self.leaf, valued=True)
        source = self._catalyst.frame(self._catalyst.project([annotated.id, annotated.value], annotated.plan))
        wanted_name = fresh_name("wanted")
        wanted = self._ids_alone()
        wanted = wanted.select(F.col(wanted.columns[0]).alias(wanted_name))
        if self._rows.fetched:
            wanted = F.broadcast(wanted)
        return source.join(wanted, source[annotated.id.name()] == F.col(wanted_name), "left_semi")


def locations(leaf: SourceLeaf, layout: FileLayout, ids: list[Any]) -> list[Location]:
    """Where records of a source stand.

    Args:
        leaf: the source.
        layout: how its scan stands in files.
        ids: of the records, as its id column has them.
    """
    if leaf.identified_by_file:
        return [Location(readable_path(identity.file), identity.position) for identity in ids]
    if leaf.in_files:
        located = layout.locate(ids)
        return [located[identity] for identity in ids]
    if leaf.kind == "range":
        return [range_location(leaf.operator.plan, identity) for identity in ids]
    if leaf.has_positions:
        return [memory_location(identity) for identity in ids]
    return [Location(None, None) for _ in ids]


def place_of(file: Column | None, position: Column | None, partition: Column | None = None) -> Column:
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
    return dict(zip(numbered(row.__fields__), row, strict=True))
