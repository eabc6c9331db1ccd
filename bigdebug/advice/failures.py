"""Why a task failed, in a line: alike for tasks that failed alike."""

import re

from bigdebug.advice.events import TaskReason

_PYTHON_ERROR = re.compile(
    r"^([A-Za-z_][\w.]*(?:Error|Exception|Interrupt|Exit|Warning|Iteration)\b.*)$", re.MULTILINE
)
_NUMBERS = re.compile(r"\b(?:0x[0-9a-f]+|\d+)\b")
_FRAME = re.compile(r'File "([^"\n]+)", line (\d+)')
_NOT_THE_USERS = re.compile(r"[/\\](?:pyspark|py4j|site-packages|lib[/\\]python[\d.]+)[/\\]|^<frozen ")
_MOST = 300


def cause_of(reason: TaskReason) -> tuple[str, str]:
    """The cause in a line, and the whole of what Spark says."""
    if reason.reason == "ExceptionFailure":
        detail = (reason.description or "").strip()
        return _shortened(_exception(reason.kind, detail)), detail
    if reason.reason == "ExecutorLostFailure":
        return _shortened(f"executor lost: {_same(reason.loss or 'no reason given')}"), reason.loss or ""
    if reason.reason == "FetchFailed":
        said = (reason.message or "").strip()
        return _shortened(f"shuffle data couldn't be fetched: {_same(_first_line(said))}"), said
    said = (reason.message or reason.description or "").strip()
    return _shortened(": ".join(filter(None, (reason.reason or "unknown", _same(_first_line(said)))))), said


def place_of(detail: str) -> tuple[str, int] | None:
    """The last line of the user's own code in a Python traceback, as file and line."""
    frames = [(file, int(line)) for file, line in _FRAME.findall(detail) if not _NOT_THE_USERS.search(file)]
    return frames[-1] if frames else None


def _exception(kind: str, detail: str) -> str:
    """A Python exception's own last line, else Java's class and what it says."""
    python = _PYTHON_ERROR.findall(detail) if "Traceback (most recent call last)" in detail else []
    if python:
        return str(python[-1])
    return f"{kind.rpartition('.')[2]}: {_first_line(detail)}".rstrip(": ")


def _same(text: str) -> str:
    """Without what differs from task to task."""
    return _NUMBERS.sub("…", text)


def _first_line(text: str) -> str:
    return text.partition("\n")[0].strip()


def _shortened(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _MOST else f"{text[: _MOST - 1]}…"
