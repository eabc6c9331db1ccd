"""The elements that an action gave, where it doesn't give all: taken of annotated elements as PySpark takes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pyspark.core.rdd import RDD

from bigdebug.lineage.errors import UnsupportedOperatorError
from bigdebug.lineage.rdd import placing, workers
from bigdebug.lineage.rdd.annotator import Annotator, has_fixed_order
from bigdebug.lineage.rdd.kinds import COGROUPS, EXTREME_ROWS, FIRST_ROWS, KEYED
from bigdebug.lineage.rdd.rows import RddRows
from bigdebug.lineage.rdd.ties import ties_at_the_end

_TIED = (
    "the last of the elements that {} gave ranks as another does that it left out: which of them comes first may "
    "differ from run to run"
)
_OVERWRITTEN = (
    "collectAsMap keeps the last of the pairs of a key, and after a shuffle they may come in another order"
)


@dataclass(frozen=True)
class Given:
    """What an action gave.

    Attributes:
        elements: an RDD of the annotated elements.
        doubts: why another run may give others, as far as their values tell.
        partitions: of that RDD, those that they are in, where the others needn't be computed; None for all.
    """

    elements: Any
    doubts: tuple[str, ...] = ()
    partitions: tuple[int, ...] | None = None


def only_given(rows: RddRows, annotated: Any, annotator: Annotator | None = None) -> Given:
    """The annotated elements that the action gave.

    Args:
        rows: what the action was about.
        annotated: all elements.
        annotator: of the program; None where it doesn't matter whether sorted elements rank alike.

    Raises:
        UnsupportedOperatorError: they were taken by chance, and nothing tells which they were.
    """
    if rows.action is None:
        return Given(annotated)
    assert rows.arguments is not None
    arguments: dict[str, Any] = rows.arguments.thawed()
    if rows.action in FIRST_ROWS:
        return _first(rows, annotated, arguments.get("num", 1), annotator)
    if rows.action in EXTREME_ROWS:
        return _extreme(rows, annotated, arguments["num"], arguments.get("key"))
    if rows.action == "collectAsMap":
        return _last_of_keys(rows, annotated)
    if rows.action == "lookup":
        key = arguments["key"]
        found = annotated.filter(lambda pair: pair[0][0] == key)
        return Given(found.map(lambda pair: (pair[0][1], pair[1])))
    if arguments["seed"] is None:
        raise UnsupportedOperatorError(
            "takeSample without a seed takes elements by chance, and nothing tells which they were",
            hint="give it a seed, or trace the RDD itself",
        )
    return Given(annotated.context.parallelize(RDD.takeSample(annotated, **arguments), 1))


def _extreme(rows: RddRows, annotated: Any, most: int, own: Callable[[Any], Any] | None) -> Given:
    """The elements that come first by a key, and whether one that was left out is as good as the last of them."""
    rank = workers.itself if own is None else own
    key = workers.of_element(rank)
    # The one after the last tells. Where the order is always the same, so are those that tie.
    asked = most if most < 1 or has_fixed_order(rows.operator) else most + 1
    found = getattr(RDD, rows.action or "")(annotated, asked, key)
    given = annotated.context.parallelize(found[:most], 1)
    return Given(given, _doubts(rows, len(found) > most and key(found[most - 1]) == key(found[most])))


def _first(rows: RddRows, annotated: Any, most: int, annotator: Annotator | None) -> Given:
    """The first elements, partition by partition."""
    left = most
    quotas: dict[int, int] = {}
    # Only as far as they reach: a partition after the other, as `take` itself goes on.
    for partition in range(annotated.getNumPartitions()):
        if left <= 0:
            break
        (count,) = annotated.context.runJob(annotated, placing.counted_up_to(left), [partition])
        quotas[partition] = count
        left -= count
    given = annotated.mapPartitionsWithIndex(placing.read_before(quotas), True)
    reached = tuple(quotas)
    if annotator is None or left > 0 or not quotas:
        return Given(given, (), reached)
    tied = ties_at_the_end(rows, annotator, reached[-1], quotas[reached[-1]])
    return Given(given, _doubts(rows, tied), reached)


def _last_of_keys(rows: RddRows, annotated: Any) -> Given:
    """Of the pairs of each key the last, which overwrote the others."""
    operator = rows.operator
    while operator.kind in ("mapValues", "filter"):
        (operator,) = operator.inputs
    if operator.kind in KEYED or operator.kind in COGROUPS or operator.kind == "groupBy":
        return Given(annotated)  # a pair for each key
    placed = annotated.mapPartitionsWithIndex(placing.placed_by_key)
    last = placed.reduceByKey(placing.later)
    if has_fixed_order(rows.operator) or last.filter(placing.overwrote).isEmpty():
        return Given(last.map(placing.overwriting))
    return Given(last.map(placing.overwriting), (_OVERWRITTEN,))


def _doubts(rows: RddRows, tied: bool) -> tuple[str, ...]:
    return (_TIED.format(rows.action),) if tied else ()
