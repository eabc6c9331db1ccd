"""Transposed frames: what the rows of `DataFrame.transpose` were made of.

Spark runs the frame as soon as it is transposed, and the plan that comes of it holds only the rows. The plan as it
was asked for is kept as a tag on that leaf, and a question looks in the leaf's place at operators that give the same
rows: each of the frame's rows taken apart into its columns, and these grouped by their names. A row of a transposed
frame stems from all rows of the frame that have an index.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DataType, StructType
from pyspark.sql.window import Window

from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.opened import Kept

_TRANSPOSED = Kept("Transpose", "bigdebug.transposed")
# Types whose values have no greatest.
_UNORDERED = re.compile(r"\b(map|variant|interval)\b")


def keep_transposed(jvm: Any, made: Any, asked: Any) -> None:
    """Keep on a transposed frame's plan what it was made of.

    Args:
        made: the analyzed plan of the frame.
        asked: the same before it was analyzed, the plan of the frame that it was called on below it.
    """
    _TRANSPOSED.keep(jvm, made, asked)


def with_transposed_opened(catalyst: Catalyst, plan: Any, opened: Callable[[Any], Any]) -> Any:
    """A plan with what transposed frames were made of in their place.

    Args:
        opened: does the same, and what else is to be done, to the plan of a frame that was transposed.
    """

    def behind(leaf: Any, asked: Any) -> Any:
        return catalyst.analyzed(_transposed(catalyst, leaf, asked.indices(), opened(asked.child())))

    return _TRANSPOSED.opened(catalyst, plan, behind)


def _transposed(catalyst: Catalyst, leaf: Any, indices: Any, below: Any) -> DataFrame:
    """The frame that gives a leaf's rows, in its columns and their order.

    Args:
        leaf: the transposed rows: the name of a column, and its value for each index.
        indices: an expression for the column of the indices, or none for the first.
        below: the plan of the frame that was transposed.
    """
    given = catalyst.output(below)
    index = given[0] if indices.isEmpty() else _resolved(catalyst, indices.apply(0), below)
    own = catalyst.attribute_key(index)
    turned = [column for column in given if catalyst.attribute_key(column) != own]
    names = catalyst.names(leaf)[1:]
    kind = _value_type(leaf)
    columns = [catalyst.alias(each, f"v{i}") for i, each in enumerate(turned)]
    frame = catalyst.frame(catalyst.project([catalyst.alias(index, "index"), *columns], below))
    frame = frame.where(F.col("index").isNotNull()).withColumn("name", F.col("index").cast("string"))
    if len(set(names)) < len(names):
        same = Window.partitionBy("name").orderBy("index")
        frame = frame.withColumn("nth", F.row_number().over(same))
    else:
        frame = frame.withColumn("nth", F.lit(1))
    parts = [
        F.struct(F.lit(i).alias("at"), F.col(f"v{i}").cast(kind).alias("value")) for i in range(len(turned))
    ]
    entries = frame.select("name", "nth", F.inline(F.array(*parts)))
    # A frame without rows has columns all the same.
    rows = catalyst.spark.sql(f"select explode(sequence(0, {len(turned) - 1})) as row")
    joined = rows.join(entries, F.col("row") == F.col("at"), "left")
    ordered = not _UNORDERED.search(kind.simpleString())
    values = [_value(name, nth, ordered).alias(f"c{i}") for i, (name, nth) in enumerate(_counted(names))]
    values = values or [F.count(F.lit(1)).alias("rows")]
    keys = F.array(*(F.lit(str(column.name())) for column in turned))
    made = joined.groupBy("row").agg(*values).sort("row")
    return made.select(
        F.element_at(keys, F.col("row") + 1).alias("key"), *(f"c{i}" for i in range(len(names)))
    )


def _counted(names: list[str]) -> list[tuple[str, int]]:
    """Each name, and how often it has come by then."""
    seen: Counter[str] = Counter()
    found = []
    for name in names:
        seen[name] += 1
        found.append((name, seen[name]))
    return found


def _value(name: str, nth: int, ordered: bool) -> Column:
    """The only value of a column's group that stands under an index."""
    here = F.col("name").eqNullSafe(F.lit(name)) & (F.col("nth") == nth)
    if ordered:
        return F.max(F.when(here, F.col("value")))
    return F.max_by("value", F.when(here, F.lit(1)))


def _resolved(catalyst: Catalyst, index: Any, below: Any) -> Any:
    return catalyst.output(catalyst.analyzed(catalyst.frame(catalyst.project([index], below))))[0]


def _value_type(leaf: Any) -> DataType:
    fields = StructType.fromJson(json.loads(leaf.schema().json())).fields
    return fields[1].dataType if len(fields) > 1 else fields[0].dataType
