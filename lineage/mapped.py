"""Functions of whole partitions: mapInPandas, mapInArrow, scripts, and table functions in Python.

What a row they give was made of, only they know: any row of the same partition may be behind it. So they are
boundaries keyed by the partition's number. Which rows stand in a partition is for the planner to decide, and a
plan with columns of ours more could be given other partitions; so the annotated input is kept, and both sides of
the boundary are asked of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bigdebug.lineage.annotated import Annotated
from bigdebug.lineage.catalyst import Catalyst, class_name, fresh_name
from bigdebug.lineage.operators import Operator

if TYPE_CHECKING:
    from bigdebug.lineage.annotate import Annotator

MAPPED = frozenset({"MapInPandas", "MapInArrow", "ScriptTransformation"})
# Over files, these leave every partition as the scan makes it, whatever columns there are.
_SCANNING = frozenset({"Project", "Filter", "ResolvedHint"})


@dataclass(frozen=True)
class KeptInput:
    """What goes into a function of whole partitions.

    Attributes:
        annotated: the input's columns and its id columns.
        partition: JVM attribute of it: the number of the row's partition.
    """

    annotated: Annotated
    partition: Any


def is_mapped(operator: Operator) -> bool:
    """Whether it runs code that sees a whole partition."""
    if operator.kind == "Generate":
        return bool(class_name(operator.plan.generator()) == "PythonUDTF")
    return operator.kind in MAPPED


def partition_number(catalyst: Catalyst) -> Any:
    """An expression: the number of a row's partition."""
    return catalyst.expressions.SparkPartitionID()


def on_kept_input(catalyst: Catalyst, operator: Operator, kept: KeptInput) -> Any:
    """The function's plan over its kept input."""
    own = catalyst.project_more([], kept.annotated.plan, operator.child.plan)
    return operator.plan.withNewChildren(catalyst.seq([own]))


def keep_input(annotator: Annotator, operator: Operator) -> KeptInput:
    """The input of a function, annotated and kept; made once for all who share the annotator's `kept`."""
    found = annotator.kept.get(operator)
    if found is None:
        catalyst, child = annotator.catalyst, operator.child
        below = annotator.without_packing().annotate(child)
        partition = catalyst.alias(partition_number(catalyst), fresh_name("partition"))
        plan = catalyst.project_more([*below.attributes, partition], below.plan, child.plan)
        if not scans(annotator, child):
            # Its RDD keeps the rows when a job first comes by, and gives them up when nobody holds it any more.
            plan = catalyst.analyzed(catalyst.frame(plan).localCheckpoint(eager=False))
        found = KeptInput(Annotated(plan, below.ids), partition.toAttribute())
        annotator.kept[operator] = found
    return found


def scans(annotator: Annotator, operator: Operator) -> bool:
    """Whether rows stand where the scan of files put them, whatever columns there are."""
    while operator.kind in _SCANNING:
        operator = operator.child
    source = annotator.sources.get(operator)
    return source is not None and source.in_files
