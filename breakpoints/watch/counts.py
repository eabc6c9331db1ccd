"""What a watchpoint has counted so far, by output: told while tasks run, and for sure when they have ended."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

from bigdebug.breakpoints.watch.slow import took_text
from bigdebug.breakpoints.watch.totals import ERROR, ERRORS, HITS, Entry, Key, weight


@dataclass(frozen=True)
class Caught:
    """A record that a guard held for.

    Attributes:
        value: a dict of its columns, or the element itself; of a kind that isn't Python's own, or a large one, what
            it looks like.
        output: number of the output whose job read it.
        partition: of the watched data; None where Spark itself caught it.
        position: 0-based place in the partition, as it was read.
        seconds: that a function took over it, of one that was caught for that; so far, if it still runs.
        running: the function was still busy with it when it was last heard of.
        how: traces it.
    """

    value: Any
    output: int | None
    partition: int | None = None
    position: int | None = None
    seconds: float | None = None
    running: bool = False
    how: Any = field(default=None, repr=False, compare=False)

    @property
    def took(self) -> str | None:
        """`4 s so far`, of one that was caught for that."""
        return None if self.seconds is None else took_text(self.seconds, running=self.running)

    def trace(self) -> Any:
        """A backward trace of the record; as `Session.trace` gives it."""
        return self.how()


class Counts:
    """Of the tasks of a guard in Python. Thread safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sure: dict[Key, Entry] = {}
        self._so_far: dict[Key, Entry] = {}
        self.error: str | None = None

    def ended(self, totals: dict[Key, Entry]) -> None:
        """Tasks ended well, with these totals."""
        with self._lock:
            for key, entry in totals.items():
                known = self._sure.get(key)
                if known is None or weight(entry) >= weight(known):
                    self._sure[key] = entry
                self.error = self.error or entry[ERROR]

    def told(self, key: Key, entry: Entry) -> None:
        """A task that runs has counted so far."""
        with self._lock:
            known = self._so_far.get(key)
            if known is None or weight(entry) >= weight(known):
                self._so_far[key] = entry
            self.error = self.error or entry[ERROR]

    def hits(self) -> dict[int, int]:
        """By number of the output."""
        return self._summed(HITS)

    def errors(self) -> int:
        """For how many records the guard raised."""
        return sum(self._summed(ERRORS).values())

    def _summed(self, what: int) -> dict[int, int]:
        with self._lock:
            found: dict[int, int] = {}
            for key, entry in {**self._so_far, **self._sure}.items():
                found[key[0]] = found.get(key[0], 0) + entry[what]
            return found
