"""How much a question reads, said before it does."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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


def bytes_read(sources: Iterable[SourceLeaf]) -> int:
    """What the files of some sources hold together: the most that one pass over them reads."""
    return sum(int(leaf.operator.plan.relation().sizeInBytes()) for leaf in sources if leaf.in_files)
