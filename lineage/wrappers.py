"""What stands in place of a PySpark method while sessions are attached.

A wrapper calls the method and passes on what it returns or raises, unchanged. It records only what the
user's own code called: whether PySpark called itself shows in the frame right above, so that the user's
functions that PySpark calls back are recorded like any other code. A fault of ours is logged, never raised.

An error leaves without a trace of us: with the wrapper's own entry taken off its traceback, the bare `raise`
passes it on as it is, and Python adds no new entry for a frame that re-raises.
"""

import sys
import time
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any

from bigdebug.lineage.actions import Action, begin_action, finish_action
from bigdebug.lineage.attachments import attachments
from bigdebug.lineage.batch_functions import recorded_function, records_batches
from bigdebug.lineage.callsite import Caller, caller
from bigdebug.lineage.commands import record_command, record_failed_command
from bigdebug.lineage.ending import before_stop
from bigdebug.lineage.guarding import action_over, guarded_action, guarded_call, record_guarded
from bigdebug.lineage.nodes import Operation, complain, keep_beside, record_operator
from bigdebug.lineage.patches import Kind, Patch
from bigdebug.lineage.rdd.actions import begin_rdd_action, finish_rdd_action
from bigdebug.lineage.rdd.capture.captured import recorded_operator, recorded_source, tapping
from bigdebug.lineage.rdd.joints import note_conversion
from bigdebug.lineage.rdd.recording import record_frame_rdd, record_frame_texts, record_rdd, record_source

_Method = Callable[..., Any]

_UNRECORDED = {
    Caller.PANDAS: "the steps inside pandas-on-Spark aren't recorded; frames made with to_spark() are",
    Caller.ML: "the steps inside Spark's machine learning aren't recorded",
}


def wrapper_of(patch: Patch, name: str, original: _Method) -> _Method:
    """The wrapper for a method, by what the table says it means."""
    label = patch.prefix + name
    if patch.kind in (Kind.OPERATOR, Kind.READER):
        operation = Operation(label, name, patch.kind is Kind.READER)
        return _recorded(original, partial(record_operator, operation))
    if patch.kind in (Kind.ACTION, Kind.WRITER):
        return _action(Action(label, name), original)
    if patch.kind in (Kind.GROUPED, Kind.HANDLE):
        return _kept_beside(name, original)
    if patch.kind in (Kind.RDD_OPERATOR, Kind.RDD_SOURCE):
        return _rdd_operator(label, patch.kind is Kind.RDD_SOURCE, original)
    if patch.kind is Kind.RDD_ACTION:
        return _rdd_action(name, original)
    if patch.kind is Kind.FRAME_RDD:
        return _frame_rdd(original)
    if patch.kind is Kind.FRAME_TEXTS:
        return _recorded(original, lambda args, _, made, frame: record_frame_texts(args[0], made, frame))
    if patch.kind is Kind.CONVERSION:
        return _conversion(original)
    if patch.kind is Kind.COMMAND:
        return _command(original)
    if patch.kind is Kind.BATCHES:
        return _batches(original)
    if patch.kind is Kind.LIFECYCLE:
        return _stop(original)
    return _unrecorded(original)


def _recorded(
    original: _Method, record: Callable[[tuple[Any, ...], dict[str, Any], Any, FrameType], None]
) -> _Method:
    """Where the user calls the method, record what it was given, what it gave, and the frame of the call."""

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            result = original(*args, **kwargs)
        except BaseException as error:
            _leave_no_trace(error)
            raise
        try:
            frame = sys._getframe(1)
            if _is_users(frame):
                record(args, kwargs, result, frame)
        except Exception as problem:
            complain(problem)
        return result

    return wrapper


def _action(action: Action, original: _Method) -> _Method:
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        handle, method = None, original
        try:
            frame = sys._getframe(1)
            if _is_users(frame):
                handle = begin_action(action, args, kwargs, frame)
                if handle is not None and handle.subject is not None:
                    args = (handle.subject, *args[1:])
                method, args, kwargs = guarded_action(handle, action.label, original, args, kwargs)
        except Exception as problem:
            complain(problem)
        try:
            result = method(*args, **kwargs)
        except BaseException as error:
            if handle is not None:
                finish_action(action, handle, None, error)
                action_over(handle)
            _leave_no_trace(error)
            raise
        if handle is None:
            return result
        result = finish_action(action, handle, result, None)
        action_over(handle)
        return result

    return wrapper


def _command(original: _Method) -> _Method:
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        began = time.time(), time.perf_counter()
        try:
            result = original(*args, **kwargs)
        except BaseException as error:
            try:
                frame = sys._getframe(1)
                if _is_users(frame):
                    record_failed_command(args, kwargs, error, began, frame)
            except Exception as problem:
                complain(problem)
            _leave_no_trace(error)
            raise
        try:
            frame = sys._getframe(1)
            if _is_users(frame):
                record_command(args, kwargs, result, began, frame)
        except Exception as problem:
            complain(problem)
        return result

    return wrapper


