"""The columns that tell an output's rows from one another, and rows found by them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from bigdebug.isolation.keyed import top_aggregate
from bigdebug.lineage.catalyst import Catalyst, class_name
from bigdebug.lineage.operators import Operator


def key_of(catalyst: Catalyst, root: Operator) -> tuple[str, ...]:
    """The output's columns that are an aggregate's grouping columns; none where it has none, or not all of them."""
    top = top_aggregate(root)
    if top is None:
        return ()
    grouping = catalyst.items(top.plan.groupingExpressions())
    made: dict[str, Any] = {}
    for column in catalyst.items(top.plan.aggregateExpressions()):
        expression = column.child() if class_name(column) == "Alias" else column
        for place, each in enumerate(grouping):
            if expression.semanticEquals(each):
                made[catalyst.attribute_key(column.toAttribute())] = place
    columns = [
        (made.get(catalyst.attribute_key(each)), str(each.name())) for each in catalyst.output(root.plan)
    ]
    found = {place: name for place, name in columns if place is not None}
    return tuple(found[place] for place in sorted(found)) if len(found) == len(grouping) else ()


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


def quoted(name: str) -> str:
    """A column's name as SQL has it."""
    return "`" + name.replace("`", "``") + "`"
