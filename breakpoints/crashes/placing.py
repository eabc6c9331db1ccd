"""The source records behind rows that crashed an operator, and the records beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from pyspark.sql import Row

from bigdebug.lineage.annotate import Annotator
from bigdebug.lineage.annotated import Annotated, Boundary, IdColumn
from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.identity import SourceLeaf
from bigdebug.lineage.layout import FileLayout
from bigdebug.lineage.location import Location, TracedRecord
from bigdebug.lineage.reading import existing_values
from bigdebug.lineage.records import as_dict, locations
from bigdebug.lineage.segments import RowSet, local_relation, matching_keys
from bigdebug.lineage.trace import Trace
from bigdebug.lineage.where import RowsOf, Where

MOST_PLACED = 20
"""Of so many culprits the source records and their neighbours are read."""
MOST_TRACED = 3
"""Of so many culprits that stem from many records, these are traced."""
_MOST_BEHIND = 20


@dataclass(frozen=True)
class Place:
    """Where a culprit comes from.

    Attributes:
        location: of its one source record, of a pair of the first one; None where there are many.
        records: the source records.
        neighbours: those right before and after.
    """

    location: Location | None = None
    records: tuple[TracedRecord, ...] = ()
    neighbours: tuple[TracedRecord, ...] = ()


class Placing:
    """Finds the source records of rows by the ids that these carry.

    Args:
        catalyst: of the pinned session.
        annotator: that annotated the rows.
        below: the annotated plan.
    """

    def __init__(self, catalyst: Catalyst, annotator: Annotator, below: Annotated) -> None:
        self._catalyst = catalyst
        self._annotator = annotator
        self._ids = below.ids

    def of(self, rows: Sequence[Sequence[Any]], *, with_records: bool = True) -> list[Place]:
        """The places of rows.

        Args:
            rows: the values of their id columns.
            with_records: of records in files, their values and those of their neighbours as well.
        """
        every = [Place() for _ in rows]
        for column, ids in zip(self._ids, zip(*rows, strict=True), strict=True):
            if isinstance(column.origin, SourceLeaf):
                found = self._in_source(column.origin, ids, with_records)
            else:
                found = self._behind(column, ids)
            every = [_joined(one, other) for one, other in zip(every, found, strict=True)]
        return every

    def _in_source(self, leaf: SourceLeaf, ids: Sequence[Any], with_records: bool) -> list[Place]:
        most = MOST_PLACED if with_records or not leaf.has_positions else 0
        shown = [each for each in dict.fromkeys(ids) if each is not None][:most]
        beside = {each: _beside(leaf, each) for each in shown}
        wanted = list(dict.fromkeys([*shown, *(n for two in beside.values() for n in two)]))
        existing = existing_values(self._catalyst, leaf, wanted) if wanted else {}
        values = {each: as_dict(row) for each, row in existing.items()}
        layout = FileLayout(self._catalyst, leaf)
        places = {
            each: location
            for group in (
                [n for n in values if n not in ids],
                list(dict.fromkeys(n for n in ids if n is not None)),
            )
            for each, location in zip(group, locations(leaf, layout, group), strict=True)
        }

        def record(each: Any) -> TracedRecord:
            return TracedRecord(leaf.name, places[each], values[each])

        return [
            Place()
            if each is None
            else Place(
                places[each] if leaf.has_positions else None,
                (record(each),) if each in values else (),
                tuple(record(n) for n in beside.get(each, ()) if n in values and _same_file(places, n, each)),
            )
            for each in ids
        ]

    def _behind(self, column: IdColumn, keys: Sequence[Any]) -> list[Place]:
        """What rows stem from that an aggregate made: traced one by one, for a few."""
        boundary = column.origin
        assert isinstance(boundary, Boundary)
        found: dict[Any, Place] = {}
        for key in keys:
            if key is not None and len(found) < MOST_TRACED and _hashable(key) not in found:
                records = self._trace(column, boundary, key)
                alone = records[0].location if len(records) == 1 else None
                found[_hashable(key)] = Place(alone, tuple(records))
        return [found.get(_hashable(key), Place()) for key in keys]

    def _trace(self, column: IdColumn, boundary: Boundary, key: Row) -> list[TracedRecord]:
        catalyst = self._catalyst
        frame = catalyst.spark.createDataFrame([(key,)], schema=_schema(catalyst, column))
        plan = catalyst.analyzed(frame)
        rows = catalyst.rows(plan)
        seq = catalyst.singleton(catalyst.jvm.scala.collection.immutable, "ArraySeq").unsafeWrapArray(rows)
        keys = RowSet(catalyst, local_relation(catalyst, plan.output(), seq), 1, True)
        narrow = matching_keys(catalyst, boundary, keys)
        where = RowsOf(partial(_narrowed_by, narrow))
        trace = Trace(catalyst, boundary.input, dict(self._annotator.sources), where)
        return trace.collect(_MOST_BEHIND)


def _narrowed_by(narrow: Any, catalyst: Any, root: Any) -> Where:
    return Where(narrow, is_condition=False)


def _schema(catalyst: Catalyst, column: IdColumn) -> Any:
    from pyspark.sql.types import StructField, StructType, _parse_datatype_json_string

    kind = _parse_datatype_json_string(str(column.id.dataType().json()))
    return StructType([StructField("key", kind)])


def _beside(leaf: SourceLeaf, identity: Any) -> tuple[Any, Any]:
    """The ids right before and after one; there need not be such records."""
    if leaf.identified_by_file:
        before, after = identity.position - 1, identity.position + 1
        return Row(file=identity.file, position=before), Row(file=identity.file, position=after)
    step = int(leaf.operator.plan.step()) if leaf.kind == "range" else 1
    return identity - step, identity + step


def _same_file(places: dict[Any, Location], one: Any, other: Any) -> bool:
    return (places[one].file, places[one].partition) == (places[other].file, places[other].partition)


def _joined(one: Place, other: Place) -> Place:
    records = (*one.records, *other.records)
    known = [each.location for each in (one, other) if each.location is not None]
    return Place(known[0] if known else None, records, (*one.neighbours, *other.neighbours))


def _hashable(key: Any) -> Any:
    return repr(key)
