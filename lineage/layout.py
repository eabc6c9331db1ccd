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
from itertools import accumulate
from typing import Any

from pyspark.sql import DataFrame

from bigdebug.lineage.block_sizes import BlockSizes
from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.identity import SourceLeaf
from bigdebug.lineage.location import ORDINAL_MASK, PARTITION_SHIFT, Location, readable_path
from bigdebug.lineage.partitions import Packed


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
        self._sizes = BlockSizes(catalyst, leaf, known or {})
        self._counts: dict[int, list[tuple[int, int]]] = {}

    @property
    def packed(self) -> Packed:
        """How the scan packs files."""
        return self._sizes.scan.packed

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
        for p, sizes in self._sizes.of(partitions - self._counts.keys()).items():
            self._counts[p] = list(zip(accumulate(sizes, initial=0), sizes, strict=False))


def memory_location(identity: int) -> Location:
    return Location(None, identity & ORDINAL_MASK, identity >> PARTITION_SHIFT)


def range_location(plan: Any, value: int) -> Location:
    return Location(None, (value - plan.start()) // plan.step())
