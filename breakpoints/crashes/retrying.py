"""Records in quarantine once more: through the function, mended, and the rest of the pipeline."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from bigdebug.breakpoints.crashes import frame_guards
from bigdebug.breakpoints.crashes.failures import Failure
from bigdebug.breakpoints.crashes.guarding import ACTIONS, Guarded
from bigdebug.breakpoints.crashes.quarantine import Quarantine
from bigdebug.breakpoints.crashes.suspects import function_of, suspects
from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.operators import NodeLookup, Operator
from bigdebug.lineage.output import OutputRows
from bigdebug.lineage.python_functions import with_command
from bigdebug.lineage.questions import question_about
from bigdebug.lineage.rdd.annotator import Annotator
from bigdebug.lineage.rdd.freezing import Frozen
from bigdebug.lineage.rdd.operator import RddOperator
from bigdebug.lineage.rdd.rows import RddRows
from bigdebug.lineage.segments import local_relation

_NAME = re.compile(r"(\d+)-(\d+)\.parquet")


def operator_in(quarantine: Quarantine, guarded: dict[int, Guarded]) -> tuple[int, Guarded]:
    """The one output and operator that quarantined records are of.

    Args:
        quarantine: the records.
        guarded: the run's guarded operators, by number.

    Raises:
        BigDebugError: they are of several, or of none of this run.
    """
    found = []
    for file in quarantine.files:
        named = _NAME.fullmatch(file.rpartition("/")[2])
        if named is not None and int(named[2]) in guarded:
            found.append((int(named[1]), guarded[int(named[2])]))
    if not found:
        raise BigDebugError(
            "there is nothing of this run in quarantine", hint="session.quarantine tells what is"
        )
    if len(found) > 1:
        outputs = sorted({output for output, _ in found})
        labels = sorted({each.call_site.label if each.call_site else each.label for _, each in found})
        raise BigDebugError(
            f"the records are of several operators or outputs ({', '.join(labels)}; {outputs})",
            hint=f"choose: session.retry(session.quarantine.of(output={outputs[-1]}, operator={labels[0]!r}), …)",
        )
    return found[0]


def retried_rdd(
    quarantine: Quarantine, guarded: Guarded, rows: RddRows, patch: Callable[..., Any] | None
) -> Any:
    """The RDD of an output as it is of just the quarantined records; of `foreach` and `foreachPartition` nothing.

    Args:
        quarantine: the records.
        guarded: the operator that they crashed.
        rows: what the output was about.
        patch: the function in place of the operator's; None for the same once more.
    """
    operator = guarded.operator
    assert operator is not None
    context = operator.context
    values = context.parallelize([each.value for each in quarantine])
    function = guarded.function if patch is None else patch
    if guarded.kind in ACTIONS:
        return getattr(values, guarded.kind)(function)
    made = getattr(values, guarded.kind)(function)
    return _Retried(context, operator, made).plain(rows.operator, rows.frozen)


class _Retried(Annotator):
    """Computes an RDD with another one in place of an operator's."""

    def __init__(self, context: Any, operator: RddOperator, made: Any) -> None:
        super().__init__(context)
        self._operator = operator
        self._made = made

    def plain(self, operator: RddOperator, given: Frozen) -> Any:
        if operator is self._operator:
            return self._made
        return super().plain(operator, given)

    def _own(self, operator: RddOperator) -> Any | None:
        return None if self._operator in operator.walk() else super()._own(operator)


def retried_frame(
    quarantine: Quarantine,
    guarded: Guarded,
    spark: Any,
    plan: Any,
    lookup: NodeLookup,
    patch: Callable[..., Any] | None,
) -> Any:
    """The DataFrame of an output as it is of just the quarantined rows.

    Args:
        quarantine: the rows.
        guarded: the operator that they crashed.
        spark: the session of the output's DataFrame.
        plan: its plan, without guards.
        lookup: gives the recorded node of a tag's value.
        patch: the function in place of the operator's; None for the same once more.

    Raises:
        BigDebugError: the operator has no function that could be another, or rows are there only in part.
    """
    if guarded.function is None:
        raise BigDebugError(
            f"{guarded.label} failed by an expression of Spark's own, which no function stands for",
            hint="mend the expression in the program, or clean session.quarantine.table() and read that",
        )
    question = question_about(spark, OutputRows(plan, spark._jsparkSession, None), lookup, counted=True)
    catalyst = question.catalyst
    every = suspects(catalyst, question.root, Failure("worker", "", ""))
    suspect = next(
        (each for each in every if function_of(each).resultId().equals(guarded.function.resultId())), None
    )
    values = [each.value for each in quarantine]
    if suspect is None or not all(isinstance(each, dict) for each in values):
        raise BigDebugError(
            f"the rows that crashed {guarded.label} are no longer known as a whole",
            hint="read session.quarantine.table(), and compute them in the program",
        )
    operator = suspect.operator
    input = operator.child.plan
    frame = spark.createDataFrame([tuple(each.values()) for each in values], _schema(input))
    given = catalyst.rows(catalyst.analyzed(frame))
    wrapped = catalyst.singleton(catalyst.jvm.scala.collection.immutable, "ArraySeq").unsafeWrapArray(given)
    made = operator.plan.withNewChildren(catalyst.seq([local_relation(catalyst, input.output(), wrapped)]))
    if patch is not None:
        made = _patched(catalyst, made, function_of(suspect), patch)
    return Catalyst(spark).frame(_above(catalyst, question.root, operator, made))


def _schema(plan: Any) -> Any:
    from pyspark.sql.types import _parse_datatype_json_string

    return _parse_datatype_json_string(str(plan.schema().json()))


def _patched(catalyst: Catalyst, plan: Any, function: Any, patch: Callable[..., Any]) -> Any:
    from bigdebug.breakpoints.crashes.rewriting import replaced_in

    other = with_command(catalyst, function, patch, function.dataType(), frame_guards)
    return replaced_in(catalyst, plan, function, other)


def _above(catalyst: Catalyst, root: Operator, operator: Operator, made: Any) -> Any:
    """The plan of the root with another one in place of an operator's."""
    if root is operator:
        return made
    if operator not in root.walk():
        return root.plan
    children = [_above(catalyst, child, operator, made) for child in root.children]
    return root.plan.withNewChildren(catalyst.seq(children))
