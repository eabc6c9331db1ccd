"""Functions that stand in place of the program's in Spark's Python workers, which need not have bigdebug."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class MadeThere:
    """A function that is made where it is unpickled: in a copy of it, parts would no longer share what they count."""

    def __init__(self, make: Callable[..., Any], *given: Any) -> None:
        self._make = make
        self._given = given

    def __reduce__(self) -> Any:
        return self._make, self._given

    def __call__(self, *values: Any) -> Any:
        return self._make(*self._given)(*values)


def of_values(
    load: Callable[[], Callable[..., Any]],
    timed: Callable[[Callable[[Any], Any]], Callable[[Any], Any]],
    *,
    alone: bool,
) -> Callable[..., Any]:
    """In place of a function of a row's values: the same, each call of it timed as one of a value, or of a tuple.

    Args:
        load: gives the program's function, when the first row comes.
        timed: gives what is called in place of a function of one value.
        alone: the function has one argument, without a name.
    """
    call: Any = None

    def of_one(value: Any) -> Any:
        nonlocal call
        if call is None:
            call = timed(load())
        return call(value)

    def of_many(*values: Any, **named: Any) -> Any:
        nonlocal call
        if call is None:
            function, names, arity = load(), tuple(named), len(values)

            def spread(given: tuple[Any, ...]) -> Any:
                return function(*given[:arity], **dict(zip(names, given[arity:], strict=True)))

            call = timed(spread)
        return call((*values, *named.values()))

    return of_one if alone else of_many
