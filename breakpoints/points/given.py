"""What the functions of a point are given, record by record: where it passes, and where it comes from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pyspark.sql import functions as F

from bigdebug.breakpoints.crashes.suspects import ROW_WISE, functions_within
from bigdebug.breakpoints.points.places import FramePlace, Place, RddPlace
from bigdebug.lineage.annotated import Annotated
from bigdebug.lineage.catalyst import Catalyst, class_name, fresh_name
from bigdebug.lineage.depth import deep_plans
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.operators import Operator
from bigdebug.lineage.questions import Question, question_about
from bigdebug.lineage.rdd.kinds import RECORD_WISE
from bigdebug.lineage.rdd.operator import RddOperator
from bigdebug.lineage.rdd.rows import rows_of_rdd
from bigdebug.lineage.rdd.travelling import travelling
from bigdebug.lineage.recorder import Recorder
from bigdebug.lineage.trace import Trace
from bigdebug.lineage.where import RowsOf, Where


def calls_of(operator: RddOperator) -> bool:
    """Whether an operator calls a function of the program's with one element at a time."""
    return operator.kind in RECORD_WISE and "f" in operator.arguments


def row_wise_in(catalyst: Catalyst, plan: Any) -> list[Any]:
    """The Python functions that a plan node calls row by row, JVM expressions, those in others' arguments first."""
    found: list[Any] = []
    for expression in catalyst.items(plan.expressions()):
        for function in functions_within(catalyst, expression):
            if function.evalType() in ROW_WISE and not any(function.equals(other) for other in found):
                found.append(function)
    return found


def arguments_of(catalyst: Catalyst, function: Any) -> list[Any]:
    """What a Python function is given, JVM expressions."""
    return [
        each.value() if class_name(each) == "NamedArgumentExpression" else each
        for each in catalyst.items(function.children())
    ]


def takes_one(catalyst: Catalyst, function: Any) -> bool:
    """Whether a Python function has one argument, without a name."""
    given = catalyst.items(function.children())
    return len(given) == 1 and class_name(given[0]) != "NamedArgumentExpression"


def require_calls(place: Place) -> None:
    """Raises BigDebugError where a place calls no function of the program's with one record at a time."""
    if isinstance(place, RddPlace):
        given_elements(place)
    elif not row_wise_in(Catalyst(place.spark), place.rows.plan):
        raise BigDebugError(
            "the watched DataFrame calls no Python function row by row: nothing is to be timed there",
            hint="watch the frame whose select, withColumn or where calls it; session.slow_records(frame) times "
            "functions of batches on a replay",
        )


def given_elements(place: RddPlace) -> tuple[RddPlace, bool]:
    """Where what a place's function is given passes, and whether that is but the value of a pair.

    Raises:
        BigDebugError: it calls none with one element at a time.
    """
    operator = place.operator
    if not calls_of(operator):
        raise BigDebugError(
            f"{operator.described()} calls no function with one element at a time: nothing is to be timed there",
            hint="watch what map, flatMap, filter, mapValues, flatMapValues or keyBy made",
        )
    (below,) = operator.inputs
    return RddPlace(rows_of_rdd(below), below.node, below.rdd), operator.kind in (
        "mapValues",
        "flatMapValues",
    )


def trace_of_rows_given(
    recorder: Recorder, place: FramePlace, number: int, same: Callable[..., bool]
) -> Trace:
    """A backward trace of the rows of which a function was given something.

    Args:
        recorder: what the program did so far.
        place: of the frame that calls it.
        number: of the function, among those of the place.
        same: whether what it is given is that; takes its arguments one by one.

    Raises:
        BigDebugError: they can't be told; says why.
    """
    question = question_about(place.spark, place.rows, recorder.node_of)
    if len(question.root.children) != 1:
        raise BigDebugError(
            "what the function was given can't be traced", hint="the operator reads more than one input"
        )
    functions = row_wise_in(question.catalyst, question.root.plan)
    arguments = arguments_of(question.catalyst, functions[number % len(functions)])
    return trace_given(question, question.root.child, arguments, same)


def trace_given(
    question: Question, below: Operator, arguments: Sequence[Any], same: Callable[..., bool]
) -> Trace:
    """A trace of the rows of which a function is given something.

    Args:
        question: about the dataflow.
        below: the operator whose rows they are.
        arguments: of the function, JVM expressions over these.
        same: whether their values are what it was given; travels by value.
    """
    catalyst = question.catalyst
    sources = {each: question.sources[each] for each in below.walk() if each in question.sources}

    def where(_: Catalyst, root: Operator) -> Where:
        def narrow(top: Annotated) -> Any:
            plan = catalyst.project_more(top.attributes, top.plan, root.plan)
            named = [catalyst.alias(each, fresh_name("given")) for each in arguments]
            frame = catalyst.frame(catalyst.project_more(named, plan))
            names = frame.columns[-len(named) :]
            with travelling():
                holds = F.udf(same, "boolean", useArrow=False)
                return catalyst.analyzed(frame.where(holds(*(F.col(name) for name in names))))

        return Where(narrow, is_condition=False)

    with deep_plans():
        return Trace(catalyst, below, sources, RowsOf(where), question.notes)
