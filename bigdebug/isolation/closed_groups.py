"""Failing rows whose outcomes can be told in closed form: what their groups hold is gathered in one pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from bigdebug.isolation.closed_form import ClosedForm
from bigdebug.isolation.group_rows import Few, GroupRows
from bigdebug.isolation.groups import Group, Identity, fetched, groups_of
from bigdebug.isolation.ids import Ids, numbered
from bigdebug.isolation.largest import largest_source
from bigdebug.isolation.lumping import Lumping, Told
from bigdebug.isolation.measures import Array, NotInClosedFormError
from bigdebug.isolation.shape import Shape
from bigdebug.lineage.annotate import Annotator
from bigdebug.lineage.annotated import Annotated, Boundary, IdColumn
from bigdebug.lineage.catalyst import Catalyst, class_name, fresh_name
from bigdebug.lineage.identity import SourceLeaf
from bigdebug.lineage.keys import hashed_key
from bigdebug.lineage.operators import Operator
from bigdebug.lineage.segments import RowSet, local_relation, matching_keys

MOST_ROWS = 10_000_000
"""Rows of an aggregate's input whose ids and values are fetched at most."""


class ClosedGroups:
    """What the groups of failing rows hold.

    Args:
        catalyst: of the pinned session.
        root: the dataflow.
        shape: of the dataflow.
        failing: a resolved condition over its columns.
        rows: the failing rows, by the hash of their group's key.
        keys: of the groups, one struct column, in the order of the rows.
        readers: of each source the first that reads the same records.
        kept: of each row that the aggregate takes for them the ids, the columns that it looks at, and the number of
            its group.
        every: gives the same, and maybe rows of other groups, whose number is null.
        group: the name of the group's number.
        ids: of each source, of which none is known yet.
    """

    def __init__(
        self,
        catalyst: Catalyst,
        root: Operator,
        shape: Shape,
        failing: Any,
        rows: Sequence[Identity],
        keys: RowSet,
        readers: Mapping[SourceLeaf, SourceLeaf],
        kept: DataFrame,
        every: Callable[[], DataFrame],
        group: str,
        ids: Sequence[Ids],
    ) -> None:
        self._catalyst = catalyst
        self._root = root
        self._shape = shape
        self._failing = failing
        self._rows = rows
        self._keys = keys
        self._readers = readers
        self._kept = kept
        self._every = every
        self._group = group
        self._ids = ids
        self._lumped: GroupRows | None = None

    def lumped(self) -> tuple[GroupRows, ClosedForm] | None:
        """Their extreme rows one by one, and all others together; None where that doesn't pay or can't be."""
        leaves = [each.leaf for each in self._ids]
        if not self._rows:
            return None
        largest = largest_source(self._catalyst, self._shape, leaves, self._readers)
        if largest is None:
            return None
        try:
            told = self._told(self._every())
            found = Lumping(self._catalyst, self._shape, told, self._ids, largest, self._rows).run()
        except NotInClosedFormError:
            return None
        if found is None:
            return None
        self._lumped = self._held(found.ids, Few(self._named_as_kept(found.few), found.persisted))
        return self._lumped, self._closed(found.groups)

    def full(self) -> tuple[GroupRows, ClosedForm | None] | None:
        """All their rows, one by one; None where they have no closed form. Without any rows there is none, either."""
        if self._lumped is not None:
            self._lumped.forget_few()
        if not self._rows:
            none = [each.knowing(tuple(np.zeros((each.width, 0), np.int64))) for each in self._ids]
            return self._held(none), None
        kept = self._kept.persist()
        try:
            if kept.count() > MOST_ROWS:
                raise NotInClosedFormError("too many rows")
            told = self._told(kept)
            table = told.frame.select(*told.columns).toArrow().combine_chunks()
            known, numbers, table = _numbered(self._ids, table, self._readers)
            numbered_rows = {row: number for number, row in enumerate(self._rows)}
            groups = dict(groups_of(self._shape, table, numbers, numbered_rows))
        except NotInClosedFormError:
            kept.unpersist()
            return None
        except BaseException:
            kept.unpersist()
            raise
        return self._held(known), self._closed(groups)

    # -- inside -------------------------------------------------------------------------------------

    def _held(self, ids: Sequence[Ids], few: Few | None = None) -> GroupRows:
        operator = self._shape.aggregate.child
        return GroupRows(self._catalyst, self._root, operator, self._kept, ids, self._readers, few)

    def _named_as_kept(self, rows: DataFrame) -> DataFrame:
        catalyst = self._catalyst
        plan = catalyst.analyzed(rows)
        given, known = catalyst.output(plan), catalyst.output(catalyst.analyzed(self._kept))
        pairs = zip(given, known, strict=True)
        named = [catalyst.alias(have, str(own.name())) for have, own in pairs]
        return catalyst.frame(catalyst.project(named, plan))

    def _closed(self, groups: Mapping[Identity, Group]) -> ClosedForm:
        keys = _literal(self._catalyst, self._keys)
        return ClosedForm(self._catalyst, self._shape, self._failing, groups, keys)

    def _told(self, rows: DataFrame) -> Told:
        """Of rows what is compared of their ids, the number of their group, and what the functions take."""
        catalyst, functions = self._catalyst, self._shape.functions
        plan = catalyst.analyzed(rows)
        kept = [catalyst.alias(column, fresh_name("kept")) for column in catalyst.output(plan)]
        taken = [catalyst.alias(fetched(catalyst, function), fresh_name("taken")) for function in functions]
        frame = catalyst.frame(catalyst.project_more([*kept, *taken], plan))
        names = [[str(each.name()) for each in columns] for columns in (kept, taken)]
        # What is compared of an id may be the id itself: a key of fewer columns is a faster one.
        ids: list[list[str]] = []
        more: list[Column] = []
        for place, each in enumerate(self._ids):
            if each.width == 1:
                ids.append([names[0][place]])
                continue
            ids.append([fresh_name("id") for _ in range(each.width)])
            more += [
                column.alias(name) for column, name in zip(each.compared(each.column), ids[-1], strict=True)
            ]
        return Told(frame.select("*", *more), names[0], ids, names[0][-1], names[1])


