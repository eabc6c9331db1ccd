"""Guards in the vectorised Python functions of DataFrames: the rest of a batch that crashes one goes on.

Travels by value to Spark's Python workers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

from bigdebug.breakpoints.crashes.frame_guards import Decided, Deciding, given_of
from bigdebug.breakpoints.crashes.keeping import Site
from bigdebug.breakpoints.crashes.workers import blamed, loaded_once, part_of, taken


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
    deciding = Deciding(site)

    def of_batch(columns: tuple[Any, ...], named: dict[str, Any]) -> Any:
        every = [*columns, *named.values()]
        size = len(every[0]) if every else 0

        def called(given: list[Any], more: dict[str, Any]) -> Any:
            if not batches:
                return load()(*given, **more)
            (made,) = list(load()(iter([given[0] if len(given) == 1 else tuple(given)])))
            return made

        def call(rows: list[int]) -> Any:
            given = [taken(each, rows, arrow) for each in columns]
            return called(given, {name: taken(each, rows, arrow) for name, each in named.items()})

        def part(low: int, high: int) -> Any:
            given = [part_of(each, low, high, arrow) for each in columns]
            return called(given, {name: part_of(each, low, high, arrow) for name, each in named.items()})

        try:
            made = called(list(columns), named)
            return made if mark is not None else _beside(made, size, arrow)
        except Exception as error:
            raised: dict[int, Exception] = {}
            of_rest: list[Any] = []

            def without(left: list[int]) -> None:
                of_rest.append(call(left))

            blamed(part, size, raised, known=error, without=without)
            if not raised:
                raise
        numbers = sorted(raised)
        values = [tuple(each[n].as_py() if arrow else each.iloc[n] for each in every) for n in numbers]
        decided = deciding.on(
            [(given_of(one, {}), raised[n]) for n, one in zip(numbers, values, strict=True)]
        )
        results: dict[int, Any] = {}
        for number, each in zip(numbers, decided, strict=True):
            if each.what == "result":
                results[number] = each.value
            elif each.what == "again":
                new = each.value if len(every) > 1 else (each.value,)
                again = [_column(value, like, arrow) for value, like in zip(new, every, strict=True)]
                made = called(again[: len(columns)], dict(zip(named, again[len(columns) :], strict=True)))
                (results[number],) = _values(made, arrow)
        rest = [number for number in range(size) if number not in raised]
        # What went well in the search was the rest.
        made = of_rest[0] if of_rest else call(rest) if rest else None
        results.update(zip(rest, _values(made, arrow), strict=True))
        kind = made.type if arrow and made is not None else None
        if mark is not None:
            return _marked(results, size, kind, arrow, mark)
        return _beside_again(results, size, kind, arrow)

    if not batches:
        return lambda *columns, **named: of_batch(columns, named)

    def whole(given: Iterable[Any]) -> Iterator[Any]:
        for batch in given:
            yield of_batch(batch if isinstance(batch, tuple) else (batch,), {})

    return whole


def _column(value: Any, like: Any, arrow: bool) -> Any:
    """A column of one value, of another one's type if that holds it."""
    if arrow:
        import pyarrow as pa

        return pa.array([value], like.type)
    import pandas as pd

    try:
        return pd.Series([value], dtype=like.dtype, name=like.name)
    except (TypeError, ValueError):
        return pd.Series([value], name=like.name)


def _values(made: Any, arrow: bool) -> list[Any]:
    if made is None:
        return []
    return list(made.to_pylist()) if arrow else list(made)


def _marked(results: dict[int, Any], size: int, kind: Any, arrow: bool, mark: Any) -> Any:
    """The results in their places, and the mark in the others."""
    values = [results.get(number, mark) for number in range(size)]
    if arrow:
        import pyarrow as pa

        return pa.array(values, kind)
    import pandas as pd

    return pd.Series(values, dtype=object)


def _beside(result: Any, size: int, arrow: bool) -> Any:
    """The results, and beside each that the record didn't crash the function."""
    if arrow:
        import pyarrow as pa

        fine = pa.array([False] * size, pa.bool_())
        return pa.StructArray.from_arrays([result, fine], names=["value", "crashed"])
    import pandas as pd

    return pd.DataFrame({"value": result, "crashed": False})


