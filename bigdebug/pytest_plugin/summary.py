"""All failures of a test run in one place: at its end on the terminal, and in a file for CI."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_MOST_RECORDS = 3


def summarize(terminal: Any, reports: Sequence[Any]) -> None:
    """Print a few lines for each failing test: the records to blame, what they share, the command to go on with.

    Args:
        terminal: pytest's reporter.
        reports: of failed phases that we know something of.
    """
    if not reports:
        return
    terminal.section("bigdebug: culprits")
    for told in map(_told, reports):
        terminal.line(f"{told['test']}: {told['headline']}", bold=True)
        records = told["records"]
        for each in records[:_MOST_RECORDS]:
            terminal.line(f"  {each}")
        if len(records) > _MOST_RECORDS:
            terminal.line(f"  … and {len(records) - _MOST_RECORDS:,} more")
        for pattern in told["patterns"][:1]:
            terminal.line(f"  they share: {pattern}")
        if told["command"] is not None:
            terminal.line(f"  {told['command']}")


def write_report(path: Path, reports: Sequence[Any]) -> None:
    """Write a file that tells all failures, as JSON or as Markdown by its name.

    Args:
        path: of the file; one that is there is written anew.
        reports: of failed phases that we know something of.
    """
    failures = list(map(_told, reports))
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".json":
        path.write_text(json.dumps({"failures": failures}, indent=2) + "\n", encoding="utf-8")
    else:
        path.write_text(_markdown(failures), encoding="utf-8")


def _markdown(failures: Sequence[dict[str, Any]]) -> str:
    parts = ["# The records behind failing tests\n"]
    if not failures:
        parts.append("No test of a dataflow failed.\n")
    for told in failures:
        lines = [f"## `{told['test']}`", "", told["headline"], ""]
        lines += [f"- `{each}`" for each in told["records"]]
        lines += ["", *(f"They share: `{each}`  " for each in told["patterns"])]
        if told["command"] is not None:
            lines += ["", f"Open the run: `{told['command']}`"]
        parts.append("\n".join(lines).rstrip() + "\n")
    return "\n".join(parts)


def _told(report: Any) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(report.bigdebug)
    return told
