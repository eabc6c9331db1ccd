"""The elements that an action gave, where it doesn't give all: taken of annotated elements as PySpark takes them."""

from __future__ import annotations

from typing import Any

from pyspark.core.rdd import RDD

from bigdebug.lineage.errors import UnsupportedOperatorError
from bigdebug.lineage.rdd import workers
from bigdebug.lineage.rdd.rows import RddRows


def only_given(rows: RddRows, annotated: Any) -> Any:
    """The annotated elements that the action gave.

    Args:
        rows: what the action was about.
        annotated: all elements.

    Raises:
        UnsupportedOperatorError: they were taken by chance, and nothing tells which they were.
    """
    if rows.action is None:
        return annotated
    assert rows.arguments is not None
    arguments: dict[str, Any] = rows.arguments.thawed()
    if rows.action in ("take", "first"):
        return _first(annotated, arguments.get("num", 1))
    if rows.action == "lookup":
        key = arguments["key"]
        return annotated.filter(lambda pair: pair[0][0] == key).map(lambda pair: (pair[0][1], pair[1]))
    if rows.action == "takeSample":
        if arguments["seed"] is None:
            raise UnsupportedOperatorError(
                "takeSample without a seed takes elements by chance, and nothing tells which they were",
                hint="give it a seed, or trace the RDD itself",
            )
        found = RDD.takeSample(annotated, **arguments)
    else:
        own = arguments.get("key")
        key = (lambda pair: pair[0]) if own is None else (lambda pair: own(pair[0]))
        found = getattr(RDD, rows.action)(annotated, arguments["num"], key)
    return annotated.context.parallelize(found, 1)


def _first(annotated: Any, most: int) -> Any:
    """The first elements, partition by partition."""
    left = most
    quotas: dict[int, int] = {}
    # Only as far as they reach: a partition after the other, as `take` itself goes on.
    for partition in range(annotated.getNumPartitions()):
        if left <= 0:
            break
        (count,) = annotated.context.runJob(annotated, workers.counted_up_to(left), [partition])
        quotas[partition] = count
        left -= count
    return annotated.mapPartitionsWithIndex(workers.read_before(quotas), True)
