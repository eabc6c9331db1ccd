"""Conditions on the rows of a DataFrame as conditions on the elements of the RDD that it was made of."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from pyspark.sql import types as T

from bigdebug.lineage.catalyst import Catalyst, class_name
from bigdebug.lineage.conditions import Conjunct as RowConjunct
from bigdebug.lineage.rdd.conjuncts import Conjunct
from bigdebug.lineage.rdd.sql_logic import Convert, RowCondition, Tree, row_of

_COMPARISONS = {
    "EqualTo": "=",
    "EqualNullSafe": "<=>",
    "LessThan": "<",
    "LessThanOrEqual": "<=",
    "GreaterThan": ">",
    "GreaterThanOrEqual": ">=",
}
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_WHOLE = ("tinyint", "smallint", "int", "bigint")
_PLAIN = (T.BooleanType, T.IntegralType, T.DoubleType, T.DateType, T.TimestampType)


class AskedColumns:
    """Translates conditions on rows into ones on elements.

    Args:
        catalyst: of the DataFrame's session.
        plan: the JVM plan of the DataFrame, as it was made.
        functions: that made rows of the elements, in their order.
    """

    def __init__(self, catalyst: Catalyst, plan: Any, functions: Sequence[Convert]) -> None:
        self._catalyst = catalyst
        self._fields = list(catalyst.frame(plan).schema.fields)
        keys = [catalyst.attribute_key(each) for each in catalyst.output(plan)]
        self._numbers = {key: number for number, key in enumerate(keys)}
        self._functions = functions

    def of_elements(self, asked: RowConjunct) -> Conjunct | None:
        """The condition on elements; None where it can't be told in Python what Spark would say.

        Args:
            asked: on rows.
        """
        columns: list[int] = []
        tree = self._tree(asked.expression, columns)
        if tree is None or not columns:
            return None
        kinds = [(number, self._fields[number].dataType.simpleString()) for number in columns]
        test = RowCondition(tree, kinds, self._functions, len(self._fields))
        # On that part alone it goes further down than on the whole element.
        part = ((columns[0],), test.of_part()) if len(columns) == 1 and self._takes_tuples else None
        return Conjunct(asked.text, (), test, asked.own, part)

    @cached_property
    def _takes_tuples(self) -> bool:
        """Whether rows are made of tuples part by part, whatever the other parts are."""
        nulls = (None,) * len(self._fields)
        try:
            return bool(row_of(nulls, self._functions) == nulls)
        except Exception:  # where a column must not be null
            return False

    # -- expressions --------------------------------------------------------------------------------

    def _tree(self, expression: Any, columns: list[int]) -> Tree | None:
        kind = class_name(expression)
        if kind in ("And", "Or"):
            one, other = self._tree(expression.left(), columns), self._tree(expression.right(), columns)
            return None if one is None or other is None else (kind.lower(), one, other)
        if kind == "Not":
            below = self._tree(expression.child(), columns)
            return None if below is None else ("not", below)
        if kind in ("IsNull", "IsNotNull"):
            column = self._column(expression.child(), columns)
            null = None if column is None else ("null", column)
            return ("not", null) if null is not None and kind == "IsNotNull" else null
        if kind == "In":
            column = self._column(expression.value(), columns)
            values = self._catalyst.items(expression.list())
            if column is None or not all(each.foldable() for each in values):
                return None
            return "in", column, tuple(self._value(each) for each in values)
        if kind in _COMPARISONS:
            return self._compared(_COMPARISONS[kind], expression.left(), expression.right(), columns)
        column = self._column(expression, columns)  # a boolean by itself
        return None if column is None else ("=", column, True)

    def _compared(self, operator: str, left: Any, right: Any, columns: list[int]) -> Tree | None:
        if left.foldable() and not right.foldable():
            left, right, operator = right, left, _MIRRORED.get(operator, operator)
        column = self._column(left, columns)
        if column is None or not right.foldable():
            return None
        return operator, column, self._value(right)

    def _column(self, expression: Any, columns: list[int]) -> int | None:
        """The number of a column among those that the condition speaks of; None of anything else."""
        while class_name(expression) == "KnownFloatingPointNormalized" or _says_the_same(expression):
            expression = expression.child()
        if class_name(expression) != "AttributeReference":
            return None
        number = self._numbers.get(self._catalyst.attribute_key(expression))
        if number is None or not _is_plain(self._fields[number].dataType):
            return None
        if number not in columns:
            columns.append(number)
        return columns.index(number)

    def _value(self, expression: Any) -> Any:
        """A constant as Spark holds it."""
        found = expression.eval(None)
        return found if found is None or isinstance(found, bool | int | float) else str(found)


def _says_the_same(expression: Any) -> bool:
    """Whether it is a cast that leaves values what they are in Python."""
    if class_name(expression) != "Cast":
        return False
    before = str(expression.child().dataType().catalogString())
    after = str(expression.dataType().catalogString())
    return before == after or (
        before in _WHOLE and after in _WHOLE and _WHOLE.index(before) < _WHOLE.index(after)
    )


def _is_plain(kind: T.DataType) -> bool:
    """Whether values of a type are compared in Python as they are in Spark."""
    if isinstance(kind, T.StringType):
        return bool(kind.simpleString() == "string")  # with no collation of its own
    return isinstance(kind, _PLAIN)


def translated(
    catalyst: Catalyst, plan: Any, functions: Sequence[Convert], asked: Sequence[RowConjunct]
) -> tuple[list[Conjunct], list[RowConjunct]]:
    """Conditions on rows as ones on elements, and those that can't be told in Python.

    Args:
        catalyst: of the DataFrame's session.
        plan: the JVM plan of the DataFrame, as it was made.
        functions: that made rows of the elements, in their order.
        asked: the conditions.
    """
    columns = AskedColumns(catalyst, plan, functions)
    found = [(each, columns.of_elements(each)) for each in asked]
    return [one for _, one in found if one is not None], [each for each, one in found if one is None]
