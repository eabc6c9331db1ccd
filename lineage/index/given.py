"""The rows that an action has just computed, once more without computing them: Spark still has what it shuffled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bigdebug.lineage.annotate import Annotator
from bigdebug.lineage.annotated import Annotated, Boundary, IdColumn
from bigdebug.lineage.barrier import is_session_window
from bigdebug.lineage.catalyst import Catalyst, class_name, fresh_name
from bigdebug.lineage.keys import hashed_key
from bigdebug.lineage.operators import Operator
from bigdebug.lineage.steps import within

_PYTHON = "org.apache.spark.sql.execution.python.PythonSQLMetrics"
_ADAPTIVE = "org.apache.spark.sql.execution.adaptive.AdaptiveSparkPlanExec"


@dataclass(frozen=True)
class GivenRows:
    """An output's rows and, of each, the keys of the boundary rows it came from.

    Attributes:
        plan: JVM plan of the rows.
        columns: its attributes, those of the output.
        keys: for each id column of the output's segment, the hashes of its key.
    """

    plan: Any
    columns: list[Any]
    keys: list[list[Any]]


def given_rows(
    catalyst: Catalyst, annotator: Annotator, root: Operator, ids: Sequence[IdColumn], execution: Any
) -> GivenRows | None:
    """The rows of an execution; None where these alone don't tell what they came from.

    Args:
        annotator: applies the rules.
        root: the output's dataflow.
        ids: the id columns of its segment.
        execution: the JVM `QueryExecution` that has run.
    """
    chain = list(within(annotator, root))
    output = catalyst.output(root.plan)
    places = {catalyst.attribute_key(column): place for place, column in enumerate(output)}
    grouped: list[list[int]] = []
    for column in ids:
        # One boundary, and all above it passes its rows on: no other row of it can be meant.
        if not isinstance(column.origin, Boundary) or column.origin.operator is not chain[-1]:
            return None
        if any(map(is_session_window, column.origin.grouping)):
            return None
        keys = [_attribute(catalyst, expression) for expression in column.origin.grouping]
        if any(key not in places for key in keys):
            return None
        grouped.append([places[key] for key in keys if key is not None])
    if not ids or any(len(operator.children) != 1 for operator in chain[:-1]):
        return None
    if _calls_python(catalyst, execution):
        return None
    plan = _again(catalyst, root, execution)
    columns = catalyst.output(plan)
    hashes = [list(hashed_key(catalyst, [columns[i] for i in part])) if part else [] for part in grouped]
    return GivenRows(plan, columns, hashes)


def given_output(catalyst: Catalyst, root: Operator, execution: Any) -> Any | None:
    """A plan of the output's rows with its own attributes, without computing them once more; None where that can't be.

    Args:
        root: the dataflow of the output.
        execution: the JVM `QueryExecution`.
    """
    if not has_run(catalyst, execution) or _calls_python(catalyst, execution):
        return None
    return _as_output(catalyst, root, _again(catalyst, root, execution))


def has_run(catalyst: Catalyst, execution: Any) -> bool:
    """Whether an execution came to its end, and Spark may still have what it shuffled."""
    # Asked first: it would be planned now, once and for all, without the settings and caches to come.
    if not execution.tracker().phases().contains("planning"):
        return False
    plan = execution.executedPlan()
    return catalyst.is_instance(plan, _ADAPTIVE) and bool(plan.isFinalPlan())


def _calls_python(catalyst: Catalyst, execution: Any) -> bool:
    """Whether Python functions of the program's run above what was shuffled: they would count once more."""
    plan = execution.executedPlan()
    nodes = [plan.executedPlan() if catalyst.is_instance(plan, _ADAPTIVE) else plan]
    while nodes:
        node = nodes.pop()
        if catalyst.is_instance(node, _PYTHON):
            return True
        if class_name(node) == "ResultQueryStageExec":
            nodes.append(node.plan())
        nodes += catalyst.items(node.children())  # a stage that ends in a shuffle has none
    return False


def given_groups(
    annotator: Annotator, root: Operator, annotated: Annotated, execution: Any
) -> Annotated | None:
    """The output's rows with their groups' keys, without computing them once more; None where these aren't told.

    They are told of an execution that came to its end and whose rows are groups.

    Args:
        annotator: applies the rules.
        root: the dataflow of the output.
        annotated: the same, to be computed.
        execution: the JVM `QueryExecution`.
    """
    catalyst = annotator.catalyst
    if len(annotated.ids) != 1 or not has_run(catalyst, execution):
        return None
    given = given_rows(catalyst, annotator, root, annotated.ids, execution)
    (column,) = annotated.ids
    if given is None or not isinstance(column.origin, Boundary):
        return None
    key = catalyst.alias(annotator.key_struct(column.origin.grouping), fresh_name("key"))
    plan = catalyst.project_more([key], _as_output(catalyst, root, given.plan))
    return Annotated(plan, (IdColumn(column.origin, key.toAttribute()),))


def _again(catalyst: Catalyst, root: Operator, execution: Any) -> Any:
    """A plan of an execution's rows, with attributes of its own."""
    frame = catalyst.jsession.internalCreateDataFrame(execution.toRdd(), root.plan.schema(), False)
    return frame.queryExecution().analyzed()


def _as_output(catalyst: Catalyst, root: Operator, plan: Any) -> Any:
    """The rows of a plan with the attributes of the output."""
    pairs = zip(catalyst.output(plan), catalyst.output(root.plan), strict=True)
    own = [catalyst.alias(have, str(known.name()), known.exprId()) for have, known in pairs]
    return catalyst.project(own, plan)


def _attribute(catalyst: Catalyst, expression: Any) -> str | None:
    if class_name(expression) != "AttributeReference":
        return None
    return catalyst.attribute_key(expression)
