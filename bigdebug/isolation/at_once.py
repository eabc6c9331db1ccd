"""Records of several answers, fetched in one go: whoever looks at one of them looks at the others, too."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pyroaring import FrozenBitMap

from bigdebug.isolation.found import SHOWN, IsolatedRow
from bigdebug.lineage.location import TracedRecord

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from bigdebug.isolation.behind import Shown


class AtOnce:
    """Gives the records of candidates; those that several answers are going to show, with the first of them.

    Else each answer would take a pass over the source.

    Args:
        shown: what gives the records.
    """

    def __init__(self, shown: Shown) -> None:
        self._shown = shown
        self._expected = FrozenBitMap()

    def expect(self, answers: Sequence[IsolatedRow]) -> None:
        """Say which answers are going to be shown, before the first is; their culprits matter most."""
        if not self._shown.tells_each:
            return
        for part in (*(each.culprits for each in answers), *(each.reproduction for each in answers)):
            more = self._expected | part.numbers
            if len(more) <= SHOWN:
                self._expected = more

    def records(self, numbers: FrozenBitMap) -> list[tuple[int | None, TracedRecord]]:
        """The first records of each source that some candidates are; with their numbers, if these are known."""
        if numbers and numbers <= self._expected:
            return [each for each in self._at_once if each[0] is not None and each[0] in numbers]
        return self._shown.records(numbers, SHOWN)

    def leaves(self, numbers: FrozenBitMap) -> list[Any]:
        """The sources of some candidates; all sources of none."""
        return list(self._shown.leaves(numbers))

    def frame(self, numbers: FrozenBitMap, source: Any) -> DataFrame:
        """Some candidates of a source as a DataFrame."""
        found: DataFrame = self._shown.frame(numbers, source)
        return found

    @cached_property
    def _at_once(self) -> list[tuple[int | None, TracedRecord]]:
        return self._shown.records(self._expected, SHOWN)
