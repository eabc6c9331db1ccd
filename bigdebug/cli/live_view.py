"""What `break` and `watch` share: reaching the run, and records in a table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from bigdebug.breakpoints.channel.values import Shown, heard
from bigdebug.cli.rendering import a_table, add_column, show_line, show_table
from bigdebug.lineage.errors import UnreachableError
from bigdebug.lineage.store import StoredRun
from bigdebug.wording.values import json_value, text_value


def folder_of(run: StoredRun) -> Path:
    """The run's folder.

    Raises:
        UnreachableError: it isn't on this machine.
    """
    if run.place is None:
        raise UnreachableError(
            f"the run {run.run_id} lies in {run.store}: its program can't be reached from here",
            hint="record to a local folder: bigdebug run --store FOLDER",
        )
    return run.place


def captured(run: StoredRun, pattern: str) -> list[Any]:
    """What the run's live features left in the store, by name of the file."""
    folder = folder_of(run) / "captures"
    found = []
    for path in sorted(folder.glob(pattern), key=lambda each: (len(each.name), each.name)):
        try:
            found.append(json.loads(path.read_bytes()))
        except (OSError, ValueError):
            continue  # cut short; the next look may find it whole
    return found


def plain(data: Any) -> Any:
    """A value as a worker told it, as JSON has it."""
    value = heard(data)
    return value.text if isinstance(value, Shown) else json_value(_texts(value))


def _texts(value: Any) -> Any:
    if isinstance(value, Shown):
        return value.text
    if isinstance(value, dict):
        return {key: _texts(each) for key, each in value.items()}
    return value


def show_records(console: Console, values: Sequence[Any]) -> None:
    """Print records: those of rows by their columns, others one a line."""
    if not values:
        return
    columns = list(values[0]) if all(isinstance(each, dict) for each in values) else []
    if not columns or any(list(each) != columns for each in values):
        for each in values:
            show_line(console, f"  {text_value(each)}")
        return
    table = a_table()
    for column in columns:
        add_column(table, text_value(column))
    for each in values:
        table.add_row(*(text_value(each[column]) for column in columns))
    show_table(console, table)
