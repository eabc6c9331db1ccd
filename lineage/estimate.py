"""How much a question reads, said before it does."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bigdebug.lineage.catalyst import Catalyst
    from bigdebug.lineage.identity import SourceLeaf

LARGE_BYTES = 10_000_000_000
"""A question that reads more than this is announced first."""

SMALL_BYTES = 32_000_000
"""Of sources up to this size a question reads all columns at once, which saves a second look at them."""


@dataclass(frozen=True)
class Estimate:
    """What a question will cost.

    Attributes:
        bytes: how much of its sources it reads at most.
        seconds: how long the run itself took for this output, if it ended; a trace takes about as long.
    """

    bytes: int
    seconds: float | None


# What Spark takes a table for whose size it hasn't looked up.
_UNKNOWN = (1 << 63) - 1


def bytes_read(catalyst: Catalyst, sources: Iterable[SourceLeaf]) -> int:
    """What the files of some sources hold together: the most that one pass over them reads."""
    return sum(_size(catalyst, leaf) for leaf in sources if leaf.in_files)


def _size(catalyst: Catalyst, leaf: SourceLeaf) -> int:
    relation = leaf.operator.plan.relation()
    size = int(relation.sizeInBytes())
    if size < _UNKNOWN:
        return size
    if leaf.listed is None:
        from bigdebug.lineage.listing import listed_files  # loads PySpark

        leaf.listed = listed_files(catalyst, relation)
    return sum(size for _, size, _ in leaf.listed)
