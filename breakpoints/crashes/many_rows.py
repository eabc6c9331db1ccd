"""The rows that crash a function of batches or of groups: the function once more, with a guard around it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyspark import cloudpickle
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

from bigdebug.breakpoints.crashes import workers
from bigdebug.breakpoints.crashes.suspects import AGGREGATES, BY_NODE, Suspect, function_of
from bigdebug.lineage.annotated import Annotated
from bigdebug.lineage.catalyst import Catalyst, fresh_name
from bigdebug.lineage.python_functions import command_of


def of_groups(suspect: Suspect) -> bool:
    """Whether it is an aggregate function in Python."""
    return bool(suspect.expressions) and suspect.python and function_of(suspect).evalType() in AGGREGATES


def rows_that_crash(catalyst: Catalyst, suspect: Suspect, below: Annotated) -> tuple[Any, Sequence[Any], Any]:
    """The annotated rows that crash a function of many rows.

    Args:
        catalyst: of the session that is asked in.
        suspect: the function and its operator.
        below: the operator's annotated input.

    Returns:
        The plan, its attributes of the columns that are shown, and that of the error as JSON.
    """
    operator = suspect.operator
    own = catalyst.output(operator.child.plan)
    function = function_of(suspect)
    more = _more(catalyst, suspect)
    columns = [*own, *(column.id for column in below.ids), *(alias.toAttribute() for alias in more)]
    frame = catalyst.frame(catalyst.project(columns, catalyst.project_more(more, below.plan)))
    types = [field.dataType for field in frame.schema.fields]
    frame = frame.toDF(*(f"c{i}" for i in range(len(types))))
    schema = StructType(
        [StructField(f"c{i}", each) for i, each in enumerate(types)] + [StructField("error", StringType())]
    )
    command = command_of(catalyst, function)
    cloudpickle.register_pickle_by_value(workers)
    shown: Sequence[Any] = own
    if operator.kind.startswith("MapIn"):
        arrow, names = BY_NODE[operator.kind], [str(each.name()) for each in own]
        guard = workers.map_errors(command, names, arrow)
        found = frame.mapInArrow(guard, schema) if arrow else frame.mapInPandas(guard, schema)
    else:
        arguments = catalyst.items(function.children())
        if operator.kind in BY_NODE:
            arrow, spread, shown = BY_NODE[operator.kind], False, arguments
            keys = [_index(own, each) for each in catalyst.items(operator.plan.groupingAttributes())]
            given = [_index(own, each) for each in arguments]
            names = [str(each.name()) for each in arguments]
        else:
            arrow, spread = AGGREGATES[function.evalType()], True
            first = len(columns) - len(more)
            given = list(range(first, first + len(arguments)))
            keys = list(range(first + len(arguments), len(columns)))
            names = [f"a{i}" for i in range(len(arguments))]
        grouped = frame.groupBy(*(F.col(f"c{i}") for i in keys))
        group_guard = workers.group_errors(command, given, names, arrow, spread)
        found = (
            grouped.applyInArrow(group_guard, schema) if arrow else grouped.applyInPandas(group_guard, schema)
        )
    plan = catalyst.analyzed(found)
    output = catalyst.output(plan)
    # Under the names that the user knows.
    named = [
        catalyst.alias(new, str(old.name()), old.exprId())
        for new, old in zip(output, columns[: len(columns) - len(more)], strict=False)
    ]
    error = output[-1]
    return catalyst.project([*named, error], plan), shown, error


def _more(catalyst: Catalyst, suspect: Suspect) -> list[Any]:
    """What an aggregate function is given, and what it groups by, as columns."""
    if not of_groups(suspect):
        return []
    plan = suspect.operator.plan
    keys = catalyst.items(
        plan.partitionSpec() if suspect.operator.kind == "Window" else plan.groupingExpressions()
    )
    given = catalyst.items(function_of(suspect).children())
    return [catalyst.alias(each, fresh_name("given")) for each in [*given, *keys]]


def _index(columns: Sequence[Any], wanted: Any) -> int:
    return next(i for i, each in enumerate(columns) if each.exprId().equals(wanted.exprId()))
