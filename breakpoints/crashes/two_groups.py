"""The rows that crash a function of two groups (`cogroup`): the function once more, with a guard around it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyspark import cloudpickle
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

from bigdebug.breakpoints.crashes import two_groups_workers, workers
from bigdebug.breakpoints.crashes.suspects import BY_PAIR, Suspect, function_of
from bigdebug.lineage.annotated import Annotated
from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.python_functions import command_of

SIDES = (0, 1)


def rows_of_side(
    catalyst: Catalyst, suspect: Suspect, side: int, below: Annotated
) -> tuple[Any, Sequence[Any], Any]:
    """The annotated rows of one side that have a part in what a function of two groups raises.

    Args:
        catalyst: of the session that is asked in.
        suspect: the operator.
        side: which of its inputs.
        below: that input, annotated.

    Returns:
        The plan, its attributes of the columns that are shown, and that of the error as JSON.
    """
    plan, arrow = suspect.operator.plan, BY_PAIR[suspect.operator.kind]
    keys = (plan.leftGroupingLen(), plan.rightGroupingLen())
    own = [catalyst.output(each.plan) for each in suspect.operator.children]
    names = [[str(each.name()) for each in columns[many:]] for columns, many in zip(own, keys, strict=True)]
    columns = [*own[side], *(column.id for column in below.ids)]
    mine = catalyst.frame(catalyst.project(columns, below.plan))
    types = [field.dataType for field in mine.schema.fields]
    schema = StructType(
        [StructField(f"c{i}", each) for i, each in enumerate(types)] + [StructField("error", StringType())]
    )
    other = catalyst.frame(suspect.operator.children[1 - side].plan)
    for module in (workers, two_groups_workers):
        cloudpickle.register_pickle_by_value(module)
    guard = two_groups_workers.pair_errors(
        command_of(catalyst, function_of(suspect)), side, keys, names, arrow
    )
    grouped = [
        _by_first(frame, many)
        for frame, many in zip((mine, other), (keys[side], keys[1 - side]), strict=True)
    ]
    pair = grouped[0].cogroup(grouped[1])
    found = pair.applyInArrow(guard, schema) if arrow else pair.applyInPandas(guard, schema)
    made = catalyst.analyzed(found)
    *given, error = catalyst.output(made)
    named = [
        catalyst.alias(new, str(old.name()), old.exprId()) for new, old in zip(given, columns, strict=True)
    ]
    return catalyst.project([*named, error], made), own[side][keys[side] :], error


def _by_first(frame: DataFrame, many: int) -> Any:
    """A frame by its first columns, under plain names."""
    plain = frame.toDF(*(f"c{i}" for i in range(len(frame.columns))))
    return plain.groupBy(*(F.col(f"c{i}") for i in range(many)))
