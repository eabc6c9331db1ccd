"""Guards: a condition in SQL that Spark evaluates itself, or a function in Python."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pyspark import cloudpickle
from pyspark.sql import Column

from bigdebug.breakpoints.watch.slow import Slow
from bigdebug.breakpoints.watch.travelling import MODULES
from bigdebug.lineage.catalyst import Catalyst, class_name
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.operators import Operator
from bigdebug.lineage.python_functions import functions_in
from bigdebug.lineage.rdd.conditions import predicate_of
from bigdebug.lineage.rdd.travelling import travelling
from bigdebug.lineage.where import rows_where

MOST_BYTES = 8 << 20

# What can't raise, so that nobody need ask for how many records it did.
_SAFE = frozenset(
    {
        "AttributeReference", "Literal", "EqualTo", "EqualNullSafe", "LessThan", "LessThanOrEqual", "GreaterThan",
        "GreaterThanOrEqual", "And", "Or", "Not", "IsNull", "IsNotNull", "IsNaN", "In", "InSet", "Like", "RLike",
        "StartsWith", "EndsWith", "Contains", "Coalesce", "If", "CaseWhen", "GetStructField", "Length", "Upper",
        "Lower", "KnownFloatingPointNormalized",
    }
)  # fmt: skip


@dataclass(frozen=True)
class PythonGuard:
    """A function in Python.

    Attributes:
        function: of an element, or of a Row; or a guard by time.
        data: the same, pickled.
        version: grows with each change.
    """

    function: Callable[[Any], Any] | Slow
    data: bytes
    version: int


def python_guard(guard: Any, version: int) -> PythonGuard:
    """A guard in Python.

    Args:
        guard: a function, or the text of an expression in Python of an element `x`.
        version: of the guard.

    Raises:
        BigDebugError: it is neither, or can't be sent to Spark's workers.
    """
    function = predicate_of(guard)
    if function is None:
        raise BigDebugError(
            "a watchpoint needs a guard", hint="a function of a record that says which to catch"
        )
    try:
        with travelling(*MODULES):
            data = bytes(cloudpickle.dumps(function))
    except Exception as error:
        raise BigDebugError(
            f"the guard can't be sent to Spark's workers ({type(error).__name__}: {error})",
            hint="leave out what belongs to this process: sessions, frames, locks, open files",
        ) from None
    if len(data) > MOST_BYTES:
        raise BigDebugError(
            f"the guard refers to {len(data):,} bytes of data", hint="broadcast it, or make it smaller"
        )
    return PythonGuard(function, data, version)


def slow_guard(guard: Slow, version: int) -> PythonGuard:
    """A guard by time.

    Raises:
        BigDebugError: it has no sensible limits.
    """
    for name in ("deviations", "seconds"):
        value = getattr(guard, name)
        if not isinstance(value, int | float) or not value >= 0:
            raise BigDebugError(f"Slow({name}={value!r}) isn't a limit", hint="give a number from 0 on")
    with travelling(*MODULES):
        return PythonGuard(guard, bytes(cloudpickle.dumps(guard)), version)


def is_python(guard: Any) -> bool:
    """Whether a guard is a function, and no SQL."""
    return callable(guard) and not isinstance(guard, str | Column)


def condition_of(catalyst: Catalyst, plan: Any, guard: str | Column) -> Any:
    """A guard in SQL as a resolved JVM expression over a plan's columns.

    Args:
        catalyst: of the session.
        plan: the watched rows.
        guard: the condition.

    Raises:
        BigDebugError: it is no condition on one row, or calls Python.
    """
    root = Operator(plan, class_name(plan))
    condition = rows_where(catalyst, root, guard, "the watched data", "guard").condition
    if condition is None:
        raise BigDebugError(
            f"guard={str(guard)!r} is no condition on one row",
            hint="leave window functions, generators and hidden columns out of it",
        )
    if next(functions_in(catalyst, condition), None) is not None:
        raise BigDebugError(
            "a guard in SQL is evaluated by Spark itself, and this one calls a Python function",
            hint="pass the function as the guard: it is called with each row",
        )
    if catalyst.holds(condition, "PLAN_EXPRESSION"):
        raise BigDebugError("a guard can't hold a subquery", hint="join what it looks up, and watch that")
    if not condition.deterministic():
        raise BigDebugError(
            "a guard that goes by chance can't be asked twice for the same",
            hint="leave rand() and its kin out",
        )
    return condition


def held(catalyst: Catalyst, condition: Any) -> Any:
    """Whether a condition holds; null for a record for which it would raise: a fault of a guard ends no job.

    `TryEval` alone won't do: what stands twice in a projection, or is constant, Spark computes before it, outside of
    it. What stands in a branch it leaves there; and it doesn't see that this branch is always taken.
    """
    if not can_raise(catalyst, condition):
        return condition
    expressions = catalyst.expressions
    no, yes = (catalyst.singleton(expressions, "Literal").apply(value) for value in (False, True))
    # Null where it isn't known whether it holds would look like null where it raises.
    tried = expressions.TryEval(expressions.Coalesce(catalyst.seq([condition, no])))
    columns = condition.references().toSeq()
    if columns.isEmpty():
        return tried
    always = expressions.LessThanOrEqual(_unknown_to_spark(catalyst, columns.head()), yes)
    return expressions.If(always, tried, catalyst.null(no.dataType()))


def _unknown_to_spark(catalyst: Catalyst, column: Any) -> Any:
    """A truth value that Spark can't tell without looking at the record."""
    expressions = catalyst.expressions
    if column.nullable():
        return expressions.IsNull(column)
    nothing = catalyst.singleton(expressions, "Literal").apply(0)
    hashed = expressions.Murmur3Hash(catalyst.seq([column]), 42)
    return expressions.EqualTo(expressions.BitwiseAnd(hashed, nothing), nothing)


def can_raise(catalyst: Catalyst, condition: Any) -> bool:
    """Whether a condition may raise for a record (a cast, a division …)."""
    kind = class_name(condition)
    if kind == "Cast":
        cast = catalyst.singleton(catalyst.expressions, "Cast")
        if not cast.canUpCast(condition.child().dataType(), condition.dataType()):
            return True
    elif kind not in _SAFE:
        return True
    return any(can_raise(catalyst, each) for each in catalyst.items(condition.children()))
