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
from time import monotonic
from typing import Any

MOST_LEFT_OUT = 10_000
"""So many elements of a partition are left out or repaired."""
MOST_SECONDS = 60.0
"""So long a task goes through again what it has been through already: the function is called anew for each of them."""

MOST_HELD_BACK = 100_000
"""So much of what a function gives is held back until it has read on."""

_IN_MEMORY = 16 << 20
"""So many bytes of a partition that was read are kept in memory; more in a file."""
_BLOCK = 10_000
"""Elements that are pickled together."""
_ATOMS = frozenset({str, bytes, int, float, bool, type(None)})

Function = Callable[[Iterable[Any]], Any]
Change = tuple[bool, Any]
"""Whether something is read instead of an element, and what."""
Changes = Mapping[int, Change]
"""By place."""

LEFT_OUT: Change = (False, None)
"""Nothing is read."""


class Elements:
    """The elements of a partition, which can be read again: those that were read are kept, in memory and then a file.

    Args:
        elements: of the partition.

    Attributes:
        kept: whether they can be read again; not those that nothing pickles.
        whole: whether none has failed to come; what is raised then isn't of a function that reads them.
    """

    def __init__(self, elements: Iterable[Any]) -> None:
        self._rest = iter(elements)
        self._block: list[Any] = []
        self._starts: list[int] = []
        self._file: Any = None
        self._loaded: tuple[int, list[Any]] = (-1, [])
        self.kept = True
        self.whole = True

    @property
    def count(self) -> int:
        """How many were read."""
        return len(self._starts) * _BLOCK + len(self._block)

    def more(self, reading: Reading, end: int | None) -> Iterator[Any]:
        """Those that weren't read yet.

        All that an element pays for stands in one loop.

        Args:
            reading: is told of each.
            end: so many are there.
        """
        keep, unchanging, atoms = self._block.append, self._unchanging, _ATOMS
        place, left = self.count, _BLOCK - len(self._block)
        coming = True
        try:
            for element in self._rest:
                coming = False
                # What a function changes, it must not change here.
                keep(element if type(element) in atoms else unchanging(element))
                left -= 1
                if not left:
                    self._put_away()
                    left = _BLOCK
                reading.place, reading.before = place, reading.made
                place += 1
                yield element
                if place == end:
                    return
                coming = True
        except BaseException:
            if coming:
                self.whole = False
            raise

    def at(self, place: int) -> Any:
        """One that was read."""
        number, within = divmod(place, _BLOCK)
        if number == len(self._starts):
            block = self._block
        else:
            if self._loaded[0] != number:
                self._file.seek(self._starts[number])
                self._loaded = number, pickle.load(self._file)
            block = self._loaded[1]
        kept = block[within]
        return pickle.loads(kept[0]) if type(kept) is list else kept

    def close(self) -> None:
        """Forget what is kept."""
        if self._file is not None:
            self._file.close()

    def _unchanging(self, element: Any) -> Any:
        """An element that nobody can change; else a list with its pickle."""
        if isinstance(element, tuple) and all(type(part) in _ATOMS for part in element):
            return element
        return [self._pickled(element)]

    def _put_away(self) -> None:
        data = self._pickled(self._block)
        if self._file is None:
            self._file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - as long as this lives
        try:
            self._starts.append(self._file.seek(0, 2))
            self._file.write(data)
        except OSError:  # the disk is full
            self.kept = False
        self._block.clear()

    def _pickled(self, value: Any) -> bytes:
        if self.kept:
            try:
                return pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
            except Exception:  # of a class of the user's script, as a rule
                from pyspark import cloudpickle

                try:
                    return bytes(cloudpickle.dumps(value))
                except Exception:
                    self.kept = False
        return b""


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
        self._end = end
        self.place = -1
        self.made = 0
        self.before = 0

    def __iter__(self) -> Iterator[Any]:
        elements, end = self._elements, self._end
        place = 0
        while place < elements.count and place != end:
            is_there, changed = self._changes.get(place, (None, None))
            if is_there is not False:
                element = elements.at(place) if is_there is None else changed
                self.place, self.before = place, self.made
                yield element
            place += 1
        if place != end:
            yield from elements.more(self, end)


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
            more than `MOST_LEFT_OUT`, or where to find them takes more than `MOST_SECONDS`.
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
    spent = 0.0
    again_since: float | None = None
    while True:
        reading = Reading(elements, changes)
        held: list[Any] = []
        try:
            for made in function(iter(reading)):
                reading.made += 1
                if reading.made <= given:  # an earlier call's was let go
                    continue
                if again_since is not None:
                    spent, again_since = spent + monotonic() - again_since, None
                if held and reading.before == reading.made - 1:  # it has read on since
                    given += len(held)
                    if len(held) == 1:
                        yield held[0]
                    else:
                        yield from held
                    held = []
                if hold_back and len(held) < MOST_HELD_BACK:
                    held.append(made)
                else:
                    given += len(held) + 1
                    yield from held
                    yield made
                    held = []
            yield from held
            return
        except Exception as error:
            failed = error
        again_since = again_since or monotonic()
        place = culprit(function, elements, changes, reading, failed)
        if place is None or place in changes or len(changes) >= MOST_LEFT_OUT:
            raise failed
        if given > _made_before(function, elements, changes, place):
            raise failed
        spent += monotonic() - again_since
        if spent > MOST_SECONDS:
            raise failed
        changes[place] = crashed(place, elements.at(place), failed)  # which may take long: a person is asked
        again_since = monotonic()


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
            for _ in function(iter(Reading(elements, changes, end))):
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
        for _ in function(iter(reading)):
            if reading.place >= place:
                break
            reading.made += 1
    except Exception:
        pass
    return reading.made
