"""Guards in the Python functions of DataFrames: a row that crashes one is set aside, and the task goes on.

Travels by value to Spark's Python workers. What is set aside is written at once, record by record: nobody tells a
function of a row that its task is over.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import chain
from typing import Any

from bigdebug.breakpoints.crashes.guards import MOST_BYTES, MOST_RECORDS, NOTHING, OUTPUT, Site, stored
from bigdebug.breakpoints.crashes.workers import blamed, carried, loaded_once, told

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

    def keep(self, given: Any, error: str, repaired: Any = NOTHING) -> None:
        """Set aside what the function was given.

        Args:
            given: the input.
            error: as `told` tells it.
            repaired: what it was given instead.
        """
        if self._stream is None and not self._silent:
            self._open()
        if self._silent:
            return
        self._count += 1
        error = stored(self._site, error)
        data, new = b"", None
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
        if context is None or output is None:  # a question that computes the function again
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
    keeper = Appender(site)
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
        given = _given(values, named)
        if site.policy != "repair":
            keeper.keep(given, told(error))
            return mark
        if not callable(site.repair):
            keeper.keep(given, told(error), site.repair)
            return [site.repair] if listed else site.repair
        new = site.repair(given, error)
        made = function(*new) if len(values) + len(named) > 1 else function(new)
        keeper.keep(given, told(error), new)
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


def _given(values: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """What a function was given, as a repair is: the value, or a tuple of several."""
    every = (*values, *named.values())
    return every[0] if len(every) == 1 else every


def guarded_batch(
    command: bytes, site: Site, arrow: bool, batches: bool, mark: Any = None
) -> Callable[..., Any]:
    """In place of a vectorised function: its result, marked where a record crashes it.

    Args:
        command: the user's function.
        site: of the operator.
        arrow: it works on Arrow's arrays, else on pandas' series.
        batches: it is given an iterator of batches.
        mark: what stands for a crash; None where there is no such value: then a flag stands beside each result.
    """
    load = loaded_once(command)
    keeper = Appender(site)

    def of_batch(columns: tuple[Any, ...], named: dict[str, Any]) -> Any:
        every = [*columns, *named.values()]
        size = len(every[0]) if every else 0

        def call(rows: Any) -> Any:
            given = [_taken(each, rows, arrow) for each in columns]
            if not batches:
                return load()(*given, **{name: _taken(each, rows, arrow) for name, each in named.items()})
            (made,) = list(load()(iter([given[0] if len(given) == 1 else tuple(given)])))
            return made

        try:
            made = call(None)
            return made if mark is not None else _beside(made, size, {}, None, arrow)
        except Exception:
            found = blamed(lambda low, high: call(list(range(low, high))), size)
            if not found:
                raise
        for number, text in sorted(found.items()):
            values = tuple(each[number].as_py() if arrow else each.iloc[number] for each in every)
            keeper.keep(_given(values, {}), text)
        rest = [number for number in range(size) if number not in found]
        made = call(rest) if rest else None
        if mark is not None:
            return _marked(made, size, found, rest, arrow, mark)
        return _beside(made, size, found, rest, arrow)

    if not batches:
        return lambda *columns, **named: of_batch(columns, named)

    def whole(given: Iterable[Any]) -> Iterator[Any]:
        for batch in given:
            yield of_batch(batch if isinstance(batch, tuple) else (batch,), {})

    return whole


def _taken(column: Any, rows: list[int] | None, arrow: bool) -> Any:
    if rows is None:
        return column
    if arrow:
        import pyarrow as pa

        return column.take(pa.array(rows, pa.int64()))
    return column.iloc[rows].reset_index(drop=True)


def _marked(result: Any, size: int, found: dict[int, str], rest: list[int], arrow: bool, mark: Any) -> Any:
    """The results in their places, and the mark in the others."""
    values = [mark] * size
    given = result.to_pylist() if arrow and result is not None else result
    for number, value in zip(rest, given if given is not None else (), strict=True):
        values[number] = value
    if arrow:
        import pyarrow as pa

        return pa.array(values, None if result is None else result.type)
    import pandas as pd

    return pd.Series(values, dtype=object)


def _beside(result: Any, size: int, found: dict[int, str], rest: list[int] | None, arrow: bool) -> Any:
    """The results in their places, and beside each whether the record crashed the function."""
    if arrow:
        import pyarrow as pa

        flags = pa.array([number in found for number in range(size)], pa.bool_())
        if rest is None:
            values = result
        elif not rest:
            return pa.StructArray.from_arrays([pa.nulls(size), flags], names=["value", "crashed"])
        else:
            where: list[int | None] = [None] * size
            for place, number in enumerate(rest):
                where[number] = place
            values = result.take(pa.array(where, pa.int64()))
        return pa.StructArray.from_arrays([values, flags], names=["value", "crashed"])
    import pandas as pd

    if rest is None:
        return pd.DataFrame({"value": result, "crashed": False})
    values = pd.Series([None] * size, dtype=object)
    if rest:
        values.iloc[rest] = list(result)
    return pd.DataFrame({"value": values, "crashed": [number in found for number in range(size)]})


def guarded_group(command: bytes, site: Site, arrow: bool) -> Callable[[Any, Any], Any]:
    """In place of a function of groups: its result for the group without the rows that crash it."""
    load = loaded_once(command)
    keeper = Appender(site)

    def guard(key: Any, group: Any) -> Any:
        import inspect

        function = load()
        alone = len(inspect.getfullargspec(function).args) == 1

        def call(rows: Any) -> Any:
            return function(rows) if alone else function(key, rows)

        try:
            return call(group)
        except Exception:
            size = group.num_rows if arrow else len(group)
            found = blamed(lambda low, high: call(_slice(group, low, high, arrow)), size)
            if not found:
                raise
        for number, text in sorted(found.items()):
            keeper.keep(_row(group, number, arrow), text)
        rest = [number for number in range(size) if number not in found]
        if rest:
            return call(_rows(group, rest, arrow))
        import pandas as pd

        return group.schema.empty_table() if arrow else pd.DataFrame()

    return guard


def guarded_map(command: bytes, site: Site, arrow: bool) -> Callable[[Iterable[Any]], Iterator[Any]]:
    """In place of a function of batches of rows: it goes on with the rest of a batch of which rows crash it.

    A function that keeps something from batch to batch can't go on; its exception is raised as it is. It is told by
    having given less than a batch for each that it has read.
    """
    load = loaded_once(command)
    keeper = Appender(site)

    def guard(batches: Iterable[Any]) -> Iterator[Any]:
        function = load()
        rest = iter(batches)
        begun: list[Any] = []
        last: list[Any] = []
        read = 0

        def watched() -> Iterator[Any]:
            nonlocal read
            for batch in chain([begun.pop()] if begun else [], rest):
                last[:] = [batch]
                read += 1
                yield batch

        while True:
            read = given = 0
            try:
                for made in function(watched()):
                    given += 1
                    yield made
                return
            except Exception:
                if not read or given != read - 1:
                    raise
                (batch,) = last
                size = batch.num_rows if arrow else len(batch)

                def call(low: int, high: int, batch: Any = batch) -> None:
                    for _ in function(iter([_slice(batch, low, high, arrow)])):
                        pass

                found = blamed(call, size)
                if not found:
                    raise
            for number, text in sorted(found.items()):
                keeper.keep(_row(batch, number, arrow), text)
            left = [number for number in range(size) if number not in found]
            if left:
                begun.append(_rows(batch, left, arrow))

    return guard


def _slice(rows: Any, low: int, high: int, arrow: bool) -> Any:
    return rows.slice(low, high - low) if arrow else rows.iloc[low:high].reset_index(drop=True)


def _rows(rows: Any, numbers: list[int], arrow: bool) -> Any:
    if arrow:
        import pyarrow as pa

        return rows.take(pa.array(numbers, pa.int64()))
    return rows.iloc[numbers].reset_index(drop=True)


def _row(rows: Any, number: int, arrow: bool) -> dict[str, Any]:
    if arrow:
        return {name: rows.column(i)[number].as_py() for i, name in enumerate(rows.schema.names)}
    return {str(name): value for name, value in rows.iloc[number].items()}
