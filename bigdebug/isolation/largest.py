"""The source of whose records most are told together, where a group of them is large."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bigdebug.isolation.shape import Shape
from bigdebug.isolation.splits import splits_of
from bigdebug.lineage.catalyst import Catalyst, fresh_name
from bigdebug.lineage.equalities import join_condition
from bigdebug.lineage.estimate import bytes_read
from bigdebug.lineage.identity import SourceLeaf
from bigdebug.lineage.natural_key import ROW_BY_ROW
from bigdebug.lineage.operators import Operator

SAMPLED = 50_000
"""About so many rows are sampled to tell where the extremes begin."""
_BYTES = {"parquet": 8, "orc": 8, "delta": 8}
_TEXT_BYTES = 50
"""What a record takes in a file, roughly."""
_JOINED_BYTES = 64_000_000
"""What is joined with the largest source may have so many bytes, where its keys are to be looked at."""


@dataclass(frozen=True)
class Largest:
    """The source of whose records most are told together.

    Attributes:
        place: among the sources.
        records: how many it has, roughly.
        partitions: that Spark reads it in, roughly.
    """

    place: int
    records: int
    partitions: int

    @property
    def one_of(self) -> int:
        """Of so many records a sample takes one."""
        return self.records // SAMPLED

    @property
    def of_each(self) -> int:
        """So many records of each partition are a sample."""
        return max(1, SAMPLED // self.partitions)


def largest_source(
    catalyst: Catalyst,
    shape: Shape,
    leaves: Sequence[SourceLeaf],
    readers: Mapping[SourceLeaf, SourceLeaf],
) -> Largest | None:
    """The source most of whose records can be told together.

    None where they are too few for that, where it isn't sure that each is in one row at most, and where more than a
    number is needed of each row.

    Args:
        catalyst: of the pinned session.
        shape: of the dataflow.
        leaves: the sources below its aggregate.
        readers: of each source the first that reads the same records.
    """
    if not all(function.adds_up for function in shape.functions):
        return None
    if all(function.kind == "Count" for function in shape.functions):
        return None  # none is more extreme than others
    if any(readers[leaf] is not leaf for leaf in leaves) or len(set(leaves)) < len(leaves):
        return None
    sizes = [bytes_read(catalyst, [leaf]) for leaf in leaves]
    place = int(np.argmax(sizes))
    leaf = leaves[place]
    records = sizes[place] // _BYTES.get(leaf.kind, _TEXT_BYTES)
    found = Largest(place, records, splits_of(catalyst, sizes[place]))
    if found.one_of < 2 or not _once_at_most(catalyst, shape.aggregate.child, leaf.operator):
        return None
    return found


def _once_at_most(catalyst: Catalyst, top: Operator, source: Operator) -> bool:
    """Whether each record of a source is in one row of a dataflow at most."""
    if top is source:
        return True
    if top.kind in ROW_BY_ROW or top.kind == "ResolvedHint":
        return _once_at_most(catalyst, top.child, source)
    if top.kind != "Join":
        return False
    (side,) = (i for i, child in enumerate(top.children) if source in child.walk())
    return _has_distinct_keys(catalyst, top, 1 - side) and _once_at_most(catalyst, top.children[side], source)


def _has_distinct_keys(catalyst: Catalyst, join: Operator, side: int) -> bool:
    """Whether no two rows of a join's side have the same key."""
    keys = [each.sides[side] for each in join_condition(catalyst, join).equalities if not each.null_safe]
    below = join.children[side]
    if not keys or int(below.plan.stats().sizeInBytes()) > _JOINED_BYTES:
        return False
    named = [catalyst.alias(key, fresh_name("key")) for key in keys]
    frame = catalyst.frame(catalyst.project(named, below.plan)).dropna()
    twice = frame.groupBy(*frame.columns).count().where("count > 1")
    return not twice.take(1)
