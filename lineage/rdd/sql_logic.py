"""Conditions on a row's columns as Spark judges them, asked of the values in Python. Travels by value to the workers.

In three-valued logic: what is asked of null is neither true nor false. Not a number is equal to itself, and greater
than all other numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

Tree = tuple[Any, ...]
"""A condition: its operator and what that takes; a column is the number of it.

`("and" | "or", tree, tree)`, `("not", tree)`, `("null", column)`, `("in", column, values)`, and
`("=" | "<=>" | "<" | "<=" | ">" | ">=", column, value)`.
"""

Get = Callable[[Any], Any]


class ColumnsCondition:
    """A condition on some columns of an element.

    Args:
        tree: the condition.
        columns: of each number in it, what gives the column's value, as Spark holds it, of what is asked about.
    """

    def __init__(self, tree: Tree, columns: Sequence[Get]) -> None:
        self._tree = tree
        self._columns = columns

    def __call__(self, given: Any) -> bool:
        return _judged(self._tree, [column(given) for column in self._columns]) is True


def value_as(convert: Callable[[Any], Any] | None, name: Any | None, attribute: bool = False) -> Get:
    """What gives a column's value.

    Args:
        convert: of Python's value makes Spark's; None where they are the same.
        name: of the part of an element that is the column; None where the element itself is.
        attribute: it is an attribute's name.
    """

    def value(given: Any) -> Any:
        if name is not None:
            given = getattr(given, name) if attribute else given[name]
        return given if given is None or convert is None else convert(given)

    return value


def _judged(tree: Tree, values: Sequence[Any]) -> bool | None:
    operator = tree[0]
    if operator in ("and", "or"):
        one, other = _judged(tree[1], values), _judged(tree[2], values)
        decided = operator == "or"
        if one is decided or other is decided:
            return decided
        return None if one is None or other is None else not decided
    if operator == "not":
        found = _judged(tree[1], values)
        return None if found is None else not found
    value = values[tree[1]]
    if operator == "null":
        return value is None
    if operator == "in":
        return _among(value, tree[2])
    wanted = tree[2]
    if operator == "<=>":
        return value is wanted if value is None or wanted is None else _rank(value) == _rank(wanted)
    if value is None or wanted is None:
        return None
    return _COMPARED[operator](_rank(value), _rank(wanted))


def _among(value: Any, wanted: Sequence[Any]) -> bool | None:
    if value is None:
        return None
    if any(each is not None and _rank(value) == _rank(each) for each in wanted):
        return True
    return None if None in wanted else False


def _rank(value: Any) -> Any:
    """A value in Spark's order: texts by their bytes, which is by their characters' numbers."""
    return (1, 0) if value != value else (0, value)


_COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda one, other: one == other,
    "<": lambda one, other: one < other,
    "<=": lambda one, other: one <= other,
    ">": lambda one, other: one > other,
    ">=": lambda one, other: one >= other,
}
