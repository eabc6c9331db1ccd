"""The records of sources that aren't in files, written down beside an index."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyspark.sql import DataFrame

from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.identity import SourceLeaf, annotate_leaf
from bigdebug.lineage.index.names import COMPARABLE, ID

# Besides those that conditions can be about: types whose values come out of a Parquet file, read by pyarrow, as
# PySpark itself would show them.
_KEPT = COMPARABLE | {"binary"}


def written_records(
    catalyst: Catalyst, leaf: SourceLeaf, hidden: Callable[[Any], bool]
) -> tuple[DataFrame | None, tuple[tuple[str, str], ...]]:
    """The records of a source with their ids, sorted by them; None where a column can't be kept.

    Returns:
        The frame, and name and type of each column; the n-th is called `c<n>`.
    """
    columns = catalyst.output(leaf.operator.plan)
    kinds = [str(column.dataType().catalogString()) for column in columns]
    kept = all(kind.partition("(")[0] in _KEPT for kind in kinds)
    if not kept or any(map(hidden, columns)):
        return None, ()
    annotated = annotate_leaf(catalyst, leaf, valued=False)
    named = [catalyst.alias(column, f"c{i}") for i, column in enumerate(columns)]
    plan = catalyst.project([catalyst.alias(annotated.id, ID), *named], annotated.plan)
    described = tuple((str(column.name()), kind) for column, kind in zip(columns, kinds, strict=True))
    return catalyst.frame(plan).sortWithinPartitions(ID), described
