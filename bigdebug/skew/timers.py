"""Stopwatches around the program's functions, record by record. Travels by value to Spark's Python workers.

What a stopwatch has seen goes to the driver by an accumulator, at the end of each task: a histogram of times whose
buckets double, sums for mean and deviation, and the slowest records themselves.
"""

from __future__ import annotations

import heapq
import pickle
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from time import perf_counter_ns
from types import GeneratorType
from typing import Any

from bigdebug.breakpoints.watch.wrapping import of_values

BUCKETS = 64
"""Times below 1, 2, 4, … nanoseconds."""

_MOST_BYTES = 1 << 20
"""A slow record is kept whole up to this size."""
_SPARE_NS = 2_000_000_000
_SPARE_TIMES = 10
"""Batches are timed again in parts for so long, and so many times what they took, in a task."""
_NOISE = 2
_NOTABLE = 10
"""A record is told apart in a batch if it takes so many times what a call does, and more than one in so many parts of
what its part of the batch takes."""
_FEW = 16
"""Records whose usual pace is told by."""


class TimesParam:
    """Puts the times of tasks together, by number of the function."""

    def __init__(self, most: int) -> None:
        self.most = most

    def zero(self, _: Any) -> dict[int, Any]:
        return {}

    def addInPlace(self, held: dict[int, Any], more: dict[int, Any]) -> dict[int, Any]:  # noqa: N802 - PySpark's name
        for number, times in more.items():
            known = held.get(number)
            if known is None:
                held[number] = times  # in a worker the stopwatch itself, which goes on
                continue
            for name in ("total", "squares"):
                known[name] += times[name]
            known["counts"] = [a + b for a, b in zip(known["counts"], times["counts"], strict=True)]
            known["top"] = heapq.nlargest(self.most, [*known["top"], *times["top"]], key=lambda each: each[0])
        return held


class Stopwatch:
    """The times of one function in one task. Pickles as a plain dict, when the task is over."""

    def __init__(self, number: int, accumulator: Any, most: int) -> None:
        self.total = 0
        self.squares = 0
        self.counts = [0] * BUCKETS
        self.top: list[tuple[int, int, Any]] = []
        self.floor = 0
        self.sums: Callable[[], tuple[int, int]] = lambda: (0, 0)
        self._order = count()
        self._most = most
        accumulator.add({number: self})

    def keep(self, took: int, given: Any) -> None:
        """Keep a record that is slower than the slowest few so far."""
        entry = (took, next(self._order), given)
        if len(self.top) < self._most:
            heapq.heappush(self.top, entry)
        else:
            heapq.heapreplace(self.top, entry)
        if len(self.top) == self._most:
            self.floor = self.top[0][0]

    def seen(self, took: int, given: Any) -> None:
        """Take down the time of a record."""
        self.total += took
        self.squares += took * took
        self.counts[took.bit_length()] += 1
        if took > self.floor:
            self.keep(took, given)

    def __reduce__(self) -> Any:
        top = [(took, *_stored(given)) for took, _, given in self.top]
        total, squares = self.sums()
        held = {"total": self.total + total, "squares": self.squares + squares, "counts": self.counts}
        return dict, ({**held, "top": top},)


def _stored(given: Any) -> tuple[bytes | None, str]:
    """What a function was given as a pickle, if it isn't too large, and as text."""
    text = repr(given)[:2_000]
    try:
        data = pickle.dumps(given)
    except Exception:
        from pyspark import cloudpickle

        try:
            data = cloudpickle.dumps(given)
        except Exception:
            return None, text
    return (data if len(data) <= _MOST_BYTES else None), text


# -- functions of records ---------------------------------------------------------------------------


