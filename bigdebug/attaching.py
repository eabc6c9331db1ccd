"""Attaching to a SparkSession, or to every one that a program makes."""

import atexit
import os
import sys
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from bigdebug.lineage.attachments import Attachment, attachments
from bigdebug.lineage.ending import on_stop
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.event_log import event_log_settings
from bigdebug.lineage.patches import patches, session_patches
from bigdebug.lineage.recorder import Recorder, logger
from bigdebug.session import Session, WrongValueError

if TYPE_CHECKING:
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

_CAPTURES = ("recipe", "full")
_WHY = "for its plans are out of reach"
_CLASSIC = (
    "make a classic one, with SparkSession.builder.master(…) or spark-submit, "
    "and without remote(…), SPARK_REMOTE and spark.api.mode=connect"
)


class _WrongTypeError(BigDebugError, TypeError):
    """An argument isn't of the kind that is asked for."""


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
    recorder.begin(spark.version, event_log_settings(_context_of(spark)))
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
            self._recorder.begin(spark.version, event_log_settings(_context_of(spark)))
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


def attach_to(spark: "SparkSession", recorder: Recorder) -> Session:
    """Record a session with a recorder that others share; detaching it leaves that going.

    Args:
        spark: a classic session that lives and isn't attached.
        recorder: begun.
    """
    return _attach(spark, recorder, owns_recorder=False)


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


def _require_capture(capture: str) -> None:
    if capture not in _CAPTURES:
        raise WrongValueError(f"capture can't be {capture!r}", hint='it is "recipe" or "full"')


def _context_of(spark: Any) -> Any:
    return spark if _is_context(spark) else spark._sc


def _is_context(spark: Any) -> bool:
    from pyspark import SparkContext

    return isinstance(spark, SparkContext)


def _known(spark: Any) -> Attachment | None:
    """The attachment of a session, or of whatever was attached first with a context."""
    return attachments.of_context(spark) if _is_context(spark) else attachments.of(spark)


def _is_connect(spark: Any) -> bool:
    return any(each.__module__.startswith("pyspark.sql.connect") for each in type(spark).__mro__)
