"""From a question about failing rows to the records to blame."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

from pyroaring import FrozenBitMap
from pyspark.sql import Column, DataFrame

from bigdebug.isolation.at_once import AtOnce
from bigdebug.isolation.balancing import isolate_skew
from bigdebug.isolation.behind import Shown, behind_frames, doubts_of_rows, shown_as_records, told_of_rows
from bigdebug.isolation.blamed import Searched, answer, together
from bigdebug.isolation.budget import Budget
from bigdebug.isolation.candidate_set import CandidateSet
from bigdebug.isolation.candidates import Candidates
from bigdebug.isolation.closed_form import ClosedForm
from bigdebug.isolation.confirming import confirmed
from bigdebug.isolation.cost import Cost
from bigdebug.isolation.expected import Differing, differing, told_of_missing
from bigdebug.isolation.explaining_frames import explain
from bigdebug.isolation.failing import FailingGroups, FailingRow, Identity
from bigdebug.isolation.found import SHOWN, Isolation, NotFailingError
from bigdebug.isolation.light import LIGHT, LIGHT_SETTINGS
from bigdebug.isolation.ranking import CoarseError
from bigdebug.isolation.replays import Replays
from bigdebug.isolation.search import AT_ONCE, IN_JOBS, ONE_BY_ONE, Effort, Outcomes
from bigdebug.isolation.skew import Skew
from bigdebug.isolation.suspects import suspects
from bigdebug.isolation.tagged import NotBatchedError
from bigdebug.isolation.whole_output import Judge, OutputReplays, is_judge
from bigdebug.isolation.writing import Origin
from bigdebug.isolation.written_test import write_test
from bigdebug.lineage.asking import asking, raise_if_interrupted, until_interrupted
from bigdebug.lineage.beside import Beside
from bigdebug.lineage.conditions import text_of
from bigdebug.lineage.depth import deep_plans
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.questions import Question
from bigdebug.lineage.trace import Trace
from bigdebug.lineage.where import rows_where

Failing: TypeAlias = str | Column | Judge | DataFrame
"""Which rows of an output are wrong, or whether all of it is."""

MOST_ROWS = 20
"""Failing rows that are looked into, each by itself."""


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
    failing: Failing | Skew,
    *,
    budget: Budget | float | str | None = None,
    progress: Callable[[Progress], None] | None = None,
    execution: Any | None = None,
    origin: Origin | None = None,
) -> Isolation:
    """Find the records behind failing rows.

    Args:
        question: about the output.
        failing: SQL text or a Column over the output's rows: those for which it holds fail. Or a function of the
            list of all its rows, true of a bad output; or a frame of the rows that were expected; or what it means
            that a group holds too much.
        budget: how many seconds to search, or text: `50 replays`; the best found by then is the answer.
        progress: told after each round.
        execution: the JVM `QueryExecution` of the output in the program, which may still have what it shuffled.
        origin: where the output is recorded, if it is.

    Raises:
        NotFailingError: the rows don't fail again when the pipeline runs on their candidates alone.
        UnsupportedOperatorError: the dataflow holds an operator whose lineage isn't understood.
        UnknownNameError, BigDebugError: `failing` can't be evaluated over the output.
    """
    if isinstance(failing, Skew):
        return isolate_skew(question, failing)
    return _Isolating(question, failing, Budget.of(budget), progress or _untold, origin).run(execution)


class _Isolating:
    def __init__(
        self,
        question: Question,
        failing: Failing,
        budget: Budget,
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
        self._closed: ClosedForm | None = None
        self._differing: Differing | None = None
        self._behind = behind_frames(question)
        if isinstance(failing, DataFrame):
            with asking(self._catalyst, "the rows that aren't as expected"):
                self._differing = differing(self._catalyst, question.root, failing, MOST_ROWS)
            failing = self._differing.failing
        self._condition: str | None = None
        self._rows_that_fail = None if is_judge(failing) else failing
        self._replays = self._made_replays(failing)

    def _made_replays(self, failing: str | Column | Judge) -> Replays:
        question = self._question
        if is_judge(failing):
            return OutputReplays(self._catalyst, question.root, question.sources, failing)
        with deep_plans():
            where = rows_where(self._catalyst, question.root, failing, called="failing")
        if where.condition is None:
            raise BigDebugError(
                f"failing={failing!r} isn't a condition over the output's columns",
                hint='give one as SQL text, such as "total < 0", or as a Column',
            )
        if self._differing is None:
            self._condition = (
                failing if isinstance(failing, str) else text_of(self._catalyst, where.condition)
            )
        return Replays(self._catalyst, question.root, question.sources, where.condition)

    def run(self, execution: Any | None) -> Isolation:
        with asking(self._catalyst, "the records to blame") as group:
            # What Spark keeps of the candidates is read many times, and soon given back.
            conf = self._catalyst.jsession.sessionState().conf()
            conf.setConfString("spark.sql.inMemoryColumnarStorage.compressed", "false")
            trace = self._trace(self._rows_that_fail)
            groups = self._replays.failing_groups(MOST_ROWS, execution)
            trace.take_given(execution)
            groups = groups or self._traced_groups(trace, execution)
            _ = trace.exact, trace.notes  # with the run's own settings
            if groups.candidates.count <= LIGHT:
                self._travel_light()
            try:
                try:
                    rows = self._searched(groups)
                except CoarseError:
                    assert groups.finer is not None
                    groups = groups.finer() or self._traced_groups(trace, execution)
                    rows = self._searched(groups)
                return self._answer(trace, groups, rows, group)
            except BaseException:
                groups.candidates.release()
                raise

    def _travel_light(self) -> None:
        """Of little data a replay's cost is that of its tasks and stages."""
        conf = self._catalyst.jsession.sessionState().conf()
        for key, value in LIGHT_SETTINGS.items():
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

    def _traced_groups(self, trace: Trace, execution: Any | None) -> FailingGroups:
        trace.take_values()
        return self._replays.traced_groups(trace, MOST_ROWS, execution)

    def _searched(self, groups: FailingGroups) -> list[Searched]:
        """The failing rows, and what was found for them: in closed form where there is one, else by replays.

        Raises CoarseError if more must be known of the candidates.
        """
        found, candidates = groups.rows, groups.candidates
        if not groups.matched:
            return []
        if not found:
            raise NotFailingError(
                "the rows don't fail again when the pipeline runs on the traced records alone",
                hint="they depend on something else as well: on the whole of a source, on an order or on chance",
            )
        closed = groups.closed
        if closed is not None:
            rows = [
                Searched(
                    row.identity,
                    row.value,
                    closed.candidates(row.identity),
                    closed.rankings(row.identity),
                    AT_ONCE,
                )
                for row in found
            ]
            self._search(rows, candidates, partial(_told, closed))
            if not self._in_time or confirmed(self._replays, closed, rows, candidates):
                self._closed = closed
                return rows
        return self._searched_by_replays(found, candidates.full)

    def _searched_by_replays(self, found: Sequence[FailingRow], candidates: Candidates) -> list[Searched]:
        rankings = self._replays.orders(candidates)
        members = self._replays.members(found, candidates)

        def searched(effort: Effort) -> list[Searched]:
            rows = [
                Searched(row.identity, row.value, members[row.identity], rankings, effort) for row in found
            ]
            ask = partial(self._replayed, candidates, together=effort is IN_JOBS)
            self._search(rows, candidates, ask)
            return rows

        try:
            return searched(IN_JOBS)
        except NotBatchedError:
            return searched(ONE_BY_ONE)

    # -- the search ---------------------------------------------------------------------------------

    def _search(
        self,
        rows: list[Searched],
        candidates: CandidateSet,
        ask: Callable[[list[Searched]], Iterator[Outcomes]],
    ) -> None:
        for row in rows:
            row.step(None)
        left = self._budget.left(time.monotonic() - self._began)
        with until_interrupted(left):  # the best found so far is the answer
            while True:
                raise_if_interrupted()
                going = [row for row in rows if row.going]
                self._tell(rows, candidates)
                if not going:
                    return
                if self._budget.is_spent(time.monotonic() - self._began, self._replays.count):
                    break
                for row, answers in zip(going, list(ask(going)), strict=True):
                    row.step(answers)
        self._in_time = False

    def _replayed(
        self, candidates: Candidates, rows: list[Searched], *, together: bool
    ) -> Iterator[Outcomes]:
        """What becomes of rows in the subsets that each wants: a job has the subsets of all of them."""
        wanted = [each for row in rows for each in row.wanted]
        identities: list[Identity] = [row.identity for row in rows]
        told = iter(self._replays.outcomes(wanted, identities, candidates, together=together))
        for row in rows:
            yield [next(told)[row.identity] for _ in row.wanted]

    def _tell(self, rows: list[Searched], candidates: CandidateSet) -> None:
        left = FrozenBitMap().union(*(row.search.failing for row in rows)) if rows else FrozenBitMap()
        seconds = time.monotonic() - self._began
        self._progress(Progress(len(rows), candidates.count, len(left), self._replays.count, seconds))

    # -- the answer ---------------------------------------------------------------------------------

    def _answer(self, trace: Trace, groups: FailingGroups, rows: list[Searched], group: str) -> Isolation:
        candidates = groups.candidates
        matched = groups.matched if self._differing is None else self._differing.count
        shown = shown_as_records(candidates, self._behind, self._catalyst.spark)
        again = [row for row in rows if row.again]
        influences = self._influences(again)
        at_once = AtOnce(shown)
        answers = [answer(row, at_once, influence=influences.get(row.identity, {})) for row in again]
        at_once.expect(answers)
        doubts = doubts_of_rows(self._behind)
        notes = [*dict.fromkeys([*trace.notes, *doubts]), *self._replays.notes, *told_of_rows(self._behind)]
        if rows and not answers:
            raise NotFailingError(
                "the rows don't fail again when the pipeline runs on the traced records of each alone",
                hint="they depend on something else as well: on the whole of a source, on an order or on chance",
            )
        if matched > len(answers):
            notes.append(f"{matched:,} rows fail; the answer is about {len(answers)} of them")
        if self._differing is not None:
            notes += told_of_missing(self._question, self._differing)
        if not self._in_time:
            notes.append("the search was stopped before its end: fewer records may do")
        blamed = FrozenBitMap().union(*(each.culprits.numbers for each in answers))
        reproduced = FrozenBitMap().union(*(each.reproduction.numbers for each in answers))
        behind = FrozenBitMap().union(*(row.candidates for row in rows if row.again))
        exact = trace.exact and not doubts
        cost = Cost(self._catalyst.spark.sparkContext, self._began, group)
        return Isolation(
            failing=_described(self._failing),
            matched=matched,
            culprits=together([each.culprits for each in answers], at_once),
            reproduction=together([each.reproduction for each in answers], at_once),
            rows=tuple(answers),
            exact=exact,
            notes=tuple(notes),
            replays=self._replays.count,
            _cost=cost,
            _release=candidates.release,
            _explain=cost.counting(
                "what the culprits share",
                lambda: explain(self._catalyst, candidates, blamed, behind),
            ),
            _write_test=self._test_of(candidates, reproduced, shown),
            _suspect=cost.counting(
                "the operators to suspect",
                lambda: suspects(
                    self._catalyst,
                    self._question.root,
                    self._question.sources,
                    candidates,
                    blamed,
                    behind,
                ),
            ),
        )

    def _test_of(
        self, candidates: CandidateSet, reproduced: FrozenBitMap, shown: Shown
    ) -> Callable[[str | os.PathLike[str]], Path] | None:
        """Writes a test of what was found; None where what is wrong isn't a condition that it can hold."""
        condition = self._condition
        if condition is None:
            return None
        return lambda path: write_test(
            path, self._question, candidates, reproduced, condition, self._origin, shown
        )

    def _influences(self, rows: list[Searched]) -> dict[Identity, dict[int, float | None]]:
        """Of records that are shown, by how much each changes what its row is judged by; empty where it isn't known."""
        if self._closed is None:
            return {}
        asked = {}
        for row in rows:
            blame = row.best
            culprits = blame.culprits.records if blame.culprits else FrozenBitMap()
            asked[row.identity] = list(islice(culprits | blame.reproduction.records, 2 * SHOWN))
        return self._closed.influences(asked)


def _described(failing: Failing) -> str:
    if isinstance(failing, DataFrame):
        return "not as expected"
    return f"{failing.__qualname__}(rows)" if is_judge(failing) else str(failing)


def _told(closed: ClosedForm, rows: list[Searched]) -> Iterator[Outcomes]:
    """What becomes of rows in the subsets that each wants, in closed form."""
    told = iter(closed.outcomes([(row.identity, each) for row in rows for each in row.wanted]))
    for row in rows:
        yield list(islice(told, len(row.wanted)))
