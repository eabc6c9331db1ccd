"""A guard by time: which records a function takes far longer over than over those before, or is still busy with.

Each call of the function is timed. Its usual pace is a moving average of what calls take and of how far they are from
it. A record that the function is still busy with is told of, too: of one that never ends nothing else would be heard.
Travels by value to Spark's Python workers.
"""

from __future__ import annotations

import pickle
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from math import sqrt
from statistics import median
from time import perf_counter_ns
from types import GeneratorType
from typing import Any

from bigdebug.breakpoints.watch.catching import Catcher, Watching
from bigdebug.breakpoints.watch.wrapping import of_values

_WARM = 16
"""Calls that tell the usual pace at first; the slow ones of these are told of when they are over."""
_BLOCK = 256
"""Calls after which the average moves."""
_WEIGHT = 0.25
"""What the latest of them weigh in it."""
_OF_NORMAL = 1.4826
"""A standard deviation, where the median of the distances from the median is one."""
_STILL_NS = 1_000_000_000
"""A function that is busy with a record for so long is told of while it is."""
_LOOK_SECONDS = 0.25
_NEVER = 1 << 62

Busy = tuple[Any, int, int]
Settled = tuple[int, int, int, int]
"""Sums of times and of their squares to go on with, from which time on a call is slow, and when to settle next."""


def paced(watching: Watching, function: Callable[[Any], Any], flat: bool) -> Callable[[Any], Any]:
    """In place of a function of an element: the same, each call of it timed. For one task.

    All that a record pays for stands in one function.

    Args:
        watching: the watchpoint, whose guard goes by time.
        function: the program's.
        flat: what it gives may be a generator; what that does counts as well.
    """
    pace: Any = None
    clock = perf_counter_ns
    current: Any = None
    calls = since = total = squares = due = 0
    limit = -1

    def busy() -> Busy:
        return current, since, calls

    def begin() -> None:
        nonlocal pace
        pace = Pace(watching, busy)

    def took(value: Any, nanoseconds: int) -> None:
        nonlocal total, squares, limit, due
        total += nanoseconds
        squares += nanoseconds * nanoseconds
        total, squares, limit, due = pace.settled(value, nanoseconds, calls, total, squares)

    def call(value: Any) -> Any:
        nonlocal current, since, calls, total, squares
        if pace is None:
            begin()
        current = value
        calls += 1
        since = began = clock()
        try:
            made = function(value)
        finally:
            since = 0
        time = clock() - began
        if flat and type(made) is GeneratorType:
            return generated(made, value, time)
        if time > limit or calls >= due:
            took(value, time)
        else:
            total += time
            squares += time * time
        return made

    def generated(made: Iterator[Any], value: Any, time: int) -> Iterator[Any]:
        nonlocal since
        while True:
            since = began = clock() - time  # since when it would be busy, had nobody else been in between
            try:
                each = next(made)
            except StopIteration:
                break
            finally:
                since = 0
                time = clock() - began
            yield each
        took(value, time)

    return call


def paced_row(watching: Watching, command: bytes, *, alone: bool) -> Callable[..., Any]:
    """In place of a function of a row's values: the same, each call of it timed.

    Args:
        watching: the watchpoint, whose guard goes by time.
        command: the function, as Spark pickled it.
        alone: it has one argument, without a name.
    """
    return of_values(
        lambda: pickle.loads(command)[0], lambda function: paced(watching, function, False), alone=alone
    )


class Pace:
    """What is usual for a function in one task, and which records weren't.

    Args:
        watching: the watchpoint.
        busy: tells what the function was given, since when it is busy with it (0: it isn't), and the call's number.
    """

    def __init__(self, watching: Watching, busy: Callable[[], Busy]) -> None:
        self._busy = busy
        self._catcher: Catcher | None = watching._catcher(None)
        self._lock = threading.Lock()
        self._warm: list[tuple[int, int, Any]] = []
        self._mean = self._variance = 0.0
        self._limit = -1
        self._since = 0
        self._due = _WARM
        self._still = self._told = 0
        if self._catcher is not None:
            threading.Thread(
                target=_look_after, args=(weakref.ref(self),), name="bigdebug pace", daemon=True
            ).start()

    def settled(self, value: Any, took: int, number: int, total: int, squares: int) -> Settled:
        """After a call that is slow, or at which the average moves.

        Args:
            value: what the function was given.
            took: nanoseconds.
            number: of the call, from 1 on.
            total, squares: of the times since the average moved, this one's among them.
        """
        catcher = self._catcher
        if catcher is None:
            return 0, 0, _NEVER, _NEVER
        catcher.seen(number)
        if self._limit < 0:
            self._warm.append((took, number, value))
            if number >= self._due:
                self._begin()
            return 0, 0, self._limit, self._due
        if took > self._limit:
            self._caught(value, took, number)
            # The average follows, but not because of one.
            total += self._limit - took
            squares += self._limit * self._limit - took * took
        if number >= self._due:
            self._move(total, squares, number)
            total = squares = 0
        return total, squares, self._limit, self._due

    def look(self) -> None:
        """Tell of the record that the function is busy with, if it is for long."""
        value, since, number = self._busy()
        took = perf_counter_ns() - since
        again = number == self._still
        if not since or took < (2 * self._told if again else max(self._limit, self._least, _STILL_NS)):
            return
        with self._lock:
            if self._busy()[1:] == (since, number) and self._catcher is not None:
                self._still, self._told = number, took
                self._catcher.slow(value, number - 1, took / 1e9, running=True, again=again)

    # -- inside -------------------------------------------------------------------------------------

    @property
    def _least(self) -> int:
        return (
            int(getattr(self._catcher.guard, "seconds", 0.0) * 1e9) if self._catcher is not None else _NEVER
        )

    def _begin(self) -> None:
        """The first calls are over: what is usual is told by medians, which a few slow ones don't move."""
        warm, self._warm = self._warm, []
        self._mean = median(took for took, _, _ in warm)
        self._variance = (_OF_NORMAL * median(abs(took - self._mean) for took, _, _ in warm)) ** 2
        self._judge(warm[-1][1])
        for took, number, value in warm:
            if took > self._limit:
                self._caught(value, took, number)

    def _move(self, total: int, squares: int, number: int) -> None:
        calls = max(number - self._since, 1)
        mean = total / calls
        off = max(squares / calls - 2 * self._mean * mean + self._mean**2, 0.0)
        self._variance += _WEIGHT * (off - self._variance)
        self._mean += _WEIGHT * (mean - self._mean)
        self._judge(number)

    def _judge(self, number: int) -> None:
        assert self._catcher is not None
        deviations = getattr(self._catcher.guard, "deviations", 0.0)
        self._limit = max(int(self._mean + deviations * sqrt(self._variance)), self._least)
        self._since, self._due = number, number + _BLOCK

    def _caught(self, value: Any, took: int, number: int) -> None:
        assert self._catcher is not None
        with self._lock:
            again = self._still == number
            self._catcher.slow(value, number - 1, took / 1e9, again=again)


def _look_after(pace: Callable[[], Pace | None]) -> None:
    """While there is a task, look what its function is busy with."""
    while (found := pace()) is not None:
        found.look()
        del found
        time.sleep(_LOOK_SECONDS)
