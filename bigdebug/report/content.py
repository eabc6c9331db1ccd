"""All that a report tells of a run, as plain data: gathered here, redacted next, drawn last."""

import datetime
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bigdebug.breakpoints.channel.values import heard
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.store import StoredRun
from bigdebug.lineage.value_text import json_value

Content = dict[str, Any]

# By what tells the answers of the commands apart, in their JSON: a key that no other kind has.
_KINDS = {
    "sources": "traces",
    "culprits": "isolations",
    "dropped": "why_nots",
    "skewed": "skews",
    "application": "advice",
}
ANSWERS = tuple(_KINDS.values())


def content_of(run: StoredRun) -> Content:
    """What the store has of a run. Opens no recipe and starts no Spark.

    Returns:
        A dict that JSON can hold: the run's head, `outputs`, `operators`, `crashes`, `watchpoints`, and an empty list
        for each kind of answer.
    """
    return {
        "run": run.run_id,
        "name": run.name,
        "argv": list(run.argv),
        "status": run.status,
        "problem": run.problem,
        "started": _moment(run.started),
        "seconds": None if run.ended is None else max(run.ended - run.started, 0.0),
        "versions": {name: str(version) for name, version in run.versions.items()},
        "redact": list(run.redact),
        "outputs": [asdict(output) | {"indexed": run.indexed(output.number)} for output in run.outputs],
        "operators": [asdict(node) for _, node in sorted(run.nodes.items())],
        "crashes": [asdict(crash) for crash in run.crashes],
        "watchpoints": _watchpoints(run),
        "notes": [],
    } | {kind: [] for kind in ANSWERS}


def add_answer(content: Content, answer: Content) -> None:
    """Put what a command printed with `--json` where the report tells of such.

    Raises:
        BigDebugError: it is of no kind that a report shows, or of another run.
    """
    kind = next((place for key, place in _KINDS.items() if key in answer), None)
    if kind is None:
        raise BigDebugError(
            "this isn't an answer that a report can show",
            hint="it takes what trace, isolate, why-not, skew and advise print with --json",
        )
    of = answer.get("run")
    if of is not None and of != content["run"]:
        raise BigDebugError(
            f"the answer is about the run {of}, not about {content['run']}", hint="report that run"
        )
    content[kind].append(answer)


def read_answer(path: Path) -> Content:
    """A file that a command's `--json` was written to.

    Raises:
        BigDebugError: there is none, or it holds something else.
    """
    try:
        answer = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise BigDebugError(f"{path} can't be read: {error.strerror or error}", hint="name a file") from error
    except ValueError as error:
        raise BigDebugError(f"{path} holds no JSON", hint="write it with --json > FILE") from error
    if not isinstance(answer, dict):
        raise BigDebugError(f"{path} holds no answer of a command", hint="write it with --json > FILE")
    return answer


def _watchpoints(run: StoredRun) -> list[Content]:
    """What watchpoints caught, of a store on this machine; what can't be read is left out."""
    folder = run.place
    if folder is None:
        return []
    found = []
    for path in sorted((folder / "captures").glob("watch-*.json")):
        try:
            described = json.loads(path.read_text("ascii"))
            described["records"] = [
                each | {"value": json_value(heard(each["value"]))} for each in described["records"]
            ]
        except (OSError, ValueError, KeyError, TypeError):
            continue
        found.append(described)
    return sorted(found, key=lambda each: int(each.get("number", 0)))


def _moment(seconds: float) -> str:
    """In local time, with its offset: a report is read elsewhere and later."""
    return datetime.datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S %z")
