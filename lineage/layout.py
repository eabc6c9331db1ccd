"""From (partition, ordinal) to (file, position): how a scan packs blocks of files into partitions.

Spark's `monotonically_increasing_id` over a file scan is (partition, ordinal in the partition). A partition
holds one or more blocks of files, one after the other. The layout is read from the physical plan without a
job; only where a partition holds several blocks, or a block isn't the first of its file, are records of
blocks counted, by a job over just the partitions that this takes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.identity import SourceLeaf, annotate_leaf
from bigdebug.lineage.location import ORDINAL_MASK, PARTITION_SHIFT, Location, readable_path
from bigdebug.lineage.partitions import Packed, Partitioned


@dataclass(frozen=True)
class Block:
    """A run of consecutive ids that are consecutive records of one file.

    Attributes:
        first_id: id of its first record.
        file: the file, as `readable_path` gives it.
        first_position: position of that record in the file.
        first_byte: where the block begins in the file.
    """

    first_id: int
    file: str
    first_position: int
    first_byte: int


class FileLayout:
    """How the scan of a file source stands in partitions, and where the ids it gives stand in files.

    Args:
        catalyst: of the pinned session.
        leaf: the source.
        known: how many records some partitions have, where that is known already.
    """

    def __init__(self, catalyst: Catalyst, leaf: SourceLeaf, known: Mapping[int, int] | None = None) -> None:
        self._catalyst = catalyst
        self._leaf = leaf
        self._known = known or {}
        self._counts: dict[int, list[tuple[int, int]]] = {}

    @cached_property
    def _scan(self) -> Partitioned:
        annotated = annotate_leaf(self._catalyst, self._leaf, valued=False)
        return Partitioned(self._catalyst, self._catalyst.project([annotated.id], annotated.plan))

    @property
    def packed(self) -> Packed:
        """How the scan packs files."""
        return self._scan.packed

    @cached_property
    def ranks(self) -> list[int]:
        """For each partition its place among all, by the file and byte that it begins with."""
        ordered = sorted(range(len(self.packed)), key=lambda p: self.packed[p][:1])
        ranks = [0] * len(ordered)
        for rank, partition in enumerate(ordered):
            ranks[partition] = rank
        return ranks

    @property
    def in_order(self) -> bool:
        """Whether ids go up with file and position."""
        return self.ranks == sorted(self.ranks)

    def locate(self, ids: Iterable[int]) -> dict[int, Location]:
        """The location of each id."""
        wanted = set(ids)
        blocks = self.blocks({identity >> PARTITION_SHIFT for identity in wanted})
        starts = [block.first_id for block in blocks]
        located = {}
        for identity in wanted:
            block = blocks[bisect_right(starts, identity) - 1]
            located[identity] = Location(block.file, block.first_position + identity - block.first_id)
        return located

    def blocks(self, partitions: set[int]) -> list[Block]:
        """The blocks of some partitions, by their first id; counts records where these need it."""
        last: dict[str, int] = {}
        for p in partitions:
            for file, start in self.packed[p]:
                last[file] = max(start, last.get(file, 0))
        # A file's later blocks begin where the earlier ones end; a block's neighbour where that one ends.
        self._count(
            {p for p in partitions if len(self.packed[p]) > 1}
            | {
                p
                for p, blocks in enumerate(self.packed)
                if any(start < last.get(file, 0) for file, start in blocks)
            }
        )
        found = []
        for p in sorted(partitions):
            counts = self._counts.get(p, [(0, 0)])
            for (file, start), (first, _) in zip(self.packed[p], counts, strict=True):
                position = self._records_before(file, start)
                found.append(Block((p << PARTITION_SHIFT) + first, readable_path(file), position, start))
        return found

    def table(self, partitions: set[int]) -> DataFrame:
        """The blocks of some partitions as a frame: first_id, next_id (exclusive), file, first_position."""
        blocks = self.blocks(partitions)
        ends = [block.first_id for block in blocks[1:]] + [1 << 62]
        rows = [
            (block.first_id, end, block.file, block.first_position)
            for block, end in zip(
                blocks, ends, strict=False
            )  # there is an end too many where there are no blocks
        ]
        schema = "first_id long, next_id long, file string, first_position long"
        return self._catalyst.spark.createDataFrame(rows, schema)

    def _records_before(self, file: str, start: int) -> int:
        if start == 0:
            return 0
        return sum(
            records
            for p, blocks in enumerate(self.packed)
            for (other, first_byte), (_, records) in zip(blocks, self._counts.get(p, ()), strict=False)
            if other == file and first_byte < start
        )

    def _count(self, partitions: set[int]) -> None:
        """Note of each block in some partitions the ordinal of its first record and how many it has."""
        missing = partitions - self._counts.keys()
        known = {p for p in missing if len(self.packed[p]) == 1 and p in self._known}
        self._counts.update((p, [(0, self._known[p])]) for p in known)
        missing -= known
        whole = {p for p in missing if len(self.packed[p]) == 1 and p < len(self.packed) - 1}
        if whole:
            self._counts.update((p, [(0, records)]) for p, records in self._scan.sizes(whole).items())
        self._count_blocks(missing - whole)

    def _count_blocks(self, missing: set[int]) -> None:
        """The same for partitions of several blocks, and the last one."""
        if not missing:
            return
        annotated = annotate_leaf(self._catalyst, self._leaf, valued=False)
        frame = self._catalyst.frame(annotated.plan)
        place = frame.select(
            F.shiftright(annotated.id.name(), PARTITION_SHIFT).cast("int").alias("partition"),
            F.input_file_name().alias("file"),
            F.input_file_block_start().alias("start"),
        )
        few = Partitioned(self._catalyst, self._catalyst.analyzed(place)).only(missing)
        counted = {
            (row.partition, row.file, row.start): row["count"]
            for row in few.groupBy("partition", "file", "start").count().collect()
        }
        known = {(p, file, start) for p in missing for file, start in self.packed[p]}
        if not counted.keys() <= known:
            raise BigDebugError(
                f"Spark read {self._leaf.name} in other blocks than it had planned",
                hint="this is a defect of bigdebug: positions in these files can't be told",
            )
        for p in missing:
            first = 0
            self._counts[p] = []
            for file, start in self.packed[p]:
                records = counted.get((p, file, start), 0)
                self._counts[p].append((first, records))
                first += records


def memory_location(identity: int) -> Location:
    return Location(None, identity & ORDINAL_MASK, identity >> PARTITION_SHIFT)


def range_location(plan: Any, value: int) -> Location:
    return Location(None, (value - plan.start()) // plan.step())
