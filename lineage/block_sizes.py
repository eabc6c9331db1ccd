"""How many records stand in blocks of files, as a scan packs them into partitions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property

from pyspark.sql import functions as F

from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.identity import SourceLeaf, annotate_leaf
from bigdebug.lineage.location import PARTITION_SHIFT
from bigdebug.lineage.partitions import Packed, Partitioned
from bigdebug.lineage.pinned import settings

# Of more, each a task of its own, a query that groups the records by their block is cheaper.
_FEW = 64
# More bytes than a file has; and more than that, which no block of a file can be added to.
_NO_FILE, _NO_PARTITION = 1 << 45, 1 << 46


class BlockSizes:
    """Counts the records of blocks, of no more of them than it is asked for.

    Args:
        catalyst: of the pinned session.
        leaf: the source.
        known: how many records some partitions have, where that is known already.
    """

    def __init__(self, catalyst: Catalyst, leaf: SourceLeaf, known: Mapping[int, int]) -> None:
        self._catalyst = catalyst
        self._leaf = leaf
        self._known = known

    @cached_property
    def scan(self) -> Partitioned:
        """The scan, of nothing but ids."""
        return self._ids()

    def of(self, partitions: Iterable[int]) -> dict[int, list[int]]:
        """For some partitions the sizes of their blocks, in order."""
        packed, wanted = self.scan.packed, set(partitions)
        found = {p: [self._known[p]] for p in wanted & self._known.keys() if len(packed[p]) == 1}
        whole = {p for p in wanted - found.keys() if len(packed[p]) == 1}
        found |= {p: [records] for p, records in self.scan.sizes(whole).items()} if whole else {}
        shared = wanted - found.keys()
        few = sum(len(packed[p]) for p in shared) <= _FEW
        alone = self._alone if shared and few else None
        return found | (self._grouped(shared) if alone is None else self._one_by_one(shared, *alone))

    def _ids(self) -> Partitioned:
        annotated = annotate_leaf(self._catalyst, self._leaf, valued=False)
        return Partitioned(self._catalyst, self._catalyst.project([annotated.id], annotated.plan))

    # -- each in a partition of its own -------------------------------------------------------------

    @cached_property
    def _alone(self) -> tuple[Partitioned, dict[tuple[str, int], int]] | None:
        """The scan with each block in a partition of its own, and in which; None where Spark packs otherwise."""
        blocks = {block for each in self.scan.packed for block in each}
        # Where a file is split once it is so at every multiple.
        split = min((start for _, start in blocks if start), default=_NO_FILE)
        alone = {
            "spark.sql.files.maxPartitionBytes": str(split),
            "spark.sql.files.openCostInBytes": str(_NO_PARTITION),
        }
        with settings(self._catalyst, alone):
            scan = self._ids()
            packed: Packed = scan.packed
        places = {block: p for p, each in enumerate(packed) for block in each}
        return (scan, places) if blocks == places.keys() and all(len(each) == 1 for each in packed) else None

    def _one_by_one(
        self, partitions: set[int], scan: Partitioned, places: Mapping[tuple[str, int], int]
    ) -> dict[int, list[int]]:
        packed = self.scan.packed
        # Where a partition's size is known, its last block has what the others leave.
        asked = {p: packed[p][:-1] if p in self._known else packed[p] for p in partitions}
        sizes = scan.sizes({places[block] for blocks in asked.values() for block in blocks})
        found = {p: [sizes[places[block]] for block in blocks] for p, blocks in asked.items()}
        for p in partitions & self._known.keys():
            found[p].append(self._known[p] - sum(found[p]))
        return found

    # -- many of them -------------------------------------------------------------------------------

    def _grouped(self, partitions: set[int]) -> dict[int, list[int]]:
        if not partitions:
            return {}
        packed = self.scan.packed
        annotated = annotate_leaf(self._catalyst, self._leaf, valued=False)
        frame = self._catalyst.frame(annotated.plan)
        place = frame.select(
            F.shiftright(annotated.id.name(), PARTITION_SHIFT).cast("int").alias("partition"),
            F.input_file_name().alias("file"),
            F.input_file_block_start().alias("start"),
        )
        few = Partitioned(self._catalyst, self._catalyst.analyzed(place)).only(partitions)
        counted = {
            (row.partition, (row.file, row.start)): row["count"]
            for row in few.groupBy("partition", "file", "start").count().collect()
        }
        if not counted.keys() <= {(p, block) for p in partitions for block in packed[p]}:
            raise BigDebugError(
                f"Spark read {self._leaf.name} in other blocks than it had planned",
                hint="this is a defect of bigdebug: positions in these files can't be told",
            )
        # A file that is named twice may have its blocks in one partition twice.
        return {
            p: [counted.get((p, block), 0) // packed[p].count(block) for block in packed[p]]
            for p in partitions
        }
