"""Traces of RDDs in the running program."""

from __future__ import annotations

from typing import Any, TypeVar

from pyspark.core.rdd import RDD

from bigdebug.lineage.beside import Beside
from bigdebug.lineage.errors import BigDebugError, UnreachableError
from bigdebug.lineage.estimate import LARGE_BYTES
from bigdebug.lineage.forward import ForwardTrace
from bigdebug.lineage.output import Output
from bigdebug.lineage.rdd.conditions import predicate_of
from bigdebug.lineage.rdd.index.building import build_rdd_index
from bigdebug.lineage.rdd.index.reading import RddIndex
from bigdebug.lineage.rdd.mixed import Frames, MixedTrace, all_operators, frames_below
from bigdebug.lineage.rdd.operator import RddOperator, known_operator
from bigdebug.lineage.rdd.questions import RddQuestion
from bigdebug.lineage.rdd.reading import require_all_unchanged
from bigdebug.lineage.rdd.recipe import NOT_REDACTED
from bigdebug.lineage.rdd.rows import RddRows, rows_of_rdd
from bigdebug.lineage.rdd.trace import RddTrace, require_understood
from bigdebug.lineage.rdd.whynot import RddWhyNot
from bigdebug.lineage.recorder import Recorder, logger

TraceT = TypeVar("TraceT", RddTrace, ForwardTrace)


def is_about_rdd(recorder: Recorder, data: Any) -> bool:
    """Whether a question is about an RDD, or an output that is one."""
    if isinstance(data, Output):
        return data.run_id == recorder.run_id and isinstance(recorder.rows.get(data.number), RddRows)
    return isinstance(data, RDD)


def live_rdd_trace(recorder: Recorder, data: Any, where: Any, beside: Beside) -> RddTrace:
    """A backward trace of an RDD, or of an output of the recorder's run that is one.

    Args:
        recorder: what the program did so far.
        data: what to trace.
        where: which of its elements: a function of an element, or a Python expression of `x`; None for all.
        beside: what counts as contributors, too; of an RDD nothing can.

    Raises:
        UnreachableError: Spark was stopped.
        BigDebugError: it can't be traced; says why.
    """
    if beside.windows or beside.influence:
        raise BigDebugError(
            "an RDD has neither windows nor subqueries", hint="leave out windows and influence"
        )
    predicate = predicate_of(where)
    rows, frames = _rows_asked(recorder, data)
    if frames:
        return with_a_word(MixedTrace([rows.operator], frames, rows, predicate))
    return with_a_word(RddTrace(rows, predicate))


def live_rdd_question(recorder: Recorder, data: Any) -> RddQuestion:
    """An RDD, or an output of the recorder's run that is one, ready to be asked about.

    Args:
        recorder: what the program did so far.
        data: what is asked about.

    Raises:
        UnreachableError: Spark was stopped.
        BigDebugError: it can't be traced; says why.
    """
    return RddQuestion(_rows_asked(recorder, data)[0], recorder.node_of)


def live_rdd_why_not(recorder: Recorder, data: Any, where: Any) -> RddWhyNot:
    """Why elements of an RDD, or of an output of the recorder's run that is one, are missing.

    Args:
        recorder: what the program did so far.
        data: what misses them.
        where: what they would fulfil: a function of an element, or a Python expression of `x`.

    Raises:
        UnreachableError: Spark was stopped.
        BigDebugError: it can't be told, or `where` is no condition.
    """
    rows, frames = _rows_asked(recorder, data)
    return RddWhyNot(rows, where, frames, lookup=recorder.node_of)


def live_rdd_index(recorder: Recorder, output: Output) -> RddIndex:
    """The whole lineage of an RDD's output of the recorder's run, written to its store.

    Args:
        recorder: what the program did so far.
        output: one of its outputs.

    Raises:
        UnreachableError: Spark was stopped, or there is no store.
        BigDebugError: its lineage can't be told.
    """
    rows, frames = _rows_asked(recorder, output)
    if recorder.tables is None:
        raise UnreachableError(
            "there is no store to write an index to", hint="name one that can be written: attach(store=…)"
        )
    if recorder.redact:
        raise BigDebugError(
            NOT_REDACTED,
            hint="trace the output in the running program",
        )
    return RddIndex(recorder.tables, build_rdd_index(rows, recorder.tables, output.number, frames))


def _rows_asked(recorder: Recorder, data: Any) -> tuple[RddRows, Frames]:
    """What a question is about, whose sources are still what the program read, and the DataFrames below it."""
    if isinstance(data, RDD):
        rows = rows_of_rdd(known_operator(data))
    else:
        found: Any = recorder.rows[data.number]
        rows = found
    return rows, _frames(recorder, rows, data.started if isinstance(data, Output) else None)


def _frames(recorder: Recorder, rows: RddRows, since: float | None) -> Frames:
    """The DataFrames below, of sources that are still what the program read."""
    require_alive(rows.operator)
    require_understood(rows.operator)
    frames = frames_below([rows.operator], recorder.node_of)
    require_all_unchanged(all_operators([rows.operator], frames), since)
    return frames


def require_alive(operator: RddOperator) -> None:
    """Raises UnreachableError where the Spark of an RDD was stopped."""
    if operator.context._jsc is None:
        raise UnreachableError(
            "the Spark of this RDD was stopped",
            hint="ask from the store: bigdebug trace RUN OUTPUT --where …",
        )


def with_a_word(trace: TraceT) -> TraceT:
    """A trace; of a large one what it costs is said."""
    if trace.bytes > LARGE_BYTES:
        logger.warning("this trace reads up to %.1f GB", trace.bytes / 1e9)
    return trace
