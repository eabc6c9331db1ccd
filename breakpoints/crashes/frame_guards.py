"""Guards in the Python functions of DataFrames: a row that crashes one is set aside, and the task goes on.

Travels by value to Spark's Python workers. What is set aside is written at once, record by record: nobody tells a
function of a row that its task is over.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from bigdebug.breakpoints.channel.values import told as told_value
from bigdebug.breakpoints.crashes.decisions import Decisions
from bigdebug.breakpoints.crashes.guards import answers, as_repair
from bigdebug.breakpoints.crashes.keeping import MOST_BYTES, MOST_RECORDS, NOTHING, OUTPUT, Site, stored
from bigdebug.breakpoints.crashes.workers import carried, loaded_once, told

APPENDED = ".appended"
_HEAD = 4
"""So many bytes tell how long a record is."""


class Appender:
    """Sets aside what crashes a function in one attempt of a task; opens its file when the first does."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._stream: Any = None
        self._silent = False
        self._count = 0
        self._bytes = 0

    @property
    def is_silent(self) -> bool:
        """Whether nothing is kept: a question computes the function again."""
        if self._stream is None and not self._silent:
            self._open()
        return self._silent

    def keep(self, given: Any, error: str, repaired: Any = NOTHING) -> None:
        """Set aside what the function was given.

        Args:
            given: the input.
            error: as `told` tells it.
            repaired: what it was given instead, or what stands for its result.
        """
        if self.is_silent:
            return
        self._count += 1
        error = stored(self._site, error)
        data, new = b"", None if repaired is NOTHING else b""
        if self._count <= MOST_RECORDS and self._bytes <= MOST_BYTES and not self._site.masked:
            data = carried(given)
            new = None if repaired is NOTHING else carried(repaired)
        row = pickle.dumps((data, error if data or self._count == 1 else "", new))
        self._bytes += len(row)
        self._stream.write(len(row).to_bytes(_HEAD, "big") + row)
        self._stream.flush()

    def _open(self) -> None:
        from pyspark import TaskContext

        context = TaskContext.get()
        output = None if context is None else context.getLocalProperty(OUTPUT)
        if context is None or output is None:
            self._silent = True
            return
        filesystem, folder = self._site.place
        made = pickle.loads(filesystem)
        with suppress(OSError):
            made.create_dir(folder, recursive=True)
        name = f"{output}-{self._site.number}-{context.partitionId()}-{context.taskAttemptId()}{APPENDED}"
        self._stream = made.open_output_stream(f"{folder}/{name}")


def appended(data: bytes) -> Iterator[tuple[bytes, str, bytes | None]]:
    """What an attempt of a task has written, as far as it stands there whole."""
    start = 0
    while start + _HEAD <= len(data):
        size = int.from_bytes(data[start : start + _HEAD], "big")
        start += _HEAD
        if start + size > len(data):
            return
        yield pickle.loads(data[start : start + size])
        start += size


@dataclass(frozen=True)
class Decided:
    """What becomes of a record that crashed a function.

    Attributes:
        what: `skip`: it is left out. `again`: the function is called with something else. `result`: something
            stands for what the function gives.
        value: the input, or the result.
    """

    what: str
    value: Any = NOTHING


SKIP = Decided("skip")


def repair_of(repair: Callable[[Any, Exception], Any], given: Any, error: Exception) -> Any:
    """What a repair makes of an input and its error; where it raises in turn, Python shows both."""
    try:
        return repair(given, error)
    except Exception as problem:
        raise problem from error


