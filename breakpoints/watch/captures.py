"""What watchpoints caught, in the store: `captures/watch-N.json`, written on a thread of its own."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

from bigdebug.breakpoints.channel.values import told
from bigdebug.breakpoints.watch.watchpoint import Watchpoint
from bigdebug.lineage.recorder import Recorder

_GATHER_SECONDS = 0.5
"""How long changes are gathered before they are written."""


class Captures:
    """Keeps the store up to date with the watchpoints of a recording. Thread safe.

    Args:
        recorder: whose store it is.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._changed: dict[int, Watchpoint] = {}
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._closed = False
        self._thread: threading.Thread | None = None

    def change(self, watchpoint: Watchpoint) -> None:
        """There is something new to be written."""
        with self._lock:
            self._changed[watchpoint.number] = watchpoint
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._tend, name="bigdebug captures", daemon=True)
                self._thread.start()
        self._wake.set()

    def close(self) -> None:
        """Write what waits."""
        self._closed = True
        self._wake.set()
        self._write()

    def _tend(self) -> None:
        while not self._closed:
            self._wake.wait()
            time.sleep(_GATHER_SECONDS)
            self._wake.clear()
            self._write()

    def _write(self) -> None:
        with self._lock:
            changed, self._changed = self._changed, {}
        for number, watchpoint in changed.items():
            try:
                described = described_watchpoint(watchpoint, redacted=bool(self._recorder.redact))
                self._recorder.put_capture(f"watch-{number}.json", json.dumps(described).encode("ascii"))
            except Exception as error:
                self._recorder.failed(error)


def described_watchpoint(watchpoint: Watchpoint, *, redacted: bool, replay: bool = False) -> dict[str, Any]:
    """A watchpoint as JSON has it, in the store and for a second terminal.

    Args:
        watchpoint: any.
        redacted: leave out what may hold values of columns that mustn't be stored.
        replay: compute again the records that Spark only counted.
    """
    site = watchpoint.call_site
    guard = watchpoint.guard
    python = watchpoint.in_python
    records = watchpoint.records if replay else watchpoint.kept
    return {
        "number": watchpoint.number,
        "operator": watchpoint.operator,
        "call_site": None if site is None else site.label,
        "guard": _guard_text(guard) if not redacted else "…",
        "python": python,
        "active": watchpoint.active,
        "hits": watchpoint.hits,
        "outputs": [{"output": number, "hits": hits} for number, hits in watchpoint.counts.items()],
        "capacity": watchpoint.capacity,
        "truncated": watchpoint.truncated,
        "notes": watchpoint.notes,
        "records": []
        if redacted
        else [
            {
                "output": each.output,
                "partition": each.partition,
                "position": each.position,
                "value": told(each.value),
                **({} if each.seconds is None else {"seconds": each.seconds, "running": each.running}),
            }
            for each in records
        ],
    }


def _guard_text(guard: Any) -> str:
    if isinstance(guard, str):
        return guard
    name = getattr(guard, "__qualname__", None)
    return f"function {name}" if callable(guard) and name else str(guard)
