"""Dataflows whose rows stem from one aggregate each: the records behind a row are those of its group."""

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
from bigdebug.lineage.catalyst import Catalyst, fresh_name
from bigdebug.lineage.identity import SourceLeaf
from bigdebug.lineage.keys import hashed_key
from bigdebug.lineage.mapped import is_mapped
from bigdebug.lineage.natural_key import ROW_BY_ROW, top_aggregate
from bigdebug.lineage.operators import Operator

_BELOW = frozenset({"Project", "Filter", "Generate", "ResolvedHint"})


@dataclass(frozen=True)
class Keyed:
    """A source, operators that take its records one by one, an aggregate, and operators that keep its rows.

    Attributes:
        aggregate: the aggregate.
        below: the operators between it and the source, the uppermost first.
        source: the source.
    """

    aggregate: Operator
    below: tuple[Operator, ...]
    source: Operator


def keyed(catalyst: Catalyst, root: Operator, sources: Mapping[Operator, SourceLeaf]) -> Keyed | None:
    """A dataflow as such a one; None where it is another."""
    top = root
    while top.kind in ROW_BY_ROW:
        if not is_plain(catalyst, top):
            return None
        top = top.child
    if top.kind != "Aggregate" or not is_plain(catalyst, top):
        return None
    aggregate, below = top, []
    top = top.child
    while top.kind in _BELOW and not is_mapped(top) and is_plain(catalyst, top):
        below.append(top)
        top = top.child
    if top not in sources or top.subqueries:
        return None
    if any(map(is_session_window, catalyst.items(aggregate.plan.groupingExpressions()))):
        return None
    return Keyed(aggregate, tuple(below), top)


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