class Deciding:
    """Decides on records that crash a function, in one attempt of a task, and sets them aside.

    Args:
        site: of the operator.
        keeper: sets them aside; None: an `Appender`.
    """

    def __init__(self, site: Site, keeper: Any = None) -> None:
        self._site = site
        self._keeper = Appender(site) if keeper is None else keeper
        self._decisions = Decisions(site.place, site.number)
        self._asked = 0

    def on(self, crashed: Sequence[tuple[Any, Exception]]) -> list[Decided]:
        """What becomes of some records, each with what it raised; where they are paused, the session is asked now."""
        found = self._paused(crashed) if self._site.pause is not None else map(self._repaired, crashed)
        decided = []
        for (given, error), each in zip(crashed, found, strict=True):
            self._keeper.keep(given, told(error), each.value)
            decided.append(each)
        return decided

    def _repaired(self, one: tuple[Any, Exception]) -> Decided:
        given, error = one
        if self._site.policy != "repair":
            return SKIP
        return self._by(self._site.repair, given, error)

    @staticmethod
    def _by(repair: Any, given: Any, error: Exception) -> Decided:
        if not callable(repair):
            return Decided("result", repair)
        return Decided("again", repair_of(repair, given, error))

    def _paused(self, crashed: Sequence[tuple[Any, Exception]]) -> Iterator[Decided]:
        pause = self._site.pause
        assert pause is not None
        if self._keeper.is_silent:  # a replay: nobody is there to ask
            yield from map(self._as_before, crashed)
            return
        asked = max(0, min(len(crashed), pause.most - self._asked))
        self._asked += asked
        waiting = [(number, given, error) for number, (given, error) in enumerate(crashed[:asked])]
        for _, given, error, (decision, changed) in answers(self._site, waiting, "") if waiting else ():
            if decision == "fail":
                raise error
            yield SKIP if decision == "skip" else self._by(changed, given, error)
        for _, error in crashed[asked:]:
            if pause.otherwise == "raise":
                raise error
            yield SKIP

    def _as_before(self, one: tuple[Any, Exception]) -> Decided:
        """What was decided about a record as the program ran."""
        given, error = one
        answer = self._decisions.of(told_value(given))
        if answer is None:
            return SKIP
        decision, changed = as_repair(answer)
        return SKIP if decision == "skip" else self._by(changed, given, error)


class MarkedError(Exception):
    """A function gave the very value that stands for a crash; it has one chance in billions."""


def guarded_row(command: bytes, site: Site, mark: Any = None, *, alone: bool = False) -> Callable[..., Any]:
    """In place of a function of a row's values: its result, marked where they crash it.

    Args:
        command: the user's function.
        site: of the operator.
        mark: what stands for a crash; None where there is no such value: then results come in lists, and a crash
            as None.
        alone: it is given one value. All rows pay for what else the guard does.
    """
    load = loaded_once(command)
    function: Any = None
    deciding = Deciding(site)
    listed = mark is None
    narrow = type(mark) is int and abs(mark) < 1 << 31

    def guard(*values: Any, **named: Any) -> Any:
        nonlocal function
        try:
            made = function(*values, **named)
        except Exception as error:
            if function is None:
                function = load()
                return guard(*values, **named)
            return crashed(function, values, named, error)
        if listed:
            return [made]
        if narrow and made == mark and type(made) is int:
            raise MarkedError(f"the function gave {mark}, which stands for a crash: run it again")
        return made

    def guard_of_one(value: Any) -> Any:
        nonlocal function
        try:
            return function(value)
        except Exception as error:
            if function is None:
                function = load()
                return guard_of_one(value)
            return crashed(function, (value,), {}, error)

    # What a function refers to, it has a copy of in a worker: the loaded function is handed over.
    def crashed(function: Any, values: tuple[Any, ...], named: dict[str, Any], error: Exception) -> Any:
        (decided,) = deciding.on([(given_of(values, named), error)])
        if decided.what == "skip":
            return mark
        made = decided.value
        if decided.what == "again":
            made = function(*made) if len(values) + len(named) > 1 else function(made)
        return [made] if listed else made

    def narrow_guard_of_one(value: Any) -> Any:
        nonlocal function
        try:
            made = function(value)
        except Exception as error:
            if function is None:
                function = load()
                return narrow_guard_of_one(value)
            return crashed(function, (value,), {}, error)
        if made == mark and type(made) is int:
            raise MarkedError(f"the function gave {mark}, which stands for a crash: run it again")
        return made

    if not alone or listed:
        return guard
    return narrow_guard_of_one if narrow else guard_of_one


def given_of(values: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """What a function was given, as a repair is: the value, or a tuple of several."""
    every = (*values, *named.values())
    return every[0] if len(every) == 1 else every
