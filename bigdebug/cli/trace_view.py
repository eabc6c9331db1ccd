"""A trace's answer, for people and for programs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bigdebug.cli.record_view import marks, show_records
from bigdebug.cli.rendering import a_table, add_column, room_beside, shortened, show_line, show_table
from bigdebug.lineage.callsite import CallSite
from bigdebug.lineage.location import TracedRecord
from bigdebug.lineage.output import Output
from bigdebug.lineage.store import StoredRun
from bigdebug.lineage.value_text import json_value, visible
from bigdebug.wording.quantities import plural

_LEAST_CODE = 20


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
        columns: those whose values reached the rows.
        deciding_columns: those that only decided which records took part.
        run: the earlier run whose source it is; None for the run asked about.
        output: the output of that run that the trace went on through.
    """

    name: str
    kind: str
    call_site: CallSite | None
    count: int
    files: Sequence[str]
    records: Sequence[TracedRecord]
    columns: Sequence[str] = ()
    deciding_columns: Sequence[str] = ()
    run: str | None = None
    output: int | None = None


@dataclass(frozen=True)
class TracedStep:
    """What is shown of an operator on the way.

    Attributes:
        operator: its name.
        call_site: where the user asks for it.
        count: how many of its rows are on the trace.
        code: the user's line that asks for it.
    """

    operator: str
    call_site: CallSite | None
    count: int
    code: str = ""


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
        start: of a forward trace the source it starts from.
        column: the output's that the sources' columns are told for; None for all.
    """

    run: StoredRun
    output: Output
    where: str
    matched: int
    exact: bool
    notes: Sequence[str]
    sources: Sequence[TracedSource]
    steps: Sequence[TracedStep]
    start: str | None = None
    column: str | None = None


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
                "columns": list(source.columns),
                "deciding_columns": list(source.deciding_columns),
                "records": [_record_json(record) for record in source.records],
            }
            | ({"run": source.run, "output": source.output} if source.run else {})
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
    name = f"output {output.number} ({output.target or output.action}{at})"
    what = f"{plural(answer.matched, 'row')} of {name}"
    if answer.start:
        what = f"{plural(answer.matched, 'record')} of {visible(answer.start)}"
    show_line(console, Text(f"{what} where {visible(answer.where)}", style="bold"))
    _show_notes(console, answer)
    if answer.steps:
        console.print()
        _show_steps(console, list(_folded(answer.steps)))
    for source in answer.sources:
        _show_source(console, source)
    _show_legend(console, answer)


def _show_steps(console: Console, steps: Sequence[tuple[str, TracedStep]]) -> None:
    """The operators by Spark's names, and beside them, where a line has room, the user's own words for them."""
    table = _steps(steps, [])
    codes = [visible(step.code) for _, step in steps]
    width = room_beside(console, table)
    if any(codes) and width >= _LEAST_CODE:
        table = _steps(steps, [shortened(code, width) for code in codes])
    show_table(console, table)


def _steps(steps: Sequence[tuple[str, TracedStep]], codes: Sequence[str]) -> Table:
    table = a_table()
    add_column(table, "on the way")
    add_column(table, "at", whole=True)
    add_column(table, "rows", right=True, whole=True)
    if codes:
        add_column(table, "code", whole=True)
    for row, (names, step) in enumerate(steps):
        at = step.call_site.label if step.call_site else ""
        table.add_row(names, at, f"{step.count:,}", *codes[row : row + 1])
    return table


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
    counted = plural(source.count, "row" if source.kind == "output" else "record")
    if len(source.records) < source.count:
        counted += f", the first {len(source.records):,} shown" if source.records else ", none shown"
        counted += " (more with --limit)"
    console.print()
    show_line(console, Text(visible(source.name), style="bold"), f": {counted}")
    at = source.call_site.label if source.call_site else ""
    if source.kind == "output":
        show_line(console, f"made at {at}" if at else "")
    else:
        by = f" in output {source.output} of the earlier run {source.run}" if source.run else ""
        show_line(console, f"{source.kind}, read at {at}{by}" if at else f"{source.kind}{by}")
    show_records(console, source.records, source.files, source.columns, source.deciding_columns)


def _show_legend(console: Console, answer: TraceAnswer) -> None:
    """What the marks say, for those that stand above."""
    shown = [source for source in answer.sources if source.records]
    reached, decided = marks(console)
    says = []
    if any(source.columns for source in shown):
        rows = f"the {'row' if answer.matched == 1 else 'rows'}"
        says.append(f"{reached} its values reached {visible(answer.column) if answer.column else rows}")
    if any(source.deciding_columns for source in shown):
        says.append(f"{decided} it only decided which records took part")
    if says:
        console.print()
        show_line(console, Text("   ".join(says), style="italic"))
