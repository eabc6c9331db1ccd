"""What was asked about an RDD that goes on from DataFrames, of the rows of these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bigdebug.isolation.behind import Behind, doubts_of_rows
from bigdebug.lineage.rdd.kept_rows import over_rows
from bigdebug.lineage.rdd.mixed import all_operators, frames_below
from bigdebug.lineage.rdd.operator import RddOperator
from bigdebug.lineage.rdd.questions import RddQuestion
from bigdebug.lineage.rdd.reading import RddSource, require_all_unchanged
from bigdebug.lineage.rdd.rows import RddRows


@dataclass(frozen=True)
class AskedOfRows:
    """A question about a program whose sources the rows of DataFrames are.

    Attributes:
        rows: what was asked about, of this program.
        behind: by the operator of such a source, what its rows were made of.
    """

    rows: RddRows
    behind: Mapping[RddOperator, Behind] = field(default_factory=dict)

    @property
    def doubts(self) -> list[str]:
        """Why the DataFrames may have had other rows."""
        return doubts_of_rows(self.behind)

    def behind_sources(self, sources: list[RddSource]) -> dict[RddSource, Behind]:
        """By source whose records are rows, what these were made of."""
        return {each: self.behind[each.operator] for each in sources if each.operator in self.behind}


def asked_of_rows(question: RddQuestion) -> AskedOfRows:
    """What was asked about, of a program whose sources the rows of DataFrames are; these are the same each time.

    Raises:
        SourceChangedError: a file isn't what it was.
        BigDebugError: a DataFrame can't be traced.
    """
    root = question.rows.operator
    frames = frames_below([root], question.lookup)
    if not frames:
        return AskedOfRows(question.rows)
    require_all_unchanged(all_operators([root], frames), None)
    over = over_rows(question.rows, frames)
    behind = {source: Behind(operator, frames) for source, operator in over.frames.items()}
    return AskedOfRows(over.rows, behind)
