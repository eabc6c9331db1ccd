"""Lopsided shuffles, for people and for programs."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from bigdebug.cli.rendering import a_table, add_column, show_line, show_table
from bigdebug.lineage.output import Output
from bigdebug.lineage.store import StoredRun
from bigdebug.lineage.value_text import json_value, text_value, visible
from bigdebug.wording.code_line import code_line
from bigdebug.wording.quantities import duration, plural, size

if TYPE_CHECKING:
    from bigdebug.skew.finding import Distribution, Finding, HotKey
    from bigdebug.skew.hot_trace import KeyTrace
    from bigdebug.skew.report import SkewReport
    from bigdebug.skew.what_if import Change, Foretold

_STYLES = {"low": "yellow", "moderate": "yellow", "severe": "red", "critical": "bold red"}


@dataclass(frozen=True)
class SkewAnswer:
    """All that is shown, fetched.

    Attributes:
        run: the run asked about.
        output: its output.
        report: what was found.
        change: that was to be tried, if any.
        foretold: what it comes to, by finding.
        traces: where hot keys come from, by number of the finding; none where that wasn't asked.
        everything: show shuffles that are even, too.
    """

    run: StoredRun
    output: Output
    report: "SkewReport"
    change: "Change | None"
    foretold: "Sequence[Foretold] | None"
    traces: "Mapping[int, Sequence[KeyTrace]]"
    everything: bool


# -- for programs -----------------------------------------------------------------------------------


def skew_json(answer: SkewAnswer) -> dict[str, Any]:
    """The JSON of `bigdebug skew`."""
    report = answer.report
    return {
        "run": answer.run.run_id,
        "output": answer.output.number,
        "skewed": len(report.skewed),
        "seconds": round(report.seconds, 3),
        "notes": list(report.notes),
        "thresholds": asdict(report.thresholds),
        "findings": [_finding_json(answer, each) for each in report.findings],
        "what_if": None
        if answer.foretold is None
        else {"change": str(answer.change), "findings": [_foretold_json(each) for each in answer.foretold]},
    }


def _finding_json(answer: SkewAnswer, finding: "Finding") -> dict[str, Any]:
    return {
        "number": finding.number,
        "operator": finding.operator,
        "call_site": None if finding.call_site is None else asdict(finding.call_site),
        "keys": list(finding.keys),
        "join": finding.join or None,
        "strategy": finding.strategy or None,
        "severity": finding.severity,
        "ratio": _finite(finding.ratio),
        "partitions": finding.partitions,
        "records_of_partitions": asdict(finding.records_of_partitions),
        "bytes_of_partitions": asdict(finding.bytes_of_partitions),
        "sides": [asdict(side) for side in finding.sides],
        "largest": [_key_json(key) for key in finding.largest],
        "rows": finding.rows,
        "multiplies": finding.multiplies,
        "seconds_lost": finding.seconds_lost,
        "notes": list(finding.notes),
        "advice": [asdict(each) for each in finding.advice],
        "traces": [_trace_json(each) for each in answer.traces.get(finding.number, ())],
    }


def _key_json(key: "HotKey") -> dict[str, Any]:
    return {
        "key": json_value(dict(key.key)),
        "records": key.records,
        "share": key.share,
        "bytes": key.bytes,
        "bytes_share": key.bytes_share,
        "sides": dict(key.sides),
        "pairs": key.pairs,
        "pairs_share": key.pairs_share,
        "kind": key.kind or None,
        "shuffled": key.shuffled,
        "hot_by": list(key.hot_by),
        "partition": key.partition,
    }


def _trace_json(trace: "KeyTrace") -> dict[str, Any]:
    return {
        "key": json_value(dict(trace.key.key)),
        "sources": [
            {
                "name": each.name,
                "side": each.side,
                "count": each.count,
                "files": [{"file": file, "count": count} for file, count in each.files],
                "patterns": list(each.patterns),
            }
            for each in trace.sources
        ],
    }


def _foretold_json(foretold: "Foretold") -> dict[str, Any]:
    return {
        "number": foretold.finding.number,
        "applies": foretold.applies,
        "partitions": foretold.partitions,
        "records_of_partitions": asdict(foretold.records),
        "bytes_of_partitions": asdict(foretold.bytes),
        "added": foretold.added,
        "seconds_gained": foretold.seconds_gained,
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


# -- for people -------------------------------------------------------------------------------------


def show_skew(console: Console, answer: SkewAnswer) -> None:
    """Print the lopsided shuffles, each with its keys and what to do; then what a change comes to."""
    output, report = answer.output, answer.report
    at = f", {output.call_site.label}" if output.call_site else ""
    name = f"output {output.number} ({output.target or output.action}{at})"
    skewed = report.skewed
    told = f"{len(skewed)} of {plural(len(report), 'shuffle')}" if report.findings else "no shuffle"
    show_line(console, Text(f"{told} of {name} {_is(len(skewed))} lopsided", style="bold"))
    for note in report.notes:
        show_line(console, f"note: {visible(note)}")
    for finding in report.findings if answer.everything else skewed:
        console.print()
        _show_finding(console, answer, finding)
    if answer.foretold is not None:
        console.print()
        _show_foretold(console, answer, answer.foretold)


def _is(count: int) -> str:
    return "is" if count == 1 else "are"


def _show_finding(console: Console, answer: SkewAnswer, finding: "Finding") -> None:
    at = f" at {finding.call_site.label}" if finding.call_site else ""
    by = f" by {', '.join(finding.keys)}" if finding.keys else ""
    what = f"{finding.join} {finding.operator}" if finding.join else finding.operator
    style = _STYLES.get(finding.severity, "")
    show_line(
        console,
        Text(f"{finding.number}. {visible(what + by)}{at}", "bold"),
        "  ",
        Text(finding.severity, style),
    )
    code = code_line(finding.call_site, answer.run.nodes.values())
    if code:
        show_line(console, Text(f"   {visible(code)}", "dim"))
    table = a_table()
    for title, right in (("", False), ("records", True), ("bytes", True), ("keys", True)):
        add_column(table, title, right=right)
    for title in ("median partition", "longest", "ratio"):
        add_column(table, title, right=True)
    for side in finding.sides:
        spread = side.records_of_partitions
        table.add_row(
            side.name,
            f"{side.records:,}",
            size(side.bytes),
            f"{side.keys:,}",
            f"{spread.median:,}",
            f"{spread.most:,}",
            _times(spread),
        )
    show_table(console, table)
    if finding.rows is not None and finding.multiplies is not None:
        show_line(console, f"it gives {finding.rows:,} rows, {finding.multiplies:.2f} times its larger side")
    if finding.seconds_lost is not None and finding.seconds_lost >= 0.05:
        show_line(console, f"time lost, estimated: {duration(finding.seconds_lost)}")
    for note in finding.notes:
        show_line(console, f"note: {visible(note)}")
    if finding.largest:
        console.print()
        _show_keys(console, finding)
    for trace in answer.traces.get(finding.number, ()):
        for line in trace.sentences:
            show_line(console, f"  {visible(line)}")
    for advice in finding.advice:
        console.print()
        show_line(console, Text(f"→ {visible(advice.text)}", "green"))
        show_line(console, f"  {visible(advice.evidence)}")
        for line in advice.change.splitlines():
            show_line(console, Text(f"    {visible(line)}", "cyan"))


def _times(spread: "Distribution") -> str:
    return f"{spread.ratio:.1f}"


def _show_keys(console: Console, finding: "Finding") -> None:
    keys = finding.hot_keys or finding.largest[:5]
    table = a_table()
    for name in keys[0].key:
        add_column(table, visible(name))
    add_column(table, "records", right=True)
    add_column(table, "share", right=True)
    add_column(table, "bytes", right=True)
    if finding.join:
        for side in finding.sides:
            add_column(table, side.name, right=True)
        add_column(table, "rows", right=True)
    add_column(table, "")
    missing = [key for key in finding.largest if key.kind == "null" and key not in keys]
    for key in [*keys, *missing]:
        joined = [f"{count:,}" for count in key.sides.values()] + [f"{key.pairs:,}"] if finding.join else []
        word = {"null": "no key", "default": "a default"}.get(key.kind, "")
        marks = [word] if word else []
        marks += [f"hot by {', '.join(key.hot_by)}"] if key.hot else []
        marks += [] if key.shuffled else ["not shuffled"]
        table.add_row(
            *(text_value(value) for value in key.key.values()),
            f"{key.records:,}",
            f"{key.share:.1%}",
            size(key.bytes),
            *joined,
            "; ".join(marks),
        )
    show_table(console, table)


def _show_foretold(console: Console, answer: SkewAnswer, foretold: "Sequence[Foretold]") -> None:
    show_line(console, Text(f"what if {answer.change}", style="bold"))
    table = a_table()
    add_column(table, "")
    add_column(table, "operator")
    for title in ("longest now", "then", "ratio now", "then", "more records", "gained"):
        add_column(table, title, right=True)
    for each in foretold:
        finding = each.finding
        at = f" at {finding.call_site.label}" if finding.call_site else ""
        before = finding.records_of_partitions
        cells = (
            [f"{each.records.most:,}", _times(before), _times(each.records), f"{each.added:,}"]
            if each.applies
            else ["as it is", _times(before), "", ""]
        )
        gained = "" if each.seconds_gained is None else duration(each.seconds_gained)
        table.add_row(f"{finding.number}.", f"{finding.operator}{at}", f"{before.most:,}", *cells, gained)
    show_table(console, table)


def show_next(console: Console, answer: SkewAnswer, place: str) -> None:
    """Print the exact next command to type.

    Args:
        console: where to.
        answer: what was shown.
        place: what a command must add to reach the same store.
    """
    chosen = f"{answer.run.run_id} {answer.output.number}{place}"
    hot = [finding for finding in answer.report.skewed if finding.hot_keys]
    if hot and not answer.traces:
        show_line(console, "\nwhere do the records of hot keys come from?")
        show_line(console, f"  bigdebug skew {chosen} --trace")
    if any(advice.action == "salt" for finding in hot for advice in finding.advice) and answer.change is None:
        show_line(console, "\nwhat would a salt come to?")
        show_line(console, f"  bigdebug skew {chosen} --what-if salt=16")
