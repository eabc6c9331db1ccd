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

Convert = Callable[[int, Any], Any]
"""Makes rows of the elements of a partition, as PySpark does for a DataFrame."""

_BITS = {"tinyint": 8, "smallint": 16, "int": 32}
_LONG = 1 << 63


class RowCondition:
    """A condition on some columns of the row that is made of an element.

    Args:
        tree: the condition.
        columns: of each number in it, which of the row's columns that is, and its type as Spark calls it.
        functions: that make the row, in their order.
        width: how many columns the row has.
        place: what is asked about isn't the element: it is a tuple's part, the only one that the condition is
            about, which stands there.
    """

    def __init__(
        self,
        tree: Tree,
        columns: Sequence[tuple[int, str]],
        functions: Sequence[Convert],
        width: int,
        place: int | None = None,
    ) -> None:
        self._tree = tree
        self._columns = columns
        self._functions = functions
        self._width = width
        self._place = place

    def of_part(self) -> RowCondition:
        """The same on the only column that it is about, where elements are tuples."""
        ((place, _),) = self._columns
        return RowCondition(self._tree, self._columns, self._functions, self._width, place)

    def __call__(self, given: Any) -> bool:
        if self._place is not None:
            parts = [None] * self._width
            parts[self._place] = given
            given = tuple(parts)
        row = row_of(given, self._functions)
        if len(row) != self._width:
            raise ValueError("no row of this width is made of it")
        return _judged(self._tree, [_in_spark(row[place], kind) for place, kind in self._columns]) is True


def row_of(element: Any, functions: Sequence[Convert]) -> Any:
    """What is given to Spark as a row of an element."""
    elements: Any = iter([element])
    for function in functions:
        elements = function(0, elements)
    (row,) = elements
    return row


def _in_spark(value: Any, kind: str) -> Any:
    """The value that a column of a type has in Spark where it is given this one: null where its type is another."""
    if value is None:
        return None
    if kind == "string":
        if type(value) is bool:
            return str(value).lower()
        if type(value) in (str, int):
            return str(value)
        raise TypeError("how Java writes it isn't known here")
    if kind == "boolean":
        return value if type(value) is bool else None
    if kind == "double":
        return value if type(value) is float else None
    if type(value) is not int or not -_LONG <= value < _LONG:
        return None
    bits = _BITS.get(kind)
    if bits is None:  # also days and microseconds
        return value
    half = 1 << (bits - 1)
    return (value + half) % (2 * half) - half


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
