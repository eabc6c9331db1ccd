"""Dataflows of which the outcome for any part of the candidates can be told from their values alone.

Their rows stem from one aggregate each, whose functions have a closed form; its input rows stand on single records of
each source, and what comes above works row by row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bigdebug.isolation.measures import (
    NOTHING_ADDED,
    Added,
    Array,
    Count,
    Extreme,
    Mean,
    Measure,
    Moments,
    Percentile,
    Sum,
    TrackedSum,
)
from bigdebug.lineage.barrier import is_session_window
from bigdebug.lineage.catalyst import Catalyst, class_name
from bigdebug.lineage.mapped import is_mapped
from bigdebug.lineage.natural_key import ROW_BY_ROW
from bigdebug.lineage.operators import Operator

_BELOW = ROW_BY_ROW | {"Generate", "Expand", "Join", "Union", "ResolvedHint", "OneRowRelation"}
_MOMENTS = frozenset({"StddevPop", "StddevSamp", "VariancePop", "VarianceSamp"})
_STANDING_FOR_OTHERS = frozenset({"CountIf", "BoolAnd", "BoolOr", "Median"})
_WHOLE = frozenset({"tinyint", "smallint", "int", "bigint"})
_FLOATING = frozenset({"float", "double"})


@dataclass(frozen=True)
class Function:
    """An aggregate function with a closed form.

    Attributes:
        kind: its class's name.
        taken: JVM expressions over the aggregate's input: its arguments, null where a row has no part in it.
        number: the type of the only one, as SQL has it.
        buffer: JVM attributes of its buffer, or of its result where that stands for itself.
        result: the JVM expression that makes its result of the buffer.
        share: of a percentile.
    """

    kind: str
    taken: tuple[Any, ...]
    number: str
    buffer: tuple[Any, ...]
    result: Any
    share: float = 0.0

    @property
    def adds_up(self) -> bool:
        """Whether of many rows a number or two is all that it needs."""
        return self.kind in ("Count", "Sum", "Average", "Min", "Max")

    def measure(self, numbers: Array, there: Array, added: Added = NOTHING_ADDED) -> Measure:
        """What it makes of the values that some rows give it.

        Args:
            numbers: per row.
            there: per row, whether there is one; or how many were added up, of what adds up.
            added: of these.

        Raises:
            NotInClosedFormError: of these values it can't be told.
        """
        if self.kind == "Count":
            return Count(there)
        if self.kind in ("Min", "Max"):
            return Extreme(numbers, there > 0, self.kind == "Max")
        if self.kind in _MOMENTS:
            return Moments(numbers, there)
        if self.kind == "Percentile":
            return Percentile(numbers, there, self.share)
        if self.kind == "Average":
            # Of whole numbers Spark adds up floating-point ones.
            return Mean(numbers if self.number.startswith("decimal") else numbers.astype(float), there, added)
        return (TrackedSum if len(self.buffer) == 2 else Sum)(numbers, there, added)


@dataclass(frozen=True)
class Shape:
    """A dataflow with a closed form.

    Attributes:
        above: its operators above the aggregate, the output's first.
        aggregate: the aggregate.
        functions: by place in the order in which `replaced` meets them.
    """

    above: tuple[Operator, ...]
    aggregate: Operator
    functions: tuple[Function, ...]


def shape_of(catalyst: Catalyst, root: Operator) -> Shape | None:
    """The closed form of a dataflow; None where it has none, or none that is known here."""
    above = []
    top = root
    while top.kind in ROW_BY_ROW:
        above.append(top)
        top = top.child
    if top.kind != "Aggregate" or not all(is_plain(catalyst, operator) for operator in (*above, top)):
        return None
    for operator in top.child.walk():
        if not operator.children and operator.kind != "OneRowRelation":
            continue  # a source
        if operator.kind not in _BELOW or is_mapped(operator) or not is_plain(catalyst, operator):
            return None
        if operator.kind == "Join" and operator.join_kind not in ("Inner", "Cross"):
            return None
    if any(map(is_session_window, catalyst.items(top.plan.groupingExpressions()))):
        return None
    functions = []
    for column in catalyst.items(top.plan.aggregateExpressions()):
        for expression in _aggregate_expressions(catalyst, column):
            function = _function(catalyst, expression)
            if function is None:
                return None
            functions.append(function)
    return Shape(tuple(above), top, tuple(functions))


def is_plain(catalyst: Catalyst, operator: Operator) -> bool:
    """Whether it gives the same at any time, and asks no other query."""
    if not operator.plan.subqueries().isEmpty():
        return False
    # Not the plan's own word: it speaks for what is below, too, where candidates are numbered as they come.
    return all(expression.deterministic() for expression in catalyst.items(operator.plan.expressions()))


def _aggregate_expressions(catalyst: Catalyst, expression: Any) -> Iterator[Any]:
    if class_name(expression) == "AggregateExpression":
        yield expression
        return
    for child in catalyst.items(expression.children()):
        yield from _aggregate_expressions(catalyst, child)


def _function(catalyst: Catalyst, expression: Any) -> Function | None:
    function = expression.aggregateFunction()
    kind = class_name(function)
    if kind in _STANDING_FOR_OTHERS:
        function = function.replacement()
        kind = class_name(function)
    if expression.isDistinct() and kind not in ("Min", "Max"):
        return None
    taken = catalyst.items(function.children())
    share = 0.0
    if kind == "Percentile":
        if len(taken) != 3 or not all(each.foldable() for each in taken[1:]):
            return None
        value, times = (each.eval(None) for each in taken[1:])
        if not isinstance(value, float) or times != 1 or function.reverse():
            return None
        taken, share = taken[:1], value
    elif kind != "Count" and len(taken) != 1:
        return None
    number = str(taken[0].dataType().catalogString()) if taken else ""
    if not _is_understood(kind, number):
        return None
    if expression.filter().isDefined():
        condition = expression.filter().get()
        taken = [catalyst.expressions.If(condition, each, catalyst.null(each.dataType())) for each in taken]
    if kind == "Percentile":
        double = catalyst.singleton(catalyst.jvm.org.apache.spark.sql.types, "DoubleType")
        zero = catalyst.alias(catalyst.null(double), "percentile").toAttribute()
        return Function(kind, tuple(taken), number, (zero,), zero, share)
    buffer = tuple(catalyst.items(function.aggBufferAttributes()))
    return Function(kind, tuple(taken), number, buffer, function.evaluateExpression())


def _is_understood(kind: str, number: str) -> bool:
    if kind == "Count":
        return True
    numeric = number in _WHOLE or number in _FLOATING or number.startswith("decimal")
    if kind in ("Min", "Max"):
        return numeric or number == "boolean"
    if kind == "Percentile" or kind in _MOMENTS:
        return number in _WHOLE or number in _FLOATING
    return numeric and kind in ("Sum", "Average")
