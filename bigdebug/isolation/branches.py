"""The branches that rows take at an operator: arms of a CASE, alternatives of a coalesce, a function, a filter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from bigdebug.lineage.catalyst import Catalyst, class_name
from bigdebug.lineage.conditions import guarded, text_of
from bigdebug.lineage.operators import Operator

_ASKED = frozenset({"Project", "Aggregate", "Window", "Filter", "Generate"})
_FUNCTIONS = frozenset({"PythonUDF", "ScalaUDF"})
_LONGEST = 200

Within = Callable[[Any], Any]
"""Puts a value where an expression stands, so that it is reached as the expression is: null where it isn't."""


@dataclass(frozen=True)
class Branch:
    """A way that a row can take.

    Attributes:
        operator: where.
        text: which, in SQL.
        taken: JVM expression over the operator's input: true for rows that take it.
    """

    operator: Operator
    text: str
    taken: Any


def branches_of(catalyst: Catalyst, operator: Operator) -> list[Branch]:
    """The branches within an operator's expressions over its one input."""
    if operator.kind not in _ASKED:
        return []
    found = _Branches(catalyst, operator)
    if operator.kind == "Filter":
        found.kept(operator.plan.condition())
    for expression in catalyst.items(operator.plan.expressions()):
        found.walk(expression, lambda value: value)
    return found.all


class _Branches:
    def __init__(self, catalyst: Catalyst, operator: Operator) -> None:
        self._catalyst = catalyst
        self._operator = operator
        self._seen: set[str] = set()
        self.all: list[Branch] = []

    def kept(self, condition: Any) -> None:
        """What a filter's condition does with a row."""
        catalyst, expressions = self._catalyst, self._catalyst.expressions
        if catalyst.holds(condition, "PLAN_EXPRESSION"):
            return
        text = text_of(catalyst, condition)
        false = catalyst.singleton(expressions, "Literal").FalseLiteral()
        holds = expressions.Coalesce(catalyst.seq([guarded(catalyst, condition), false]))
        self._add(f"kept by {text}", holds)
        self._add(f"dropped by {text}", expressions.Not(holds))

    def walk(self, expression: Any, within: Within) -> None:
        """Find the branches in an expression that is reached as `within` says."""
        catalyst = self._catalyst
        kind = class_name(expression)
        if kind in ("CaseWhen", "If", "Coalesce"):
            key = str(expression.canonicalized().toString())
            if key in self._seen or not self._of_rows(expression):
                return
            self._seen.add(key)
            for text, value, inside in self._arms(kind, expression):
                reached = _through(within, inside)
                self._add(text, reached(self._true))
                self.walk(value, reached)
            return
        if kind in _FUNCTIONS and self._of_rows(expression):
            self._add(text_of(catalyst, expression), within(self._true))
        if kind == "AggregateExpression" and expression.filter().isDefined():
            self.kept(expression.filter().get())
        for child in catalyst.items(expression.children()):
            self.walk(child, within)

    def _arms(self, kind: str, expression: Any) -> Iterator[tuple[str, Any, Within]]:
        """The alternatives: text, value, and what puts something in the value's place."""
        catalyst, expressions = self._catalyst, self._catalyst.expressions
        if kind == "Coalesce":
            children = catalyst.items(expression.children())
            conditions = [expressions.IsNotNull(child) for child in children[:-1]]
            values = children
            whole = text_of(catalyst, expression)
            texts = [f"{text_of(catalyst, child)} in {whole}" for child in children]
        else:
            if kind == "If":
                conditions, values = [expression.predicate()], [expression.trueValue()]
                last = expression.falseValue()
            else:
                pairs = catalyst.items(expression.branches())
                conditions, values = [pair._1() for pair in pairs], [pair._2() for pair in pairs]
                given = expression.elseValue()
                last = given.get() if given.isDefined() else catalyst.null(expression.dataType())
            told = [text_of(catalyst, condition) for condition in conditions]
            texts = [
                f"WHEN {condition} THEN {self._value(value)}"
                for condition, value in zip(told, values, strict=True)
            ]
            texts.append(f"ELSE {self._value(last)} (not {' nor '.join(told)})")
            values = [*values, last]
        for place, (text, value) in enumerate(zip(texts, values, strict=True)):
            yield text, value, self._at(conditions, place)

    def _at(self, conditions: list[Any], place: int) -> Within:
        """What gives a value to rows that take one arm, and null to all others."""
        catalyst = self._catalyst

        def inside(value: Any) -> Any:
            nothing = catalyst.null(value.dataType())
            arms = [
                catalyst.jvm.scala.Tuple2(condition, value if i == place else nothing)
                for i, condition in enumerate(conditions)
            ]
            last = value if place == len(conditions) else nothing
            return catalyst.expressions.CaseWhen(catalyst.seq(arms), catalyst.some(last))

        return inside

    def _value(self, expression: Any) -> str:
        """The text of what an arm gives."""
        is_null = expression.foldable() and class_name(expression) in ("Literal", "Cast")
        text = text_of(self._catalyst, expression)
        return "NULL" if is_null and text.startswith("CAST(NULL") else text

    @property
    def _true(self) -> Any:
        return self._catalyst.singleton(self._catalyst.expressions, "Literal").TrueLiteral()

    def _of_rows(self, expression: Any) -> bool:
        """Whether it can be told of a row of the input."""
        return not self._catalyst.holds(
            expression,
            "AGGREGATE_EXPRESSION",
            "WINDOW_EXPRESSION",
            "PLAN_EXPRESSION",
            "LAMBDA_VARIABLE",
        )

    def _add(self, text: str, taken: Any) -> None:
        shown = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
        self.all.append(Branch(self._operator, shown, self._catalyst.expressions.TryEval(taken)))


def _through(outer: Within, inner: Within) -> Within:
    return lambda value: outer(inner(value))
