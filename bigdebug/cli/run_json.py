"""Runs, outputs and operators as the commands print them with `--json`."""

import datetime
from dataclasses import asdict
from typing import Any

from bigdebug.lineage.dataflow import Node
from bigdebug.lineage.output import Output
from bigdebug.lineage.store import StoredRun


def json_time(seconds: float | None) -> str | None:
    """A point in time in UTC, ISO 8601."""
    if seconds is None:
        return None
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat(timespec="milliseconds")


def run_head(run: StoredRun) -> dict[str, Any]:
    """What both `runs` and `show` tell of a run."""
    return {
        "run": run.run_id,
        "name": run.name,
        "argv": list(run.argv),
        "status": run.status,
        "started": json_time(run.started),
        "ended": json_time(run.ended),
        "seconds": None if run.ended is None else round(max(run.ended - run.started, 0.0), 3),
        "problem": run.problem,
    }


def output_json(output: Output) -> dict[str, Any]:
    """An output, without what only replays need."""
    content = asdict(output)
    del content["run_id"], content["content_hash"], content["location"]
    return content | {"started": json_time(output.started)}


def operator_json(node: Node) -> dict[str, Any]:
    """An operator."""
    return asdict(node) | {"parents": list(node.parents), "paths": list(node.paths)}
