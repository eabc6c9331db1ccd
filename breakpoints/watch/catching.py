"""A guard in a task: looks at each record on its way, counts, and tells the driver of the first that it holds for.

The records go on as they are, whatever the guard does. While the task runs, the driver may send another guard.
Travels by value to Spark's Python workers, which need not have bigdebug.
"""

from __future__ import annotations

import json
import pickle
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from bigdebug.breakpoints.channel.link import Address, link_to
from bigdebug.breakpoints.channel.values import text_of, told
from bigdebug.breakpoints.watch.totals import (
    ERROR,
    ERRORS,
    HITS,
    RECORDS,
    SEEN,
    Entry,
    fresh_entry,
)

OUTPUT = "bigdebug.output"
"""The local property by which the tasks of an action know its output's number."""

LOOKING = "__bigdebug_look"
"""What a guard's function over rows is called in the plan."""

TOLD_EACH = 0.5
"""Seconds between what a task tells of its totals."""

_MOST_BYTES = 1 << 20
"""So much of records a task tells when it ends."""


class Watching:
    """What a task needs to know of a watchpoint.

    Args:
        number: of the watchpoint.
        place: of the guard, among several of one job.
        guard: the function, pickled.
        version: of the guard.
        capacity: how many records are kept.
        address: of the driver; None where nothing listens there.
        totals: the accumulator.
        by_time: the guard is `Slow`: it isn't asked of elements, but of what a function takes for each.
    """

    def __init__(
        self,
        number: int,
        place: int,
        guard: bytes,
        version: int,
        capacity: int,
        address: Address | None,
        totals: Any,
        by_time: bool = False,
    ) -> None:
        self.number = number
        self.place = place
        self.guard = guard
        self.version = version
        self.capacity = capacity
        self.address = address
        self.totals = totals
        self.by_time = by_time

    @property
    def topic(self) -> str:
        """What the driver calls the guard on the channel."""
        return f"guard {self.number}"

    def elements(self, partition: int, elements: Iterable[Any]) -> Iterator[Any]:
        """The elements of a partition, each looked at on its way."""
        catcher = self._catcher(partition)
        return iter(elements) if catcher is None else catcher.over(elements)

    def row(self) -> Callable[[Any], bool]:
        """Looks at a row, and is always true. For one task."""
        looks = _Row(self)

        def look(row: Any) -> bool:
            return looks(row)

        look.__name__ = LOOKING
        look.__annotations__ = {}  # by these PySpark would guess at another kind of function, and say so
        return look

    def _catcher(self, partition: int | None) -> Catcher | None:
        """Of this task; None where it isn't a task of an output of the program's."""
        from pyspark import TaskContext

        try:
            context = TaskContext.get()
            output = None if context is None else context.getLocalProperty(OUTPUT)
            if context is None or not output:
                return None
            number = context.partitionId() if partition is None else partition
            return Catcher(self, int(output), number, context.taskAttemptId())
        except Exception:
            return None


class _Row:
    """A function of a row; it is unpickled for each task, and so knows one only."""

    def __init__(self, watching: Watching) -> None:
        self._watching = watching
        self._catcher: Catcher | None = None
        self._begun = False

    def __call__(self, row: Any) -> bool:
        if not self._begun:
            self._begun = True
            self._catcher = self._watching._catcher(None)
        if self._catcher is not None:
            self._catcher.look(row)
        return True

    def __reduce__(self) -> Any:
        return _Row, (self._watching,)


