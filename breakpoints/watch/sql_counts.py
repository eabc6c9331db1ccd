"""How often a guard in SQL holds, as Spark itself counts it beside the rows of actions."""

from __future__ import annotations

import threading
import time

from bigdebug.breakpoints.watch.frames import DROPPED, Observed

SETTLE_SECONDS = 5.0
"""How long Spark may take, after an action, to tell what it has counted."""


class SqlCounts:
    """What Spark counts for the outputs of a program, and tells when their actions have ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pending: list[tuple[int, Observed, float]] = []
        self._hits: dict[int, int] = {}
        self._errors = 0
        self._notes: dict[str, None] = {}

    def observed(self, output: int, observed: Observed) -> None:
        """Spark counts for an output."""
        with self._lock:
            self._pending.append((output, observed, 0.0))

    def action_ended(self, output: int) -> None:
        """The action of an output has ended: what was counted for it is known soon."""
        now = time.monotonic()
        with self._lock:
            self._pending = [
                (number, each, now if number == output else since) for number, each, since in self._pending
            ]

    @property
    def hits(self) -> dict[int, int]:
        """How many records satisfied the guard, by number of the output."""
        with self._lock:
            return dict(self._hits)

    @property
    def most_hits(self) -> int:
        """The same of the output with the most of them."""
        return max(self.hits.values(), default=0)

    @property
    def errors(self) -> int:
        """For how many records it raised."""
        return self._errors

    @property
    def notes(self) -> list[str]:
        """What wasn't counted."""
        with self._lock:
            return list(self._notes)

    def settle(self) -> None:
        """Take what Spark has counted; waits for what it is about to tell."""
        with self._lock:
            pending = list(self._pending)
        for output, observed, since in pending:
            if not since:
                continue  # its action still runs
            counted = observed.counted()
            while counted is None and time.monotonic() - since < SETTLE_SECONDS:
                time.sleep(0.01)
                counted = observed.counted()
            self._take(output, observed, counted)

    def _take(self, output: int, observed: Observed, counted: tuple[int, int] | None) -> None:
        with self._lock:
            if not any(each is observed for _, each, _ in self._pending):
                return
            self._pending = [each for each in self._pending if each[1] is not observed]
            if counted is None:
                self._notes[f"Spark didn't tell what it counted for output {output}"] = None
            elif counted[0] == DROPPED:
                self._notes[
                    f"Spark dropped what it counted for output {output}, for it found a part of it to be empty"
                ] = None
            else:
                self._hits[output] = self._hits.get(output, 0) + counted[0]
                self._errors += counted[1]
