"""What Spark adds up of a function's values, of single rows and of many together, and how it is read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pyspark.sql import Column
from pyspark.sql import functions as F

from bigdebug.isolation.groups import Tail, value_column
from bigdebug.isolation.measures import STEPS, Added, Array, NotInClosedFormError
from bigdebug.isolation.shape import Function

_SHORT = {"tinyint": 2**7, "smallint": 2**15, "int": 2**31}
"""Kinds of numbers so many of which as a group has add up to a long, and the largest absolute value of each."""


def scale_of(kind: str) -> int:
    """Digits behind the point of a decimal; 0 of other numbers."""
    return int(kind.removesuffix(")").split(",")[1]) if kind.startswith("decimal") else 0


def of_many(name: str, function: Function) -> Iterator[Column]:
    """What Spark adds up of a function's values: how many, a sum or extreme, and what is known of its numbers.

    Args:
        name: of the column that holds them.
        function: the function.
    """
    value = F.col(name)
    if function.kind == "Count":
        yield F.count_if(value)
        return
    yield F.count(value)
    if function.kind in ("Min", "Max"):
        yield (F.min if function.kind == "Min" else F.max)(value)
        return
    if function.number in _SHORT:
        yield F.sum(value)
        return
    yield F.try_sum(value)
    yield F.sum(F.abs(value.cast("double")))
    if function.number in ("float", "double"):
        yield F.max(F.expr(_first_step(name)))


def _first_step(name: str) -> str:
    """Which of `STEPS` is the first that makes a number a whole one, in SQL; so many as there are, if none does.

    They are powers of two: each does what a smaller one does. For whole numbers of Spark's the first does it.
    """
    steps = reversed([*enumerate(STEPS, 1)])
    cases = (f"when `{name}` * {step}d <> rint(`{name}` * {step}d) then {place}" for place, step in steps)
    return f"case {' '.join(cases)} else 0 end"


@dataclass(frozen=True)
class Taken:
    """What a function takes, of single rows and of many together.

    Attributes:
        numbers: the numbers; of many rows their sum, or the extreme one.
        counts: how many values each is of.
        absolute: the sums of the absolute values; or the most that each of them can be.
        steps: of each of `STEPS` whether it makes all values whole numbers.
    """

    numbers: Array
    counts: Array
    absolute: Array | int
    steps: dict[float, Array]

    def added(self, some: Array, tail: Tail | None) -> Added:
        """What is known of the values of some that are of many rows.

        Args:
            some: of each whether it is one of them.
            tail: beyond which none of the values are; None where that isn't known.
        """
        whole = frozenset(step for step, of_each in self.steps.items() if of_each[some].all())
        if isinstance(self.absolute, int):
            most = self.absolute if tail is None else max(abs(tail.low), abs(tail.high))
            return Added(float(self.counts[some].sum()) * most, whole)
        return Added(float(self.absolute[some].sum()), whole)


def taken_of(columns: Sequence[pa.ChunkedArray], functions: Sequence[Function]) -> Iterator[Taken]:
    """Of each function what `of_many` gives.

    Raises:
        NotInClosedFormError: a sum is too large.
    """
    given = iter(columns)
    for function in functions:
        counts = next(given).to_numpy()
        nothing = np.zeros(len(counts))
        if function.kind == "Count":
            yield Taken(counts, counts, nothing, {})
            continue
        numbers, there = value_column(next(given), function)
        if (~there & (counts > 0)).any():
            raise NotInClosedFormError("a sum is too large")
        if function.kind in ("Min", "Max"):
            yield Taken(numbers, counts, nothing, {})
            continue
        if function.number in _SHORT:
            yield Taken(numbers, counts, _SHORT[function.number], dict.fromkeys(STEPS, counts >= 0))
            continue
        absolute = next(given).fill_null(0.0).to_numpy() * 10.0 ** scale_of(function.number)
        firsts = np.zeros(len(counts), dtype=np.int64)
        if function.number in ("float", "double"):
            firsts = next(given).fill_null(0).to_numpy()
        yield Taken(numbers, counts, absolute, {step: firsts <= i for i, step in enumerate(STEPS)})
