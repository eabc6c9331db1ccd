"""Attaching to a SparkSession, and the session one gets: the way into everything bigdebug does."""

import atexit
import os
import sys
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, overload

from bigdebug.breakpoints.crashes.handling import CrashHandling
from bigdebug.breakpoints.live_questions import LiveQuestions
from bigdebug.lineage.attachments import Attachment, attachments
from bigdebug.lineage.ending import on_stop
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.output import Output
from bigdebug.lineage.patches import patches, session_patches
from bigdebug.lineage.recorder import Recorder, logger

if TYPE_CHECKING:
    import networkx
    from pyspark import RDD, SparkContext
    from pyspark.sql import Column, DataFrame, SparkSession

    from bigdebug.isolation.found import Isolation
    from bigdebug.isolation.isolating import Failing, Progress
    from bigdebug.isolation.skew import Skew
    from bigdebug.lineage.forward import ForwardTrace
    from bigdebug.lineage.index.reading import Index
    from bigdebug.lineage.rdd.forward import ForwardRddTrace
    from bigdebug.lineage.rdd.index.reading import RddIndex
    from bigdebug.lineage.rdd.trace import RddTrace
    from bigdebug.lineage.trace import Trace
    from bigdebug.lineage.whynot import WhyNot

_CAPTURES = ("recipe", "full")
_DIRECTIONS = ("backward", "forward")
_WHY = "for its plans are out of reach"
_CLASSIC = (
    "make a classic one, with SparkSession.builder.master(…) or spark-submit, "
    "and without remote(…), SPARK_REMOTE and spark.api.mode=connect"
)


class _WrongTypeError(BigDebugError, TypeError):
    """An argument isn't of the kind that is asked for."""


class _WrongValueError(BigDebugError, ValueError):
    """An argument is none of the values that there are."""


