"""The records that failing rows may come from, however they are kept."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd
from pyroaring import FrozenBitMap

from bigdebug.isolation.drawn import some_of
from bigdebug.lineage.catalyst import Catalyst, fresh_name
from bigdebug.lineage.identity import SourceLeaf
from bigdebug.lineage.location import TracedRecord
from bigdebug.lineage.operators import Operator

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from bigdebug.isolation.candidates import Candidates

MOST_RECORDS = 20_000_000
"""Records in all subsets of one job."""

Numbers = Sequence[FrozenBitMap]
Members = Callable[[], tuple[Any, Any, Any]]
"""Gives a plan of rows by subset, and the attributes of the subset's number and of the record id."""


@dataclass(frozen=True)
class Share:
    """The candidates of one source.

    Attributes:
        leaf: the source.
        first: the first one's number.
        count: how many there are.
    """

    leaf: SourceLeaf
    first: int
    count: int

    @property
    def numbers(self) -> FrozenBitMap:
        return FrozenBitMap(range(self.first, self.first + self.count))


class CandidateSet(ABC):
    """The candidates of all sources, numbered from 0, one source after the other.

    Attributes:
        stands: the candidates of each source.
        only_together: subsets are told apart even where there is one alone.
        tells_each: records come with the numbers of the candidates that they are.
    """

    only_together = False
    tells_each = True
    stands: Sequence[Share]

    @property
    def count(self) -> int:
        return sum(stand.count for stand in self.stands)

    @property
    def everything(self) -> FrozenBitMap:
        return FrozenBitMap(range(self.count))

    def are_known(self, numbers: FrozenBitMap) -> bool:
        """Whether some candidates are known one by one: not just how many there are, and what they add up to."""
        return True

    @property
    @abstractmethod
    def full(self) -> Candidates:
        """The same with their own columns, for what looks at these or begins at the sources."""

    def some(self, culprits: FrozenBitMap, others: FrozenBitMap) -> tuple[Candidates, FrozenBitMap]:
        """With their own columns culprits, and others of each source: a sample where they are very many.

        Gives which of the others these are, too; more candidates may be there.
        """
        full = self.full
        return full, FrozenBitMap().union(*(some_of(others & stand.numbers) for stand in full.stands))

    @abstractmethod
    def release(self) -> None:
        """Give back what Spark keeps."""

    @abstractmethod
    def records(self, numbers: FrozenBitMap, limit: int) -> list[tuple[int | None, TracedRecord]]:
        """Up to so many of some candidates of each source, by source, file and position, and their numbers."""

    def leaves(self, numbers: FrozenBitMap) -> list[SourceLeaf]:
        """The sources of some candidates; all sources of none."""
        return leaves_of(self.stands, numbers)

    @abstractmethod
    def frame(self, numbers: FrozenBitMap, source: SourceLeaf) -> DataFrame:
        """Some candidates of a source: its columns and `_record`."""

    @abstractmethod
    def members(self, subsets: Numbers) -> Mapping[Operator, tuple[SourceLeaf, Members]]:
        """By the operator where replays begin, its source and what gives its rows by subset."""


def leaves_of(stands: Sequence[Any], numbers: FrozenBitMap) -> list[Any]:
    """The sources of some candidates; all sources of none.

    Args:
        stands: the candidates of each source, with its `leaf` and their `numbers`.
        numbers: of the candidates.
    """
    mine = [stand for stand in stands if numbers & stand.numbers]
    return [stand.leaf for stand in mine or stands]


def subset_numbers(catalyst: Catalyst, number: int) -> tuple[Any, Any]:
    """A plan of the numbers of so many subsets, with their attribute."""
    name = fresh_name("subset")
    frame = catalyst.spark.createDataFrame(pd.DataFrame({name: range(number)}), f"{name} bigint")
    plan = catalyst.analyzed(frame)
    return plan, plan.output().last()


def batches(subsets: Numbers) -> list[list[FrozenBitMap]]:
    """Subsets in their order, so many together as one job can hold."""
    found: list[list[FrozenBitMap]] = []
    room = 0
    for subset in subsets:
        if not found or len(subset) > room:
            found.append([])
            room = MOST_RECORDS
        found[-1].append(subset)
        room -= len(subset)
    return found
