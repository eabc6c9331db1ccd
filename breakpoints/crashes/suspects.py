"""Which operators of a DataFrame's plan may have raised an error, the likeliest first."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from types import CodeType
from typing import Any

from bigdebug.breakpoints.crashes.failures import Failure, Frame
from bigdebug.breakpoints.crashes.pairs import filters_of
from bigdebug.breakpoints.crashes.workers import loaded_once
from bigdebug.lineage.catalyst import Catalyst, class_name
from bigdebug.lineage.operators import Operator
from bigdebug.lineage.python_functions import command_of

ROW_WISE = frozenset({100, 101})
VECTORISED = {200: (False, False), 204: (False, True), 250: (True, False), 251: (True, True)}
"""Numbers of Spark's `PythonEvalType`: whether it works on Arrow's arrays, and whether on an iterator of batches."""
TABLES = frozenset({300, 301})
"""The same of functions that make a table of a row's values."""
AGGREGATES = {202: False, 252: True}
"""The same of functions that make one value of a group's rows: whether they work on Arrow's arrays."""
BY_NODE = {
    "MapInPandas": False,
    "MapInArrow": True,
    "FlatMapGroupsInPandas": False,
    "FlatMapGroupsInArrow": True,
}
"""Operators that are functions themselves: whether these work on Arrow's tables."""
BY_PAIR = {"FlatMapCoGroupsInPandas": False, "FlatMapCoGroupsInArrow": True}
"""The same of functions of two groups."""

# What no record makes fail, or what can't be computed for a row alone.
_LEAVES = frozenset({"AttributeReference", "Literal", "OuterReference", "NamedLambdaVariable"})
_OF_MANY_ROWS = frozenset({"AggregateExpression", "WindowExpression", "PythonUDAF"})


@dataclass(frozen=True)
class Suspect:
    """An operator that may have raised.

    Attributes:
        operator: in the plan's mirror.
        expressions: JVM expressions over the operator's input: a Python function, or Spark's own expressions;
            none where the operator is a function itself.
        python: whether it is a Python function.
    """

    operator: Operator
    expressions: tuple[Any, ...]
    python: bool


def suspects(catalyst: Catalyst, root: Operator, failure: Failure) -> list[Suspect]:
    """The operators that may have raised, those whose code stands in the error first, inputs before readers."""
    operators = list(root.walk_all())[::-1]
    if failure.kind == "python":
        found = [each for operator in operators for each in _python(catalyst, operator)]
        named = [each for each in found if _stands_in(catalyst, each, failure.frames)]
        return named or [each for each in found if not _has_code(catalyst, each)]
    if failure.kind == "worker":
        return [each for operator in operators for each in _python(catalyst, operator)]
    return [each for operator in operators for each in _expressions(catalyst, operator, failure.contexts)]


# -- Python functions -----------------------------------------------------------------------------------


def _python(catalyst: Catalyst, operator: Operator) -> Iterator[Suspect]:
    if operator.kind in BY_NODE or operator.kind in BY_PAIR:
        yield Suspect(operator, (), python=True)
        return
    if operator.kind == "Join":
        for part in filters_of(catalyst, operator):
            yield from _python(catalyst, part)
    if len(operator.children) != 1:
        return
    if operator.kind == "Generate" and _is_of_values(catalyst, operator.plan.generator()):
        yield Suspect(operator, (operator.plan.generator(),), python=True)
    for expression in catalyst.items(operator.plan.expressions()):
        for function in functions_within(catalyst, expression):
            kind = function.evalType()
            if (
                kind in ROW_WISE
                or kind in VECTORISED
                or (kind in AGGREGATES and operator.kind in ("Aggregate", "Window"))
            ):
                yield Suspect(operator, (function,), python=True)


def _is_of_values(catalyst: Catalyst, generator: Any) -> bool:
    """Whether it is a table function in Python that is given values, not tables."""
    return (
        class_name(generator) == "PythonUDTF"
        and generator.evalType() in TABLES
        and not any("TableSubquery" in class_name(each) for each in catalyst.items(generator.children()))
    )


def functions_within(catalyst: Catalyst, expression: Any) -> Iterator[Any]:
    """The Python functions in an expression, those within others' arguments first."""
    if catalyst.holds(expression, "PYTHON_UDF"):
        for child in catalyst.items(expression.children()):
            yield from functions_within(catalyst, child)
        if class_name(expression) in ("PythonUDF", "PythonUDAF"):
            yield expression


