"""The one place that knows how a run is written down: `run.json` and the lines of the event log.

An event is one JSON object a line with one key that says what it is. Later events replace earlier ones
of the same operator or output. Readers leave out lines that they can't read (a process killed in the
middle of a line leaves a torn one), and keys that they don't know.
"""

import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from bigdebug.lineage.callsite import CallSite
from bigdebug.lineage.crash import CrashEvent
from bigdebug.lineage.dataflow import Node
from bigdebug.lineage.output import Output

FORMAT = 1
"""Raised when an older reader would misunderstand what is written."""


@dataclass(frozen=True)
class RunEnd:
    """The last event of a run that was closed.

    Attributes:
        status: `done` or `failed`.
        time: seconds since the epoch.
    """

    status: str
    time: float


Event = Node | Output | RunEnd | CrashEvent


@dataclass
class RunEvents:
    """What the event log of one run says.

    Attributes:
        nodes: operators by id.
        outputs: outputs by number.
        crashes: culprits of operators, in the order that they were found.
        end: how the run ended; None while it goes on, and for good when it was killed.
        damaged: how many lines, other than a torn last one, couldn't be read.
    """

    nodes: dict[int, Node] = field(default_factory=dict)
    outputs: dict[int, Output] = field(default_factory=dict)
    crashes: list[CrashEvent] = field(default_factory=list)
    end: RunEnd | None = None
    damaged: int = 0


_KINDS: dict[str, type[Event]] = {
    "node": Node,
    "output": Output,
    "crash": CrashEvent,
    "end": RunEnd,
}
_KIND_OF = {kind: name for name, kind in _KINDS.items()}


def event_line(event: Event) -> bytes:
    """One event as a line of the log, with its line end."""
    return dump({_KIND_OF[type(event)]: asdict(event)}) + b"\n"


def dump(value: object) -> bytes:
    """JSON in pure ASCII: no lone surrogate or odd line separator in a user's text can break a line."""
    return json.dumps(value, default=_plain, separators=(",", ":")).encode("ascii")


def _plain(value: Any) -> Any:
    """NumPy's numbers, and whatever else a caller hands over."""
    item = getattr(value, "item", None)
    return item() if callable(item) else str(value)


def read_events(log: bytes) -> RunEvents:
    """Read a log, however it was cut short.

    Args:
        log: the bytes of `events.jsonl`, or of all the segments in order.

    Returns:
        All that stands in whole lines.
    """
    events = RunEvents()
    lines = log.split(b"\n")
    for position, line in enumerate(lines):
        if not line.strip():
            continue
        event = _read_event(line)
        if isinstance(event, Node):
            events.nodes[event.id] = event
        elif isinstance(event, Output):
            events.outputs[event.number] = event
        elif isinstance(event, CrashEvent):
            events.crashes.append(event)
        elif isinstance(event, RunEnd):
            events.end = event
        elif event is None and position < len(lines) - 1:
            events.damaged += 1
    return events


def _read_event(line: bytes) -> Event | str | None:
    """The event on a line; the name of a kind that this version doesn't know; None for a damaged line."""
    try:
        ((name, content),) = json.loads(line).items()
        kind = _KINDS.get(name)
        if kind is None:
            return str(name)
        content = _known(kind, content)
        if content.get("call_site") is not None:
            content["call_site"] = CallSite(**_known(CallSite, content["call_site"]))
        if kind is Node:
            content |= {key: tuple(content.get(key, ())) for key in ("parents", "paths")}
        if kind is CrashEvent:
            content |= {key: tuple(content.get(key, ())) for key in ("records", "notes")}
        return kind(**content)
    except (ValueError, TypeError, AttributeError):
        return None


def _known(kind: type, content: dict[str, Any]) -> dict[str, Any]:
    names = {entry.name for entry in fields(kind)}
    return {name: value for name, value in content.items() if name in names}


@dataclass(frozen=True)
class RunHead:
    """What is known of a run when it begins.

    Attributes:
        run_id: the name of its folder.
        name: as the user called it, or None.
        started: seconds since the epoch.
        argv: the script and its arguments.
        capture: `recipe` or `full`.
        redact: names of the columns whose values are hashed.
        versions: of bigdebug, Python, Spark, ….
        settings: what a plan's meaning depends on.
        folder: the working directory, which relative paths of outputs start from.
        process: what tells whether the process is still alive (`process.ProcessIdentity`).
        format: version of the store's format.
    """

    run_id: str
    name: str | None
    started: float
    argv: tuple[str, ...] = ()
    capture: str = "recipe"
    redact: tuple[str, ...] = ()
    versions: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    folder: str | None = None
    process: dict[str, Any] = field(default_factory=dict)
    format: int = FORMAT


def write_head(head: RunHead) -> bytes:
    """The content of `run.json`, for people to read too."""
    return json.dumps(asdict(head), default=_plain, indent=1).encode("ascii") + b"\n"


def read_head(data: bytes) -> RunHead:
    """Read `run.json`.

    Raises:
        ValueError: it is damaged, or was written by a newer version; the message says which.
    """
    try:
        content = json.loads(data)
        version = int(content["format"])
    except (ValueError, TypeError, KeyError):
        raise ValueError("run.json is damaged") from None
    if version > FORMAT:
        raise ValueError(f"written by a newer bigdebug (store format {version}, this one reads {FORMAT})")
    try:
        content = _known(RunHead, content)
        content |= {key: tuple(content.get(key, ())) for key in ("argv", "redact")}
        return RunHead(**content)
    except TypeError:
        raise ValueError("run.json is damaged") from None
