"""Python functions within Spark's plans: what they were pickled as, and other functions in their place.

Spark hands what a function adds to accumulators on to the program's. A question mustn't count into these: its
plan calls the same functions with nobody to tell.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any

from bigdebug.lineage.catalyst import Catalyst, class_name
from bigdebug.lineage.rewriting import with_expressions, with_subqueries

_FUNCTIONS = frozenset({"PythonUDF", "PythonUDAF", "PythonUDTF"})


def command_of(catalyst: Catalyst, function: Any) -> bytes:
    """A Python function as Spark pickled it: with its return type.

    Args:
        function: the JVM expression, a `PythonUDF` or one of its kin.
    """
    tag = catalyst.singleton(catalyst.jvm.scala.reflect, "ClassTag").Byte()
    return bytes(function.func().command().toArray(tag))


def functions_in(catalyst: Catalyst, expression: Any) -> Iterator[Any]:
    """The Python functions that an expression calls, JVM expressions with `name()` and `func()`."""
    if not _may_call(catalyst, expression):
        return
    expressions = [expression]
    while expressions:
        expression = expressions.pop()
        if class_name(expression) in _FUNCTIONS:
            yield expression
        expressions += catalyst.items(expression.children())


def calls_python(catalyst: Catalyst, plan: Any) -> bool:
    """Whether a plan, or a subquery in it, calls Python functions other than table functions."""
    return any(catalyst.holds(each, "PYTHON_UDF") for each in _with_subqueries(catalyst, plan))


def may_call(catalyst: Catalyst, plan: Any) -> bool:
    """Whether a plan, or a subquery in it, may call Python functions of whatever kind."""
    return any(_may_call(catalyst, each) for each in _with_subqueries(catalyst, plan))


def uncounted(catalyst: Catalyst, plan: Any) -> Any:
    """An analyzed plan whose Python functions add nothing to the program's accumulators."""
    if not may_call(catalyst, plan):
        return plan
    children = catalyst.items(plan.children())
    below = [uncounted(catalyst, child) for child in children]
    if any(new is not child for new, child in zip(below, children, strict=True)):
        plan = plan.withNewChildren(catalyst.seq(below))
    expressions = catalyst.items(plan.expressions())
    if any(True for each in expressions for _ in functions_in(catalyst, each)):
        plan = with_expressions(catalyst, plan, lambda expression: _uncounted(catalyst, expression))
    if any(catalyst.holds(each, "PLAN_EXPRESSION") for each in expressions):
        plan = with_subqueries(catalyst, plan, lambda subquery: uncounted(catalyst, subquery))
    return plan


def _with_subqueries(catalyst: Catalyst, plan: Any) -> list[Any]:
    if not catalyst.holds(plan, "PLAN_EXPRESSION"):
        return [plan]
    return [plan, *catalyst.items(plan.subqueriesAll())]


def _may_call(catalyst: Catalyst, tree: Any) -> bool:
    return catalyst.holds(tree, "PYTHON_UDF", "GENERATOR")


def _uncounted(catalyst: Catalyst, expression: Any) -> Any:
    if not _may_call(catalyst, expression):
        return expression
    children = catalyst.items(expression.children())
    below = [_uncounted(catalyst, child) for child in children]
    if any(new is not child for new, child in zip(below, children, strict=True)):
        expression = expression.withNewChildren(catalyst.seq(below))
    if class_name(expression) not in _FUNCTIONS:
        return expression
    func = expression.func()
    fields = ("command", "envVars", "pythonIncludes", "pythonExec", "pythonVer", "broadcastVars")
    return catalyst.copy(expression, func=func.copy(*(getattr(func, name)() for name in fields), None))


def _nothing() -> None:
    pass


def row_wise(catalyst: Catalyst, function: Any) -> Any:
    """A function of one row's values in the environment, and of the arguments, of one of another kind."""
    from pyspark.sql.udf import UserDefinedFunction

    made = UserDefinedFunction(_nothing, "string")._judf.builder(function.children())
    return catalyst.copy(made, func=function.func(), name=function.name())


def with_command(
    catalyst: Catalyst,
    function: Any,
    wrapper: Any,
    data_type: Any,
    module: ModuleType,
    *,
    counted: bool = True,
    **changes: Any,
) -> Any:
    """A Python function of Spark's that runs another Python function, in the same environment.

    Args:
        function: the JVM expression.
        wrapper: what it is to run.
        data_type: what that gives, a JVM type.
        module: that the wrapper is of; it travels by value, for the workers have Spark's Python, not bigdebug.
        counted: whether what it adds to accumulators is handed on.
        changes: other fields of the expression.
    """
    from pyspark import cloudpickle
    from pyspark.sql.types import _parse_datatype_json_string

    fresh = module.__name__ not in cloudpickle.list_registry_pickle_by_value()
    if fresh:
        cloudpickle.register_pickle_by_value(module)
    try:
        pickled = cloudpickle.dumps((wrapper, _parse_datatype_json_string(data_type.json())))
    finally:
        if fresh:
            cloudpickle.unregister_pickle_by_value(module)
    func = function.func()
    python = catalyst.jvm.org.apache.spark.api.python.SimplePythonFunction(
        bytearray(pickled),
        func.envVars(),
        func.pythonIncludes(),
        func.pythonExec(),
        func.pythonVer(),
        func.broadcastVars(),
        # Not the function's own: one out of a recipe has an accumulator that nobody reads.
        catalyst.spark.sparkContext._javaAccumulator if counted else None,
    )
    return catalyst.copy(function, func=python, dataType=data_type, **changes)
