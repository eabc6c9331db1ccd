"""Records of several answers, fetched in one go: whoever looks at one of them looks at the others, too."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pyroaring import FrozenBitMap

from bigdebug.lineage.location import TracedRecord

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from bigdebug.isolation.behind import Shown


class AtOnce:
    """Gives the records of candidates; those that several answers are going to show, with the first of them.

    Else each answer would take a pass over the source.

    Args:
        shown: what gives the records.
        most: so many of them are fetched together at most.
    """

    def __init__(self, shown: Shown, most: int) -> None:
        self._shown = shown
        self._most = most
        self._expected = FrozenBitMap()

    def expect(self, several: Iterable[FrozenBitMap]) -> None:
        """Say which records are going to be asked for, before the first is; the most important ones first."""
        for numbers in several:
            more = self._expected | numbers
            if len(more) <= self._most:
                self._expected = more

    def records(self, numbers: FrozenBitMap, limit: int) -> list[tuple[int | None, TracedRecord]]:
        """Up to so many records of each source that some candidates are; with their numbers, if these are known."""
        if not numbers or limit < self._most or not numbers <= self._expected or self._at_once is None:
            return self._shown.records(numbers, limit)
        return [each for each in self._at_once if each[0] in numbers]

    def leaves(self, numbers: FrozenBitMap) -> list[Any]:
        """The sources of some candidates; all sources of none."""
        return list(self._shown.leaves(numbers))

    def frame(self, numbers: FrozenBitMap, source: Any) -> DataFrame:
        """Some candidates of a source as a DataFrame."""
        found: DataFrame = self._shown.frame(numbers, source)
        return found

    @cached_property
    def _at_once(self) -> list[tuple[int, TracedRecord]] | None:
        """Those that are expected; None where it isn't known which record is whose."""
        found = self._shown.records(self._expected, self._most)
        known = [(number, record) for number, record in found if number is not None]
        return known if len(known) == len(found) else None
