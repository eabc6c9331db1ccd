"""Micro-batches: what the frame that a streaming query hands to `foreachBatch` was made of.

Spark hands over a frame whose plan is only an RDD. The plan behind that RDD is known while the batch is being
executed (`StreamExecution.lastExecution`), and is kept as a tag on the leaf. Where no state of earlier batches
is behind its rows, a question looks at that plan in the leaf's place: it reads the files of just this batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bigdebug.lineage.catalyst import Catalyst, class_name
from bigdebug.lineage.opened import Kept, tag_named

_BATCHES = Kept("LogicalRDD", "bigdebug.batch")
_OVER_TAG = "bigdebug.batch.over"
_QUERY_ID = "sql.streaming.queryId"

# Operators that give rows of this batch alone for the rows of this batch.
_STATELESS = frozenset(
    {
        "Project", "Filter", "Generate", "Expand", "Sample", "Union", "SubqueryAlias", "View", "ResolvedHint",
        "Repartition", "RepartitionByExpression", "RebalancePartitions", "CollectMetrics", "MapInPandas",
        "MapInArrow", "PythonMapInArrow",
    }
)  # fmt: skip
_WATERMARKS = frozenset({"EventTimeWatermark", "UpdateEventTimeWatermarkColumn"})


@dataclass(frozen=True)
class MicroBatch:
    """A micro-batch whose rows hang on more than its own records.

    Attributes:
        number: of the batch in its query.
        over: whether the function it was handed to has returned.
        reason: what keeps a trace from going on through it.
    """

    number: int
    over: bool
    reason: str

    def __str__(self) -> str:
        return f"micro-batch {self.number}"


class _EndsHereError(Exception):
    """The plan of a batch isn't one of its own records alone."""


def keep_batch(spark: Any, plan: Any) -> Any:
    """Keep on the plan of a micro-batch's frame what it was made of.

    Args:
        spark: the session whose streaming query it is; called in the function that the query calls.
        plan: of the frame handed over.

    Returns:
        The leaf, to be given to `end_batch`; None if it isn't known.
    """
    query_id = spark.sparkContext.getLocalProperty(_QUERY_ID)
    query = spark._jsparkSession.streams().get(query_id) if query_id else None
    if query is None or class_name(plan) != _BATCHES.kind:
        return None
    execution = query.streamingQuery() if hasattr(query, "streamingQuery") else query
    _BATCHES.keep(spark._jvm, plan, execution.lastExecution().analyzed())
    return plan


def end_batch(spark: Any, leaf: Any) -> None:
    """Note that the function returned: what needs the state of that moment can't be computed any more."""
    leaf.setTagValue(tag_named(spark._jvm, _OVER_TAG), True)


def with_batches_opened(catalyst: Catalyst, plan: Any) -> Any:
    """A plan with what micro-batches were made of in place of their RDDs, where that is all there is to them."""
    return _BATCHES.opened(catalyst, plan, lambda _, written: _behind(catalyst, written))


def batch_of(catalyst: Catalyst, leaf: Any) -> MicroBatch | None:
    """The micro-batch that a leaf still stands for, if any."""
    written = _BATCHES.behind(catalyst, leaf)
    if written is None:
        return None
    over = leaf.getTagValue(tag_named(catalyst.jvm, _OVER_TAG)).isDefined()
    try:
        _without_stream(catalyst, written.children().apply(0))
        reason = "it is used in a subquery"
    except _EndsHereError as end:
        reason = str(end)
    return MicroBatch(int(written.batchId().get()), over, reason)


def _behind(catalyst: Catalyst, written: Any) -> Any | None:
    """What a batch was made of, where that is all there is to it."""
    try:
        return _without_stream(catalyst, written.children().apply(0))
    except _EndsHereError:
        return None


def _without_stream(catalyst: Catalyst, plan: Any) -> Any:
    """The plan of a batch as one that isn't part of a stream.

    Raises:
        _EndsHereError: an operator keeps state, or a source isn't in files.
    """
    if not plan.isStreaming():
        return plan
    kind = class_name(plan)
    below = catalyst.items(plan.children())
    if kind == "LogicalRelation":
        return catalyst.copy(plan, isStreaming=False)
    if not below:
        raise _EndsHereError("the stream's source isn't in files")
    if kind in _WATERMARKS:
        return _without_stream(catalyst, below[0])
    one_stream = kind == "Join" and sum(bool(child.isStreaming()) for child in below) == 1
    if kind not in _STATELESS and not one_stream:
        raise _EndsHereError(f"{kind} in the stream keeps state of earlier batches")
    return plan.withNewChildren(catalyst.seq(_without_stream(catalyst, child) for child in below))
