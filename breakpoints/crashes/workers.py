"""What the search for culprits has Spark's Python workers do. Travels by value: they need not have bigdebug."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Iterable, Iterator
from typing import Any

MOST_MESSAGE = 4_000
_ONE_BY_ONE = 3
"""So many records of a batch are looked for one by one; of more it is faster to look for all at once."""


def told(error: BaseException, together: int = 1) -> str:
    """An exception as JSON: its class, its text, and its traceback with the user's frames alone.

    Args:
        error: the exception.
        together: of how many records, none of which crashes alone.
    """
    try:
        message = str(error)
    except Exception as problem:
        message = f"<its text can't be made: {type(problem).__name__}>"
    frames = _users_frames(traceback.extract_tb(error.__traceback__))
    kind = type(error).__qualname__
    lines = ["Traceback (most recent call last):\n", *traceback.format_list(frames), f"{kind}: {message}"]
    return json.dumps(
        {
            "kind": kind,
            "message": message[:MOST_MESSAGE],
            "traceback": "".join(lines)[: 2 * MOST_MESSAGE],
            "together": together,
        }
    )


def _users_frames(frames: list[traceback.FrameSummary]) -> list[traceback.FrameSummary]:
    """Those of the user's code, not of ours, Spark's and what they install; these too where there are no others."""
    own = told.__code__.co_filename.rpartition("/")[0] + "/"
    library = traceback.__file__.rpartition("/")[0] + "/"
    without_ours = [
        frame
        for frame in frames
        if not frame.filename.startswith(own)
        and "/pyspark/" not in frame.filename
        and "pyspark.zip" not in frame.filename
    ]
    users = [
        frame
        for frame in without_ours
        if "/site-packages/" not in frame.filename and not frame.filename.startswith(library)
    ]
    return users or without_ours


def loaded_once(command: bytes) -> Callable[[], Any]:
    """Unpickles the user's function where it is first called."""
    found: list[Any] = []

    def load() -> Any:
        if not found:
            from pyspark import Broadcast
            from pyspark.serializers import CloudPickleSerializer

            pickled = CloudPickleSerializer().loads(command)
            if isinstance(pickled, Broadcast):
                pickled = CloudPickleSerializer().loads(pickled.value)
            # A table function is pickled without a type.
            found.append(pickled[0] if isinstance(pickled, tuple) else pickled)
        return found[0]

    return load


def blamed(
    call: Callable[[int, int], Any],
    size: int,
    raised: dict[int, Exception] | None = None,
    *,
    known: Exception | None = None,
    without: Callable[[list[int]], Any] | None = None,
) -> dict[int, str]:
    """By record, what a call of some of them raises.

    The first records that crash alone are looked for one after another, by which half of a batch crashes: only the
    first half is tried. Where there are many, or where it takes several together, all halves are tried.

    Args:
        call: calls the function with the records from one number up to another.
        size: how many records there are.
        raised: takes the exceptions themselves.
        known: what a call with all of them raised, if it was made.
        without: calls it with those records that are left, in place of `call` with those not tried yet.
    """
    found: dict[int, str] = {}
    errors = {} if raised is None else raised

    def crashes(low: int, high: int) -> bool:
        try:
            call(low, high)
        except Exception as error:
            if high - low == 1:
                found[low] = told(error)
                errors[low] = error
                return True
            middle = (low + high) // 2
            left = crashes(low, middle)
            if not crashes(middle, high) and not left:
                text = told(error, high - low)
                found.update((number, text) for number in range(low, high))
                errors.update((number, error) for number in range(low, high))
            return True
        return False

    def passes(trying: Callable[[], Any]) -> bool:
        try:
            trying()
        except Exception:
            return False
        return True

    if not size or (known is None and passes(lambda: call(0, size))):
        return found
    begin = 0
    for _ in range(_ONE_BY_ONE):
        low, high = begin, size
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if passes(lambda: call(low, middle)) else (low, middle)  # noqa: B023
        if not crashes(low, high):
            break
        begin = high
        left = range(begin, size) if without is None else [n for n in range(size) if n not in found]
        if not left:
            return found
        if passes(lambda: call(begin, size) if without is None else without(list(left))):  # noqa: B023
            return found
    if begin < size:
        crashes(begin, size)
    return found


def row_errors(command: bytes) -> Callable[..., str | None]:
    """In place of a function of a row's values: what it raises for them, or nothing."""
    load = loaded_once(command)

    def errors(*values: Any, **named: Any) -> str | None:
        function = load()
        try:
            function(*values, **named)
        except Exception as error:
            return told(error)
        return None

    return errors


def table_errors(command: bytes) -> Callable[..., str | None]:
    """In place of a table function: what its `eval` raises for a row's values, or nothing."""
    load = loaded_once(command)

    def errors(*values: Any, **named: Any) -> str | None:
        try:
            for _ in load()().eval(*values, **named) or ():
                pass
        except Exception as error:
            return told(error)
        return None

    return errors


def batch_errors(command: bytes, arrow: bool, batches: bool) -> Callable[..., Any]:
    """In place of a vectorised function: for each record what the function raises for it, or nothing.

    Args:
        command: the user's function.
        arrow: it works on Arrow's arrays, else on pandas' series.
        batches: it is given an iterator of batches.
    """
    load = loaded_once(command)

    def of_batch(columns: tuple[Any, ...], named: dict[str, Any]) -> Any:
        every = [*columns, *named.values()]
        size = len(every[0]) if every else 0

        def call(low: int, high: int) -> None:
            given = [part_of(each, low, high, arrow) for each in columns]
            if batches:
                for _ in load()(iter([given[0] if len(given) == 1 else tuple(given)])):
                    pass
            else:
                load()(*given, **{name: part_of(each, low, high, arrow) for name, each in named.items()})

        found = blamed(call, size)
        errors = [found.get(number) for number in range(size)]
        if arrow:
            import pyarrow as pa

            return pa.array(errors, pa.string())
        import pandas as pd

        return pd.Series(errors, dtype=object)

    if not batches:
        return lambda *columns, **named: of_batch(columns, named)

    def of_batches(given: Iterable[Any]) -> Iterator[Any]:
        for batch in given:
            yield of_batch(batch if isinstance(batch, tuple) else (batch,), {})

    return of_batches


