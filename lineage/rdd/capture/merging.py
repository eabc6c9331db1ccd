"""An RDD of pairs whose values are merged before a shuffle while their keys are noted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyspark.core.rdd import PipelinedRDD, portable_hash
from pyspark.resultiterable import ResultIterable
from pyspark.shuffle import Aggregator, ExternalGroupBy, ExternalMerger

from bigdebug.lineage.rdd.capture.pairs import (
    appended,
    extended,
    listed,
    merged_after,
    merged_before,
)

_BEFORE = 0.9
"""What part of its memory Spark uses for merging before a shuffle."""


class MergingRDD(PipelinedRDD):  # type: ignore[misc]
    """Pairs as `keyed_foot` gives them.

    Its reductions do what PySpark's own do, which are built on these two: the same elements in the same partitions
    and the same order.
    """

    def combineByKey(
        self,
        createCombiner: Callable[[Any], Any],
        mergeValue: Callable[[Any, Any], Any],
        mergeCombiners: Callable[[Any, Any], Any],
        numPartitions: int | None = None,
        partitionFunc: Callable[[Any], int] = portable_hash,
    ) -> Any:
        aggregator = Aggregator(createCombiner, mergeValue, mergeCombiners)
        memory, serializer = self._memory_limit(), self.ctx.serializer
        before = self.mapPartitions(merged_before(aggregator, memory * _BEFORE, serializer), True)
        partitions = self._defaultReducePartitions() if numPartitions is None else numPartitions
        shuffled = before.partitionBy(partitions, partitionFunc)
        return shuffled.mapPartitions(merged_after(ExternalMerger, aggregator, memory, serializer), True)

    def groupByKey(
        self,
        numPartitions: int | None = None,
        partitionFunc: Callable[[Any], int] = portable_hash,
    ) -> Any:
        aggregator = Aggregator(listed, appended, extended)
        memory, serializer = self._memory_limit(), self._jrdd_deserializer
        before = self.mapPartitions(merged_before(aggregator, memory * _BEFORE, serializer), True)
        shuffled = before.partitionBy(numPartitions, partitionFunc)
        return shuffled.mapPartitions(
            merged_after(ExternalGroupBy, aggregator, memory, serializer), True
        ).mapValues(ResultIterable)
