"""Advice, for people and for programs."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from bigdebug.advice.advising import Advice
from bigdebug.advice.findings import SEVERITIES, Finding
from bigdebug.advice.thresholds import TABLE, Thresholds
from bigdebug.advice.wording import seconds
from bigdebug.cli.rendering import a_table, add_column, show_line, show_table
from bigdebug.cli.run_json import json_time
from bigdebug.lineage.value_text import visible
from bigdebug.wording.quantities import plural, size

_STYLES = ("", "", "yellow", "red", "bold red")


def advice_json(advice: Advice, limits: Thresholds) -> dict[str, Any]:
    """The JSON of `bigdebug advise`."""
    app = advice.app
    return {
        "log": str(advice.log.path),
        "application": {
            "id": app.id,
            "name": app.name,
            "spark": app.spark,
            "status": app.status,
            "started": _time(app.started),
            "ended": _time(app.ended),
            "seconds": app.milliseconds / 1000,
            "cores": app.cores,
            "executors": len(app.executors),
            "jobs": len(app.jobs),
            "stages": sum(stage.submitted is not None for stage in app.stages.values()),
            "tasks": sum(stage.done for stage in app.stages.values()),
            "failed_tasks": sum(stage.failed_tasks for stage in app.stages.values()),
        },
        "findings": [_finding_json(finding) for finding in advice.findings],
        "notes": advice.notes,
        "thresholds": limits.as_json(),
    }


def _time(milliseconds: int | None) -> str | None:
    try:
        return json_time(None if milliseconds is None else milliseconds / 1000)
    except (ValueError, OverflowError, OSError):  # a damaged log's
        return None


def _finding_json(finding: Finding) -> dict[str, Any]:
    place, stage = finding.place, finding.stage
    return {
        "rule": finding.rule,
        "severity": SEVERITIES[finding.severity],
        "stage": None if stage is None else stage[0],
        "attempt": None if stage is None else stage[1],
        "execution": finding.execution,
        "call_site": None if place is None else {"file": place.file, "line": place.line},
        "evidence": finding.evidence,
        "advice": finding.advice,
        "figures": finding.figures,
        "seconds": None if finding.seconds is None else round(finding.seconds, 3),
    }


def show_advice(console: Console, messages: Console, advice: Advice) -> None:
    """Print the application in a line, then what was found, the worst first, each with what to do."""
    app = advice.app
    tasks = sum(stage.done + stage.failed_tasks for stage in app.stages.values())
    told = [
        f"{visible(app.name)} ({app.id or 'no id'}), Spark {app.spark or 'of an unknown version'}: {app.status}",
        f"{seconds(app.milliseconds / 1000)} on {plural(app.cores, 'core')}",
        plural(len(app.jobs), "job"),
        plural(tasks, "task"),
    ]
    show_line(console, ", ".join(told))
    if not advice.findings:
        show_line(console, "\nnothing to be said against it")
    else:
        _show_findings(console, advice.findings)
    for note in advice.notes:
        show_line(messages, f"\nnote: {visible(note)}")


def _show_findings(console: Console, findings: Sequence[Finding]) -> None:
    table = a_table()
    add_column(table, "severity", whole=True)
    add_column(table, "rule", whole=True)
    add_column(table, "stage", right=True, whole=True)
    add_column(table, "at", whole=True)
    add_column(table, "what was seen, and → what to do")
    for finding in findings:
        cell = Text(visible(finding.evidence))
        cell.append(f"\n→ {finding.advice}", style="dim")
        table.add_row(
            Text(SEVERITIES[finding.severity], style=_STYLES[finding.severity]),
            finding.rule,
            "" if finding.stage is None else _stage_name(finding.stage),
            Text("" if finding.place is None else visible(finding.place.label), style="cyan"),
            cell,
        )
    show_line(console, "")
    show_table(console, table)


def _stage_name(stage: tuple[int, int]) -> str:
    return f"{stage[0]}.{stage[1]}" if stage[1] else str(stage[0])


def show_thresholds(console: Console, limits: Thresholds) -> None:
    """Print the one table of numbers."""
    values = limits.as_json()
    table = a_table()
    add_column(table, "name", whole=True)
    add_column(table, "values", whole=True)
    add_column(table, "what is held against them")
    add_column(table, "source")
    for threshold in TABLE:
        told = ", ".join(_amount(value, threshold.unit) for value in values[threshold.name])
        table.add_row(threshold.name, told, threshold.meaning, threshold.source)
    show_table(console, table)


def _amount(value: float, unit: str) -> str:
    if unit == "bytes":
        return size(value)
    return f"{value:g} s" if unit == "seconds" else f"{value:g}"
