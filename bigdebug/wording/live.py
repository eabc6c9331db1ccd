"""What live features of a run leave in its folder and tell over its socket, as data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bigdebug.breakpoints.channel.values import Shown, heard
from bigdebug.breakpoints.watch.slow import took_text
from bigdebug.lineage.errors import UnreachableError
from bigdebug.lineage.store import StoredRun
from bigdebug.lineage.value_text import json_value


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


def shown(record: dict[str, Any]) -> Any:
    """What of a record that a watchpoint caught is shown: its value, and what a function took over it."""
    value = plain(record["value"])
    if "seconds" not in record:
        return value
    return {"took": took_text(record["seconds"], running=record["running"]), "given": value}


def _texts(value: Any) -> Any:
    if isinstance(value, Shown):
        return value.text
    if isinstance(value, dict):
        return {key: _texts(each) for key, each in value.items()}
    return value
