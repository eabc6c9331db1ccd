"""Columns of ours beside a user's Python function. Runs in Spark's workers, where it travels by value.

Our columns come last in what the function is given and in what it gives back; the function sees none of them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any

Load = Callable[[], tuple[Any, int]]


def of_group(command: bytes, names: list[str], in_key: int) -> Callable[[Any, Any], Any]:
    """The function of a group (pandas or Arrow), each row of its result beside our columns' maxima in the group.

    Args:
        command: the user's function, as Spark pickled it.
        names: of our columns, in the result.
        in_key: how many of the key's last parts are ours.
    """
    load = loader(command)

    # Spark counts a function's arguments: with two it hands it the key as well.
    def carried(key: Any, group: Any) -> Any:
        function, arity = load()
        theirs, ours = parted(group, len(names))
        result = function(theirs) if arity == 1 else function(their_key(key, in_key), theirs)
        return joined(result, names, maxima([ours]))

    return carried


def of_cogroup(command: bytes, names: list[str], in_key: int) -> Callable[[Any, Any, Any], Any]:
    """The same for a function of two groups of one key; the maxima are those of both."""
    load = loader(command)

    def carried(key: Any, left: Any, right: Any) -> Any:
        function, arity = load()
        left, ours = parted(left, len(names))
        right, ours_too = parted(right, len(names))
        result = function(left, right) if arity == 2 else function(their_key(key, in_key), left, right)
        return joined(result, names, maxima([ours, ours_too]))

    return carried


def of_batches(
    command: bytes, names: list[str], in_key: int, constant: bool
) -> Callable[[Any, Any], Iterator[Any]]:
    """The same for a function that is given a group batch by batch.

    Args:
        constant: our columns hold one value in a group, so that its first batch says all.
    """
    load = loader(command)

    def carried(key: Any, batches: Iterable[Any]) -> Iterator[Any]:
        function, arity = load()
        rest = iter(batches)
        seen = [parted(batch, len(names)) for batch in ([next(rest)] if constant else rest)]
        values = maxima([ours for _, ours in seen])

        def given() -> Iterator[Any]:
            while seen:
                yield seen.pop(0)[0]
            for batch in rest:
                yield parted(batch, len(names))[0]

        for result in function(given()) if arity == 1 else function(their_key(key, in_key), given()):
            yield joined(result, names, values)

    return carried


def of_partition(command: bytes, names: list[str], parts: int) -> Callable[[Any], Iterator[Any]]:
    """A function of whole partitions, called anew for each part of one, its rows beside the part's number.

    Args:
        command: the user's function, as Spark pickled it.
        names: of the number, in the result.
        parts: how many there are; rows of a part follow one another, its number in their last column.
    """
    load = loader(command)

    def carried(batches: Iterable[Any]) -> Iterator[Any]:
        function, _ = load()
        left = set(range(parts))
        for number, run in groupby(runs(batches), itemgetter(0)):
            left.discard(number)
            for result in function(data for _, data in run):
                yield joined(result, names, [number])
        for number in sorted(left):  # of no rows, too, it may make some
            for result in function(iter(())):
                yield joined(result, names, [number])

    return carried


def runs(batches: Iterable[Any]) -> Iterator[tuple[int, Any]]:
    """Batches, cut where the number in their last column changes."""
    for batch in batches:
        data, (numbers,) = parted(batch, 1)
        first = 0
        for number, run in groupby(numbers.tolist() if hasattr(numbers, "tolist") else numbers.to_pylist()):
            size = sum(1 for _ in run)
            if hasattr(data, "schema"):
                yield number, data.slice(first, size)
            else:
                yield number, data.iloc[first : first + size].reset_index(drop=True)
            first += size


def any_of_series(flags: Any) -> bool:
    """A pandas aggregate: whether one of the flags is set."""
    return bool(flags.any())


def any_of_array(flags: Any) -> bool:
    """The same for Arrow."""
    return True in flags.to_pylist()


def any_of_batches(batches: Iterator[Any]) -> bool:
    """The same for an aggregate that is given batches, of pandas or Arrow."""
    found = [True in batch.tolist() for batch in batches]  # all are read: Spark's stream goes on behind them
    return True in found


def loader(command: bytes) -> Load:
    """Unpickles the user's function where it is first called, and counts its arguments as Spark does."""
    loaded: list[tuple[Any, int]] = []

    def load() -> tuple[Any, int]:
        if not loaded:
            from pyspark import Broadcast
            from pyspark.serializers import CloudPickleSerializer

            pickled = CloudPickleSerializer().loads(command)
            if isinstance(pickled, Broadcast):
                pickled = CloudPickleSerializer().loads(pickled.value)
            function = pickled[0]
            loaded.append((function, len(inspect.getfullargspec(function).args)))
        return loaded[0]

    return load


def their_key(key: Any, ours: int) -> Any:
    """A group's key as the user's function knows it, without its last parts."""
    return key[: len(key) - ours]


def parted(data: Any, width: int) -> tuple[Any, list[Any]]:
    """What the user's function shall see, and our last columns."""
    if not hasattr(data, "schema"):  # pandas; the frame is Spark's own and nobody else's
        names = list(data.columns[-width:])
        return data, [data.pop(name) for name in reversed(names)][::-1]
    theirs = data.num_columns - width
    return data.select(list(range(theirs))), [data.column(theirs + i) for i in range(width)]


def maxima(sides: list[list[Any]]) -> list[Any]:
    """The greatest value of each of our columns, over groups of which some may be empty."""
    return [
        max(_maximum(column) for column in columns if len(column)) for columns in zip(*sides, strict=True)
    ]


def _maximum(column: Any) -> Any:
    if not hasattr(column, "to_pylist"):
        return column.max().item()
    import pyarrow as pa
    import pyarrow.compute as pc

    return (pc.any if pa.types.is_boolean(column.type) else pc.max)(column).as_py()


def joined(result: Any, names: list[str], values: list[Any]) -> Any:
    """The function's result and our values beside each of its rows; what Spark will refuse stays as it is."""
    if hasattr(result, "iloc") and hasattr(result, "columns"):
        return _joined_pandas(result, names, values)
    if hasattr(result, "num_columns"):
        return _joined_arrow(result, names, values)
    return result


def _joined_pandas(frame: Any, names: list[str], values: list[Any]) -> Any:
    if frame.empty and not len(frame.columns):
        return frame  # Spark takes that for no rows, whatever the columns
    # A frame without any name is read by position; a name of ours would change that.
    named = any(isinstance(name, str) for name in frame.columns)
    frame = frame.copy(deep=False)
    for i, (name, value) in enumerate(zip(names, values, strict=True)):
        frame.insert(len(frame.columns), name if named else ("bigdebug", i), value)
    return frame


def _joined_arrow(table: Any, names: list[str], values: list[Any]) -> Any:
    import pyarrow as pa

    if not table.num_columns and not table.num_rows:
        return table
    arrays = [pa.array([value] * table.num_rows, pa.scalar(value).type) for value in values]
    fields = [pa.field(name, array.type) for name, array in zip(names, arrays, strict=True)]
    schema = pa.schema([*table.schema, *fields])
    return type(table).from_arrays([*table.columns, *arrays], schema=schema)