def timed(
    function: Callable[[Any], Any], number: int, accumulator: Any, most: int, flat: bool = False
) -> Callable[[Any], Any]:
    """In place of a function of an element: the same, with a stopwatch.

    All that a record pays for stands in one function, with nothing looked up in objects.

    Args:
        flat: what it gives may be a generator; what that does counts as well.
    """
    watch: Any = None
    counts = [0] * BUCKETS
    total = squares = 0
    floor = -1
    clock = perf_counter_ns

    def kept(took: int, value: Any) -> int:
        nonlocal watch
        if watch is None:
            watch = Stopwatch(number, accumulator, most)
            watch.counts = counts
            watch.sums = lambda: (total, squares)
        if took > watch.floor:
            watch.keep(took, value)
        return int(watch.floor)

    def call(value: Any) -> Any:
        nonlocal total, squares, floor
        began = clock()
        made = function(value)
        took = clock() - began
        total += took
        squares += took * took
        counts[took.bit_length()] += 1
        if took > floor:
            floor = kept(took, value)
        return made

    def call_flat(value: Any) -> Any:
        began = clock()
        made = function(value)
        took = clock() - began
        if watch is None:
            kept(-1, value)
        if type(made) is GeneratorType:
            return _timed_generator(made, watch, took, value)
        watch.seen(took, value)
        return made

    return call_flat if flat else call


def _timed_generator(made: Iterator[Any], watch: Any, took: int, value: Any) -> Iterator[Any]:
    while True:
        began = perf_counter_ns()
        try:
            each = next(made)
        except StopIteration:
            watch.seen(took + perf_counter_ns() - began, value)
            return
        took += perf_counter_ns() - began
        yield each


def timed_partition(
    function: Callable[..., Any], number: int, accumulator: Any, most: int, *, indexed: bool
) -> Callable[..., Any]:
    """In place of a function of a partition: what it does from reading an element to reading the next counts for it."""

    def call(*given: Any) -> Iterator[Any]:
        watch = Stopwatch(number, accumulator, most)
        outside = 0  # spent above the function's input, and below its output
        current: list[Any] = []
        since = perf_counter_ns()

        def reading(elements: Iterable[Any]) -> Iterator[Any]:
            nonlocal outside, since
            rest = iter(elements)
            while True:
                now = perf_counter_ns()
                if current:
                    watch.seen(max(now - since - outside, 0), current.pop())
                try:
                    element = next(rest)
                except StopIteration:
                    return
                current[:] = [element]
                since, outside = perf_counter_ns(), 0
                yield element

        made = iter(function(given[0], reading(given[1])) if indexed else function(reading(given[0])))
        while True:
            try:
                each = next(made)
            except StopIteration:
                break
            left = perf_counter_ns()
            yield each
            outside += perf_counter_ns() - left
        if current:
            watch.seen(max(perf_counter_ns() - since - outside, 0), current.pop())

    if indexed:
        return lambda index, elements: call(index, elements)
    return lambda elements: call(elements)


def timed_row(command: bytes, number: int, accumulator: Any, most: int, *, alone: bool) -> Callable[..., Any]:
    """In place of a function of a row's values, which is as Spark pickled it."""
    return of_values(
        lambda: _unpickled(command),
        lambda function: timed(function, number, accumulator, most),
        alone=alone,
    )


def _unpickled(command: bytes) -> Any:
    """A function of the program's that adds nothing to its accumulators: to be timed isn't part of the program."""
    from pyspark.accumulators import _accumulatorRegistry

    before = set(_accumulatorRegistry)
    function = pickle.loads(command)[0]
    for added in set(_accumulatorRegistry) - before:
        del _accumulatorRegistry[added]  # of those in it, a worker tells the driver when its task ends
    return function


# -- functions of batches ---------------------------------------------------------------------------


