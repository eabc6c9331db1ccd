"""A trace's answer, for people and for programs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from rich.console import Console
from rich.text import Text

from bigdebug.cli.record_view import show_records
from bigdebug.cli.rendering import a_table, add_column, plural, show_line, show_table
from bigdebug.cli.values import json_value, visible
from bigdebug.lineage.callsite import CallSite
from bigdebug.lineage.location import TracedRecord
from bigdebug.lineage.output import Output
from bigdebug.lineage.store import StoredRun


@dataclass(frozen=True)
class TracedSource:
    """What is shown of a source.

    Attributes:
        name: of the source.
        kind: `csv`, `parquet`, ….
        call_site: where the user reads it.
        count: how many of its records are on the trace.
        files: those that these stand in.
        records: the first of them.
    """

    name: str
    kind: str
    call_site: CallSite | None
    count: int
    files: Sequence[str]
    records: Sequence[TracedRecord]


@dataclass(frozen=True)
class TracedStep:
    """What is shown of an operator on the way.

    Attributes:
        operator: its name.
        call_site: where the user asks for it.
        count: how many of its rows are on the trace.
    """

    operator: str
    call_site: CallSite | None
    count: int


@dataclass(frozen=True)
class TraceAnswer:
    """All that is shown of a trace, fetched.

    Attributes:
        run: the run asked about.
        output: its output.
        where: which rows of it.
        matched: how many they are.
        exact: whether the records are told for sure.
        notes: why not, and what else there is to know.
        sources: those asked for.
        steps: on the way.
    """

    run: StoredRun
    output: Output
    where: str
    matched: int
    exact: bool
    notes: Sequence[str]
    sources: Sequence[TracedSource]
    steps: Sequence[TracedStep]


def trace_json(answer: TraceAnswer) -> dict[str, Any]:
    """The JSON of `bigdebug trace`."""
    return {
        "run": answer.run.run_id,
        "output": answer.output.number,
        "where": answer.where,
        "matched": answer.matched,
        "exact": answer.exact,
        "notes": list(answer.notes),
        "sources": [
            {
                "name": source.name,
                "kind": source.kind,
                "files": list(source.files),
                "count": source.count,
                "records": [_record_json(record) for record in source.records],
            }
            for source in answer.sources
        ],
    }


def _record_json(record: TracedRecord) -> dict[str, Any]:
    return {
        "file": record.location.file,
        "position": record.location.position,
        "partition": record.location.partition,
        "value": json_value(record.value),
    }


def show_trace(console: Console, answer: TraceAnswer) -> None:
    """Print what matched, the way back, and the records of each source."""
    output = answer.output
    at = f", {output.call_site.label}" if output.call_site else ""
    what = f"{plural(answer.matched, 'row')} of output {output.number} ({output.target or output.action}{at})"
    show_line(console, Text(f"{what} where {visible(answer.where)}", style="bold"))
    _show_notes(console, answer)
    if answer.steps:
        console.print()
        table = a_table()
        add_column(table, "on the way")
        add_column(table, "at", whole=True)
        add_column(table, "rows", right=True, whole=True)
        for names, step in _folded(answer.steps):
            table.add_row(names, step.call_site.label if step.call_site else "", f"{step.count:,}")
        show_table(console, table)
    for source in answer.sources:
        _show_source(console, source)


def _folded(steps: Sequence[TracedStep]) -> Iterator[tuple[str, TracedStep]]:
    """Neighbours of one line and one count, as one: a SQL text stands for many operators."""
    for _, alike in groupby(steps, key=lambda step: (step.call_site, step.count)):
        run = list(alike)
        names = [(name, len(list(same))) for name, same in groupby(step.operator for step in run)]
        yield ", ".join(f"{name} x{count}" if count > 1 else name for name, count in names), run[0]


def _show_notes(console: Console, answer: TraceAnswer) -> None:
    if not answer.exact:
        warning = "inexact: the records below may not be just those the rows came from"
        show_line(console, Text(warning, "yellow"))
    for note in answer.notes:
        show_line(console, f"{'note: ' if answer.exact else '  - '}{visible(note)}")


def _show_source(console: Console, source: TracedSource) -> None:
    counted = plural(source.count, "record")
    if len(source.records) < source.count:
        counted += f", the first {len(source.records):,} shown" if source.records else ", none shown"
        counted += " (more with --limit)"
    console.print()
    show_line(console, Text(visible(source.name), style="bold"), f": {counted}")
    at = f", read at {source.call_site.label}" if source.call_site else ""
    show_line(console, f"{source.kind}{at}")
    show_records(console, source.records, source.files)
