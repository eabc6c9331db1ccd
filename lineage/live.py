"""Traces in the running program, from its own DataFrames and outputs."""

from __future__ import annotations

import logging
import time
from typing import Any

from pyspark import RDD
from pyspark.sql import Column, DataFrame, SparkSession

from bigdebug.lineage.beside import Beside
from bigdebug.lineage.chaining import chained
from bigdebug.lineage.errors import BigDebugError, UnreachableError
from bigdebug.lineage.estimate import LARGE_BYTES
from bigdebug.lineage.index.building import build_index
from bigdebug.lineage.index.reading import Index
from bigdebug.lineage.output import Output, OutputRows
from bigdebug.lineage.questions import Question, question_about, trace_rows
from bigdebug.lineage.rdd.crossing import through_rdds
from bigdebug.lineage.rdd.crossing_whynot import CrossingWhyNot
from bigdebug.lineage.recorder import Recorder
from bigdebug.lineage.trace import Trace
from bigdebug.lineage.whynot import WhyNot

logger = logging.getLogger("bigdebug")


def live_trace(
    spark: SparkSession,
    recorder: Recorder,
    data: DataFrame | Output,
    where: str | Column | None = None,
    beside: Beside | None = None,
    column: str | None = None,
) -> Trace:
    """A backward trace of a DataFrame, or of an output of the recorder's run; on through what earlier runs wrote.

    Args:
        spark: a live session of the program's.
        recorder: what the program did so far.
        data: what to trace.
        where: which of its rows; None for all.
        beside: what counts as contributors, too.
        column: tell columns of the sources for this one of its columns; None for all.

    Raises:
        UnreachableError: Spark was stopped.
        UnknownNameError: there is no such column.
        BigDebugError: `data` is nothing that can be traced, or its plan is no longer at hand.
    """
    trace = _trace(spark, recorder, data, where, beside)
    if column is not None:
        trace.take_column(column)
    if trace.bytes > LARGE_BYTES:
        took = (
            f"; the run itself took {data.seconds:.0f} s" if isinstance(data, Output) and data.seconds else ""
        )
        logger.warning("this trace reads up to %.1f GB%s", trace.bytes / 1e9, took)
    before = data.started if isinstance(data, Output) else time.time()
    return chained(trace, recorder.store, recorder.run_id, before)


def live_why_not(
    spark: SparkSession, recorder: Recorder, data: DataFrame | Output, where: str | Column
) -> WhyNot:
    """Why rows of a DataFrame, or of an output of the recorder's run, are missing.

    Args:
        spark: a live session of the program's.
        recorder: what the program did so far.
        data: what misses them.
        where: what they would fulfil.

    Raises:
        UnreachableError: Spark was stopped.
        BigDebugError: `data` is nothing that can be asked about, or its plan is no longer at hand.
    """
    return CrossingWhyNot(live_question(spark, recorder, data), where, recorder.node_of)


def live_question(spark: SparkSession, recorder: Recorder, data: DataFrame | Output) -> Question:
    """A DataFrame, or an output of the recorder's run, ready to be asked about.

    Args:
        spark: a live session of the program's.
        recorder: what the program did so far.
        data: what is asked about.

    Raises:
        UnreachableError: Spark was stopped.
        BigDebugError: `data` is nothing that can be asked about, or its plan is no longer at hand.
    """
    if isinstance(data, Output):
        return question_about(spark, _rows_of(recorder, data), recorder.node_of, action=data)
    rows = OutputRows(plan_of(data), data.sparkSession._jsparkSession, None)
    return question_about(data.sparkSession, rows, recorder.node_of)


def live_execution(recorder: Recorder, data: DataFrame | Output) -> Any | None:
    """The JVM `QueryExecution` of a DataFrame, or that which gave an output, if the program still holds its frame."""
    return _rows_of(recorder, data).execution if isinstance(data, Output) else data._jdf.queryExecution()


def live_index(
    spark: SparkSession, recorder: Recorder, output: Output, execution: Any | None = None
) -> Index:
    """The whole lineage of an output of the recorder's run, written to its store.

    Args:
        spark: a live session of the program's.
        recorder: what the program did so far.
        output: one of its outputs.
        execution: the JVM `QueryExecution` that gave its rows, where it has just run.

    Raises:
        UnreachableError: Spark was stopped, or there is no store.
        BigDebugError: its lineage can't be told, or its plan is no longer at hand.
    """
    if not isinstance(output, Output):
        raise BigDebugError(
            f"what can be indexed is an Output, not {type(output).__name__}",
            hint="pass one of session.outputs",
        )
    rows = _rows_of(recorder, output)
    if recorder.tables is None:
        raise UnreachableError(
            "there is no store to write an index to", hint="name one that can be written: attach(store=…)"
        )
    question = question_about(spark, rows, recorder.node_of, action=output)
    manifest = build_index(
        question,
        recorder.tables,
        output.number,
        recorder.node_of,
        recorder.redact,
        execution=execution,
        since=output.started,
    )
    return Index(recorder.tables, manifest)


def _trace(
    spark: SparkSession,
    recorder: Recorder,
    data: DataFrame | Output,
    where: str | Column | None,
    beside: Beside | None,
) -> Trace:
    if isinstance(data, Output):
        rows = _rows_of(recorder, data)
        trace = trace_rows(spark, rows, recorder.node_of, where, action=data, beside=beside)
        trace.take_given(live_execution(recorder, data))
        return through_rdds(trace, recorder.node_of, data.started, beside)
    if type(data).__module__.startswith("pyspark.sql.connect"):
        raise BigDebugError(
            "a DataFrame of Spark Connect can't be traced, for its plan is out of reach",
            hint="make it with the classic session that is attached",
        )
    plan = plan_of(data)
    rows = OutputRows(plan, data.sparkSession._jsparkSession, None)
    trace = trace_rows(data.sparkSession, rows, recorder.node_of, where, beside=beside)
    trace.take_given(live_execution(recorder, data))
    return through_rdds(trace, recorder.node_of, None, beside)


def plan_of(data: Any) -> Any:
    if isinstance(data, RDD):
        raise BigDebugError(
            "this is a question about a DataFrame, and an RDD was given",
            hint="session.trace(rdd, where=a function of an element)",
        )
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
    return data._jdf.logicalPlan()  # of a command that has run, its result: tracing it must not run it again


def _rows_of(recorder: Recorder, output: Output) -> OutputRows:
    if output.run_id != recorder.run_id or output.number not in recorder.rows:
        raise BigDebugError(
            f"the plan of output {output.number} of run {output.run_id} is no longer at hand",
            hint=f"ask from the store: bigdebug trace {output.run_id} {output.number} --where SQL",
        )
    rows = recorder.rows[output.number]
    if not isinstance(rows, OutputRows):
        raise BigDebugError(
            f"output {output.number} is of an RDD, and this is a question about a DataFrame",
            hint="session.trace(output, where=a function of an element)",
        )
    return rows
