"""The user's own functions that an operator calls: of an RDD's operator, and within a frame's plan."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from py4j.protocol import Py4JError

from bigdebug.breakpoints.points.places import FramePlace
from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.python_functions import functions_in
from bigdebug.lineage.rdd.operator import RddOperator

_NAMES = ("f", "func", "function", "keyfunc", "op")

# How Spark calls a Python function in a plan, by its `evalType`.
ROW_WISE = frozenset({100, 101})
SERIES_WISE = frozenset({200})
ARRAY_WISE = frozenset({250})
MAPS_FRAMES = frozenset({205})
GROUPS_FRAMES = frozenset({201})


@dataclass(frozen=True)
class PlanFunction:
    """A Python function in a plan.

    Attributes:
        name: its own.
        function: the function, unpickled.
        kind: Spark's `evalType`.
        arguments: the JVM expressions that it is called with.
    """

    name: str
    function: Callable[..., Any]
    kind: int
    arguments: list[Any]


def function_argument(operator: RddOperator) -> str | None:
    """The name of the argument that is the function an operator of RDDs calls; None where it has none or several."""
    found = [name for name, value in operator.arguments.items() if callable(value) and name in _NAMES]
    others = [name for name, value in operator.arguments.items() if callable(value) and name not in _NAMES]
    own = [name for name in others if name not in ("partitionFunc", "key")]
    return found[0] if len(found) == 1 and not own else None


def functions_of(catalyst: Catalyst, place: FramePlace, inputs: list[Any]) -> list[PlanFunction]:
    """The Python functions that the operator at a point calls itself.

    Args:
        catalyst: of the session.
        place: the point.
        inputs: the JVM plans that the operator reads; what stands in them isn't its own.

    Raises:
        BigDebugError: one of them can't be read back.
    """
    return [
        PlanFunction(
            str(each.name()),
            _unpickled(catalyst, each),
            int(each.evalType()),
            catalyst.items(each.children()),
        )
        for node in _own_nodes(catalyst, place.rows.plan, inputs)
        for expression in catalyst.items(node.expressions())
        for each in functions_in(catalyst, expression)
    ]


def _own_nodes(catalyst: Catalyst, plan: Any, inputs: list[Any]) -> Iterator[Any]:
    nodes = [plan]
    while nodes:
        node = nodes.pop()
        if any(node is each or node.equals(each) for each in inputs):
            continue
        yield node
        nodes += reversed(catalyst.items(node.children()))


def _unpickled(catalyst: Catalyst, call: Any) -> Callable[..., Any]:
    try:
        tag = catalyst.singleton(catalyst.jvm.scala.reflect, "ClassTag").Byte()
        command = pickle.loads(bytes(call.func().command().toArray(tag)))
        function: Callable[..., Any] = command[0]
    except (Py4JError, TypeError, IndexError, pickle.UnpicklingError, ImportError, AttributeError) as error:
        raise BigDebugError(
            f"the function {call.name()} can't be read back from the plan ({type(error).__name__}: {error})"
        ) from None
    return function
