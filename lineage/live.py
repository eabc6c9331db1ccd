"""Traces in the running program, from its own DataFrames and outputs."""

from __future__ import annotations

import logging

from pyspark.sql import Column, DataFrame, SparkSession

from bigdebug.lineage.errors import BigDebugError, UnreachableError
from bigdebug.lineage.estimate import LARGE_BYTES
from bigdebug.lineage.output import Output, OutputRows
from bigdebug.lineage.questions import trace_rows
from bigdebug.lineage.recorder import Recorder
from bigdebug.lineage.trace import Trace

logger = logging.getLogger("bigdebug")


def live_trace(
    spark: SparkSession, recorder: Recorder, data: DataFrame | Output, where: str | Column | None = None
) -> Trace:
    """A backward trace of a DataFrame, or of an output of the recorder's run.

    Args:
        spark: a live session of the program's.
        recorder: what the program did so far.
        data: what to trace.
        where: which of its rows; None for all.

    Raises:
        UnreachableError: Spark was stopped.
        BigDebugError: `data` is nothing that can be traced, or its plan is no longer at hand.
    """
    trace = _trace(spark, recorder, data, where)
    if trace.bytes > LARGE_BYTES:
        took = (
            f"; the run itself took {data.seconds:.0f} s" if isinstance(data, Output) and data.seconds else ""
        )
        logger.warning("this trace reads up to %.1f GB%s", trace.bytes / 1e9, took)
    return trace


def _trace(
    spark: SparkSession, recorder: Recorder, data: DataFrame | Output, where: str | Column | None
) -> Trace:
    if isinstance(data, Output):
        rows = _rows_of(recorder, data)
        return trace_rows(spark, rows, recorder.node_of, where, action=data)
    if not isinstance(data, DataFrame) or not hasattr(data, "_jdf"):
        raise BigDebugError(
            f"a trace starts from a DataFrame or an Output, not from {type(data).__name__}",
            hint="pass the DataFrame itself, or one of session.outputs",
        )
    if data.sparkSession._sc._jsc is None:
        raise UnreachableError(
            "the Spark session of this DataFrame was stopped",
            hint="ask from the store: bigdebug trace RUN OUTPUT --where SQL",
        )
    plan = data._jdf.logicalPlan()  # of a command that has run, its result: tracing it must not run it again
    rows = OutputRows(plan, data.sparkSession._jsparkSession, None)
    return trace_rows(data.sparkSession, rows, recorder.node_of, where)


def _rows_of(recorder: Recorder, output: Output) -> OutputRows:
    if output.run_id != recorder.run_id or output.number not in recorder.rows:
        raise BigDebugError(
            f"the plan of output {output.number} of run {output.run_id} is no longer at hand",
            hint=f"ask from the store: bigdebug trace {output.run_id} {output.number} --where SQL",
        )
    return recorder.rows[output.number]
