"""Which record each task of a guard by time is at, where its function takes long over it."""

from __future__ import annotations

import json
import threading
from typing import Any

from bigdebug.breakpoints.channel.values import heard


class Busy:
    """Records that functions are busy with. Thread safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._records: dict[int, dict[str, Any]] = {}

    def told(self, attempt: int, body: bytes) -> None:
        """A task tells of a record.

        Args:
            attempt: Spark's number of the task.
            body: the record as `catching` tells it.
        """
        record = json.loads(body)
        with self._lock:
            if record.get("running"):
                self._records[attempt] = record
            elif self._records.get(attempt, {}).get("record") == record["record"]:
                del self._records[attempt]

    def ended(self, attempt: int) -> None:
        """A task is over."""
        with self._lock:
            self._records.pop(attempt, None)

    def records(self) -> dict[int, Any]:
        """By task, the record that its function is busy with."""
        with self._lock:
            return {attempt: heard(record["value"]) for attempt, record in self._records.items()}