def closed_groups(
    catalyst: Catalyst,
    root: Operator,
    sources: dict[Operator, SourceLeaf],
    shape: Shape,
    failing: Any,
    rows: Sequence[Identity],
    boundary: Boundary,
    keys: RowSet,
    readers: Mapping[SourceLeaf, SourceLeaf],
) -> ClosedGroups | None:
    """What the groups of failing rows hold; None where their records can't be told.

    Args:
        catalyst: of the pinned session.
        root: the dataflow.
        sources: its sources.
        shape: of the dataflow.
        failing: a resolved condition over its columns.
        rows: the failing rows, by the hash of their group's key.
        boundary: at the aggregate.
        keys: of the groups, one struct column, in the order of the rows.
        readers: of each source the first that reads the same records.
    """
    if len({row[0] for row in rows}) < len(rows):
        return None
    below = Annotator(catalyst, sources).annotate(shape.aggregate.child)
    leaves = [column.origin for column in below.ids if isinstance(column.origin, SourceLeaf)]
    if not leaves or len(leaves) < len(below.ids):
        return None
    looked_at = {
        catalyst.attribute_key(each) for each in catalyst.items(shape.aggregate.plan.references().toSeq())
    }
    own = [
        each
        for each in catalyst.output(shape.aggregate.child.plan)
        if catalyst.attribute_key(each) in looked_at
    ]
    attributes = [column.id for column in below.ids]
    wanted = Annotated(below.plan, tuple(IdColumn(leaves[0], each) for each in [*attributes, *own]))
    if rows:
        narrowed = matching_keys(catalyst, boundary, keys)(wanted)
    else:
        narrowed = local_relation(catalyst, below.plan.output(), catalyst.seq([]))
    # Where nothing else is kept than ids of all records, Spark mustn't take it for the source itself.
    mark = catalyst.text(fresh_name("kept"))
    marked = catalyst.filter(catalyst.same(mark, mark), catalyst.project([*attributes, *own], narrowed))
    group = fresh_name("group")
    kept = _with_groups(catalyst, marked, shape, rows, group)

    def every() -> DataFrame:
        if _is_read(catalyst, shape, leaves):
            return kept
        # Spark would work the keys out twice: to choose rows, and once more of those that are chosen.
        unmarked = catalyst.project([*attributes, *own], below.plan)
        return _with_groups(catalyst, unmarked, shape, rows, group)

    ids = [Ids(leaf, attribute) for leaf, attribute in zip(leaves, attributes, strict=True)]
    return ClosedGroups(catalyst, root, shape, failing, rows, keys, readers, kept, every, group, ids)


