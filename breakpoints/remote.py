"""What a second terminal can ask of a live session: to set and look at breakpoints and watchpoints."""

from __future__ import annotations

import json
import weakref
from typing import Any

from bigdebug.breakpoints.channel.channels import channels_of
from bigdebug.breakpoints.channel.values import told
from bigdebug.breakpoints.live import live_of
from bigdebug.breakpoints.points.breakpoint import Breakpoint
from bigdebug.breakpoints.watch.captures import described_watchpoint
from bigdebug.breakpoints.watch.slow import Slow
from bigdebug.lineage.errors import BigDebugError, UnknownNameError
from bigdebug.lineage.rdd.conditions import ElementCondition, predicate_of
from bigdebug.lineage.recorder import Recorder

BREAKPOINTS = "breakpoints.json"
"""In `captures/`: where breakpoints were set, for when the program has ended."""

MOST_RECORDS = 1_000


def open_to_others(session: Any, recorder: Recorder) -> None:
    """Have a session be reached from another terminal of its owner's; does nothing where it can be already.

    Args:
        session: what users hold of it; asked for as long as it lives.
        recorder: its recording.
    """
    channels = channels_of(recorder)
    if channels.control is None:
        return
    held = weakref.ref(session)

    def alive() -> Any:
        found = held()
        if found is None:
            raise BigDebugError("the session has gone", hint="its program goes on without it")
        return found

    known = channels.control.opened
    channels.control.on("break", lambda request: _break(alive(), recorder, request))
    channels.control.on("watch", lambda request: _watch(alive(), recorder, request))
    if not known:
        channels.control.open()


def described_breakpoint(point: Breakpoint, *, look: bool, limit: int = 20) -> dict[str, Any]:
    """A breakpoint as JSON has it.

    Args:
        point: any.
        look: compute how many records pass, and the first of them.
        limit: so many.
    """
    site = point.call_site
    reached = point.reached
    looked = look and reached
    return {
        "number": point.number,
        "at": point.at,
        "operator": point.operator,
        "call_site": None if site is None else site.label,
        "when": point.when,
        "reached": reached,
        "count": point.count() if looked else None,
        "records": [_value(each) for each in point.records(limit)] if looked else [],
    }


def keep_breakpoints(recorder: Recorder) -> None:
    """Store where breakpoints stand."""
    found = [
        {"number": each.number, "at": each.at, "when": None if recorder.redact else each.when}
        for each in live_of(recorder).breakpoints
        if each.at is not None
    ]
    if found:
        try:
            recorder.put_capture(BREAKPOINTS, json.dumps(found).encode("ascii"))
        except Exception as error:
            recorder.failed(error)


def _break(session: Any, recorder: Recorder, request: dict[str, Any]) -> list[dict[str, Any]]:
    at = request.get("at")
    if at is None:
        return [described_breakpoint(each, look=False) for each in session.breakpoints]
    when = _guard_in(request, "when")
    known = next((each for each in session.breakpoints if each.at == at and each.when == _text(when)), None)
    limit = min(int(request.get("limit", 20)), MOST_RECORDS)
    return [described_breakpoint(known or session.breakpoint(at, when), look=True, limit=limit)]


def _watch(session: Any, recorder: Recorder, request: dict[str, Any]) -> list[dict[str, Any]]:
    redacted = bool(recorder.redact)
    at, number = request.get("at"), request.get("number")
    guard = _slow_in(request) or _guard_in(request, "guard")
    if at is not None:
        if guard is None:
            raise BigDebugError("a watchpoint needs a guard", hint="--guard SQL, or --python EXPRESSION")
        made = session.watch(at, guard, capacity=int(request.get("capacity", 100)))
        return [described_watchpoint(made, redacted=redacted)]
    if number is not None:
        found = next((each for each in session.watchpoints if each.number == number), None)
        if found is None:
            raise UnknownNameError(
                f"there is no watchpoint {number}", hint="`bigdebug watch RUN` tells which there are"
            )
        if guard is not None:
            found.guard = guard
        if request.get("remove"):
            found.remove()
        return [described_watchpoint(found, redacted=redacted, replay=bool(request.get("records")))]
    return [
        described_watchpoint(each, redacted=redacted, replay=bool(request.get("records")))
        for each in session.watchpoints
    ]


def _slow_in(request: dict[str, Any]) -> Slow | None:
    """The guard by time of a request; None where its guard is none."""
    text = str(request.get("guard"))
    if not text.startswith("Slow("):
        return None
    try:
        return Slow.of_text(text)
    except ValueError as error:
        raise BigDebugError(str(error), hint="such as Slow(), or Slow(deviations=4, seconds=0.5)") from None


def _guard_in(request: dict[str, Any], name: str) -> Any:
    """The condition of a request: SQL text, or a function made of an expression in Python."""
    found = request.get(name)
    if found is None or not request.get("python"):
        return found
    return predicate_of(str(found))


def _text(condition: Any) -> Any:
    return condition.text if isinstance(condition, ElementCondition) else condition


def _value(record: Any) -> Any:
    """A Row as its columns, whatever their names; an element as it is."""
    return told(record.asDict() if hasattr(record, "asDict") else record)