def map_errors(command: bytes, names: list[str], arrow: bool) -> Callable[[Iterable[Any]], Iterator[Any]]:
    """In place of a function of batches of rows: the rows that crash it, with what it raises in a last column.

    Args:
        command: the user's function.
        names: of the columns that it is given, the first ones; ours come behind them.
        arrow: it works on Arrow's batches, else on pandas' frames.
    """
    load = loaded_once(command)

    def errors(batches: Iterable[Any]) -> Iterator[Any]:
        for batch in batches:
            own = own_columns(batch, names, arrow)

            def call(low: int, high: int, own: Any = own) -> None:
                for _ in load()(iter([part_of(own, low, high, arrow)])):
                    pass

            found = blamed(call, size_of(batch, arrow))
            if found:
                yield crashed(batch, found, arrow)

    return errors


def group_errors(
    command: bytes, columns: list[int], names: list[str], arrow: bool, spread: bool = False
) -> Callable[[Any, Any], Any]:
    """In place of a function of groups: the rows that crash it, with what it raises in a last column.

    Args:
        command: the user's function.
        columns: which columns it is given.
        names: of these.
        arrow: it works on Arrow's tables, else on pandas' frames.
        spread: it is given the columns one by one.
    """
    load = loaded_once(command)

    def errors(key: Any, group: Any) -> Any:
        import inspect

        function = load()
        alone = not spread and len(inspect.getfullargspec(function).args) == 1
        own = own_columns(group.select(columns) if arrow else group.iloc[:, columns], names, arrow)

        def call(low: int, high: int) -> None:
            rows = part_of(own, low, high, arrow)
            if spread:
                function(*(rows[name] for name in names))
            elif alone:
                function(rows)
            else:
                function(key, rows)

        return crashed(group, blamed(call, size_of(group, arrow)), arrow)

    return errors


def size_of(batch: Any, arrow: bool) -> int:
    return int(batch.num_rows) if arrow else len(batch)


def own_columns(batch: Any, names: list[str], arrow: bool, first: int = 0) -> Any:
    """As many columns as there are names, from one on, under these."""
    last = first + len(names)
    if arrow:
        return batch.select(list(range(first, last))).rename_columns(names)
    own = batch.iloc[:, first:last].copy()
    own.columns = names
    return own


def part_of(rows: Any, low: int, high: int, arrow: bool) -> Any:
    """Rows, or a column of them, from one number up to another."""
    if arrow:
        return rows.slice(low, high - low)
    return rows.iloc[low:high].reset_index(drop=True)


def taken(batch: Any, numbers: list[int], arrow: bool) -> Any:
    """The rows of some numbers."""
    if arrow:
        import pyarrow as pa

        return batch.take(pa.array(numbers, pa.int64()))
    return batch.iloc[numbers].reset_index(drop=True)


def crashed(batch: Any, found: dict[int, str], arrow: bool) -> Any:
    numbers = sorted(found)
    texts = [found[number] for number in numbers]
    if arrow:
        import pyarrow as pa

        rows = taken(batch, numbers, arrow)
        names = [*batch.schema.names, "error"]
        return type(batch).from_arrays([*rows.columns, pa.array(texts, pa.string())], names=names)
    if not numbers:
        import pandas as pd

        return pd.DataFrame()  # Spark takes one without columns for one without rows
    return taken(batch, numbers, arrow).assign(error=texts)


def call_of(kind: str, function: Any) -> Callable[[Any], Any]:
    """What calls a record-wise function with an element, and computes all that it gives.

    Args:
        kind: of the operator.
        function: the user's.
    """

    def call(element: Any) -> Any:
        if kind == "flatMap":
            return list(function(element))
        if kind == "mapValues":
            return function(element[1])
        if kind == "flatMapValues":
            return list(function(element[1]))
        return function(element)

    return call


Found = tuple[bytes, Any, str]
"""An element as `carried` gives it, its ids, and what was raised."""


def crashing(
    function: Callable[[Any], Any], most: int
) -> Callable[[int, Iterable[Any]], Iterator[tuple[list[Found], int]]]:
    """Some of the annotated elements of a partition that crash a record-wise function, and how many do.

    Args:
        function: of one element.
        most: so many of them.
    """

    def found(partition: int, annotated: Iterable[Any]) -> Iterator[tuple[list[Found], int]]:
        kept: list[Found] = []
        count = 0
        for element, ids in annotated:
            try:
                function(element)
            except Exception as error:
                count += 1
                if len(kept) < most:
                    kept.append((carried(element), ids, told(error)))
        if count:
            yield kept, count

    return found


def carried(element: Any) -> bytes:
    """An element as bytes that the driver reads; one that can't be pickled as its text."""
    from pyspark import cloudpickle

    try:
        return bytes(cloudpickle.dumps(element))
    except Exception as error:
        try:
            text = repr(element)[:MOST_MESSAGE]
        except Exception:
            text = f"<a {type(element).__name__}>"
        return bytes(cloudpickle.dumps(f"{text} (can't be pickled: {type(error).__name__})"))
