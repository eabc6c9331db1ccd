"""What an isolation found: records that repair the output when they are gone, and records that still fail alone."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from bigdebug.isolation.cost import Cost
from bigdebug.lineage.described import FEW_RECORDS, Described, Description, Table, records_table
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.finding import find_source
from bigdebug.lineage.location import TracedRecord

if TYPE_CHECKING:
    from pyroaring import FrozenBitMap
    from pyspark.sql import DataFrame

    from bigdebug.isolation.at_once import AtOnce
    from bigdebug.isolation.explaining import Pattern
    from bigdebug.isolation.suspects import Suspect

Proof = Literal["1-minimal", "sufficient", "none"]

SHOWN = 1_000
"""Records of each source that a sequence holds; `dataframe()` has them all."""


class IsolatedRecords(Described, Sequence[TracedRecord]):
    """Source records that an isolation found: the most influential first, else by source, file and position.

    Args:
        candidates: of which they are.
        numbers: theirs.
        proof: what is known of them.
        influence: of records by number, where it is known.

    Attributes:
        proof: `1-minimal`: no single one can be left out; `sufficient`: they will do, and fewer may; `none`: it was
            not shown that they will do.
        numbers: theirs among the candidates.
        total: how many there are; the sequence holds the first of each source, up to 1,000.
    """

    def __init__(
        self,
        candidates: AtOnce,
        numbers: FrozenBitMap,
        proof: Proof,
        influence: Mapping[int, float | None] | None = None,
    ) -> None:
        self._candidates = candidates
        self.influences = influence or {}
        self.numbers = numbers
        self.proof = proof
        self.total = len(numbers)

    @property
    def influence(self) -> list[float | None]:
        """Of each record, by how much the failing row's number changes for it alone: as it is, less without it.

        The number is the first that `failing` speaks of. None where it isn't known: the row has no closed form, or
        isn't there without the record.
        """
        return [_known(self.influences, number) for number, _ in self._numbered]

    @cached_property
    def _records(self) -> list[TracedRecord]:
        return [record for _, record in self._numbered]

    @cached_property
    def _numbered(self) -> list[tuple[int | None, TracedRecord]]:
        found = self._candidates.records(self.numbers)
        return sorted(found, key=lambda each: -abs(_known(self.influences, each[0]) or 0.0))

    @overload
    def __getitem__(self, index: int) -> TracedRecord: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[TracedRecord]: ...

    def __getitem__(self, index: int | slice) -> TracedRecord | Sequence[TracedRecord]:
        return self._records[index]

    def __len__(self) -> int:
        return len(self._records)

    def dataframe(self, source: str | None = None) -> DataFrame:
        """All of the records of a source: its columns, and the struct `_record(file, position, partition)`.

        An element of an RDD has no columns: it is the text in the column `value`, as it is or as Python writes it.

        Args:
            source: name or unambiguous stem; may be left out where they are of one source.

        Raises:
            BigDebugError: there is no such source, or none was named and there are several.
        """
        leaves = self._candidates.leaves(self.numbers)
        leaf: Any = leaves[0] if source is None and len(leaves) == 1 else find_source(leaves, source or "")
        return self._candidates.frame(self.numbers, leaf)

    def _description(self) -> Description:
        return Description(repr(self)[1:-1], [self.table("records")] if self.total else [])

    def table(self, caption: str) -> Table:
        """The first of them, to be shown."""
        return records_table(caption, self[:FEW_RECORDS], self.total)

    def __repr__(self) -> str:
        return f"<{self.total:,} records, {self.proof}>"


def _known(influences: Mapping[int, float | None], number: int | None) -> float | None:
    return None if number is None else influences.get(number)


@dataclass(frozen=True)
class IsolatedRow:
    """The answer for one failing row.

    Attributes:
        value: the row's columns by name; of an RDD the element itself.
        candidates: how many source records it comes from.
        culprits: without these the row is there and passes.
        reproduction: these alone still give the failing row.
        notes: what a person must know about them.
        vanishes: nothing makes the row pass; without the culprits it isn't there.
    """

    value: Any
    candidates: int
    culprits: IsolatedRecords
    reproduction: IsolatedRecords
    notes: tuple[str, ...] = ()
    vanishes: bool = False


@dataclass(frozen=True)
class Isolation(Described):
    """The input records behind failing rows of an output.

    Attributes:
        failing: what was asked, as text.
        matched: how many rows of the output fail.
        culprits: the records whose removal repairs the rows.
        reproduction: the records that alone, through the same pipeline, still give failing rows.
        rows: the answer for each failing row that was looked into.
        exact: whether nothing is known that may make a replay differ from the run.
        notes: why it isn't exact, and what else a person must know.
        replays: how many subsets of the candidates the pipeline was run on.
        jobs: how many Spark jobs it took, those for `explanation` and `operators` with it, once these were asked for.
        seconds: how long it took, likewise.
    """

    failing: str
    matched: int
    culprits: IsolatedRecords
    reproduction: IsolatedRecords
    rows: tuple[IsolatedRow, ...]
    exact: bool
    notes: tuple[str, ...]
    replays: int
    _cost: Cost = field(repr=False, compare=False)
    _release: Callable[[], None] = field(repr=False, compare=False, default=lambda: None)
    _explain: Callable[[], tuple[Pattern, ...]] = field(repr=False, compare=False, default=tuple)

    _suspect: Callable[[], tuple[Suspect, ...]] = field(repr=False, compare=False, default=tuple)

    _write_test: Callable[[str | os.PathLike[str]], Path] | None = field(
        repr=False, compare=False, default=None
    )

    def to_pytest(self, path: str | os.PathLike[str]) -> Path:
        """Write a test that fails as long as the records of the reproduction give a failing row.

        It imports the function that builds the frame, where the program has one, and so passes once that is mended;
        where there is none it runs what was recorded. Few records stand in the test itself, many in a file beside it.

        Args:
            path: of the file; one that is there is written anew.

        Returns:
            The file's path.

        Raises:
            BigDebugError: it can't be written; says why and what to do.
        """
        if not self.rows:
            raise BigDebugError("no row fails, so there is nothing to test for")
        if self._write_test is None:
            raise BigDebugError(
                "a test can be written of a condition only, not of a function or of expected rows",
                hint='say what is wrong in SQL, such as "total < 0", or of an RDD in Python: "value < 0"',
            )
        return self._write_test(path)

    @property
    def jobs(self) -> int:
        return self._cost.jobs

    @property
    def seconds(self) -> float:
        return round(self._cost.seconds, 3)

    @cached_property
    def operators(self) -> tuple[Suspect, ...]:
        """Branches of operators that culprits took and other records didn't, the most suspicious first.

        Looked for when it is asked for; branches that all records took are left out.
        """
        return self._suspect()

    @cached_property
    def explanation(self) -> tuple[Pattern, ...]:
        """What the culprits share and other records behind the failing rows don't, the most telling first.

        Looked for when it is asked for; empty where nothing tells them from the others.
        """
        return self._explain()

    def _description(self) -> Description:
        if not self.matched:
            return Description(f"no row fails: {self.failing}")
        tables = [
            found.table(f"{name}, {found.proof}")
            for name, found in (("culprits", self.culprits), ("reproduction", self.reproduction))
            if found.total
        ]
        if "explanation" in vars(self) and self.explanation:
            rows = [(str(each),) for each in self.explanation]
            tables.append(Table("what tells the culprits from the others", ("pattern",), rows))
        return Description(repr(self)[1:-1], tables, self.notes)

    def __repr__(self) -> str:
        told = f"{self.culprits.total:,} culprits, {self.culprits.proof}"
        return f"<Isolation of {self.matched:,} rows where {self.failing}: {told}>"

    def release(self) -> None:
        """Give back what Spark keeps of the candidates; `dataframe()` can't be asked for after that."""
        self._release()


class NotFailingError(BigDebugError):
    """The failing rows don't fail again when the pipeline runs on their candidates alone."""
