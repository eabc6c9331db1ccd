"""Runs a function of the user's on one record, in the driver and under `pdb`."""

from __future__ import annotations

import pdb
import sys
from collections.abc import Callable
from typing import Any

from bigdebug.breakpoints.points.functions import (
    ARRAY_WISE,
    GROUPS_FRAMES,
    MAPS_FRAMES,
    ROW_WISE,
    SERIES_WISE,
    PlanFunction,
    function_argument,
    functions_of,
)
from bigdebug.breakpoints.points.inputs import inputs_of
from bigdebug.breakpoints.points.places import FramePlace, Place, RddPlace
from bigdebug.lineage.asking import asking
from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.pinned import pinned_session
from bigdebug.lineage.rdd.kinds import RECORD_WISE
from bigdebug.lineage.rdd.operator import RddOperator
from bigdebug.lineage.recorder import Recorder

_WITH_AN_ELEMENT = RECORD_WISE | {"groupBy", "sortBy"}


def debug(spark: Any, recorder: Recorder, place: Place, record: Any) -> Any:
    """Run the function that the operator at a point calls on a record; `Breakpoint.debug` tells more.

    Args:
        spark: the attached session.
        recorder: what the program did so far.
        place: the point.
        record: one that the operator reads.

    Returns:
        What the function gave; a list of these where the operator calls several.

    Raises:
        BigDebugError: it calls none with a record.
    """
    if isinstance(place, RddPlace):
        return _debug_element(place.operator, record)
    inputs = [each for each in inputs_of(spark, recorder, place) if isinstance(each, FramePlace)]
    catalyst = pinned_session(place.spark, place.rows.conf)
    functions = functions_of(catalyst, place, [each.rows.plan for each in inputs])
    if not functions or not inputs:
        raise BigDebugError(
            "the operator at this breakpoint calls no Python function",
            hint="set the breakpoint at the operator whose line calls it",
        )
    given = [_debug_row(catalyst, inputs[0], each, record) for each in functions]
    return given[0] if len(given) == 1 else given


def _debug_element(operator: RddOperator, record: Any) -> Any:
    name = function_argument(operator)
    function = None if name is None else operator.arguments[name]
    if function is not None and operator.kind in _WITH_AN_ELEMENT:
        by_value = operator.kind in ("mapValues", "flatMapValues")
        return _kept(_under_pdb(function, record[1] if by_value else record))
    if function is not None and operator.kind == "mapPartitions":
        return _under_pdb(lambda: list(function(iter([record]))), step_into=function)
    if function is not None and operator.kind in ("mapPartitionsWithIndex", "mapPartitionsWithSplit"):
        return _under_pdb(lambda: list(function(0, iter([record]))), step_into=function)
    raise BigDebugError(
        f"{operator.described()} calls no function with one record",
        hint="set the breakpoint at an operator such as map, filter or mapPartitions",
    )


def _debug_row(catalyst: Catalyst, above: FramePlace, called: PlanFunction, record: Any) -> Any:
    if called.kind in ROW_WISE:
        return _under_pdb(called.function, *_arguments(catalyst, above, called, record))
    if called.kind in SERIES_WISE:
        import pandas

        given = [pandas.Series([each]) for each in _arguments(catalyst, above, called, record)]
        return _under_pdb(called.function, *given)
    if called.kind in ARRAY_WISE:
        import pyarrow

        arrays = [pyarrow.array([each]) for each in _arguments(catalyst, above, called, record)]
        return _under_pdb(called.function, *arrays)
    if called.kind in MAPS_FRAMES | GROUPS_FRAMES:
        rows = _one_row(catalyst, above, record).toPandas()
        if called.kind in GROUPS_FRAMES:
            return _under_pdb(called.function, rows)
        return _under_pdb(lambda: list(called.function(iter([rows]))), step_into=called.function)
    raise BigDebugError(
        f"{called.name} is called with more than one record at a time",
        hint="set the breakpoint at a function of one row, mapInPandas or applyInPandas",
    )


def _arguments(catalyst: Catalyst, above: FramePlace, called: PlanFunction, record: Any) -> list[Any]:
    """The values that Spark calls a function with, for a row that it reads: computed by Spark."""
    own = catalyst.output(above.rows.plan)
    one = catalyst.analyzed(_one_row(catalyst, above, record))
    pairs = zip(catalyst.output(one), own, strict=True)
    renamed = catalyst.project(
        [catalyst.alias(new, str(old.name()), old.exprId()) for new, old in pairs], one
    )
    values = [catalyst.alias(each, f"_{i}") for i, each in enumerate(called.arguments)]
    with asking(catalyst, "the values a function is called with"):
        (row,) = catalyst.frame(catalyst.project(values, renamed)).collect()
    return list(row)


def _one_row(catalyst: Catalyst, above: FramePlace, record: Any) -> Any:
    schema = catalyst.frame(above.rows.plan).schema
    if not isinstance(record, tuple) or len(record) != len(schema):
        raise BigDebugError(
            f"the operator at this breakpoint reads rows of {', '.join(schema.names) or 'no columns'}",
            hint="take one of bp.inputs()",
        )
    return catalyst.spark.createDataFrame([tuple(record)], schema)


def _under_pdb(function: Callable[..., Any], *arguments: Any, step_into: Any = None) -> Any:
    """Call a function; the debugger stops at its first line."""
    debugger = pdb.Pdb(stdin=sys.stdin, stdout=sys.stdout)
    debugger.use_rawinput = sys.stdin is sys.__stdin__
    if step_into is not None:
        inner = getattr(step_into, "__code__", None)
        if inner is None:
            return debugger.runcall(function)
        debugger.set_break(inner.co_filename, inner.co_firstlineno + 1, temporary=True)
        return debugger.runcall(function)
    return debugger.runcall(function, *arguments)


def _kept(given: Any) -> Any:
    return given if not hasattr(given, "__next__") else list(given)
