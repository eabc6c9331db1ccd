"""A record that crashed an operator, and how it is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from bigdebug.lineage.callsite import CallSite
from bigdebug.lineage.crash import CrashEvent
from bigdebug.lineage.location import Location, TracedRecord

MOST_LISTED = 100
"""So many culprits of an operator are listed; beyond that they are counted."""

_MOST_TEXT = 300
_SHOWN = 5
_MOST_PLACES = 3


@dataclass(frozen=True)
class Raised:
    """An exception of a function of the user's, as its worker had it.

    Attributes:
        kind: the exception's class, or Spark's error condition.
        message: its text.
        traceback: the same with the user's frames, as Python prints it; empty where there are none.
    """

    kind: str
    message: str
    traceback: str = ""

    def __str__(self) -> str:
        return f"{self.kind}: {self.message}" if self.message else self.kind


@dataclass(frozen=True)
class Crash:
    """A record that crashed an operator.

    Attributes:
        value: the record that the operator was given: a dict of its columns, of an RDD the element itself.
        location: where its source record stands, of a pair the first one; None where it stems from many, or that
            can't be told.
        operator: as the user called it.
        call_site: where the operator stands in the user's code.
        error: what was raised for it.
        output: number of the output that was being computed.
        policy: what became of it: `raise`, `skip` or `repair`.
        records: the source records that it stems from.
        neighbours: those that stand right before and after in the source.
    """

    value: Any
    location: Location | None
    operator: str
    call_site: CallSite | None
    error: Raised
    output: int | None = None
    policy: str = "raise"
    records: tuple[TracedRecord, ...] = ()
    neighbours: tuple[TracedRecord, ...] = ()

    @property
    def source(self) -> str | None:
        """The name of the source that it stems from."""
        return self.records[0].source if self.records else None


@dataclass
class Culprits:
    """What crashed one operator in one output.

    Attributes:
        operator: as the user called it.
        call_site: where it stands.
        crashes: the records, up to a limit.
        count: how many there are in all.
        notes: what a person must know about it.
    """

    operator: str
    call_site: CallSite | None
    crashes: list[Crash]
    count: int
    notes: list[str] = field(default_factory=list)

    @property
    def described(self) -> str:
        """The operator's name and where it stands."""
        if self.call_site is None:
            return self.operator
        text = f" ({self.call_site.brief})" if self.call_site.text else ""
        return f"{self.operator} at {self.call_site.label}{text}"


def report(culprits: Culprits) -> str:
    """What a person reads of culprits, on a failed job's error and on standard error."""
    plural = "record" if culprits.count == 1 else "records"
    lines = [f"bigdebug: {culprits.count:,} {plural} crashed {culprits.described}"]
    if not culprits.count:
        lines = [f"bigdebug: it was {culprits.described} that failed"]
    for crash in culprits.crashes[:_SHOWN]:
        lines.append(f"  {place_text(crash)}: {short(crash.value)}")
        lines.append(f"    {_one_line(str(crash.error))}")
        lines += [f"    {line}" for line in _frames(crash.error)]
        for neighbour in crash.neighbours if len(crash.records) < 2 else ():
            where = "before" if _is_before(neighbour, crash) else "after"
            lines.append(f"    {where}: {short(neighbour.value)}")
    if culprits.count > _SHOWN:
        lines.append(f"  … and {culprits.count - _SHOWN:,} more: session.crashes, or bigdebug crashes last")
    return "\n".join([*lines, *(f"  ({note})" for note in culprits.notes)])


def report_kept(culprits: Culprits, output: int, repaired: int) -> str:
    """What a person reads of records that a job went on without, or repaired; so many were repaired."""
    count, gone = culprits.count, culprits.count - repaired
    plural = "record" if count == 1 else "records"
    if not gone:
        was = "was" if count == 1 else "were"
        head = f"{count:,} {plural} that crashed {culprits.described} {was} repaired in output {output}"
    elif not repaired:
        was = "was" if count == 1 else "were"
        head = f"output {output} is partial: {count:,} {plural} {was} left out by {culprits.described}"
    else:
        was = "was" if gone == 1 else "were"
        head = (
            f"output {output} is partial: of {count:,} {plural} that crashed {culprits.described} "
            f"{gone:,} {was} left out and {repaired:,} repaired"
        )
    head = f"bigdebug: {head}"
    lines = [head]
    for crash in culprits.crashes[:_SHOWN]:
        lines.append(f"  {place_text(crash)}: {short(crash.value)}")
        lines.append(f"    {_one_line(str(crash.error))}")
    if culprits.count > _SHOWN:
        lines.append(f"  … and {culprits.count - _SHOWN:,} more: session.crashes, or bigdebug crashes last")
    return "\n".join([*lines, *(f"  ({note})" for note in culprits.notes)])


