"""How long functions take, record by record, and the slowest records."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, overload

from bigdebug.lineage.callsite import CallSite
from bigdebug.lineage.described import Described, Description, Table, site_label
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.location import TracedRecord

_NANO = 1e9


@dataclass(frozen=True)
class FunctionTime:
    """How long one function of the program's took.

    Attributes:
        name: the function's; `<lambda>` of one without.
        file, line: where it is defined; None of one that isn't written in Python.
        operator: that calls it.
        call_site: the operator's place.
        vectorised: it is given batches: the times of its calls are shared out among their records.
        calls: records that it was given.
        seconds: that it took in all.
        mean, deviation: seconds a record.
        histogram: upper bounds in seconds, each twice the one before, and how many records took less; empty ones
            left out.
    """

    name: str
    file: str | None
    line: int | None
    operator: str
    call_site: CallSite | None
    vectorised: bool
    calls: int
    seconds: float
    mean: float
    deviation: float
    histogram: tuple[tuple[float, int], ...]

    @property
    def described(self) -> str:
        """`parse (etl.py:12)`."""
        return self.name if self.file is None else f"{self.name} ({self.file.rsplit('/', 1)[-1]}:{self.line})"


@dataclass(frozen=True)
class SlowRecord:
    """A record that a function took long for.

    Attributes:
        seconds: that it took.
        function: the function.
        text: what it was given, as Python shows it.
        deviations: how many standard deviations that is above the mean of the function.
        slow: it is more of them than the threshold.
    """

    seconds: float
    function: FunctionTime
    text: str
    deviations: float
    slow: bool
    _data: bytes | None = field(default=None, repr=False, compare=False)
    _trace: Callable[[bytes], Any] | None = field(default=None, repr=False, compare=False)

    @property
    def value(self) -> Any:
        """What the function was given: a value, or a tuple of several.

        Raises:
            BigDebugError: it was too large to be kept, or can't be pickled.
        """
        if self._data is None:
            raise BigDebugError(
                f"the slow record of {self.function.described} isn't kept: {self.text[:80]}",
                hint="it is larger than 1 MB, or can't be pickled; .text shows the beginning of it",
            )
        return pickle.loads(self._data)

    def trace(self) -> Any:
        """A backward trace of what the function was given; of records that are equal all are in it.

        Raises:
            BigDebugError: it can't be traced; says why.
        """
        if self._trace is None or self._data is None:
            raise BigDebugError(
                f"what {self.function.described} was given can't be traced",
                hint="it was too large to be kept, or the function reads more than one input",
            )
        return self._trace(self._data)

    def sources(self, limit: int = 10) -> list[TracedRecord]:
        """Up to `limit` records of each source that what the function was given came from."""
        found: list[TracedRecord] = self.trace().collect(limit)
        return found


@dataclass(frozen=True, repr=False)
class SlowRecords(Described, Sequence[SlowRecord]):
    """The slowest records of a dataflow's functions, a sequence.

    Attributes:
        records: the slowest first.
        functions: all functions that were timed, the one that took longest first.
        notes: what couldn't be timed.
        seconds: that the replay took.
    """

    records: tuple[SlowRecord, ...]
    functions: tuple[FunctionTime, ...]
    notes: tuple[str, ...]
    seconds: float

    def __repr__(self) -> str:
        functions = "1 function" if len(self.functions) == 1 else f"{len(self.functions)} functions"
        return f"<the {len(self.records)} slowest records of {functions}>"

    def _description(self) -> Description:
        records = Table(
            "slowest records",
            ("ms", "function", "given", "deviations"),
            [
                (_milliseconds(each.seconds), each.function.described, each.text, round(each.deviations, 1))
                for each in self.records
            ],
        )
        functions = Table(
            "functions",
            ("function", "operator", "at", "records", "ms in all", "ms a record"),
            [
                (
                    each.described,
                    each.operator,
                    site_label(each),
                    each.calls,
                    _milliseconds(each.seconds),
                    _milliseconds(each.mean),
                )
                for each in self.functions
            ],
        )
        tables = [table for table in (records, functions) if table.rows]
        return Description(repr(self)[1:-1], tables, self.notes)

    def __len__(self) -> int:
        return len(self.records)

    @overload
    def __getitem__(self, place: int) -> SlowRecord: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[SlowRecord]: ...

    def __getitem__(self, place: int | slice) -> SlowRecord | Sequence[SlowRecord]:
        return self.records[place]

    def __iter__(self) -> Iterator[SlowRecord]:
        return iter(self.records)


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1_000, 3)


@dataclass(frozen=True)
class Timed:
    """A function that is being timed.

    Attributes:
        function: the user's; None where it can't be loaded here.
        name: of it.
        operator, call_site: that calls it.
        vectorised: it is given batches.
        trace: gives a trace of a pickled input; None where its inputs can't be traced.
    """

    function: Any
    name: str
    operator: str
    call_site: CallSite | None
    vectorised: bool
    trace: Callable[[bytes], Any] | None


def slow_records(
    timed: Sequence[Timed],
    times: dict[int, Any],
    top: int,
    deviations: float,
    notes: Sequence[str],
    seconds: float,
) -> SlowRecords:
    """The answer, of what stopwatches gave.

    Args:
        timed: the functions, by number.
        times: by number, as `TimesParam` puts them together.
        top: how many records.
        deviations: so many above the mean is slow.
        notes, seconds: as they are shown.
    """
    functions, records = [], []
    for number, held in times.items():
        each = timed[number]
        found = _function(each, held)
        functions.append(found)
        for took, data, text in held["top"]:
            # Without the record itself: of few records a slow one would hide behind its own deviation.
            mean, spread = _moments(held, without=took)
            above = took / _NANO - mean
            away = above / spread if spread > 0 else (math.inf if above > 0 else 0.0)
            records.append(SlowRecord(took / _NANO, found, text, away, away > deviations, data, each.trace))
    functions.sort(key=lambda each: -each.seconds)
    records.sort(key=lambda each: -each.seconds)
    return SlowRecords(tuple(records[:top]), tuple(functions), tuple(notes), seconds)


def _function(each: Timed, held: dict[str, Any]) -> FunctionTime:
    code = getattr(each.function, "__code__", None)
    mean, deviation = _moments(held)
    histogram = ((2**place / _NANO, number) for place, number in enumerate(held["counts"]) if number)
    return FunctionTime(
        name=getattr(each.function, "__name__", None) or each.name,
        file=code.co_filename if code is not None else None,
        line=code.co_firstlineno if code is not None else None,
        operator=each.operator,
        call_site=each.call_site,
        vectorised=each.vectorised,
        calls=sum(held["counts"]),
        seconds=held["total"] / _NANO,
        mean=mean,
        deviation=deviation,
        histogram=tuple(histogram),
    )


def _moments(held: dict[str, Any], without: int | None = None) -> tuple[float, float]:
    """Mean and standard deviation in seconds, of all records or of all but one."""
    calls, total, squares = sum(held["counts"]), held["total"], held["squares"]
    if without is not None and calls > 1:
        calls, total, squares = calls - 1, max(total - without, 0), max(squares - without * without, 0)
    if not calls:
        return 0.0, 0.0
    mean = total / calls
    return mean / _NANO, math.sqrt(max(squares / calls - mean * mean, 0.0)) / _NANO


def loaded(command: bytes) -> Any:
    """The function that Spark pickled; None where what it needs isn't here."""
    with suppress(Exception):
        return pickle.loads(command)[0]
    return None