class Session(LiveQuestions, CrashHandling):
    """A SparkSession under the debugger. Made by `attach`; a context manager that detaches at its end."""

    def __init__(self, attachment: Attachment, *, owns_recorder: bool) -> None:
        self._attachment = attachment
        self._recorder = attachment.recorder
        self._owns_recorder = owns_recorder

    @property
    def run_id(self) -> str:
        """Id of the run that is being recorded. A run with very many outputs goes on in a new one."""
        run_id = self._recorder.run_id
        assert run_id is not None
        return run_id

    @property
    def graph(self) -> "networkx.DiGraph[int]":
        """The dataflow so far: a snapshot, with the attributes `operator` and `call_site` on each node."""
        self._recorder.settle()
        return self._recorder.dataflow.graph()

    @property
    def outputs(self) -> list[Output]:
        """The outputs of the run so far; that of number N stands at N - 1."""
        return self._recorder.outputs

    @property
    def _rows(self) -> dict[int, Any]:
        """By output number, the plans of the last outputs."""
        return self._recorder.rows

    @overload
    def trace(self, data: "RDD[Any] | Output", where: "Callable[[Any], object]") -> "RddTrace": ...

    @overload
    def trace(
        self,
        data: "RDD[Any]",
        where: "str | Callable[[Any], object] | None" = None,
        *,
        direction: Literal["forward"],
    ) -> "ForwardRddTrace": ...

    @overload
    def trace(
        self,
        data: "DataFrame | RDD[Any] | Output",
        where: "str | Column | None" = None,
        direction: Literal["backward"] = "backward",
        *,
        windows: bool = False,
        influence: bool = False,
    ) -> "Trace": ...

    @overload
    def trace(
        self, data: "DataFrame", where: "str | Column | None" = None, *, direction: Literal["forward"]
    ) -> "ForwardTrace": ...

    def trace(
        self,
        data: "DataFrame | RDD[Any] | Output",
        where: "str | Column | Callable[[Any], object] | None" = None,
        direction: str = "backward",
        *,
        windows: bool = False,
        influence: bool = False,
    ) -> "Trace | ForwardTrace | RddTrace | ForwardRddTrace":
        """Trace rows back to the source records they came from, or source records forward to the rows they went into.

        Args:
            data: a DataFrame, an RDD, or an `Output` of this run; for `forward` the DataFrame or RDD that reads a
                source.
            where: which rows: SQL text or a Column over the columns of `data`; of an RDD a function of an
                element, or the text of an expression in Python of an element `x`; all, if left out.
            direction: `backward`, or `forward`: to the outputs of this run so far.
            windows: go back to all rows of a window's partition, not just to the one that a row stands on.
            influence: go back to what semi and anti joins and subqueries looked up, too.

        Raises:
            BigDebugError: the question can't be answered; says why and what to do.
        """
        from bigdebug.lineage.beside import Beside
        from bigdebug.lineage.live import live_forward, live_trace
        from bigdebug.lineage.rdd.live import is_about_rdd, live_rdd_forward, live_rdd_trace

        if direction not in _DIRECTIONS:
            raise _WrongValueError(f"direction can't be {direction!r}", hint='it is "backward" or "forward"')
        if is_about_rdd(self._recorder, data):
            if direction == "forward":
                _require_alone(windows or influence)
                return live_rdd_forward(self._recorder, data, where)
            return live_rdd_trace(self._recorder, data, where, Beside(windows, influence))
        if direction == "forward":
            _require_alone(windows or influence)
            return live_forward(self._attachment.spark, self._recorder, data, where)
        return live_trace(self._attachment.spark, self._recorder, data, where, Beside(windows, influence))

    def why_not(self, data: "DataFrame | Output", where: "str | Column") -> "WhyNot":
        """Tell why rows are missing: how many like them enter and leave each operator, and which one dropped them.

        Args:
            data: a DataFrame, or an `Output` of this run.
            where: what the missing rows would fulfil: SQL text or a Column over the columns of `data`.

        Raises:
            BigDebugError: the question can't be answered; says why and what to do.
        """
        from bigdebug.lineage.live import live_why_not

        return live_why_not(self._attachment.spark, self._recorder, data, where)

    def isolate(
        self,
        data: "DataFrame | RDD[Any] | Output",
        failing: "Failing | Callable[[Any], object] | Skew",
        budget: float | None = None,
        progress: "Callable[[Progress], None] | None" = None,
    ) -> "Isolation":
        """Find the few input records behind wrong rows, proven by running the pipeline on parts of its input.

        Args:
            data: a DataFrame, an RDD, or an `Output` of this run.
            failing: SQL text or a Column over the columns of `data`: the rows for which it holds are wrong. Or the
                rows that were expected, as a DataFrame: compared by the grouping columns, rows that differ or are
                too many are wrong, and what became of missing ones is told in `notes`. Or a function of the list
                of all rows, true if they are wrong. Or `bigdebug.Skew(…)`: groups that hold too much, and the fewest
                records without which they don't. Of an RDD it is a function of an element, or the text of an
                expression in Python of an element `x`, or of the `key` and `value` of a pair.
            budget: how many seconds to search; the best found by then is the answer. So it is after Ctrl-C.
            progress: told after each round how far it is.

        Raises:
            BigDebugError: the question can't be answered; says why and what to do.
        """
        from bigdebug.lineage.rdd.live import is_about_rdd, live_rdd_question

        if is_about_rdd(self._recorder, data):
            from bigdebug.isolation.rdd.isolating import isolate_rdd

            asked = live_rdd_question(self._recorder, data)
            return isolate_rdd(asked, failing, budget=budget, progress=progress)
        from bigdebug.isolation.isolating import isolate
        from bigdebug.isolation.written_test import Origin
        from bigdebug.lineage.live import live_question

        recorder = self._recorder
        question = live_question(self._attachment.spark, recorder, data)
        number = data.number if isinstance(data, Output) else None
        if number is None and question.root.node is not None:
            # An action on this very frame, if there was one: what it gave can be computed again.
            acted = (each.number for each in recorder.outputs if each.node == question.root.node.id)
            number = next(acted, None)
        origin = Origin(recorder.store, self.run_id, number, recorder.redact)
        execution = None if isinstance(data, Output) else data._jdf.queryExecution()
        return isolate(
            question, failing, budget=budget, progress=progress, execution=execution, origin=origin
        )

    def index(self, output: Output) -> "Index | RddIndex":
        """Write the whole lineage of an output to the store: traces of it then need no Spark.

        Args:
            output: an output of this run.

        Raises:
            BigDebugError: its lineage can't be told, or can't be written; says why and what to do.
        """
        from bigdebug.lineage.live import live_index
        from bigdebug.lineage.rdd.live import is_about_rdd, live_rdd_index

        if is_about_rdd(self._recorder, output):
            return live_rdd_index(self._recorder, output)
        return live_index(self._attachment.spark, self._recorder, output)

    def detach(self) -> None:
        """Stop recording, store what waits, and leave PySpark as it was. Detaching twice does no harm."""
        self._detach("done")

    def _detach(self, status: str) -> None:
        attachments.remove(self._attachment)
        if not attachments.all():
            patches.uninstall()
        if self._owns_recorder:
            self._close_live()
            self._recorder.close(status)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._detach("done" if error is None else "failed")

    def __repr__(self) -> str:
        state = "attached" if self._attachment.active else "detached"
        return f"<bigdebug.Session run {self._recorder.run_id}, {state}>"


