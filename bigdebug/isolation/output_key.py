"""What stands for an output's row in a few entries, by the columns that tell rows from one another."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.sql_names import quoted


def looked_up(catalyst: Catalyst, output: DataFrame, entries: DataFrame, key: Sequence[str]) -> Column:
    """What stands for an output row's key in a few entries; null where it has none.

    Args:
        catalyst: of the pinned session.
        output: the rows.
        entries: one column, structs of a key (a struct) and what stands for it, which isn't null; each key once.
        key: the output's columns that the key is made of.
    """
    (entry,) = entries.columns
    plan = catalyst.analyzed(entries.agg(F.map_from_entries(F.collect_list(entry))))
    # A literal of Spark's own rows: they never pass through Python.
    (row,) = catalyst.rows(plan)
    literal = catalyst.expressions.Literal(row.getMap(0), plan.output().head().dataType())
    known = Column(catalyst.jvm.org.apache.spark.sql.classic.ExpressionUtils.column(literal))
    return F.try_element_at(known, F.struct(*(output[quoted(name)].alias(name) for name in key)))
