"""Watchpoints and breakpoints of a run, asked of its live session or read from what it left behind."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from bigdebug.breakpoints.channel.control import ask
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.store import StoredRun
from bigdebug.tui.cells import Cell, Column
from bigdebug.wording.live import captured, folder_of

_ANSWER_SECONDS = 10.0
_LOOK_SECONDS = 600.0
POINTS = (
    Column("", width=1, style="grid--mark"),
    Column("", width=5),
    Column("at", most=24),
    Column("operator", most=20),
    Column("condition", most=50),
    Column("records", right=True),
    Column("", most=40, style="grid--dim"),
)


def kind_of_guard(point: Mapping[str, Any]) -> str:
    """What a watchpoint's guard is, and from when on another one holds."""
    if str(point["guard"]).startswith("Slow("):
        return "limits of time: they take hold at once"
    if point["python"]:
        return "a condition in Python, of a record x: it takes hold at once"
    return "a condition in SQL: it takes hold with the next action"


async def asked_of(run: StoredRun, command: str, seconds: float = _LOOK_SECONDS, **request: Any) -> Any:
    """Have a live session do something, without a standstill here.

    Raises:
        BigDebugError: it couldn't, or isn't there; says why.
    """
    return await asyncio.to_thread(ask, folder_of(run), command, seconds=seconds, **request)


async def answered(run: StoredRun, command: str) -> Any:
    """What a live session answers; nothing where it doesn't have such a thing yet."""
    try:
        return await asked_of(run, command, _ANSWER_SECONDS)
    except BigDebugError as error:
        if "doesn't know the command" in error.message:
            return []
        raise


async def points_of_live(
    run: StoredRun, looked: Mapping[tuple[str, str], dict[str, Any]]
) -> list[dict[str, Any]]:
    """The watchpoints and breakpoints of a program that runs.

    Args:
        run: of the program.
        looked: answers with records that were asked for, by `watch` and number, or by place and condition.

    Raises:
        BigDebugError: the program doesn't answer.
    """
    points = []
    for each in await answered(run, "watch"):
        known = looked.get(("watch", str(each["number"])), {"records": []})
        if known.get("hits") == each["hits"] and len(each["records"]) < len(known["records"]):
            each["records"] = known["records"]
        points.append({**each, "kind": "watch"})
    for each in await answered(run, "break"):
        at = each["at"] or each["call_site"] or ""
        points.append({**each, **looked.get((at, each["when"] or ""), {}), "kind": "break"})
    return points


async def points_of_ended(run: StoredRun, own: Mapping[str, str]) -> list[dict[str, Any]]:
    """The watchpoints and breakpoints that a program left behind, and those that were set here.

    Args:
        run: of the program.
        own: places with the condition of each.
    """

    def read() -> list[dict[str, Any]]:
        watched = [{**each, "kind": "watch"} for each in captured(run, "watch-*.json")]
        set_ = [each for stored in captured(run, "breakpoints.json") for each in stored]
        return [*watched, *({**each, "kind": "break"} for each in set_)]

    points = await asyncio.to_thread(read)
    known = {each.get("at") for each in points}
    more = ({"kind": "break", "at": at, "when": when or None} for at, when in own.items())
    return [*points, *(each for each in more if each["at"] not in known)]


def point_row(point: dict[str, Any]) -> list[str | Cell]:
    """A point as a row of its table."""
    if point["kind"] == "watch":
        kept = len(point["records"])
        said = [] if point["active"] else ["removed"]
        said += [f"{kept} kept"] if kept < point["hits"] else []
        return ["◎", "watch", point["call_site"] or "not reached yet", point["operator"] or "", str(point["guard"]),
                f"{point['hits']:,}", "; ".join([*said, *point["notes"]])]  # fmt: skip
    count = point.get("count")
    reached = "" if point.get("reached", True) is not False else "not reached yet"
    return ["◉", "break", point.get("at") or point.get("call_site") or "", point.get("operator") or "",
            point.get("when") or "", "" if count is None else f"{count:,}", reached]  # fmt: skip
