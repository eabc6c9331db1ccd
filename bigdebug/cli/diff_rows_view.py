"""Rows that aren't the same in two runs, and the records behind them, for people."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from bigdebug.cli.diff_answer import Missing, TracedPair
from bigdebug.cli.record_view import show_records
from bigdebug.cli.rendering import a_table, add_column, fits, show_line, show_table
from bigdebug.lineage.location import TracedRecord
from bigdebug.lineage.value_text import text_value, visible
from bigdebug.wording.quantities import plural

if TYPE_CHECKING:
    from bigdebug.lineage.rowdiff import RowDiff, RowPair
    from bigdebug.lineage.tracediff import TracedSourceDiff

_MOST_RECORDS = 5
"""Records of a kind that are shown of each source."""

_DIFFERS = "differs"


def show_rows(console: Console, rows: RowDiff, traced: Sequence[TracedPair]) -> None:
    """Print how many rows are the same, the first that aren't, and what became of the records behind them."""
    by = "as a whole" if rows.paired_by == "whole rows" else f"by {visible(', '.join(rows.key))}"
    if rows.same:
        show_line(console, f"rows: no difference in {plural(rows.first, 'row')}, compared {by}")
        return
    counts = {
        "equal": rows.equal,
        "differ": rows.differing,
        "only in the first": rows.only_first,
        "only in the second": rows.only_second,
    }
    told = ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)
    total = plural(rows.first, "row")
    total += " in both" if rows.first == rows.second else f", then {rows.second:,}"
    show_line(console, f"rows: {total}, compared {by}: {told or 'none'}")
    for change in rows.columns:
        types = (
            f"added ({change.second})"
            if change.first is None
            else f"gone ({change.first})"
            if change.second is None
            else f"{change.first}, then {change.second}"
        )
        show_line(console, visible(f"  column {change.name}: {types}"))
    if rows.by_column:
        named = ", ".join(f"{visible(name)} ({count:,})" for name, count in rows.by_column.items())
        show_line(console, f"  columns that differ: {named}")
    totals = {
        _DIFFERS: rows.differing,
        "only in the first": rows.only_first,
        "only in the second": rows.only_second,
    }
    for kind, group in groupby(traced, key=lambda each: each.pair.kind):
        shown = list(group)
        more = f", the first {len(shown):,} shown (more with --limit)" if len(shown) < totals[kind] else ""
        title = "rows that differ" if kind == _DIFFERS else f"rows {kind} run"
        for place, one in enumerate(shown):
            console.print()
            if not place:
                show_line(console, Text(f"{title}: {totals[kind]:,}{more}", style="bold"))
            _show_pair(console, one.pair)
            _show_trace(console, one)


def _show_pair(console: Console, pair: RowPair) -> None:
    first, second = pair.first or {}, pair.second or {}
    names = list(dict.fromkeys((*first, *second)))
    both = pair.kind == _DIFFERS
    table = a_table()
    if both:
        add_column(table, "")
    for name in names:
        add_column(table, visible(name) or '""')
    for which, row in (("first", first), ("second", second)):
        if row:
            cells = [
                Text(_cell(row, name), style="bold yellow" if name in pair.columns else "") for name in names
            ]
            table.add_row(*([which] if both else []), *cells)
    if fits(console, table):
        show_table(console, table)
        return
    upright = a_table()
    for title in ("column", *(["first", "second"] if both else ["value"])):
        add_column(upright, title)
    for name in names:
        cells = [Text(_cell(row, name)) for row in (first, second) if row]
        upright.add_row(visible(name), *cells, style="bold yellow" if name in pair.columns else "")
    show_table(console, upright)


def _cell(row: dict[str, Any], name: str) -> str:
    return text_value(row[name]) if name in row else ""


def _show_trace(console: Console, traced: TracedPair) -> None:
    if traced.problem:
        show_line(console, f"it couldn't be traced: {visible(traced.problem)}")
        return
    if not traced.exact:
        warning = "inexact: the records below may not be just those the row came from"
        show_line(console, Text(warning, "yellow"))
    for source in traced.sources:
        _show_source(console, source, traced)
    if traced.missing:
        _show_missing(console, traced.missing)


def _show_source(console: Console, source: TracedSourceDiff, traced: TracedPair) -> None:
    name = visible(source.name)
    if traced.pair.kind != _DIFFERS:
        count = source.first if source.first is not None else source.second or 0
        show_line(console, f"{name}: {plural(count, 'record')} behind it")
        kept = source.only_first or source.only_second
        _show_some(console, "", kept[:_MOST_RECORDS])
        return
    first, second = source.first, source.second
    if first is None or second is None:
        only = "second" if first is None else "first"
        show_line(console, f"{name}: {plural(first or second or 0, 'record')}, in the {only} run only")
    elif not source.compared:
        show_line(console, f"{name}: {plural(first, 'record')}, then {second:,}; {_why_not_compared(source)}")
    elif not (source.only_first or source.only_second or source.changed):
        moved = f", {source.moved:,} of them in another place" if source.moved else ""
        show_line(console, f"{name}: the same {plural(first, 'record')} in both{moved}")
    else:
        counts = {
            "only in the first": len(source.only_first),
            "only in the second": len(source.only_second),
            "with other values": len(source.changed),
            "in another place": source.moved,
        }
        told = ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)
        then = "in both" if first == second else f"then {second:,}"
        show_line(console, f"{name}: {plural(first, 'record')}, {then}: {told}")
    _show_some(console, "only in the first", source.only_first)
    _show_some(console, "only in the second", source.only_second)
    if source.changed:
        some = source.changed[:_MOST_RECORDS]
        _show_some(console, "as the first run read them", [one for one, _ in some])
        _show_some(console, "as the second run read them", [other for _, other in some])


def _why_not_compared(source: TracedSourceDiff) -> str:
    from bigdebug.lineage.tracediff import MOST_RECORDS

    if max(source.first or 0, source.second or 0) > MOST_RECORDS:
        return "too many to be compared"
    return "not compared, for not all of them can be read any more"


def _show_some(console: Console, title: str, records: Sequence[TracedRecord]) -> None:
    if not records:
        return
    shown = records[:_MOST_RECORDS]
    more = f", the first {len(shown)} shown" if len(shown) < len(records) else ""
    if title:
        show_line(console, Text(f"{title}{more}", style="italic"))
    files = dict.fromkeys(record.location.file for record in records if record.location.file is not None)
    show_records(console, shown, list(files))


def _show_missing(console: Console, missing: Missing) -> None:
    which = f"the {missing.run} run"
    if missing.problem:
        show_line(console, f"why it isn't in {which} can't be told: {visible(missing.problem)}")
        return
    culprit = missing.culprit
    if culprit is None:
        show_line(console, f"in {which} a row like it is there: it isn't told why it counts as missing")
        return
    at = f" at {culprit.call_site.label}" if culprit.call_site else ""
    name = f"{visible(culprit.operator)}{at}"
    if not culprit.rows_in:
        show_line(console, f"not in {which}: {name} has no such record")
    else:
        show_line(console, f"not in {which}: {name} dropped {plural(culprit.rows_in, 'row')}")
    for each in missing.dropped[:1]:
        if each.reasons:
            show_line(console, f"  {visible('; '.join(each.reasons))}")
