"""What `bigdebug diff` found, all of it fetched: for people and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bigdebug.lineage.output import Output
from bigdebug.lineage.rundiff import Change, OperatorChange, OutputPair
from bigdebug.lineage.store import StoredRun

if TYPE_CHECKING:
    from bigdebug.lineage.rowdiff import RowDiff, RowPair
    from bigdebug.lineage.sampling import Dropped
    from bigdebug.lineage.sourcediff import SourceChange
    from bigdebug.lineage.tracediff import TracedSourceDiff
    from bigdebug.lineage.whynot import WhyNotStep


@dataclass(frozen=True)
class Missing:
    """Why a row is missing from one of the runs.

    Attributes:
        run: `first` or `second`.
        culprit: the operator that dropped it; None where that isn't known.
        dropped: a few of the rows that it dropped, with the reasons.
        problem: why nothing can be told; None where something can.
    """

    run: str
    culprit: WhyNotStep | None
    dropped: Sequence[Dropped] = ()
    problem: str | None = None


@dataclass(frozen=True)
class TracedPair:
    """A row that isn't the same in both runs, traced into both.

    Attributes:
        pair: the row.
        sources: its records in both runs.
        missing: why it isn't there, of a row that only one run has.
        exact: whether the traces hold just the records it came from, told for sure.
        problem: why it couldn't be traced; None where it could.
    """

    pair: RowPair
    sources: Sequence[TracedSourceDiff] = ()
    missing: Missing | None = None
    exact: bool = True
    problem: str | None = None


@dataclass(frozen=True)
class OutputAnswer:
    """What is told of an output that both runs have.

    Attributes:
        pair: the output in both.
        settings: those that differ.
        sources: of the output, each with what became of it; None where a recipe is missing.
        operators: those that only one run has, or that are others.
        expressions: whether the operators were compared by what their plans compute, not by the code alone.
        rows: how the rows compare; None where that wasn't asked for, or can't be.
        traced: the first rows that aren't the same, and where they came from.
        notes: what else there is to know.
    """

    pair: OutputPair
    settings: Sequence[Change]
    sources: Sequence[SourceChange] | None
    operators: Sequence[OperatorChange]
    expressions: bool
    rows: RowDiff | None
    traced: Sequence[TracedPair]
    notes: Sequence[str]


@dataclass(frozen=True)
class DiffAnswer:
    """All that is told of two runs.

    Attributes:
        first: the one.
        second: the other.
        same_program: whether both are of one script.
        heads: versions and arguments that differ.
        not_recorded: what nothing can be said of.
        outputs: those that both runs have.
        only_first: those that the second run hasn't.
        only_second: those that the first run hasn't.
    """

    first: StoredRun
    second: StoredRun
    same_program: bool
    heads: Sequence[Change]
    not_recorded: Sequence[str]
    outputs: Sequence[OutputAnswer]
    only_first: Sequence[Output]
    only_second: Sequence[Output]

    @property
    def settings(self) -> list[tuple[Change, list[int]]]:
        """The settings that differ, each with the outputs of the first run that were computed so."""
        found: dict[Change, list[int]] = {}
        for answer in self.outputs:
            for change in answer.settings:
                found.setdefault(change, []).append(answer.pair.first.number)
        return list(found.items())
