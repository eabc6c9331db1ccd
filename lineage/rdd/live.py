"""Traces of RDDs in the running program."""

from __future__ import annotations

from typing import Any, TypeVar

from pyspark.core.rdd import RDD

from bigdebug.lineage.beside import Beside
from bigdebug.lineage.errors import BigDebugError, UnreachableError
from bigdebug.lineage.estimate import LARGE_BYTES
from bigdebug.lineage.output import Output
from bigdebug.lineage.rdd.conditions import predicate_of
from bigdebug.lineage.rdd.files import fingerprint, require_unchanged
from bigdebug.lineage.rdd.forward import ForwardRddTrace
from bigdebug.lineage.rdd.kinds import IN_FILES, UNKNOWN
from bigdebug.lineage.rdd.operator import RddOperator
from bigdebug.lineage.rdd.reading import read_again, sources_in
from bigdebug.lineage.rdd.recording import known_operator
from bigdebug.lineage.rdd.rows import RddRows, rows_of_rdd
from bigdebug.lineage.rdd.trace import RddTrace, contributing_in_order
from bigdebug.lineage.recorder import Recorder, logger

TraceT = TypeVar("TraceT", RddTrace, ForwardRddTrace)


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
    if isinstance(data, RDD):
        rows = rows_of_rdd(known_operator(data))
    else:
        found: Any = recorder.rows[data.number]
        rows = found
    _require_alive(rows.operator)
    predicate = predicate_of(where)
    _require_as_read(rows, data.started if isinstance(data, Output) else None)
    return _with_a_word(RddTrace(rows, predicate))


def live_rdd_forward(recorder: Recorder, data: Any, where: Any = None) -> ForwardRddTrace:
    """A forward trace of a source's records to the outputs of the run so far.

    Args:
        recorder: what the program did so far.
        data: the RDD that reads or makes the source.
        where: which of its records: a function of a record, or a Python expression of `x`; None for all.

    Raises:
        UnreachableError: Spark was stopped.
        BigDebugError: `data` is no source, or its records can't be traced through one of the outputs.
    """
    operator = known_operator(data) if isinstance(data, RDD) else None
    if operator is None or operator.inputs or operator.kind == UNKNOWN:
        made = "an output" if operator is None else operator.described()
        raise BigDebugError(
            f"a forward trace starts from a source, and this is made by {made}",
            hint="pass the RDD that textFile, parallelize or their like gave",
        )
    _require_alive(operator)
    predicate = predicate_of(where)
    recorder.settle()
    outputs = []
    for number, rows in list(recorder.rows.items()):
        if isinstance(rows, RddRows) and operator in contributing_in_order(rows.operator):
            output = recorder.outputs[number - 1]
            _require_as_read(rows, output.started)
            outputs.append((rows, output))
    (source,) = sources_in([operator])
    return _with_a_word(ForwardRddTrace(source, outputs, predicate))


def _require_alive(operator: RddOperator) -> None:
    if operator.context._jsc is None:
        raise UnreachableError(
            "the Spark of this RDD was stopped",
            hint="ask from the store: bigdebug trace RUN OUTPUT --where …",
        )


def _require_as_read(rows: RddRows, since: float | None) -> None:
    """Make sure that the sources' files are as they were."""
    for operator in rows.operator.walk():
        if operator.kind in IN_FILES:
            if operator.listed is None:
                jrdd = read_again(operator, operator.arguments)._jrdd
                operator.listed = fingerprint(operator, jrdd)
            require_unchanged(operator, operator.listed, since)


def _with_a_word(trace: TraceT) -> TraceT:
    """A trace; of a large one what it costs is said."""
    if trace.bytes > LARGE_BYTES:
        logger.warning("this trace reads up to %.1f GB", trace.bytes / 1e9)
    return trace