def event_of(culprits: Culprits, output: int, policy: str, *, masked: bool, **more: Any) -> CrashEvent:
    """Culprits as a run keeps them.

    Args:
        output: number of the output.
        policy: what became of them.
        masked: values must not be stored.
        more: further fields of the event.
    """
    records = [] if masked else [_stored(crash) for crash in culprits.crashes]
    first = culprits.crashes[0].error if culprits.crashes else Raised("", "")
    return CrashEvent(
        output,
        culprits.operator,
        culprits.call_site,
        policy,
        first.kind if masked else str(first),
        culprits.count,
        tuple(records),
        tuple(culprits.notes),
        **more,
    )


def short(value: Any, most: int = _MOST_TEXT) -> str:
    """A value in one line, whatever it does when it is printed."""
    try:
        text = repr(value)
    except Exception as error:
        text = f"<a {type(value).__name__} that can't be printed: {type(error).__name__}>"
    return text if len(text) <= most else text[: most - 1] + "…"


def place_text(crash: Crash) -> str:
    """Where a culprit stands, in words; of a pair of records where both do."""
    places = [(each.source, each.location) for each in crash.records]
    if (
        crash.location
        and 1 < len(places) <= _MOST_PLACES
        and all(where.position is not None for _, where in places)
    ):
        return " with ".join(_place(source, where) for source, where in places)
    location = crash.location
    if location is None or location.position is None:
        source = f"{crash.source}, " if crash.source else ""
        return (
            f"{source}a record" if not crash.records else f"of {len(crash.records)} records of {crash.source}"
        )
    return _place(crash.source, location)


def _place(source: str | None, location: Location) -> str:
    if location.file is not None:
        return f"{location.file}, record {location.position}"
    inside = "" if location.partition is None else f" of partition {location.partition}"
    return f"{source + ', ' if source else ''}record {location.position}{inside}"


def _stored(crash: Crash) -> dict[str, Any]:
    location = crash.location or Location(None, None)
    before = [short(each.value) for each in crash.neighbours if _is_before(each, crash)]
    after = [short(each.value) for each in crash.neighbours if not _is_before(each, crash)]
    return {
        "value": _json_value(crash.value),
        "source": crash.source,
        "file": location.file,
        "position": location.position,
        "partition": location.partition,
        "error": str(crash.error)[: 10 * _MOST_TEXT],
        "traceback": crash.error.traceback,
        "before": before[0] if before else None,
        "after": after[0] if after else None,
    }


def _json_value(value: Any) -> Any:
    """Columns by name; numbers and texts as they are, all else as Python prints it."""
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: _json_value(each) for key, each in value.items()}
    if value is None or isinstance(value, bool | int):
        return value
    if type(value) is float and value == value and abs(value) != float("inf"):
        return value
    if type(value) is str:
        return value if len(value) <= 10 * _MOST_TEXT else value[: 10 * _MOST_TEXT] + "…"
    return short(value, 10 * _MOST_TEXT)


def _is_before(neighbour: TracedRecord, crash: Crash) -> bool:
    own, other = crash.location, neighbour.location
    if own is None or own.position is None or other.position is None:
        return False
    return (other.partition or 0, other.position) < (own.partition or 0, own.position)


def _frames(error: Raised) -> Sequence[str]:
    """The lines of a traceback that name places."""
    lines = [line.strip() for line in error.traceback.splitlines()]
    return [line for line in lines if line.startswith('File "')][-3:]


def _one_line(text: str) -> str:
    line = text.strip().partition("\n")[0]
    return line if len(line) <= _MOST_TEXT else line[: _MOST_TEXT - 1] + "…"
