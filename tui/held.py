"""Records that crashed functions, those that wait for an answer among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bigdebug.lineage.store import StoredRun
from bigdebug.lineage.value_text import text_value


@dataclass(frozen=True)
class Held:
    """A record that crashed a function.

    Attributes:
        state: `waits`, or what became of it.
        at, operator, value, error: as texts.
        kind: the class of the error.
        detail: the traceback, and where the record stands.
        number, index: of the question and of the record in it, where it waits.
    """

    state: str
    at: str
    operator: str
    value: str
    error: str
    kind: str = ""
    detail: str = ""
    number: int | None = None
    index: int = 0


def waiting(questions: Sequence[dict[str, Any]]) -> list[Held]:
    """The records that wait, of a live session's questions about them."""
    return [
        Held(
            "waits", each["call_site"], each["operator"], one["value"], one["error"], one.get("kind", ""),
            one.get("traceback", ""), each["number"], index,
        )
        for each in questions
        for index, one in enumerate(each["records"])
        if one.get("waits", True)
    ]  # fmt: skip


def crashed(run: StoredRun) -> list[Held]:
    """The crashes that a run has recorded."""
    state = {"raise": "crashed", "skip": "skipped", "repair": "mended"}
    found = []
    for crash in run.crashes:
        at = crash.call_site.label if crash.call_site else ""
        kind = state.get(crash.policy, crash.policy)
        for record in crash.records:
            place = record.get("file") or record.get("source") or ""
            where = f"{place}, record {record['position']}\n\n" if record.get("position") is not None else ""
            found.append(
                Held(
                    kind,
                    at,
                    crash.operator,
                    text_value(record.get("value")),
                    str(record.get("error") or "").partition("\n")[0],
                    detail=where + str(record.get("traceback") or record.get("error") or ""),
                )
            )
        if crash.count > len(crash.records):
            more = f"{crash.count - len(crash.records):,} more"
            found.append(Held(kind, at, crash.operator, more, crash.error, detail="\n".join(crash.notes)))
    return found
