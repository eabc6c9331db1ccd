"""From a question about failing rows to the records to blame."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from pyroaring import FrozenBitMap
from pyspark.sql import Column

from bigdebug.isolation.candidates import Candidates
from bigdebug.isolation.explaining import explain
from bigdebug.isolation.found import IsolatedRecords, IsolatedRow, Isolation, NotFailingError, Proof
from bigdebug.isolation.proposals import Order
from bigdebug.isolation.replays import FailingRow, Identity, Replays
from bigdebug.isolation.search import Minimal, Outcomes, Sets
from bigdebug.isolation.search_row import Blame, NotAgainError, RowSearch
from bigdebug.isolation.suspects import suspects
from bigdebug.isolation.written_test import Origin, write_test
from bigdebug.lineage.asking import asking
from bigdebug.lineage.beside import Beside
from bigdebug.lineage.conditions import text_of
from bigdebug.lineage.depth import deep_plans
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.questions import Question
from bigdebug.lineage.trace import Trace
from bigdebug.lineage.where import rows_where

MOST_ROWS = 20
"""Failing rows that are looked into, each by itself."""
_LIGHT = 100_000
_LIGHT_SETTINGS = {
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.autoBroadcastJoinThreshold": "-1",
}
"""Of so few candidates at most, replays run with these."""


@dataclass(frozen=True)
class Progress:
    """How far an isolation is.

    Attributes:
        rows: failing rows that are looked into.
        candidates: records that they come from.
        left: of these, how many the smallest failing inputs found so far hold.
        replays: how many subsets were tried.
        seconds: since it began.
    """

    rows: int
    candidates: int
    left: int
    replays: int
    seconds: float


def _untold(_: Progress) -> None:
    pass


def isolate(
    question: Question,
    failing: str | Column,
    *,
    budget: float | None = None,
    progress: Callable[[Progress], None] | None = None,
    origin: Origin | None = None,
) -> Isolation:
    """Find the records behind failing rows.

    Args:
        question: about the output.
        failing: SQL text or a Column over the output's rows: those for which it holds fail.
        budget: how many seconds to search; the best found by then is the answer.
        progress: told after each round.
        origin: where the output is recorded, if it is.

    Raises:
        NotFailingError: the rows don't fail again when the pipeline runs on their candidates alone.
        UnsupportedOperatorError: the dataflow holds an operator whose lineage isn't understood.
        UnknownNameError, BigDebugError: `failing` can't be evaluated over the output.
    """
    return _Isolating(question, failing, budget, progress or _untold, origin).run()


@dataclass
class _Row:
    """A failing row that is being looked into."""

    row: FailingRow
    candidates: FrozenBitMap
    orders: Sequence[Order]
    search: RowSearch = field(init=False)
    running: Generator[Sets, Outcomes, Blame] = field(init=False)
    wanted: Sets = ()
    blame: Blame | None = None
    again: bool = True

    def __post_init__(self) -> None:
        self.search = RowSearch(self.candidates, self.orders)
        self.running = self.search.run()

    def step(self, answers: Outcomes | None) -> None:
        """Go on with what became of the row in the subsets that were wanted."""
        try:
            self.wanted = next(self.running) if answers is None else self.running.send(answers)
        except StopIteration as done:
            self.blame = done.value
        except NotAgainError:
            self.again = False


class _Isolating:
    def __init__(
        self,
        question: Question,
        failing: str | Column,
        budget: float | None,
        progress: Callable[[Progress], None],
        origin: Origin | None,
    ) -> None:
        self._began = time.monotonic()
        self._question = question
        self._catalyst = question.catalyst
        self._failing = failing
        self._budget = budget
        self._progress = progress
        self._origin = origin
        self._in_time = True
        with deep_plans():
            where = rows_where(self._catalyst, question.root, failing, called="failing")
        if where.condition is None:
            raise BigDebugError(
                f"failing={failing!r} isn't a condition over the output's columns",
                hint='give one as SQL text, such as "total < 0", or as a Column',
            )
        is_text = isinstance(failing, str)
        self._condition = failing if is_text else text_of(self._catalyst, where.condition)
        self._replays = Replays(self._catalyst, question.root, question.sources, where.condition)

    def run(self) -> Isolation:
        with asking(self._catalyst, "the records to blame") as group:
            trace = self._trace(self._failing)
            candidates = self._replays.candidates(trace.found_records)
            _ = trace.exact, trace.notes  # with the run's own settings
            if candidates.count <= _LIGHT:
                self._travel_light()
            try:
                rows = self._rows(trace, candidates) if trace.matched else []
                self._search(rows, candidates)
                return self._answer(trace, rows, candidates, group)
            except BaseException:
                candidates.release()
                raise

    def _travel_light(self) -> None:
        """Of little data a replay's cost is that of its tasks and stages."""
        conf = self._catalyst.jsession.sessionState().conf()
        for key, value in _LIGHT_SETTINGS.items():
            conf.setConfString(key, value)

    # -- the rows -----------------------------------------------------------------------------------

    def _trace(self, where: Any) -> Trace:
        question = self._question
        return Trace(
            self._catalyst,
            question.root,
            question.sources,
            where,
            question.notes,
            question.comparison,
            Beside(windows=True),
        )

    def _rows(self, trace: Trace, candidates: Candidates) -> list[_Row]:
        found = self._replays.failing_rows(self._replays.identities(trace, MOST_ROWS), candidates)
        if not found:
            raise NotFailingError(
                "the rows don't fail again when the pipeline runs on the traced records alone",
                hint="they depend on something else as well: on the whole of a source, on an order or on chance",
            )
        orders = self._replays.orders(candidates)
        if len(found) == 1:
            return [_Row(found[0], candidates.everything, orders)]
        return [_Row(row, self._replays.behind(row.identity, candidates), orders) for row in found]

    # -- the search ---------------------------------------------------------------------------------

    def _search(self, rows: list[_Row], candidates: Candidates) -> None:
        for row in rows:
            row.step(None)
        with suppress(KeyboardInterrupt):  # the best found so far is the answer
            while True:
                going = [row for row in rows if row.again and row.blame is None]
                self._tell(rows, candidates)
                if not going:
                    return
                if self._budget is not None and time.monotonic() - self._began > self._budget:
                    break
                # Searches of rows that share few records ask together: a job has the subsets of all of them.
                wanted = [each for row in going for each in row.wanted]
                identities: list[Identity] = [row.row.identity for row in rows]
                told = iter(self._replays.outcomes(wanted, identities, candidates))
                for row in going:
                    row.step([next(told)[row.row.identity] for _ in row.wanted])
        self._in_time = False

    def _tell(self, rows: list[_Row], candidates: Candidates) -> None:
        left = FrozenBitMap().union(*(row.search.failing for row in rows)) if rows else FrozenBitMap()
        seconds = time.monotonic() - self._began
        self._progress(Progress(len(rows), candidates.count, len(left), self._replays.count, seconds))

    # -- the answer ---------------------------------------------------------------------------------

    def _answer(self, trace: Trace, rows: list[_Row], candidates: Candidates, group: str) -> Isolation:
        answers = [self._of_row(row, candidates) for row in rows if row.again]
        notes = list(trace.notes)
        if rows and not answers:
            raise NotFailingError(
                "the rows don't fail again when the pipeline runs on the traced records of each alone",
                hint="they depend on something else as well: on the whole of a source, on an order or on chance",
            )
        if trace.matched > len(answers):
            notes.append(f"{trace.matched:,} rows fail; the answer is about {len(answers)} of them")
        if not self._in_time:
            notes.append("the search was stopped before its end: fewer records may do")
        blamed = FrozenBitMap().union(*(each.culprits.numbers for each in answers))
        reproduced = FrozenBitMap().union(*(each.reproduction.numbers for each in answers))
        behind = FrozenBitMap().union(*(row.candidates for row in rows if row.again))
        exact = trace.exact
        jobs = len(self._catalyst.spark.sparkContext.statusTracker().getJobIdsForGroup(group))
        return Isolation(
            failing=str(self._failing),
            matched=trace.matched,
            culprits=_union([each.culprits for each in answers], candidates),
            reproduction=_union([each.reproduction for each in answers], candidates),
            rows=tuple(answers),
            exact=exact,
            notes=tuple(notes),
            replays=self._replays.count,
            jobs=jobs,
            seconds=round(time.monotonic() - self._began, 3),
            _release=candidates.release,
            _explain=lambda: explain(self._catalyst, candidates, blamed, behind),
            _write_test=lambda path: write_test(
                path, self._question, candidates, reproduced, str(self._condition), self._origin
            ),
            _suspect=lambda: suspects(
                self._catalyst, self._question.root, self._question.sources, candidates, blamed, behind
            ),
        )

    def _of_row(self, row: _Row, candidates: Candidates) -> IsolatedRow:
        blame = row.blame or row.search.best()
        notes = []
        if blame.needs_none:
            notes.append("the row fails without any of the records it comes from")
        if blame.vanishes:
            notes.append("no removal that was tried makes the row pass; without the culprits it isn't there")
        culprits, proof = FrozenBitMap(), "none"
        if blame.culprits is not None:
            culprits, proof = blame.culprits.records, _proof(blame.culprits)
        elif row.blame is not None and not blame.needs_none:
            notes.append("no removal that was tried makes the row pass")
        return IsolatedRow(
            value=row.row.value,
            candidates=len(row.candidates),
            culprits=IsolatedRecords(candidates, culprits, proof),  # type: ignore[arg-type]
            reproduction=IsolatedRecords(candidates, blame.reproduction.records, _proof(blame.reproduction)),
            notes=tuple(notes),
            vanishes=blame.vanishes,
        )


def _proof(found: Minimal) -> Proof:
    return "1-minimal" if found.proven else "sufficient"


def _union(parts: list[IsolatedRecords], candidates: Candidates) -> IsolatedRecords:
    """What rows have together; it is as sure as the least sure of them."""
    order: tuple[Proof, ...] = ("none", "sufficient", "1-minimal")
    if not parts:
        return IsolatedRecords(candidates, FrozenBitMap(), "none")
    if len(parts) == 1:
        return parts[0]
    proof = min((each.proof for each in parts), key=order.index)
    numbers = FrozenBitMap().union(*(each.numbers for each in parts))
    return IsolatedRecords(candidates, numbers, proof)
