"""Replays of which a function judges the whole output, as a list of rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeGuard

from pyspark.sql import Column, DataFrame, Row

from bigdebug.isolation.candidates import Candidates
from bigdebug.isolation.failing import FailingGroups, FailingRow, Found, Identity
from bigdebug.isolation.reading import Reading
from bigdebug.isolation.replays import Replays
from bigdebug.isolation.search import Outcome
from bigdebug.isolation.tagging import Tagger
from bigdebug.lineage.annotated import Annotated
from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.identity import SourceLeaf
from bigdebug.lineage.operators import Operator
from bigdebug.lineage.trace import Trace

MOST_ROWS = 100_000
"""Rows of an output that a function is given."""
WHOLE: Identity = (0, 0)
"""The output as one row that fails or not."""

Judge = Callable[[list[Row]], object]


def is_judge(failing: object) -> TypeGuard[Judge]:
    """Whether what is given to say what is wrong is a function of the output."""
    return callable(failing) and not isinstance(failing, str | Column | DataFrame)


class OutputReplays(Replays):
    """The pipeline on subsets of its candidates, where a function says whether the output is bad.

    An output without rows, and one for which the function raises, is neither good nor bad.

    Args:
        catalyst: of the pinned session.
        root: the dataflow of the output.
        sources: its sources.
        judge: true of a bad output.
    """

    without_rows = Outcome.UNRESOLVED

    def __init__(
        self, catalyst: Catalyst, root: Operator, sources: dict[Operator, SourceLeaf], judge: Judge
    ) -> None:
        literal = catalyst.singleton(catalyst.expressions, "Literal")
        super().__init__(catalyst, root, sources, literal.TrueLiteral())
        self._root, self._first = _without_limit(root)
        # What a limit left out may come in for what is gone.
        self._reading = Reading(catalyst, self._root, sources, root)
        self._judge = judge

    def failing_groups(
        self, most: int, execution: Any | None = None, *, closed: bool = True
    ) -> FailingGroups | None:
        return None

    def traced_groups(self, trace: Trace, most: int, execution: Any | None = None) -> FailingGroups:
        """The output as one row, if it is bad, and its candidates."""
        found = super().traced_groups(trace, most, execution)
        return replace(found, matched=len(found.rows))

    def identities(self, trace: Trace, most: int, execution: Any | None = None) -> list[Identity]:
        return [WHOLE]

    def failing_rows(self, identities: Sequence[Identity], candidates: Candidates) -> list[FailingRow]:
        """The output as one row, if the function says that it is bad.

        Raises:
            BigDebugError: it raises, or there are too many rows for it.
        """
        root, _ = self._rebuilt(candidates.everything, candidates)
        frame = self._catalyst.frame(root.plan).limit(self._first or MOST_ROWS + 1)
        rows = frame.collect()
        if len(rows) > MOST_ROWS:
            raise BigDebugError(
                f"the output has more than {MOST_ROWS:,} rows: too many for a function of all of them",
                hint='say which rows are wrong by a condition, such as "total < 0"',
            )
        try:
            bad = bool(self._judge(rows))
        except Exception as error:
            raise BigDebugError(
                f"failing raised {type(error).__name__} on the output's {len(rows):,} rows: {error}",
                hint="it is given the list of the output's rows and has to return True if they are wrong",
            ) from error
        return [FailingRow(WHOLE, {"rows": len(rows)})] if bad else []

    def _read(
        self,
        annotated: Annotated,
        tagger: Tagger | None,
        subset: Any | None,
        rows: Sequence[Identity],
    ) -> Found:
        catalyst = self._catalyst
        number = self._subset(subset)
        own = catalyst.output(self._root.plan)
        outputs: dict[int, list[Row]] = defaultdict(list)
        names = catalyst.names(self._output.plan)
        for row in catalyst.frame(catalyst.project([number, *own], annotated.plan)).toLocalIterator():
            outputs[row[0]].append(Row(*names)(*row[1:]))
        return {(n, WHOLE): self._judged(output[: self._first]) for n, output in outputs.items()}

    def _judged(self, output: list[Row]) -> Outcome:
        try:
            return Outcome.FAILED if self._judge(output) else Outcome.PASSED
        except Exception:
            return Outcome.UNRESOLVED


def _without_limit(root: Operator) -> tuple[Operator, int | None]:
    """A dataflow without the limit that comes last, and how many rows that lets pass; None for all."""
    if root.kind != "GlobalLimit" or not root.plan.limitExpr().foldable():
        return root, None
    below = root.child
    if below.kind == "LocalLimit":
        below = below.child
    return below, int(root.plan.limitExpr().eval(None))
