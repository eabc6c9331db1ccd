"""What kind of failure an action ended with, as far as a record can be to blame for it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

_FRAME = re.compile(r'^\s*File "(?P<file>.+?)", line (?P<line>\d+), in (?P<name>.+?)\s*$', re.MULTILINE)
_TRACEBACK = "Traceback (most recent call last):"
_LOST = re.compile(r"Python worker exited unexpectedly|Python worker .*crashed|Connection reset|EOFException")
# Errors of the environment, of plans and of our own cancelling, in which no record has a part.
_NOT_OF_RECORDS = re.compile(r"TASK_WRITE_FAILED|FAILED_READ_FILE|OUT_OF_MEMORY|INTERNAL_ERROR|CANCEL")
_CONDITION = re.compile(r"\[([A-Z][A-Z0-9_.]+)\]")


@dataclass(frozen=True)
class Frame:
    """A frame of a traceback."""

    file: str
    line: int
    name: str


@dataclass(frozen=True)
class Failure:
    """What an action raised.

    Attributes:
        kind: `python` (a function of the user's), `expression` (Spark's own) or `worker` (a worker that died).
        message: the text.
        condition: Spark's error condition, or the exception's class.
        frames: of the Python traceback.
        contexts: of an expression, where it stands, as Spark puts it.
    """

    kind: str
    message: str
    condition: str
    frames: tuple[Frame, ...] = ()
    contexts: tuple[str, ...] = ()


def failure_of(error: BaseException) -> Failure | None:
    """What kind of failure it is; None where no record can be to blame."""
    text = _text(error)
    if _TRACEBACK in text:
        frames = tuple(Frame(m["file"], int(m["line"]), m["name"]) for m in _FRAME.finditer(text))
        return Failure("python", text, "PYTHON_EXCEPTION", frames)
    if _LOST.search(text):
        return Failure("worker", text, "WORKER_LOST")
    condition = _condition(error) or ""
    contexts = _contexts(error)
    named = condition or next(iter(_CONDITION.findall(text)), "")
    if (
        not named
        or _NOT_OF_RECORDS.search(named)
        or type(error).__name__ in ("AnalysisException", "ParseException")
    ):
        return None
    return Failure("expression", text, named, (), contexts)


def _text(error: BaseException) -> str:
    found = getattr(error, "_desc", None)
    if isinstance(found, str):
        return found
    java: Any = getattr(error, "java_exception", None)
    try:
        return str(error) if java is None else str(java.toString())
    except Exception:  # the JVM is gone
        return ""


def _condition(error: BaseException) -> str | None:
    try:
        found = getattr(error, "getCondition", lambda: None)()
    except Exception:  # asks the JVM, which may be gone
        return None
    return found if isinstance(found, str) else None


def _contexts(error: BaseException) -> tuple[str, ...]:
    try:
        every: list[Any] = getattr(error, "getQueryContext", list)()
        return tuple(text for each in every if (text := str(each.summary()).strip()))
    except Exception:  # the same
        return ()
