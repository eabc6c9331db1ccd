"""Failing rows whose outcomes can be told in closed form: what their groups hold is gathered in one pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import functions as F

from bigdebug.isolation.closed_form import ClosedForm
from bigdebug.isolation.group_rows import GroupRows, Ids, numbered, width_of
from bigdebug.isolation.groups import Identity, fetched, groups_of
from bigdebug.isolation.measures import Array, NotInClosedFormError
from bigdebug.isolation.shape import Shape
from bigdebug.lineage.annotate import Annotator
from bigdebug.lineage.annotated import Annotated, Boundary, IdColumn
from bigdebug.lineage.catalyst import Catalyst, fresh_name
from bigdebug.lineage.identity import SourceLeaf
from bigdebug.lineage.keys import hashed_key
from bigdebug.lineage.operators import Operator
from bigdebug.lineage.segments import RowSet, local_relation, matching_keys

MOST_ROWS = 10_000_000
"""Rows of an aggregate's input whose ids and values are fetched at most."""


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
) -> tuple[GroupRows, ClosedForm | None] | None:
    """What the groups of failing rows hold, and their outcomes in closed form; None where these have none.

    Without any rows there is nothing to tell.

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
    if not rows:
        nothing = catalyst.frame(local_relation(catalyst, below.plan.output(), catalyst.seq([])))
        none = [
            Ids(leaf, attribute, tuple(np.zeros((width_of(leaf), 0), np.int64)))
            for leaf, attribute in zip(leaves, attributes, strict=True)
        ]
        return GroupRows(catalyst, root, shape.aggregate.child, nothing, none, readers), None
    narrowed = matching_keys(catalyst, boundary, keys)(wanted)
    # Where nothing else is kept than ids of all records, Spark mustn't take it for the source itself.
    mark = catalyst.text(fresh_name("kept"))
    marked = catalyst.filter(catalyst.same(mark, mark), catalyst.project([*attributes, *own], narrowed))
    kept = catalyst.frame(marked).persist()
    try:
        if kept.count() > MOST_ROWS:
            kept.unpersist()
            return None
        ids = [Ids(leaf, attribute, ()) for leaf, attribute in zip(leaves, attributes, strict=True)]
        table = _table(catalyst, kept, shape, ids, rows)
        known, numbers, table = _numbered(ids, table, readers)
        numbered_rows = {row: number for number, row in enumerate(rows)}
        groups = dict(groups_of(shape, table, numbers, numbered_rows))
    except NotInClosedFormError:
        kept.unpersist()
        return None
    except BaseException:
        kept.unpersist()
        raise
    held = GroupRows(catalyst, root, shape.aggregate.child, kept, known, readers)
    return held, ClosedForm(catalyst, shape, failing, groups, _literal(catalyst, keys))


def _table(
    catalyst: Catalyst, kept: Any, shape: Shape, ids: Sequence[Ids], rows: Sequence[Identity]
) -> pa.Table:
    """Of each row what is compared of its ids, the number of its group, and what the functions take."""
    grouping = catalyst.items(shape.aggregate.plan.groupingExpressions())
    hashed, _ = hashed_key(catalyst, grouping)
    names = [fresh_name("taken") for _ in shape.functions]
    taken = [
        catalyst.alias(fetched(catalyst, function), name)
        for function, name in zip(shape.functions, names, strict=True)
    ]
    group = catalyst.alias(hashed, fresh_name("hash"))
    attributes = [each.attribute for each in ids]
    frame = catalyst.frame(catalyst.project([*attributes, group, *taken], catalyst.analyzed(kept)))
    compared = [column for each in ids for column in each.compared(each.column)]
    compared = [column.alias(f"id{i}") for i, column in enumerate(compared)]
    of_rows = F.array(*(F.lit(row[0]).cast("long") for row in rows))
    number = (F.array_position(of_rows, F.col(str(group.name()))) - 1).cast("short").alias("group")
    return frame.select(*compared, number, *names).toArrow().combine_chunks()


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
            known[place] = Ids(ids[place].leaf, ids[place].attribute, unique)
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