def _rdd_operator(kind: str, source: bool, original: _Method) -> _Method:
    record = record_source if source else record_rdd
    observe = recorded_source if source else recorded_operator

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        taps = guarded = None
        try:
            frame = sys._getframe(1)
            if not source and _is_users(frame):
                taps = tapping(kind, original, args, kwargs)
                guarded = guarded_call(kind, original, args, kwargs, frame)
        except Exception as problem:
            complain(problem)
        try:
            if guarded is not None:
                result = guarded.method(*guarded.args, **guarded.kwargs)
            elif taps is None:
                result = original(*args, **kwargs)
            else:
                result = taps.method(*taps.args, **taps.kwargs)
        except BaseException as error:
            _leave_no_trace(error)
            raise
        try:
            frame = sys._getframe(1)
            if guarded is not None:
                record_guarded(guarded, result, frame)
            elif _is_users(frame):
                record(
                    kind, original, args, kwargs, result, frame, observe if taps is None else taps.recorded
                )
        except Exception as problem:
            complain(problem)
        return result

    return wrapper


def _frame_rdd(original: _Method) -> _Method:
    def wrapper(frame: Any) -> Any:
        try:
            result = original(frame)
        except BaseException as error:
            _leave_no_trace(error)
            raise
        try:
            asked = sys._getframe(2)  # between stands the standard library's cached property
            record_frame_rdd(frame, result, asked, by_user=_is_users(asked))
        except Exception as problem:
            complain(problem)
        return result

    return wrapper


def _conversion(original: _Method) -> _Method:
    def note(args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        note_conversion(result[0], kwargs["rdd"] if "rdd" in kwargs else args[1])

    return _noted(original, note)


def _rdd_action(action: str, original: _Method) -> _Method:
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        running, method = None, original
        try:
            frame = sys._getframe(1)
            if _is_users(frame):
                running = begin_rdd_action(action, original, args, kwargs, frame)
                if running is not None and running.tap is not None:
                    args = (running.tap.rdd, *args[1:])
                elif running is not None and running.subject is not None:
                    args = (running.subject, *args[1:])
                method, args, kwargs = guarded_action(running, action, original, args, kwargs)
        except Exception as problem:
            complain(problem)
        try:
            result = method(*args, **kwargs)
        except BaseException as error:
            if running is not None:
                finish_rdd_action(action, running, None, error)
                action_over(running)
            _leave_no_trace(error)
            raise
        if running is None:
            return result
        result = finish_rdd_action(action, running, result, None)
        action_over(running)
        return result

    return wrapper


def _kept_beside(name: str, original: _Method) -> _Method:
    return _noted(original, partial(keep_beside, name))


def _noted(original: _Method, note: Callable[[tuple[Any, ...], dict[str, Any], Any], None]) -> _Method:
    """Whoever calls the method, note what it was given and what it gave."""

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            result = original(*args, **kwargs)
        except BaseException as error:
            _leave_no_trace(error)
            raise
        try:
            note(args, kwargs, result)
        except Exception as problem:
            complain(problem)
        return result

    return wrapper


def _unrecorded(original: _Method) -> _Method:
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            for attachment in () if args and records_batches(args[0]) else attachments.all():
                attachment.recorder.complain(
                    "streaming",
                    "what streaming queries write isn't recorded; what a function given to foreachBatch does, is",
                )
        except Exception as problem:
            complain(problem)
        try:
            return original(*args, **kwargs)
        except BaseException as error:
            _leave_no_trace(error)
            raise

    return wrapper


def _batches(original: _Method) -> _Method:
    def wrapper(writer: Any, func: Any) -> Any:
        given = func
        try:
            given = recorded_function(writer, func, sys._getframe(1))
        except Exception as problem:
            complain(problem)
        try:
            return original(writer, given)
        except BaseException as error:
            _leave_no_trace(error)
            raise

    return wrapper


def _stop(original: _Method) -> _Method:
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            before_stop(args[0] if args else None)
        except Exception as problem:
            complain(problem)
        try:
            return original(*args, **kwargs)
        except BaseException as error:
            _leave_no_trace(error)
            raise

    return wrapper


def session_wrapper(adopt: Callable[[Any], None]) -> Callable[[Patch, str, _Method], _Method]:
    """Makes wrappers for the methods that make sessions.

    Args:
        adopt: called with each session made, other than those we make for ourselves.
    """

    def wrapper_for(patch: Patch, name: str, original: _Method) -> _Method:
        # PySpark makes session objects of its own for the sessions of streaming batches.
        own = name == "__init__" and not patch.owner.endswith(":SparkContext")
        makers = Caller.PLUMBING if own else Caller.ML

        def wrapper(*args: Any, **kwargs: Any) -> Any:
            try:
                result = original(*args, **kwargs)
            except BaseException as error:
                _leave_no_trace(error)
                raise
            try:
                if caller(sys._getframe(1))[0] <= makers:
                    adopt(args[0] if name == "__init__" else result)
            except Exception as problem:
                complain(problem)
            return result

        return wrapper

    return wrapper_for


def _is_users(frame: FrameType) -> bool:
    """Whether a method was called by the user's code, and not by PySpark for itself or by us."""
    kind = caller(frame)[0]
    if kind in _UNRECORDED:
        for attachment in attachments.all():
            attachment.recorder.complain(kind.name, _UNRECORDED[kind])
    return kind <= Caller.PLUMBING


def _leave_no_trace(error: BaseException) -> None:
    traceback = error.__traceback__
    if traceback is not None:
        error.__traceback__ = traceback.tb_next
