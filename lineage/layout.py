"""From (partition, ordinal) to (file, position): how a scan packs blocks of files into partitions.

Spark's `monotonically_increasing_id` over a file scan is (partition, ordinal in the partition). A partition
holds one or more blocks of files, one after the other. The layout is read from the physical plan without a
job; only where a partition holds several blocks, or a block isn't the first of its file, are the records
of each block counted, by one job over the source.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.identity import SourceLeaf, annotate_leaf
from bigdebug.lineage.location import Location, readable_path

PARTITION_SHIFT = 33
_ORDINAL_MASK = (1 << PARTITION_SHIFT) - 1


@dataclass(frozen=True)
class Block:
    """A run of consecutive ids that are consecutive records of one file.

    Attributes:
        first_id: id of its first record.
        file: the file, as `readable_path` gives it.
        first_position: position of that record in the file.
    """

    first_id: int
    file: str
    first_position: int


class FileLayout:
    """Finds the file and position of ids that `annotate_leaf` gave to a file source other than Parquet."""

    def __init__(self, catalyst: Catalyst, leaf: SourceLeaf) -> None:
        self._catalyst = catalyst
        self._leaf = leaf
        self._partitions: list[list[tuple[str, int]]] | None = None
        self._blocks: list[Block] | None = None

    def locate(self, ids: Iterable[int]) -> dict[int, Location]:
        """The location of each id; counts records of blocks only where these ids need it."""
        wanted = set(ids)
        blocks = self._blocks
        if blocks is None:
            touched = {identity >> PARTITION_SHIFT for identity in wanted}
            blocks = self._uncounted(touched) or self.blocks()
        starts = [block.first_id for block in blocks]
        located = {}
        for identity in wanted:
            block = blocks[bisect_right(starts, identity) - 1]
            located[identity] = Location(block.file, block.first_position + identity - block.first_id)
        return located

    def blocks(self) -> list[Block]:
        """All blocks of the source, by their first id."""
        if self._blocks is None:
            everything = set(range(len(self._packed())))
            self._blocks = self._uncounted(everything)
            if self._blocks is None:
                self._blocks = self._counted()
        return self._blocks

    def table(self) -> DataFrame:
        """The blocks as a frame: first_id, next_id (exclusive), file, first_position."""
        blocks = self.blocks()
        ends = [block.first_id for block in blocks[1:]] + [1 << 62]
        rows = [
            (block.first_id, end, block.file, block.first_position)
            for block, end in zip(blocks, ends, strict=True)
        ]
        schema = "first_id long, next_id long, file string, first_position long"
        return self._catalyst.spark.createDataFrame(rows, schema)

    def _packed(self) -> list[list[tuple[str, int]]]:
        """For each partition of the scan its blocks as (file, first byte)."""
        if self._partitions is None:
            annotated = annotate_leaf(self._catalyst, self._leaf)
            frame = self._catalyst.frame(self._catalyst.project([annotated.id], annotated.plan))
            scan = frame._jdf.queryExecution().sparkPlan().collectLeaves().apply(0)
            if scan.getClass().getSimpleName() == "FileSourceScanExec":
                packed = scan.inputRDDs().apply(0).filePartitions()
                self._partitions = [
                    [(str(file.urlEncodedPath()), int(file.start())) for file in partition.files()]
                    for partition in self._catalyst.items(packed)
                ]
            else:  # the optimizer saw that nothing is to be read
                self._partitions = []
        return self._partitions

    def _uncounted(self, partitions: set[int]) -> list[Block] | None:
        """The blocks of some partitions where each holds the one first block of a file, else None."""
        packed = self._packed()
        if any(len(packed[p]) != 1 or packed[p][0][1] != 0 for p in partitions):
            return None
        return [Block(p << PARTITION_SHIFT, readable_path(packed[p][0][0]), 0) for p in sorted(partitions)]

    def _counted(self) -> list[Block]:
        annotated = annotate_leaf(self._catalyst, self._leaf)
        identity = annotated.id.name()
        frame = self._catalyst.frame(annotated.plan)
        place = frame.select(
            F.col(identity).alias("id"),
            F.input_file_name().alias("file"),
            F.input_file_block_start().alias("start"),
        )
        counted = (
            place.groupBy(F.shiftright("id", PARTITION_SHIFT).alias("p"), "file", "start")
            .agg(F.min("id").alias("first"), F.count("*").alias("records"))
            .collect()
        )
        by_file: dict[tuple[str, int], int] = {}
        for row in counted:
            by_file[(row.file, row.start)] = row.records
        earlier: dict[tuple[str, int], int] = {}
        totals: defaultdict[str, int] = defaultdict(int)
        for (file, start), records in sorted(by_file.items()):
            earlier[(file, start)] = totals[file]
            totals[file] += records
        return sorted(
            (Block(row["first"], readable_path(row.file), earlier[(row.file, row.start)]) for row in counted),
            key=lambda block: block.first_id,
        )


def memory_location(identity: int) -> Location:
    return Location(None, identity & _ORDINAL_MASK, identity >> PARTITION_SHIFT)


def range_location(plan: Any, value: int) -> Location:
    return Location(None, (value - plan.start()) // plan.step())
