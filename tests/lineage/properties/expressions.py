"""Scalar expressions of random pipelines: each as SQL text, as a Column, and as a Python function."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pyspark.sql import Column
from pyspark.sql import functions as F

# The types of columns, by the names used here.
SPARK_TYPES = {
    "int": "bigint",
    "str": "string",
    "dbl": "double",
    "arr": "array<bigint>",
    "st": "struct<x:double,y:string>",
}

Values = tuple[Any, ...]


def canonical(value: Any, kind: str) -> Any:
    """A value as the reference knows it.

    Spark holds NaN for equal to itself and greater than any number, as Python does infinity, which no data here
    has; and -0.0 for equal to 0.0.
    """
    if value is None:
        return None
    if kind == "dbl":
        return math.inf if math.isnan(value) else value + 0.0
    if kind == "arr":
        return tuple(value)
    if kind == "st":
        return (canonical(value[0], "dbl"), value[1])
    return value


def order_key(value: Any) -> Any:
    """Sorts canonical values as Spark does: nulls first, also inside arrays and structs."""
    if value is None:
        return (0,)
    if isinstance(value, tuple):
        return (1, tuple(order_key(part) for part in value))
    return (1, value)


@dataclass(frozen=True)
class Expr:
    """An expression over the columns c0, c1, … of a row."""

    kind: str
    text: str
    value: Callable[[Values], Any] = field(repr=False, compare=False)
    udf: tuple[str, int] | None = None

    def column(self, udfs: dict[str, Any]) -> Column:
        if self.udf is not None:
            name, index = self.udf
            return udfs[name](F.col(f"c{index}"))
        return F.expr(self.text)


def ref(index: int, kind: str) -> Expr:
    return Expr(kind, f"c{index}", lambda row: row[index])


def const(kind: str, value: Any) -> Expr:
    text = f"'{value}'" if kind == "str" else f"{value}L" if kind == "int" else f"{value}D"
    if value is None:
        text = f"cast(null as {SPARK_TYPES[kind]})"
    return Expr(kind, text, lambda _: value)


def plus(index: int, number: int) -> Expr:
    return Expr(
        "int",
        f"c{index} + {number}L",
        lambda row: None if row[index] is None else row[index] + number,
    )


def concat(index: int) -> Expr:
    return Expr("str", f"concat(c{index}, 'x')", lambda row: None if row[index] is None else row[index] + "x")


def x_of(index: int) -> Expr:
    return Expr("dbl", f"c{index}.x", lambda row: None if row[index] is None else row[index][0])


def make_struct(number: int, text: int) -> Expr:
    return Expr("st", f"named_struct('x', c{number}, 'y', c{text})", lambda row: (row[number], row[text]))


def make_array(first: int, second: int) -> Expr:
    return Expr("arr", f"array(c{first}, c{second})", lambda row: (row[first], row[second]))


def coalesce(index: int, number: int) -> Expr:
    return Expr(
        "int",
        f"coalesce(c{index}, {number}L)",
        lambda row: number if row[index] is None else row[index],
    )


def udf_call(name: str, index: int) -> Expr:
    """One of the functions that `python_functions` makes: twice its number."""
    return Expr(
        "int",
        f"{name}(c{index})",
        lambda row: None if row[index] is None else row[index] * 2,
        udf=(name, index),
    )


def udf_positive(name: str, index: int) -> Expr:
    return Expr(
        "bool",
        f"{name}(c{index}) > 0",
        lambda row: None if row[index] is None else row[index] > 0,
    )


def is_null(index: int) -> Expr:
    return Expr("bool", f"c{index} is null", lambda row: row[index] is None)


def greater(index: int, than: Expr) -> Expr:
    def holds(row: Values) -> bool | None:
        bound = than.value(row)
        if row[index] is None or bound is None:
            return None
        return bool(order_key(row[index]) > order_key(bound))

    return Expr("bool", f"c{index} > {than.text}", holds)


def equal(index: int, to: Expr) -> Expr:
    def holds(row: Values) -> bool | None:
        other = to.value(row)
        return None if row[index] is None or other is None else row[index] == other

    return Expr("bool", f"c{index} = {to.text}", holds)


def same(index: int, other: int) -> Expr:
    return Expr("bool", f"c{index} <=> c{other}", lambda row: row[index] == row[other])


def negated(condition: Expr) -> Expr:
    def holds(row: Values) -> bool | None:
        known = condition.value(row)
        return None if known is None else not known

    return Expr("bool", f"not ({condition.text})", holds)


def either(left: Expr, right: Expr) -> Expr:
    def holds(row: Values) -> bool | None:
        known = (left.value(row), right.value(row))
        return True if True in known else None if None in known else False

    return Expr("bool", f"(({left.text}) or ({right.text}))", holds)
