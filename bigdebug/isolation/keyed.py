"""Dataflows whose rows are groups of records: the records behind a row are those of its group.

Between the aggregate that makes the groups and the source there may be windows and aggregates of smaller groups, as
long as what they take for one is always of one group.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from pyroaring import FrozenBitMap
from pyspark.sql import functions as F

from bigdebug.isolation.shape import is_plain
from bigdebug.lineage.annotate import Annotator
from bigdebug.lineage.annotated import Annotated, Boundary
from bigdebug.lineage.barrier import is_session_window
from bigdebug.lineage.carrying import through_one
from bigdebug.lineage.catalyst import Catalyst, class_name, fresh_name
from bigdebug.lineage.conditions import references
from bigdebug.lineage.identity import SourceLeaf
from bigdebug.lineage.keys import hashed_key
from bigdebug.lineage.mapped import is_mapped
from bigdebug.lineage.natural_key import ROW_BY_ROW, top_aggregate
from bigdebug.lineage.operators import ONE_BY_ONE, Operator


@dataclass(frozen=True)
class Keyed:
    """A source, operators that take its records one by one, aggregates and windows, and what keeps an aggregate's rows.

    Attributes:
        aggregate: the uppermost aggregate.
        lowest: the lowest aggregate or window, which may be the same.
        grouping: JVM expressions over the lowest one's input: the group of the uppermost aggregate.
        below: the operators between the lowest one and the source, the uppermost first.
        source: the source.
    """

    aggregate: Operator
    lowest: Operator
    grouping: tuple[Any, ...]
    below: tuple[Operator, ...]
    source: Operator


def keyed(catalyst: Catalyst, root: Operator, sources: Mapping[Operator, SourceLeaf]) -> Keyed | None:
    """A dataflow as such a one; None where it is another."""
    top = root
    while top.kind in ROW_BY_ROW:
        if not is_plain(catalyst, top):
            return None
        top = top.child
    if not _is_aggregate(catalyst, top):
        return None
    aggregate = lowest = top
    grouping = catalyst.items(aggregate.plan.groupingExpressions())
    below: list[Operator] = []
    top = top.child
    while top not in sources:
        if top.kind in ONE_BY_ONE and not is_mapped(top) and is_plain(catalyst, top):
            below.append(top)
        elif top.kind == "Window" or _is_aggregate(catalyst, top):
            told = _told_below(catalyst, grouping, [*below, top])
            if told is None:
                return None
            grouping, lowest, below = told, top, []
        else:
            return None
        top = top.child
    if top.subqueries:
        return None
    return Keyed(aggregate, lowest, tuple(grouping), tuple(below), top)


def _is_aggregate(catalyst: Catalyst, operator: Operator) -> bool:
    if operator.kind != "Aggregate" or not is_plain(catalyst, operator):
        return False
    return not any(map(is_session_window, catalyst.items(operator.plan.groupingExpressions())))


def _told_below(
    catalyst: Catalyst, grouping: Sequence[Any], operators: Sequence[Operator]
) -> list[Any] | None:
    """A group as the input of some operators tells it, the uppermost first, of which the last makes smaller groups.

    None where it can't be told there, where the smaller groups may be of several, and where not all of them go on. Of
    a window's rows those that don't go on decide about the others.
    """
    found = list(grouping)
    for operator in operators:
        if operator.kind == "Window":
            if not is_plain(catalyst, operator):
                return None
            parts = {
                catalyst.attribute_key(each)
                for each in catalyst.items(operator.plan.partitionSpec())
                if class_name(each) == "AttributeReference"
            }
            if not all(references(catalyst, each).keys() <= parts for each in found):
                return None
        elif operator.kind == "Generate" or (operator.kind == "Filter" and operators[-1].kind == "Aggregate"):
            return None
        told = [through_one(catalyst, operator, each) for each in found]
        if any(each is None for each in told):
            return None
        found = told
    return found


def boundary_of(
    annotator: Annotator, root: Operator, aggregate: Operator
) -> tuple[Annotated, Boundary, Any] | None:
    """The output with its groups' keys: the boundary at the aggregate, and the attribute of the key."""
    annotated = annotator.annotate(root)
    if len(annotated.ids) != 1:
        return None
    (column,) = annotated.ids
    if not isinstance(column.origin, Boundary) or column.origin.operator is not aggregate:
        return None
    return annotated, column.origin, column.id


def members_of(
    catalyst: Catalyst,
    root: Operator,
    sources: Mapping[Operator, SourceLeaf],
    rows: Sequence[tuple[int, int]],
) -> dict[tuple[int, int], FrozenBitMap] | None:
    """The numbers of the candidates behind each of some rows, in one pass; None where rows aren't groups of records.

    Args:
        catalyst: of the pinned session.
        root: the dataflow over nothing but the candidates, whose ids are their numbers.
        sources: its sources.
        rows: by the hash of their group's key.
    """
    top = top_aggregate(root)
    if top is None:
        return None
    grouping = catalyst.items(top.plan.groupingExpressions())
    below = Annotator(catalyst, sources).annotate(top.child)
    if not all(isinstance(column.origin, SourceLeaf) for column in below.ids):
        return None
    if any(map(is_session_window, grouping)):
        return None
    hashes = [catalyst.alias(each, fresh_name("hash")) for each in hashed_key(catalyst, grouping)]
    frame = catalyst.frame(catalyst.project([*hashes, *(column.id for column in below.ids)], below.plan))
    one, _, *ids = frame.columns
    table = frame.where(F.col(one).isin([row[0] for row in rows])).toArrow()
    ones, twos = (table.column(i).to_numpy() for i in (0, 1))
    found = {}
    for row in rows:
        mine = pa.array((ones == row[0]) & (twos == row[1]))
        found[row] = _numbers(table.column(2 + i).filter(mine) for i in range(len(ids)))
    return found


def _numbers(columns: Iterable[pa.ChunkedArray]) -> FrozenBitMap:
    arrays = [column.drop_null().unique().to_numpy().astype(np.uint32) for column in columns]
    return FrozenBitMap().union(*map(FrozenBitMap, arrays))
