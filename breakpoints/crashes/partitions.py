"""Functions of whole partitions that go on without the elements that crash them.

Such a function can't be called with an element alone: it may open something first, keep something in between, or read
everything before it gives anything. So it is called anew, from the partition's first element on and without the one
that it fails with; what it has given by then isn't given again. That asks of a function what Spark asks of it, too,
when a task is tried again: that it gives the same for the same.

Travels by value to Spark's Python workers, which need not have bigdebug.
"""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

MOST_LEFT_OUT = 100
"""So many elements of a partition are left out or repaired, for the function is called anew for each."""

MOST_HELD_BACK = 100_000
"""So much of what a function gives is held back until it has read on."""

_IN_MEMORY = 16 << 20
"""So many bytes of a partition that was read are kept in memory; more in a file."""

Function = Callable[[Iterable[Any]], Any]
Change = tuple[bool, Any]
"""Whether something is read instead of an element, and what."""
Changes = Mapping[int, Change]
"""By place."""

LEFT_OUT: Change = (False, None)
"""Nothing is read."""


class Elements:
    """The elements of a partition, which can be read again: what was read is kept.

    Args:
        elements: of the partition.

    Attributes:
        count: how many were read.
        end: the byte after what is kept of them.
        kept: whether they can be read again; not those that nothing pickles.
        whole: whether none has failed to come; what is raised then isn't of a function that reads them.
    """

    def __init__(self, elements: Iterable[Any]) -> None:
        self._rest = iter(elements)
        self._file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - as long as this lives
        self.end = 0
        self.count = 0
        self.kept = True
        self.whole = True

    def next(self) -> Any:
        """The next of the partition.

        Raises:
            StopIteration: there is none.
        """
        try:
            element = next(self._rest)
        except StopIteration:
            raise
        except BaseException:
            self.whole = False
            raise
        if self.kept:
            try:
                self._file.seek(self.end)
                self._file.write(_pickled(element))
                self.end = self._file.tell()
            except Exception:
                self.kept = False
        self.count += 1
        return element

    def close(self) -> None:
        """Forget what is kept."""
        self._file.close()

    def at(self, start: int) -> tuple[Any, int]:
        """The element that is kept from some byte on, and where the one after it is."""
        self._file.seek(start)
        element = pickle.load(self._file)
        return element, self._file.tell()


def _pickled(element: Any) -> bytes:
    try:
        return pickle.dumps(element, pickle.HIGHEST_PROTOCOL)
    except Exception:  # of a class of the user's script, as a rule
        from pyspark import cloudpickle

        return bytes(cloudpickle.dumps(element))


class Reading:
    """Goes through the elements of a partition once.

    Args:
        elements: of the partition.
        changes: what is read instead of some.
        end: so many are there, as far as this reading goes; None: all.

    Attributes:
        place: of the element that was read last; -1 where none was.
        made: how much the function has given; whoever calls it counts.
        before: how much it had given by when it read that element.
    """

    def __init__(self, elements: Elements, changes: Changes, end: int | None = None) -> None:
        self._elements = elements
        self._changes = changes
        self._stop = end
        self._next = 0
        self._start = 0
        self.place = -1
        self.made = 0
        self.before = 0

    def __iter__(self) -> Reading:
        return self

    def __next__(self) -> Any:
        while self._next != self._stop:
            place = self._next
            if place < self._elements.count:
                element, self._start = self._elements.at(self._start)
            else:
                element = self._elements.next()
                self._start = self._elements.end
            self._next += 1
            if place in self._changes:
                is_there, element = self._changes[place]
                if not is_there:
                    continue
            self.place, self.before = place, self.made
            return element
        raise StopIteration

    def element(self, place: int) -> Any:
        """An element that was read, as the partition has it."""
        reading = Reading(self._elements, {}, place + 1)
        element = None
        for element in reading:  # noqa: B007 - the last is wanted
            pass
        return element


def surviving(
    function: Function,
    elements: Elements,
    crashed: Callable[[int, Any, Exception], Change],
    *,
    hold_back: bool = True,
) -> Iterator[Any]:
    """What a function gives for a partition without the elements that it fails with.

    Args:
        function: of an iterable.
        elements: of the partition; closed at the end.
        crashed: is told of an element's place, of it and of what was raised; gives what is read instead.
        hold_back: what is given is held back until the function has read on: only then what it gives of an element
            is known to be all.

    Raises:
        Exception: what the function raises where no element of those it has read makes it fail, where a changed one
            does so again, where it has given something by then that depended on the element, or where there are
            more than `MOST_LEFT_OUT`.
    """
    try:
        yield from _surviving(function, elements, crashed, hold_back)
    finally:
        elements.close()


def _surviving(
    function: Function, elements: Elements, crashed: Callable[[int, Any, Exception], Change], hold_back: bool
) -> Iterator[Any]:
    changes: dict[int, Change] = {}
    given = 0
    while True:
        reading = Reading(elements, changes)
        held: list[Any] = []
        try:
            for made in function(reading):
                if reading.made < given:  # an earlier call's was let go
                    reading.made += 1
                    continue
                if held and reading.before >= given + len(held):
                    given += len(held)
                    yield from held
                    held = []
                reading.made += 1
                held.append(made)
                if not hold_back or len(held) > MOST_HELD_BACK:
                    given += len(held)
                    yield from held
                    held = []
            yield from held
            return
        except Exception as error:
            failed = error
        place = culprit(function, elements, changes, reading, failed)
        if place is None or place in changes or len(changes) >= MOST_LEFT_OUT:
            raise failed
        if given > _made_before(function, elements, changes, place):
            raise failed
        changes[place] = crashed(place, reading.element(place), failed)


def culprit(
    function: Function, elements: Elements, changes: Changes, reading: Reading, error: Exception
) -> int | None:
    """The place of the first element with which a function fails: it doesn't with those before it alone.

    That is the one that was read last, as a rule; of a function that reads first and works then it is looked for by
    halving. None where there is none: where the function fails in another way with fewer elements, or with none.

    Args:
        function: of an iterable.
        elements: of the partition.
        changes: what is read instead of some.
        reading: the one that failed.
        error: what was raised.
    """
    if reading.place < 0 or not (elements.kept and elements.whole):
        return None
    wanted = _kind(error)

    def fails(end: int) -> bool | None:
        try:
            for _ in function(Reading(elements, changes, end)):
                pass
        except Exception as other:
            return True if _kind(other) == wanted else None
        return False

    without_last = fails(reading.place)
    if without_last is False:
        return reading.place
    if without_last is None or fails(0) is not False:
        return None
    low, high = 0, reading.place
    while high - low > 1:
        middle = (low + high) // 2
        found = fails(middle)
        if found is None:
            return None
        low, high = (low, middle) if found else (middle, high)
    return low


def _kind(error: BaseException) -> tuple[Any, ...]:
    """What tells failures apart: the class, and the line that raised."""
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    return type(error), None if at is None else (at.tb_frame.f_code.co_filename, at.tb_lineno)


def _made_before(function: Function, elements: Elements, changes: Changes, place: int) -> int:
    """How much a function gives before it reads an element."""
    reading = Reading(elements, changes, place + 1)
    try:
        for _ in function(reading):
            if reading.place >= place:
                break
            reading.made += 1
    except Exception:
        pass
    return reading.before if reading.place >= place else reading.made
