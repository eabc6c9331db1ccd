"""Where the calls of a program meet what guards its functions against records that crash them."""

from __future__ import annotations

from collections.abc import Callable
from types import FrameType
from typing import Any

from pyspark.core.rdd import RDD

from bigdebug.lineage.actions import Running
from bigdebug.lineage.attachments import attachments
from bigdebug.lineage.hooks import GuardedCall
from bigdebug.lineage.nodes import complain
from bigdebug.lineage.rdd.capture.captured import recorded_operator
from bigdebug.lineage.rdd.recording import record_rdd

Call = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]


def guarded_call(
    kind: str, method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], frame: FrameType
) -> GuardedCall | None:
    """A call of an RDD's method with a guard in it; None where nothing is to be guarded.

    Args:
        kind: the operator's.
        method: as PySpark has it.
        args, kwargs: it is called with.
        frame: of the caller.
    """
    attachment = attachments.of_context(args[0].ctx) if args and isinstance(args[0], RDD) else None
    guard = None if attachment is None else attachment.recorder.crash_guard
    return None if guard is None else guard.guarded_call(kind, args, kwargs, method, frame)


def record_guarded(call: GuardedCall, made: Any, frame: FrameType) -> None:
    """Record the RDD that a guarded call made."""

    def recorded(operator: Any, rdd: Any) -> None:
        call.made(operator)
        recorded_operator(operator, rdd)

    record_rdd(call.kind, call.recorded, call.recorded_args, {}, made, frame, recorded, call.label)


def guarded_action(
    running: Running | None,
    label: str,
    method: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Call:
    """What to call for an action: itself, or with guards in it."""
    guard = None if running is None else running.recorder.crash_guard
    found = None if guard is None else guard.guarded_action(running, label, args, kwargs)
    return (method, args, kwargs) if found is None else found


def action_over(running: Running) -> None:
    """Say so where an action had guards in it."""
    try:
        if running.guarded and running.recorder.crash_guard is not None:
            running.recorder.crash_guard.ended(running)
    except Exception as problem:
        complain(problem)