def _is_read(catalyst: Catalyst, shape: Shape, leaves: Sequence[SourceLeaf]) -> bool:
    """Whether the groups' keys are columns of sources, not worked out of others."""
    columns = {
        catalyst.attribute_key(each) for leaf in leaves for each in catalyst.output(leaf.operator.plan)
    }
    grouping = catalyst.items(shape.aggregate.plan.groupingExpressions())
    return all(
        class_name(each) == "AttributeReference" and catalyst.attribute_key(each) in columns
        for each in grouping
    )


def _with_groups(
    catalyst: Catalyst, plan: Any, shape: Shape, rows: Sequence[Identity], name: str
) -> DataFrame:
    """The rows of a plan with the numbers of their groups behind, by some name; null of other groups."""
    hashed, _ = hashed_key(catalyst, catalyst.items(shape.aggregate.plan.groupingExpressions()))
    group = catalyst.alias(hashed, fresh_name("hash"))
    cases = (f"when cast('{row[0]}' as bigint) then {place}S" for place, row in enumerate(rows))
    number = F.expr(f"case `{group.name()}` {' '.join(cases)} end" if rows else "cast(null as short)").alias(
        name
    )
    numbered = catalyst.analyzed(catalyst.frame(catalyst.project_more([group], plan)).select("*", number))
    *own, _, last = catalyst.output(numbered)
    return catalyst.frame(catalyst.project([*own, last], numbered))


def _numbered(
    ids: Sequence[Ids], table: pa.Table, readers: Mapping[SourceLeaf, SourceLeaf]
) -> tuple[list[Ids], list[Array], pa.Table]:
    """The ids, of each source each row's number, and the table's other columns."""
    columns: list[tuple[list[Array], Array]] = []
    taken = 0
    for each in ids:
        parts = table.columns[taken : taken + each.width]
        taken += each.width
        filled = [pc.fill_null(part, 0).to_numpy() for part in parts]
        columns.append((filled, parts[0].is_valid().to_numpy()))
    known: dict[int, Ids] = {}
    numbers: dict[int, Array] = {}
    first = 0
    for reader in dict.fromkeys(readers[each.leaf] for each in ids):
        # Sources that read the same records have the numbers of these in common.
        mine = [place for place, each in enumerate(ids) if readers[each.leaf] is reader]
        parts = [np.concatenate(part) for part in zip(*(columns[place][0] for place in mine), strict=True)]
        unique, places = numbered(parts, np.concatenate([columns[place][1] for place in mine]))
        for place, part in zip(mine, np.split(places, len(mine)), strict=True):
            numbers[place] = np.where(part < 0, -1, part + first)
            known[place] = ids[place].knowing(unique)
        first += len(unique[0])
    every = range(len(ids))
    rest = table.select(range(taken, table.num_columns))
    return [known[place] for place in every], [numbers[place] for place in every], rest


def _literal(catalyst: Catalyst, keys: RowSet) -> Any:
    """The groups' keys as a literal, an array of structs: they never pass through Python."""
    data_type = catalyst.output(keys.plan)[0].dataType()
    jvm = catalyst.jvm
    rows = keys.plan.data()
    width = data_type.length()
    array = catalyst.spark.sparkContext._gateway.new_array(jvm.java.lang.Object, keys.count)
    for i in range(keys.count):
        array[i] = rows.apply(i).getStruct(0, width)
    data = jvm.org.apache.spark.sql.catalyst.util.GenericArrayData(array)
    return catalyst.expressions.Literal(data, jvm.org.apache.spark.sql.types.ArrayType(data_type, True))