def attach(
    spark: "SparkSession | SparkContext",
    name: str | None = None,
    store: str | os.PathLike[str] = ".bigdebug",
    capture: str = "recipe",
    redact: Sequence[str] = (),
) -> Session:
    """Record what a SparkSession or SparkContext is asked to do, from now until `detach`.

    Args:
        spark: the session, or a SparkContext where there is none. One that is attached already keeps its
            recording: the same `Session` comes back.
        name: a name for the run.
        store: folder or object-store prefix that runs are kept in.
        capture: `recipe` keeps how to compute each output again; `full` also its whole lineage, right after
            the action.
        redact: columns whose values must not be stored as they are.

    Raises:
        BigDebugError: `spark` isn't a session that can be recorded, or an argument is wrong.
    """
    _require_classic(spark)
    _require_capture(capture)
    known = _known(spark)
    if known is not None:
        session: Session = known.face
        return session
    bare = None if _is_context(spark) else attachments.of_context(spark._sc)
    if bare is not None and bare.spark is None:
        # The context is recorded already: what its RDDs and frames hand each other must be in one run.
        return _attach(spark, bare.recorder, owns_recorder=False)
    recorder = _recorder(store, capture, redact, name)
    recorder.begin(spark.version)
    return _attach(spark, recorder, owns_recorder=True)


def current() -> Session | None:
    """The session that was attached last and still is, or None."""
    every = attachments.all()
    return every[-1].face if every else None


class EverySession:
    """Records every session that a program makes, all in one run. A context manager.

    Args:
        store: where runs are kept.
        capture: `recipe` or `full`.
        redact: columns whose values must not be stored.
        name: the run's name.
        breaks: call sites to set breakpoints at.
    """

    def __init__(
        self,
        store: str,
        capture: str,
        redact: Sequence[str],
        name: str | None,
        breaks: Sequence[str] = (),
    ) -> None:
        self._recorder = _recorder(store, capture, redact, name)
        self._breaks = tuple(breaks)

    def __enter__(self) -> Recorder:
        """Begin; the recorder's `run_id` is None until a session is made."""
        from pyspark import SparkContext
        from pyspark.sql import SparkSession

        from bigdebug.lineage.wrappers import session_wrapper

        session_patches.install(session_wrapper(self._adopt))
        context = SparkContext._active_spark_context
        made = SparkSession._instantiatedSession
        if context is not None and context._jsc is not None:
            self._adopt(context)
        if made is not None and made._sc._jsc is not None:
            self._adopt(made)
        return self._recorder

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        session_patches.uninstall()
        for attachment in attachments.all():
            if attachment.recorder is self._recorder:
                attachment.face._close_live()
                attachment.face.detach()
        self._recorder.close("done" if error is None else "failed")

    def _adopt(self, spark: Any) -> None:
        if _is_connect(spark):
            logger.warning("bigdebug: this Spark Connect session isn't recorded, %s; %s", _WHY, _CLASSIC)
        elif _known(spark) is None and not self._recorder.closed:
            self._recorder.begin(spark.version)
            session = _attach(spark, self._recorder, owns_recorder=False)
            breaks, self._breaks = self._breaks, ()
            for each in breaks:
                session.breakpoint(each)