def function_of(suspect: Suspect) -> Any:
    """The JVM expression of a suspect's Python function."""
    return suspect.expressions[0] if suspect.expressions else suspect.operator.plan.functionExpr()


def _stands_in(catalyst: Catalyst, suspect: Suspect, frames: tuple[Frame, ...]) -> bool:
    codes = _codes(catalyst, suspect)
    return any(_is_of(code, frame) for code in codes for frame in frames)


def _has_code(catalyst: Catalyst, suspect: Suspect) -> bool:
    return bool(_codes(catalyst, suspect))


def _codes(catalyst: Catalyst, suspect: Suspect) -> list[CodeType]:
    try:
        function = loaded_once(command_of(catalyst, function_of(suspect)))()
    except (pickle.UnpicklingError, ImportError, AttributeError, TypeError):
        return []
    return codes_of(function)


def codes_of(function: Any) -> list[CodeType]:
    """The code that a function runs first, also where it is a part of one, an object that can be called, or a class."""
    while isinstance(function, partial):
        function = function.func
    if isinstance(function, type):  # a table function
        parts = (function.__dict__.get(name) for name in ("__init__", "eval"))
        return [code for part in parts for code in codes_of(part)]
    code = getattr(function, "__code__", None) or getattr(type(function).__call__, "__code__", None)
    return [code] if isinstance(code, CodeType) else []


def is_in(function: Any, frames: tuple[Frame, ...]) -> bool:
    """Whether one of a traceback's frames is a function's."""
    return any(_is_of(code, frame) for code in codes_of(function) for frame in frames)


def _is_of(code: CodeType, frame: Frame) -> bool:
    if code.co_filename != frame.file or code.co_name != frame.name:
        return False
    lines = [line for _, _, line in code.co_lines() if line is not None]
    return not lines or min(lines) <= frame.line <= max(lines)


# -- Spark's own expressions ----------------------------------------------------------------------------


def _expressions(catalyst: Catalyst, operator: Operator, contexts: tuple[str, ...]) -> Iterator[Suspect]:
    if operator.children:
        pieces = pieces_of(catalyst, operator.plan, contexts)
        if pieces:
            yield Suspect(operator, tuple(pieces), python=False)


def pieces_of(catalyst: Catalyst, plan: Any, contexts: tuple[str, ...]) -> list[Any]:
    """The expressions of a plan node that may have thrown an error, as far as they can be computed for a row alone.

    Args:
        plan: the node.
        contexts: where the error says that the expression stands; none for anywhere.
    """
    return [
        piece
        for expression in catalyst.items(plan.expressions())
        if not contexts or _was_called(catalyst, expression, contexts)
        for piece in _pieces(catalyst, expression, contexts)
    ]


def _pieces(catalyst: Catalyst, expression: Any, contexts: tuple[str, ...]) -> list[Any]:
    """The largest parts of an expression that can be computed for a row alone."""
    kind = class_name(expression)
    if kind in _LEAVES or kind == "TryEval":
        return []
    children = catalyst.items(expression.children())
    if (
        kind in ("Alias", "SortOrder", "GetStructField")
        or kind in _OF_MANY_ROWS
        or _holds_many_rows(catalyst, expression)
    ):
        return [
            piece
            for child in children
            if not contexts or _was_called(catalyst, child, contexts)
            for piece in _pieces(catalyst, child, contexts)
        ]
    return [expression]


def _holds_many_rows(catalyst: Catalyst, expression: Any) -> bool:
    if class_name(expression) in _OF_MANY_ROWS or catalyst.is_instance(
        expression, "org.apache.spark.sql.catalyst.expressions.aggregate.AggregateFunction"
    ):
        return True
    if catalyst.is_instance(expression, "org.apache.spark.sql.catalyst.expressions.Generator"):
        return True
    return any(_holds_many_rows(catalyst, child) for child in catalyst.items(expression.children()))


def _was_called(catalyst: Catalyst, expression: Any, contexts: tuple[str, ...]) -> bool:
    """Whether an expression, or one in it, stands where the error says."""
    if class_name(expression) == "TryEval":
        return False
    context = expression.origin().context()
    if context is not None and str(context.summary()).strip() in contexts:
        return True
    return any(_was_called(catalyst, child, contexts) for child in catalyst.items(expression.children()))