def timed_batch(
    command: bytes, number: int, accumulator: Any, most: int, arrow: bool, batches: bool
) -> Callable[..., Any]:
    """In place of a vectorised function: slow batches are timed again in halves, down to the records.

    Args:
        command: the user's function.
        arrow: it works on Arrow's arrays, else on pandas' series.
        batches: it is given an iterator of batches.
    """
    known: list[Any] = []

    def loaded() -> tuple[Any, Any]:
        if not known:
            known.extend((_unpickled(command), Stopwatch(number, accumulator, most)))
            known.append(0)
        return known[0], known[1]

    def of_batch(columns: tuple[Any, ...], named: dict[str, Any]) -> Any:
        function, watch = loaded()
        every = [*columns, *named.values()]
        size = len(every[0]) if every else 0

        def call(low: int, high: int) -> Any:
            whole = low == 0 and high == size
            given = [each if whole else _part(each, low, high, arrow) for each in columns]
            if batches:
                (made,) = list(function(iter([given[0] if len(given) == 1 else tuple(given)])))
                return made
            return function(
                *given, **{k: each if whole else _part(each, low, high, arrow) for k, each in named.items()}
            )

        began = perf_counter_ns()
        made = call(0, size)
        took = perf_counter_ns() - began
        if size:
            each = took // size
            watch.total += took
            watch.squares += size * each * each
            watch.counts[each.bit_length()] += size
            if took > watch.floor:
                spare = _SPARE_NS + _SPARE_TIMES * watch.total - known[2]
                known[2] += _narrow(call, size, took, watch, lambda i: _values(every, i, arrow), most, spare)
        return made

    if not batches:
        return lambda *columns, **named: of_batch(columns, named)

    def whole(given: Iterable[Any]) -> Iterator[Any]:
        for batch in given:
            yield of_batch(batch if isinstance(batch, tuple) else (batch,), {})

    return whole


def _narrow(
    call: Callable[[int, int], Any],
    size: int,
    took: int,
    watch: Any,
    values: Callable[[int], Any],
    most: int,
    spare: int,
) -> int:
    """Time parts of a batch again, the slowest first, until the records that it waited for are told apart.

    What a part takes beyond a call and its records at their usual pace is what it may hold a slow record for.

    Returns:
        The nanoseconds that it took.
    """
    spent = found = 0

    def again(low: int, high: int) -> int:
        nonlocal spent
        began = perf_counter_ns()
        call(low, high)
        now = perf_counter_ns() - began
        spent += now
        return now

    few = min(size, _FEW)
    places = sorted({0, size // 2, size - 1, size // 3})
    alone = min(again(place, place + 1) for place in places)
    together = min(again(low, low + few) for low in (min(place, size - few) for place in places))
    pace = max(together - alone, 0) / (few - 1) if few > 1 else 0.0

    def beyond(time: int, low: int, high: int) -> float:
        return time - alone - pace * (high - low - 1)

    parts = [(-beyond(took, 0, size), took, 0, size)]
    while parts and found < most and spent < spare:
        over, time, low, high = heapq.heappop(parts)
        if -over <= max(_NOISE * alone, time / _NOTABLE):
            break  # all that is left takes what records usually take
        if high - low == 1:
            found += 1
            if -over > watch.floor:
                watch.keep(int(-over), values(low))
            continue
        middle = (low + high) // 2
        for start, end in ((low, middle), (middle, high)):
            now = again(start, end)
            heapq.heappush(parts, (-beyond(now, start, end), now, start, end))
    return spent


def _part(column: Any, low: int, high: int, arrow: bool) -> Any:
    return column.slice(low, high - low) if arrow else column.iloc[low:high].reset_index(drop=True)


def _values(columns: list[Any], row: int, arrow: bool) -> Any:
    found = tuple(_plain(each[row].as_py() if arrow else each.iloc[row]) for each in columns)
    return found[0] if len(found) == 1 else found


def _plain(value: Any) -> Any:
    """A value as Spark gives it to a function of rows."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if hasattr(value, "to_pydatetime"):
        return value.to_pydatetime()
    return value


def exhausted(elements: Iterable[Any]) -> Iterator[Any]:
    """Compute the elements of a partition and give none."""
    for _ in elements:
        pass
    return iter(())
