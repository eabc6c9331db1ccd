"""Python functions of whole groups: their rows get columns that say which group they were made of.

Neither `applyInPandas` nor its kin need give their group's key back, so the function is wrapped: its input gets
columns more, which the wrapper takes off before it calls the user's function and puts beside every row of the
result. The key itself can't travel so, for Python loses some values without a word (invalid UTF-8, an hour of a
daylight-saving change). What travels is its hash (`keys.py`); numbered keys would need a job of their own, just
to plan a trace.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bigdebug.lineage import worker_columns
from bigdebug.lineage.catalyst import Catalyst, class_name, fresh_name
from bigdebug.lineage.operators import Operator
from bigdebug.lineage.python_functions import command_of, with_command

GROUPED_FUNCTIONS = frozenset(
    {"FlatMapGroupsInPandas", "FlatMapGroupsInArrow", "FlatMapCoGroupsInPandas", "FlatMapCoGroupsInArrow"}
)
# Of Spark's `PythonEvalType`, by number, for 4.0 lacks their names: functions given iterators of batches.
_MAPPING_BATCHES = frozenset({215, 216})
_AGGREGATING_PANDAS = 202
_AGGREGATING_ARROW = 252
_AGGREGATING_BATCHES = frozenset({217, 254})


def grouping_of(catalyst: Catalyst, operator: Operator) -> list[list[Any]]:
    """The key attributes of each input of a grouped or cogrouped function."""
    plan = operator.plan
    if len(operator.children) == 1:
        return [catalyst.items(plan.groupingAttributes())]
    sides = zip((plan.leftGroupingLen(), plan.rightGroupingLen()), operator.children, strict=True)
    return [catalyst.output(child.plan)[:length] for length, child in sides]


def carried_past(
    catalyst: Catalyst,
    operator: Operator,
    inputs: Sequence[Any],
    ours: Sequence[Any],
    *,
    constant: bool,
    keys: Sequence[Any] = (),
) -> tuple[Any, list[Any]]:
    """A grouped or cogrouped function's node over other inputs, whose last columns reach its output.

    Args:
        inputs: a plan for each child: the child's columns in their order, then as many of ours, never null.
        ours: attributes of the types of our columns.
        constant: our columns have one value in each group; else the output gets their maxima.
        keys: of each input an attribute of ours that it is grouped by, too, if it is.

    Returns:
        The node, and the attributes of our columns in its output.
    """
    plan = operator.plan
    function = plan.functionExpr()
    names = [fresh_name("carried") for _ in ours]
    command, in_key = command_of(catalyst, function), min(len(keys), 1)
    if len(inputs) > 1:
        wrapper: Any = worker_columns.of_cogroup(command, names, in_key)
    elif function.evalType() in _MAPPING_BATCHES:
        wrapper = worker_columns.of_batches(command, names, in_key, constant)
    else:
        wrapper = worker_columns.of_group(command, names, in_key)
    carried = [
        catalyst.alias(catalyst.null(attribute.dataType()), name).toAttribute()
        for attribute, name in zip(ours, names, strict=True)
    ]
    output = [*catalyst.output(plan), *carried]
    # Spark's optimizer leaves out what is not among the function's arguments.
    given = [column for child in inputs for column in catalyst.output(child)[-len(ours) :]]
    wrapped = _with_function(catalyst, function, wrapper, output)
    wrapped = catalyst.copy(wrapped, children=catalyst.seq([*catalyst.items(function.children()), *given]))
    grown = catalyst.copy(plan, functionExpr=wrapped, output=catalyst.seq(output))
    if keys and len(inputs) > 1:
        lengths = {
            "leftGroupingLen": plan.leftGroupingLen() + 1,
            "rightGroupingLen": plan.rightGroupingLen() + 1,
        }
        grown = catalyst.copy(grown, **lengths)
    elif keys:
        grown = catalyst.copy(grown, groupingAttributes=catalyst.extended(plan.groupingAttributes(), keys))
    if keys:
        # The columns that it is grouped by stand first, and are no columns of the group.
        groupings = grouping_of(catalyst, operator)
        inputs = [
            catalyst.project([*given[: len(grouping)], key, *given[len(grouping) :]], child)
            for child, grouping, key in zip(inputs, groupings, keys, strict=True)
            for given in [catalyst.output(child)]
        ]
    return grown.withNewChildren(catalyst.seq(inputs)), carried


def carried_through(
    catalyst: Catalyst, operator: Operator, child: Any, number: Any, parts: int
) -> tuple[Any, Any]:
    """The node of a function of whole partitions over another input, of which it is called with each part alone.

    Args:
        child: a plan of the child's columns in their order, then the part's number; rows of a part follow one another.
        number: that attribute.
        parts: how many there are.

    Returns:
        The node, and the attribute of the part's number in its output.
    """
    plan = operator.plan
    function = plan.functionExpr()
    name = fresh_name("carried")
    wrapper = worker_columns.of_partition(command_of(catalyst, function), [name], parts)
    carried = catalyst.alias(catalyst.null(number.dataType()), name).toAttribute()
    output = [*catalyst.output(plan), carried]
    wrapped = _with_function(catalyst, function, wrapper, output)
    wrapped = catalyst.copy(wrapped, children=catalyst.extended(function.children(), [number]))
    grown = catalyst.copy(plan, functionExpr=wrapped, output=catalyst.seq(output))
    return grown.withNewChildren(catalyst.seq([child])), carried


def python_aggregate(catalyst: Catalyst, column: Any) -> Any | None:
    """The first aggregate function in Python that an expression holds."""
    if class_name(column) == "PythonUDAF":
        return column
    for child in catalyst.items(column.children()):
        found = python_aggregate(catalyst, child)
        if found is not None:
            return found
    return None


def any_in_python(catalyst: Catalyst, beside: Any, flag: Any) -> Any:
    """Whether a flag is set in a group, as an aggregate in Python: Spark computes none of its own beside these.

    Args:
        beside: an aggregate in Python of the same node, which this one must be alike.
        flag: an attribute, never null.
    """
    kind = beside.evalType()
    function: Any = worker_columns.any_of_series
    if kind in _AGGREGATING_BATCHES:
        function = worker_columns.any_of_batches
    elif kind == _AGGREGATING_ARROW:
        function = worker_columns.any_of_array
    truth = catalyst.singleton(catalyst.jvm.org.apache.spark.sql.types, "BooleanType")
    wrapped = catalyst.copy(
        with_command(catalyst, beside, function, truth, worker_columns, counted=False),
        name="any",
        children=catalyst.seq([flag]),
        resultId=catalyst.new_expr_id(),
    )
    return wrapped.toAggregateExpression()


def _with_function(catalyst: Catalyst, function: Any, wrapper: Any, output: Sequence[Any]) -> Any:
    types = catalyst.jvm.org.apache.spark.sql.catalyst.types
    schema = catalyst.singleton(types, "DataTypeUtils").fromAttributes(catalyst.seq(output))
    return with_command(catalyst, function, wrapper, schema, worker_columns, counted=False)