def _beside_again(results: dict[int, Any], size: int, kind: Any, arrow: bool) -> Any:
    """The results that there are in their places, and beside each whether the record crashed the function."""
    values = [results.get(number) for number in range(size)]
    flags = [number not in results for number in range(size)]
    if arrow:
        import pyarrow as pa

        columns = [pa.array(values, kind), pa.array(flags, pa.bool_())]
        return pa.StructArray.from_arrays(columns, names=["value", "crashed"])
    import pandas as pd

    return pd.DataFrame({"value": pd.Series(values, dtype=object), "crashed": flags})


def guarded_group(command: bytes, site: Site, arrow: bool) -> Callable[[Any, Any], Any]:
    """In place of a function of groups: its result for the group without the rows that crash it."""
    load = loaded_once(command)
    deciding = Deciding(site)

    def guard(key: Any, group: Any) -> Any:
        import inspect

        function = load()
        alone = len(inspect.getfullargspec(function).args) == 1

        def call(rows: Any) -> Any:
            return function(rows) if alone else function(key, rows)

        try:
            return call(group)
        except Exception as error:
            raised: dict[int, Exception] = {}
            size = group.num_rows if arrow else len(group)
            blamed(lambda low, high: call(part_of(group, low, high, arrow)), size, raised, known=error)
            if not raised:
                raise
        left = _decided(deciding, group, raised, arrow)
        if left is not None:
            return call(left)
        import pandas as pd

        return group.schema.empty_table() if arrow else pd.DataFrame()

    return guard


def guarded_map(command: bytes, site: Site, arrow: bool) -> Callable[[Iterable[Any]], Iterator[Any]]:
    """In place of a function of batches of rows: it goes on with the rest of a batch of which rows crash it.

    A function that keeps something from batch to batch can't go on; its exception is raised as it is. It is told by
    having given less than a batch for each that it has read.
    """
    load = loaded_once(command)
    deciding = Deciding(site)

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
            except Exception as error:
                if not read or given != read - 1:
                    raise
                (batch,) = last
                size = batch.num_rows if arrow else len(batch)

                def call(low: int, high: int, batch: Any = batch) -> None:
                    for _ in function(iter([part_of(batch, low, high, arrow)])):
                        pass

                raised: dict[int, Exception] = {}
                blamed(call, size, raised, known=error)
                if not raised:
                    raise
            left = _decided(deciding, batch, raised, arrow)
            if left is not None:
                begun.append(left)

    return guard


def _decided(deciding: Deciding, rows: Any, raised: Mapping[int, Exception], arrow: bool) -> Any:
    """The rows that a function goes on with, in their order: without those left out; None where none are left."""
    numbers = sorted(raised)
    decided = deciding.on([(_row(rows, number, arrow), raised[number]) for number in numbers])
    by_number: dict[int, Decided] = dict(zip(numbers, decided, strict=True))
    size = rows.num_rows if arrow else len(rows)
    left = [n for n in range(size) if n not in by_number or by_number[n].what == "again"]
    if not left:
        return None
    changed = {left.index(n): each.value for n, each in by_number.items() if each.what == "again"}
    return _changed(taken(rows, left, arrow), changed, arrow) if changed else taken(rows, left, arrow)


def _changed(rows: Any, new: Mapping[int, Mapping[str, Any]], arrow: bool) -> Any:
    """Rows with others, which dicts tell, in the places of some."""
    if arrow:
        every = rows.to_pylist()
        for number, row in new.items():
            every[number] = {**every[number], **row}
        return type(rows).from_pylist(every, schema=rows.schema)
    import pandas as pd

    columns = {}
    for name in rows.columns:
        values = list(rows[name])
        for number, row in new.items():
            values[number] = row.get(str(name), values[number])
        try:
            columns[name] = pd.Series(values, dtype=rows[name].dtype)
        except (TypeError, ValueError):
            columns[name] = pd.Series(values)
    return pd.DataFrame(columns)


def _row(rows: Any, number: int, arrow: bool) -> dict[str, Any]:
    if arrow:
        return {name: rows.column(i)[number].as_py() for i, name in enumerate(rows.schema.names)}
    return {str(name): value for name, value in rows.iloc[number].items()}
