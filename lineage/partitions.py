"""Read only some partitions of a source: the few records to be shown stand in a few of them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from itertools import pairwise
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql.classic.dataframe import DataFrame as ClassicDataFrame

from bigdebug.lineage.catalyst import Catalyst, class_name

Packed = list[list[tuple[str, int]]]
"""For each partition of a scan the blocks of files it holds, in order, as (file URI, first byte)."""


class Partitioned:
    """The rows of a plan by the partitions they stand in.

    Args:
        catalyst: of the pinned session.
        plan: of one source and without a shuffle, so that its partitions are those of its scan.
    """

    def __init__(self, catalyst: Catalyst, plan: Any) -> None:
        self._catalyst = catalyst
        self._schema = plan.schema()
        self._execution = catalyst.execution(plan)

    @cached_property
    def packed(self) -> Packed:
        """How the scan packs files."""
        scan = self._execution.executedPlan().collectLeaves().apply(0)
        if class_name(scan) != "FileSourceScanExec":
            return []  # the optimizer saw that nothing is to be read
        return [
            [(str(file.urlEncodedPath()), int(file.start())) for file in partition.files()]
            for partition in self._catalyst.items(scan.inputRDDs().apply(0).filePartitions())
        ]

    @cached_property
    def _every(self) -> Any:
        return self._execution.toRdd()

    def only(self, partitions: Iterable[int]) -> DataFrame:
        """The rows of some partitions; the others aren't computed."""
        rows = self._pruned(sorted(set(partitions)))
        frame = self._catalyst.jsession.internalCreateDataFrame(rows, self._schema, False)
        return ClassicDataFrame(frame, self._catalyst.spark)

    def sizes(self, partitions: Iterable[int]) -> dict[int, int]:
        """How many rows some partitions have."""
        counted = sorted(set(partitions))
        # Where each partition of an RDD begins is found by counting all but its last: no shuffle, no query. The
        # last here is one more, whichever.
        begin = self._pruned(counted).union(self._pruned(counted[:1])).zipWithIndex().partitions()
        starts = [int(partition.startIndex()) for partition in begin]
        return {p: end - start for p, (start, end) in zip(counted, pairwise(starts), strict=True)}

    def _pruned(self, partitions: list[int]) -> Any:
        # A Scala set is the function that tells whether it holds a number.
        wanted = self._catalyst.seq(partitions).toSet()
        pruning = self._catalyst.singleton(self._catalyst.jvm.org.apache.spark.rdd, "PartitionPruningRDD")
        return pruning.create(self._every, wanted)
