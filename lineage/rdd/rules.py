"""How each operator hands the ids of its input's elements on: the annotated RDD of each.

An annotated RDD has the elements of the plain one, in the same partitions and the same order, each with its ids.
It is made by the very methods of PySpark, called on annotated elements, where these go by position, by seed or by
batch, so that what they do comes out as it did.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bigdebug.lineage.rdd import workers
from bigdebug.lineage.rdd.joining import join, joined, on_side
from bigdebug.lineage.rdd.kinds import JOINS, KEEPING_KEYS, RECORD_WISE

Rule = Callable[[list[Any], dict[str, Any]], Any]


def annotated_by_rule(kind: str, inputs: list[Any], arguments: dict[str, Any]) -> Any:
    """The annotated RDD of an operator that isn't a boundary.

    Args:
        kind: of the operator.
        inputs: annotated.
        arguments: its other arguments.
    """
    if kind in RECORD_WISE:
        return _record_wise(kind, inputs[0], arguments)
    if kind in JOINS:
        left, right = (each.mapPartitionsWithIndex(on_side(side), True) for side, each in enumerate(inputs))
        return join(left, right, arguments["numPartitions"], joined(kind))
    return _RULES[kind](inputs, arguments)


def _record_wise(kind: str, rdd: Any, arguments: dict[str, Any]) -> Any:
    function: Any = arguments.get("f")
    keeps = bool(arguments.get("preservesPartitioning", kind in KEEPING_KEYS))
    return rdd.mapPartitionsWithIndex(workers.one_by_one(kind, function), keeps)


def _sampled(inputs: list[Any], arguments: dict[str, Any]) -> Any:
    return inputs[0].mapPartitionsWithIndex(arguments["sampler"].func, True)


def _sampled_by_key(inputs: list[Any], arguments: dict[str, Any]) -> Any:
    pairs = inputs[0].map(workers.pair_up, True)
    return pairs.mapPartitionsWithIndex(arguments["sampler"].func, True).map(workers.pair_down, True)


def _moved(kind: str) -> Rule:
    def rule(inputs: list[Any], arguments: dict[str, Any]) -> Any:
        return getattr(inputs[0], kind)(**arguments)

    return rule


def _moved_by_key(kind: str) -> Rule:
    def rule(inputs: list[Any], arguments: dict[str, Any]) -> Any:
        pairs = inputs[0].map(workers.pair_up, True)
        return getattr(pairs, kind)(**arguments).map(workers.pair_down, True)

    return rule


def _sorted(inputs: list[Any], arguments: dict[str, Any]) -> Any:
    key = arguments["keyfunc"]
    return inputs[0].sortBy(**{**arguments, "keyfunc": lambda pair: key(pair[0])})


def _sorted_by_key(inputs: list[Any], arguments: dict[str, Any]) -> Any:
    wanted = arguments["numPartitions"]
    if (inputs[0]._defaultReducePartitions() if wanted is None else wanted) == 1:
        # Nothing is shuffled, and elements stay what they are: pairs, rows, lists.
        keyed = inputs[0].map(lambda pair: (pair[0][0], pair), True)
        return keyed.sortByKey(**arguments).map(workers.second_of, True)
    return _moved_by_key("sortByKey")(inputs, arguments)


def _numbered(kind: str) -> Rule:
    def rule(inputs: list[Any], arguments: dict[str, Any]) -> Any:
        return getattr(inputs[0], kind)().map(workers.numbered_pair)

    return rule


def _zipped(kind: str) -> Rule:
    def rule(inputs: list[Any], arguments: dict[str, Any]) -> Any:
        return getattr(inputs[0], kind)(inputs[1]).map(workers.zipped_pair)

    return rule


def _union(inputs: list[Any], arguments: dict[str, Any]) -> Any:
    return inputs[0].union(inputs[1])


def _union_of_all(inputs: list[Any], arguments: dict[str, Any]) -> Any:
    return inputs[0].ctx.union(inputs)


def _subtracted(inputs: list[Any], arguments: dict[str, Any]) -> Any:
    left, right = inputs
    # The right side only decides: its ids go. Each of the left's elements is its key's value once.
    pairs = right.map(lambda pair: (pair[0], True))
    return left.map(workers.itself).subtractByKey(pairs, **arguments).map(workers.itself)


def _subtracted_by_key(inputs: list[Any], arguments: dict[str, Any]) -> Any:
    left, right = inputs
    pairs = left.map(workers.value_up, True)
    return pairs.subtractByKey(right.map(workers.element_of, True), **arguments).map(workers.pair_down, True)


_RULES: dict[str, Rule] = {
    "sample": _sampled,
    "randomSplit": _sampled,
    "sampleByKey": _sampled_by_key,
    "partitionBy": _moved_by_key("partitionBy"),
    "sortByKey": _sorted_by_key,
    "repartitionAndSortWithinPartitions": _moved_by_key("repartitionAndSortWithinPartitions"),
    "repartition": _moved("repartition"),
    "coalesce": _moved("coalesce"),
    "sortBy": _sorted,
    "zipWithIndex": _numbered("zipWithIndex"),
    "zipWithUniqueId": _numbered("zipWithUniqueId"),
    "zip": _zipped("zip"),
    "cartesian": _zipped("cartesian"),
    "union": _union,
    "__add__": _union,
    "SparkContext.union": _union_of_all,
    "subtract": _subtracted,
    "subtractByKey": _subtracted_by_key,
}
