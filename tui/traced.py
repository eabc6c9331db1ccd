"""What a trace has at each place of its way, fetched for the screen. On the engine's thread, but for indexes."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from bigdebug.lineage.callsite import CallSite
from bigdebug.lineage.errors import DamagedIndexError
from bigdebug.lineage.location import TracedRecord
from bigdebug.lineage.output import Output
from bigdebug.lineage.store import StoredRun
from bigdebug.tui.engine import Engine, Work
from bigdebug.tui.pages import Field, rows_of

SHOWN = 1_000
"""Records of a place that are fetched."""


@dataclass(frozen=True)
class Place:
    """A line of the way.

    Attributes:
        kind: `rows`, where the trace begins, `step` or `source`; of a forward trace a `source` is an output.
        name: the operator's or the source's.
        call_site: its place in the user's code.
        count: how many of its rows or records are on the trace.
        columns, deciding: of a source: columns whose values reached the rows, and those that only decided.
        of: its format, of a source.
        own: the trace's own step, whose records can be asked for.
        earlier: the run that a source belongs to, where the trace went on through what that run wrote.
        trace: that the place is on.
    """

    kind: str
    name: str
    call_site: CallSite | None
    count: int
    columns: Sequence[str] = ()
    deciding: Sequence[str] = ()
    of: str = ""
    own: Any = field(default=None, compare=False, repr=False)
    earlier: str | None = None
    trace: Any = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Way:
    """A trace, fetched.

    Attributes:
        trace: the trace itself; None of several in one.
        matched: how many rows it begins from.
        exact: whether it holds just the records that the rows came from.
        notes: why not, and what else there is to know.
        places: from the rows to the sources.
    """

    trace: Any
    matched: int
    exact: bool
    notes: Sequence[str]
    places: Sequence[Place]


@dataclass(frozen=True)
class Records:
    """Records of a place.

    Attributes:
        fields: their columns.
        rows: their values.
        records: the same with their places in files, of a source.
    """

    fields: Sequence[Field]
    rows: Sequence[Sequence[Any]]
    records: Sequence[TracedRecord] = ()


def backward(engine: Engine, run: StoredRun, output: Output, where: str, work: Work) -> Way:
    """A trace of rows back to the sources, from the output's index where that will do.

    Raises:
        BigDebugError: it can't be told; says why.
    """
    notes: Sequence[str] = ()
    if run.indexed(output.number):
        try:
            found = _from_index(run, output, where, work)
        except DamagedIndexError as error:
            notes = (f"{error.message}; bigdebug index {run.run_id} {output.number} makes it anew",)
        else:
            if found is not None:
                return found
    asked = engine.open(run, output, work)
    way = fetched(asked.replay.trace(where), f"output {output.number}", output.call_site, work)
    return replace(way, notes=(*way.notes, *notes))


def forward(engine: Engine, run: StoredRun, output: Output, where: str, source: str, work: Work) -> Way:
    """A trace of a source's records to the output's rows."""
    asked = engine.open(run, output, work)
    trace = asked.replay.forward(where, source)
    return fetched(trace, source, None, work)


def _from_index(run: StoredRun, output: Output, where: str, work: Work) -> Way | None:
    from bigdebug.lineage.index.conditions import NeedsSparkError  # loads pyarrow
    from bigdebug.lineage.index.reading import open_index
    from bigdebug.lineage.rdd.index.reading import open_rdd_index

    work.say("Reading the index")
    index: Any = open_rdd_index(run.tables, output.number) or open_index(run.tables, output.number)
    if index is None:
        return None
    try:
        trace = index.trace(where)
    except NeedsSparkError:
        return None
    return fetched(trace, f"output {output.number}", output.call_site, work)


def fetched(trace: Any, start: str, call_site: CallSite | None, work: Work) -> Way:
    """A trace with all that its screen shows of it at first."""
    work.say("Finding the rows")
    matched = trace.matched
    places = [Place("rows", start, call_site, matched)]
    if matched:
        work.say("Following them")
        sources = trace.sources
        places += [
            Place("step", each.operator, each.call_site, each.count, own=each, trace=trace)
            for each in trace.steps
        ]
        places += [
            Place(
                "source",
                each.name,
                each.call_site,
                each.count,
                each.columns,
                each.deciding_columns,
                each.kind,
                earlier=each.run,
                trace=trace,
            )
            for each in sources
        ]
    work.say("Judging how sure that is")
    return Way(trace, matched, trace.exact, tuple(trace.notes), places)


def together(ways: Sequence[Way]) -> Way:
    """Several traces as one way, one below the other."""
    notes = tuple(dict.fromkeys(note for way in ways for note in way.notes))
    places = [place for way in ways for place in way.places]
    return Way(None, sum(way.matched for way in ways), all(way.exact for way in ways), notes, places)


def records_at(place: Place, work: Work) -> Records:
    """Records of a place of a trace.

    Raises:
        BigDebugError: they can't be computed; says why.
    """
    work.say(f"Fetching records of {place.name}")
    if place.kind == "source":
        found = place.trace.collect_source(place.name, SHOWN)
        return of_records(found, place)
    if place.own is None or getattr(place.own, "_records", True) is None:
        return Records((), ())
    data = place.own.records()
    if not hasattr(data, "schema"):
        return Records([Field("value", "")], [[each] for each in data.take(SHOWN)])
    from bigdebug.tui.spark_rows import fields_of, storable

    return Records(fields_of(data), rows_of(storable(data).limit(SHOWN).toArrow()))


def of_records(found: Sequence[TracedRecord], place: Place | None = None) -> Records:
    """Source records as a table: where each stands, and its columns, those first that reached the rows."""
    values = [each.cells for each in found]
    names: dict[str, None] = {}
    for value in values:
        names |= dict.fromkeys(value)
    files = {each.location.file for each in found}
    fields = [Field("file", "")] if len(files) > 1 else []
    fields.append(Field("position", "bigint"))
    fields += [Field(name, kind_of(values, name)) for name in names]
    rows = []
    for record, value in zip(found, values, strict=True):
        location = record.location
        row: list[Any] = [(location.file or "").rpartition("/")[2]] if len(files) > 1 else []
        position: Any = location.position
        if location.partition is not None and position is not None:
            position = f"{location.partition}:{position}"
        row.append("-" if position is None else position)
        rows.append([*row, *(value.get(name) for name in names)])
    return Records(fields, rows, list(found))


def kind_of(values: Sequence[dict[str, Any]], name: str) -> str:
    """A Spark type that a column's values may be of, by how Python has them."""
    value = next((each[name] for each in values if each.get(name) is not None), None)
    for kind, told in (
        (bool, "boolean"),
        (int, "bigint"),
        (float, "double"),
        (Decimal, "decimal"),
        (datetime.datetime, "timestamp"),
        (datetime.date, "date"),
        (str, "string"),
        (bytes | bytearray, "binary"),
    ):
        if isinstance(value, kind):
            return told
    return ""