class Catcher:
    """One guard in one task.

    Args:
        watching: the watchpoint.
        output: number of the output.
        partition: of the data.
        attempt: the task's.
    """

    def __init__(self, watching: Watching, output: int, partition: int, attempt: int) -> None:
        self._watching = watching
        self._entry: Entry = fresh_entry(attempt)
        self._kept = 0
        self._still: set[int] = set()
        self._bytes = 0
        self._told = 0.0
        self._version = watching.version
        self._header = {
            "watch": watching.number,
            "output": output,
            "place": watching.place,
            "partition": partition,
            "attempt": attempt,
        }
        self.guard: Callable[[Any], Any] = _nothing
        self._take(watching.version, watching.guard)
        # From now on the accumulator holds the entry itself: what is counted into it is there when the task ends.
        watching.totals.add({(output, watching.place, partition): self._entry})
        self._link = None if watching.address is None else link_to(watching.address)
        if self._link is not None:
            self._link.follow(watching.topic, self._changed)

    def over(self, elements: Iterable[Any]) -> Iterator[Any]:
        """The elements, each looked at on its way."""
        seen = 0
        try:
            for element in elements:
                seen += 1
                try:
                    # Each time anew, for another thread may change it; not `look`, for a call costs as much as a guard.
                    if self.guard(element):
                        self._hit(element, seen - 1)
                except Exception as error:
                    self._wrong(error)
                yield element
        finally:
            self._entry[SEEN] = seen
            self._end()

    def look(self, row: Any) -> None:
        """Look at a row."""
        self._entry[SEEN] += 1
        try:
            if self.guard(row):
                self._hit(row, self._entry[SEEN] - 1)
        except Exception as error:
            self._wrong(error)

    def seen(self, count: int) -> None:
        """So many records were looked at so far."""
        self._entry[SEEN] = count

    def slow(
        self, value: Any, place: int, seconds: float, *, running: bool = False, again: bool = False
    ) -> None:
        """A function takes long over a record.

        Args:
            value: the record.
            place: which one of the task.
            seconds: that it took, or takes so far.
            running: it isn't over yet.
            again: it was caught before, when it wasn't.
        """
        more = {"seconds": seconds, "running": running}
        if not again:
            kept = self._hit(value, place, more)
            if kept and running:
                self._still.add(place)
        elif place in self._still:
            self._keep(value, place, more)

    def _hit(self, value: Any, place: int, more: dict[str, Any] | None = None) -> bool:
        """Count a record, and keep it if it is one of the first; whether it is."""
        entry = self._entry
        entry[HITS] += 1
        entry[SEEN] = place + 1
        if self._kept < self._watching.capacity:
            self._kept += 1
            self._keep(value, place, more)
            return True
        if time.monotonic() - self._told > TOLD_EACH:
            self._tell(b"")
        return False

    def _keep(self, value: Any, place: int, more: dict[str, Any] | None) -> None:
        record = json.dumps({"record": place, "value": told(value), **(more or {})}).encode("ascii")
        self._tell(record)
        if self._bytes + len(record) <= _MOST_BYTES:
            # Told again when the task ends: a connection may break with what is on its way.
            self._bytes += len(record)
            self._entry[RECORDS].append(record)

    def _wrong(self, error: Exception) -> None:
        self._entry[ERRORS] += 1
        if self._entry[ERROR] is None:
            self._entry[ERROR] = f"{type(error).__name__}: {text_of(str(error), 200)}"
            self._tell(b"")

    def _tell(self, record: bytes) -> None:
        self._told = time.monotonic()
        if self._link is None:
            return
        entry = self._entry
        header = {
            **self._header,
            "version": self._version,
            "seen": entry[SEEN],
            "hits": entry[HITS],
            "errors": entry[ERRORS],
            "error": entry[ERROR],
        }
        self._link.send("caught", header, record)

    def _end(self) -> None:
        if self._link is not None:
            self._link.leave(self._watching.topic, self._changed)

    def _changed(self, header: dict[str, Any], body: bytes) -> None:
        """The driver has another guard."""
        if header["version"] > self._version:
            self._take(header["version"], body)

    def _take(self, version: int, guard: bytes) -> None:
        try:
            self.guard = pickle.loads(guard)
            self._version = version
        except Exception as error:  # of a module that isn't here, say
            self._wrong(error)

    def __reduce__(self) -> Any:
        raise TypeError("it belongs to one task")


class SameAs:
    """Holds for values that look like one that was caught.

    Args:
        data: the value, as `told` told it.
        of_value: it is the second of a pair.
    """

    def __init__(self, data: Any, *, of_value: bool = False) -> None:
        self._data = data
        self._of_value = of_value

    def __call__(self, *given: Any) -> bool:
        value = given[0] if len(given) == 1 else given
        return bool(told(value[1] if self._of_value else value) == self._data)


def _nothing(_: Any) -> bool:
    return False
