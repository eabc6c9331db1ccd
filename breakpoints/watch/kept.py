"""The records that the tasks of a watchpoint caught and told of, the first of them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

from bigdebug.breakpoints.channel.values import heard
from bigdebug.breakpoints.watch.counts import Caught
from bigdebug.breakpoints.watch.totals import Key

_Slot = tuple[int, int, int, int]
"""Output, place in it, partition, position: names a record that was caught."""


class Kept:
    """Up to so many records, each once, however often it is told of. Thread safe.

    Args:
        capacity: how many.
        is_row: whether the values are rows.
        trace: traces a record, of its value, what a task told of it, and the number of the guard's place.
    """

    def __init__(
        self, capacity: int, is_row: Callable[[], bool], trace: Callable[[Any, Any, int], Any]
    ) -> None:
        self._capacity = capacity
        self._is_row = is_row
        self._trace = trace
        self._lock = threading.Lock()
        self._records: dict[_Slot, Caught] = {}

    def __len__(self) -> int:
        return len(self._records)

    def records(self) -> list[Caught]:
        """In the order in which they were caught."""
        with self._lock:
            return list(self._records.values())

    def take(self, key: Key, record: bytes) -> bool:
        """Keep what a task tells of a record, if it is one of the first; whether it says anything new."""
        found = json.loads(record)
        slot: _Slot = (*key, found["record"])
        data, seconds = found["value"], found.get("seconds")
        with self._lock:
            known = self._records.get(slot)
            if known is not None and (seconds is None or seconds <= (known.seconds or 0)):
                return False
            if known is None and len(self._records) >= self._capacity:
                return False
            value = heard(data)
            if self._is_row() and hasattr(value, "asDict"):
                value = value.asDict()
            self._records[slot] = Caught(
                value,
                output=key[0],
                partition=key[2],
                position=found["record"],
                seconds=seconds,
                running=bool(found.get("running")),
                how=lambda: self._trace(value, data, key[1]),
            )
        return True