def attach_every_session(
    store: str = ".bigdebug",
    capture: str = "recipe",
    redact: Sequence[str] = (),
    name: str | None = None,
    breaks: Sequence[str] = (),
) -> EverySession:
    """Record every SparkSession that is made from now on, in one run, also after a stop and a new start.

    Args:
        store: where runs are kept.
        capture: `recipe` or `full`.
        redact: columns whose values must not be stored.
        name: the run's name.
        breaks: call sites (`etl.py:42`) to set breakpoints at.

    Raises:
        BigDebugError: an argument is wrong.
    """
    _require_capture(capture)
    return EverySession(store, capture, redact, name, breaks)


def _attach(spark: Any, recorder: Recorder, *, owns_recorder: bool) -> Session:
    from bigdebug.lineage.wrappers import wrapper_of

    bare = _is_context(spark)
    attachment = Attachment(None if bare else spark, recorder, context=spark if bare else None)
    if recorder.crash_guard is None:
        from bigdebug.breakpoints.crashes.guard import CrashGuard

        recorder.crash_guard = CrashGuard(recorder)
    session = attachment.face = Session(attachment, owns_recorder=owns_recorder)
    if recorder.capture == "full":
        from bigdebug.lineage.sharing import warn_unless_shared

        warn_unless_shared(attachment.context, recorder)
    attachments.add(attachment, keep=owns_recorder)
    patches.install(wrapper_of)
    session._open_to_others()
    on_stop(_detach_stopped)
    return session


def _detach_stopped(attachment: Attachment) -> None:
    attachment.face.detach()


@atexit.register
def _detach_at_exit() -> None:
    """Store what waits. Where every session is recorded, that waits for whoever began it."""
    unhandled = getattr(sys, "last_value", None) is not None and not hasattr(sys, "ps1")
    for attachment in attachments.all():
        if attachment.face._owns_recorder:
            attachment.face._detach("failed" if unhandled else "done")


def _recorder(
    store: str | os.PathLike[str], capture: str, redact: Sequence[str], name: str | None
) -> Recorder:
    place = os.fspath(store)
    if not (place.startswith("file:") or "://" in place):
        # The program may change its folder later on.
        place = os.path.abspath(os.path.expanduser(place))
    columns = (redact,) if isinstance(redact, str) else tuple(redact)
    return Recorder(name=name, store=place, capture=capture, redact=columns, arguments=sys.argv)


def _require_classic(spark: Any) -> None:
    if _is_connect(spark):
        raise BigDebugError(f"a Spark Connect session can't be recorded, {_WHY}", hint=_CLASSIC)
    if not hasattr(spark, "_jsparkSession") and not _is_context(spark):
        raise _WrongTypeError(
            f"attach takes a SparkSession, not {type(spark).__name__}",
            hint="bigdebug.attach(SparkSession.builder.getOrCreate())",
        )
    if (spark if _is_context(spark) else spark._sc)._jsc is None:
        raise BigDebugError(f"the {type(spark).__name__} is stopped", hint="attach to a new one")


def _require_alone(beside: bool) -> None:
    if beside:
        raise _WrongValueError(
            "windows and influence are for backward traces", hint="leave them out, or trace backward"
        )


def _require_capture(capture: str) -> None:
    if capture not in _CAPTURES:
        raise _WrongValueError(f"capture can't be {capture!r}", hint='it is "recipe" or "full"')


def _is_context(spark: Any) -> bool:
    from pyspark import SparkContext

    return isinstance(spark, SparkContext)


def _known(spark: Any) -> Attachment | None:
    """The attachment of a session, or of whatever was attached first with a context."""
    return attachments.of_context(spark) if _is_context(spark) else attachments.of(spark)


def _is_connect(spark: Any) -> bool:
    return any(each.__module__.startswith("pyspark.sql.connect") for each in type(spark).__mro__)
