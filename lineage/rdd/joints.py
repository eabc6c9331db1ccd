"""DataFrames made of RDDs: what of the RDD is kept, for traces to go on from one to the other.

Spark's plan of such a DataFrame holds only the JVM RDD of its rows. What the program made that of is kept beside
the SparkContext by the number of that RDD, for as long as a plan in the JVM holds on to it.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterable
from typing import Any

from bigdebug.lineage.catalyst import Catalyst, class_name
from bigdebug.lineage.dataflow import Node
from bigdebug.lineage.rdd.freezing import arguments_now, freeze
from bigdebug.lineage.rdd.kinds import INTO_FRAME
from bigdebug.lineage.rdd.operator import RddOperator, known_operator

_KEY = "_bigdebug_joints"
# So many are kept before it is looked which are needed still.
_FEWEST = 64

_noted = threading.local()


class _Joints:
    """The operators that made DataFrames of a context's RDDs. Thread safe."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._kept: dict[int, tuple[RddOperator, Any]] = {}
        self._most = _FEWEST

    def keep(self, jrdd: Any, operator: RddOperator) -> None:
        reference = operator.context._jvm.java.lang.ref.WeakReference(jrdd)
        with self._lock:
            self._kept[int(jrdd.id())] = operator, reference
            if len(self._kept) > self._most:
                self._kept = {key: each for key, each in self._kept.items() if each[1].get() is not None}
                self._most = max(_FEWEST, 2 * len(self._kept))

    def get(self, number: int) -> RddOperator | None:
        found = self._kept.get(number)
        return None if found is None else found[0]


def note_conversion(converted: Any, prepared: Any) -> None:
    """Note how PySpark makes rows of an RDD's elements, until the DataFrame is there.

    Args:
        converted: the RDD of the rows, as the JVM takes them.
        prepared: what PySpark began with: an RDD of its own, one step from the user's.
    """
    functions: list[Callable[..., Any]] = []
    rdd = converted
    while rdd is not prepared.prev:
        functions.insert(0, _own_function(rdd))
        rdd = rdd.prev
    _noted.last = weakref.ref(rdd), functions


def keep_joint(rdd: Any, plan: Any, node: Node, tag: str) -> None:
    """Keep what a DataFrame was made of, from an RDD.

    Args:
        rdd: the user's.
        plan: of the DataFrame.
        node: of the call that made it.
        tag: names the node.
    """
    noted, _noted.last = getattr(_noted, "last", None), None
    if noted is None or noted[0]() is not rdd or not hasattr(plan, "rdd"):
        return
    operator = RddOperator(
        INTO_FRAME, (known_operator(rdd),), {"functions": noted[1]}, rdd.ctx, node=node, tag=tag
    )
    # Spark took the functions when the DataFrame was made, as it does where it shuffles.
    operator.frozen = {operator: arguments_now(operator), **freeze(operator.inputs)}
    rdd.ctx.__dict__.setdefault(_KEY, _Joints()).keep(plan.rdd(), operator)


def joint_of(context: Any, leaf: Any) -> RddOperator | None:
    """The operator that made the DataFrame that a plan's leaf is of, where an RDD was what it was made of.

    Args:
        context: the SparkContext.
        leaf: a JVM plan.
    """
    joints: _Joints | None = context.__dict__.get(_KEY)
    if joints is None or class_name(leaf) != "LogicalRDD":
        return None
    return joints.get(int(leaf.rdd().id()))


def any_joints(context: Any) -> bool:
    """Whether any DataFrame was made of an RDD of a SparkContext."""
    return _KEY in context.__dict__


def joints_among(context: Any, leaves: Iterable[Any]) -> dict[Any, RddOperator]:
    """By source leaf, the operators that made DataFrames of RDDs.

    Args:
        context: the SparkContext.
        leaves: `SourceLeaf`s.
    """
    found = {leaf: joint_of(context, leaf.operator.plan) for leaf in leaves if leaf.kind == "memory"}
    return {leaf: joint for leaf, joint in found.items() if joint is not None}


def keep_reopened(operator: RddOperator, plan: Any) -> None:
    """Keep what a DataFrame of a recipe was made of.

    Args:
        operator: that made a DataFrame of an RDD.
        plan: of the DataFrame.
    """
    operator.context.__dict__.setdefault(_KEY, _Joints()).keep(plan.rdd(), operator)


def rows_of_elements(catalyst: Catalyst, rdd: Any, functions: list[Callable[..., Any]], schema: str) -> Any:
    """The JVM plan of the DataFrame of an RDD, made as PySpark made it.

    Args:
        catalyst: of the session.
        rdd: the elements.
        functions: that make rows of them.
        schema: of the rows, as JSON.
    """
    for function in functions:
        rdd = rdd.mapPartitionsWithIndex(function)
    jrdd = catalyst.jvm.SerDeUtil.toJavaArray(rdd._to_java_object_rdd())
    return catalyst.jsession.applySchemaToPythonRDD(jrdd.rdd(), schema).queryExecution().analyzed()


def _own_function(made: Any) -> Any:
    """The function of a pipelined RDD without those of the chain below it."""
    function = made.func
    names = function.__code__.co_freevars
    if "prev_func" in names:
        function = function.__closure__[names.index("func")].cell_contents
    return function
