"""From a question about failing elements of an RDD to the records to blame."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pyroaring import FrozenBitMap

from bigdebug.isolation.at_once import AtOnce
from bigdebug.isolation.behind import Shown, shown_as_records, told_of_rows
from bigdebug.isolation.blamed import Searched, answer, together
from bigdebug.isolation.budget import Budget
from bigdebug.isolation.cost import Cost
from bigdebug.isolation.found import IsolatedRow, Isolation, NotFailingError
from bigdebug.isolation.isolating import MOST_ROWS, Progress
from bigdebug.isolation.ranking import CoarseError, Ranking
from bigdebug.isolation.rdd import copies, fetching, lumping
from bigdebug.isolation.rdd.asked_of_rows import asked_of_rows
from bigdebug.isolation.rdd.balancing import isolate_rdd_skew
from bigdebug.isolation.rdd.candidates import MOST_CANDIDATES, RddCandidates, session_of
from bigdebug.isolation.rdd.explaining import explain_elements
from bigdebug.isolation.rdd.gathering import in_one_pass
from bigdebug.isolation.rdd.likeness import alike
from bigdebug.isolation.rdd.proposals import orders_of
from bigdebug.isolation.rdd.replayable import points_of
from bigdebug.isolation.rdd.replays import FailingElement, RddReplays
from bigdebug.isolation.rdd.suspects import suspects_of
from bigdebug.isolation.rdd.written_test import write_rdd_test
from bigdebug.isolation.search import IN_LUMPS, ONE_BY_ONE, Effort, Outcomes
from bigdebug.isolation.skew import Skew
from bigdebug.isolation.suspects import Suspect
from bigdebug.isolation.writing import Origin
from bigdebug.lineage.asking import jobs_of_ours, raise_if_interrupted, until_interrupted
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.failure import first_line
from bigdebug.lineage.rdd.conditions import predicate_of
from bigdebug.lineage.rdd.questions import RddQuestion
from bigdebug.lineage.rdd.trace import RddTrace
from bigdebug.lineage.rdd.travelling import travelling
from bigdebug.lineage.rdd.walk import release_walk

_TRAVELLING = copies, fetching, lumping


def isolate_rdd(
    question: RddQuestion,
    failing: Any,
    *,
    budget: Budget | float | str | None = None,
    progress: Callable[[Progress], None] | None = None,
    origin: Origin | None = None,
) -> Isolation:
    """Find the records behind failing elements.

    Args:
        question: about the output.
        failing: a function of an element, or a Python expression of `x`, `key` and `value`: those for which it
            holds fail. Or what it means that a group holds too much.
        budget: how many seconds to search, or text: `50 replays`; the best found by then is the answer.
        progress: told after each round.
        origin: where the output is recorded, if it is.

    Raises:
        NotFailingError: the elements don't fail again when the program runs on their candidates alone.
        UnsupportedOperatorError: an operator can't be traced, or can't be run on part of its records.
        BigDebugError: `failing` is neither a function nor Python, or there are too many candidates.
    """
    if isinstance(failing, Skew):
        return isolate_rdd_skew(question, failing)
    return _Isolating(question, failing, Budget.of(budget), progress or (lambda _: None), origin).run()


class _Isolating:
    def __init__(
        self,
        question: RddQuestion,
        failing: Any,
        budget: Budget,
        progress: Callable[[Progress], None],
        origin: Origin | None,
    ) -> None:
        self._began = time.monotonic()
        over = asked_of_rows(question)
        self._rows = over.rows
        self._text = failing if isinstance(failing, str) else getattr(failing, "__name__", str(failing))
        self._failing = _predicate(failing)
        self._budget = budget
        self._progress = progress
        self._origin = origin
        self._condition = failing if isinstance(failing, str) else None
        self._in_time = True
        points_of(self._rows.operator)  # what can't be replayed is refused before anything is computed
        self._trace = RddTrace(self._rows, self._failing, (*question.notes, *over.doubts))
        self._behind = over.behind_sources(self._trace.found_sources)

    def run(self) -> Isolation:
        context = self._trace.context
        with jobs_of_ours(context, "the records to blame") as group, travelling(*_TRAVELLING):
            elements: list[Searched] = []
            notes: list[str] = []
            replays = None
            if not self._trace.matched:
                candidates = RddCandidates.traced(self._trace)
            else:
                try:
                    elements, candidates, notes, replays = self._found(lumps=True)
                except CoarseError:  # more must be known of the candidates of large groups
                    elements, candidates, notes, replays = self._found(lumps=False)
            cost = Cost(context, self._began, group)
        return self._answer(elements, candidates, notes, replays, cost)

    def _found(self, *, lumps: bool) -> tuple[list[Searched], RddCandidates, list[str], RddReplays]:
        """The failing elements that were looked into, among which candidates, what is to be noted, and the replays.

        Args:
            lumps: of large groups most records may be known together only.

        Raises:
            CoarseError: that isn't enough.
        """
        notes: list[str] = []
        passed = in_one_pass(self._trace, lumps=lumps)
        candidates = passed.candidates(self._trace) if passed else RddCandidates.traced(self._trace)
        replays = RddReplays(self._trace, self._rows, self._failing, candidates, passed)
        elements = self._elements(replays, candidates, notes)
        if not replays.in_lumps:
            release_walk(self._trace.walk)
        self._search(elements, replays, candidates)
        if replays.in_lumps:  # until then more could have been asked of it
            release_walk(self._trace.walk)
        return elements, candidates, notes, replays

    # -- the elements -------------------------------------------------------------------------------

    def _elements(self, replays: RddReplays, candidates: RddCandidates, notes: list[str]) -> list[Searched]:
        there = replays.asked_elements(MOST_ROWS)
        asked = list(there)
        found = replays.failing_elements(asked)
        if replays.in_lumps and not all(alike(each.value, there[each.identity]) for each in found):
            raise CoarseError  # a function that goes by the order of what it combines
        if not found:
            if replays.in_lumps:
                raise CoarseError
            raise _not_again(replays, "the traced records alone")
        if replays.differ(asked):
            notes.append(
                "two replays of the same records gave different elements: a function keeps something from one call "
                "to the next, or goes by chance"
            )
        if replays.in_lumps:
            return [
                _searched(each, replays.behind(each.identity), replays.rankings(each.identity), IN_LUMPS)
                for each in found
            ]
        rankings = [Ranking.of(order) for order in orders_of(replays, candidates.count)]
        if len(found) == 1:
            return [_searched(found[0], candidates.everything, rankings)]
        return [_searched(each, replays.behind(each.identity), rankings) for each in found]

    # -- the search ---------------------------------------------------------------------------------

    def _search(self, elements: list[Searched], replays: RddReplays, candidates: RddCandidates) -> None:
        for element in elements:
            element.step(None)
        left = self._budget.left(time.monotonic() - self._began)
        with until_interrupted(left):  # the best found so far is the answer
            while True:
                raise_if_interrupted()
                self._tell(elements, replays, candidates)
                going = [element for element in elements if element.going]
                if not going:
                    if not any(element.again for element in elements):
                        raise _not_again(replays, "the traced records of each alone")
                    return
                for element in going:
                    answers = self._tried(element, replays)
                    if answers is None:
                        break
                    element.step(answers)
                else:
                    continue
                break
        self._in_time = False

    def _tried(self, element: Searched, replays: RddReplays) -> Outcomes | None:
        """What becomes of an element in the subsets that it wants tried; None where the time is out before."""
        identity = element.identity
        found = []
        for subset in element.wanted:
            if self._budget.is_spent(time.monotonic() - self._began, replays.count):
                return None
            found.append(replays.outcome(subset, [identity])[identity])
        return found

    def _tell(self, elements: list[Searched], replays: RddReplays, candidates: RddCandidates) -> None:
        left = FrozenBitMap().union(*(element.search.failing for element in elements))
        seconds = time.monotonic() - self._began
        self._progress(Progress(len(elements), candidates.count, len(left), replays.count, seconds))

    # -- the answer ---------------------------------------------------------------------------------

    def _answer(
        self,
        elements: list[Searched],
        candidates: RddCandidates,
        notes: list[str],
        replays: RddReplays | None,
        cost: Cost,
    ) -> Isolation:
        shown = shown_as_records(candidates, self._behind, session_of(self._trace))
        at_once = AtOnce(shown)
        answers = [answer(element, at_once, "element") for element in elements if element.again]
        at_once.expect(answers)
        matched = self._trace.matched
        if matched > len(answers):
            notes = [*notes, f"{matched:,} elements fail; the answer is about {len(answers)} of them"]
        if replays is not None and replays.in_lumps and candidates.count > MOST_CANDIDATES:
            notes = [
                *notes,
                f"{candidates.count:,} records are too many for telling which operators to suspect",
            ]
        if not self._in_time:
            notes = [*notes, "the search was stopped before its end: fewer records may do"]
        blamed = FrozenBitMap().union(*(each.culprits.numbers for each in answers))
        behind = FrozenBitMap().union(*(element.candidates for element in elements if element.again))
        return Isolation(
            failing=self._text,
            matched=matched,
            culprits=together([each.culprits for each in answers], at_once),
            reproduction=together([each.reproduction for each in answers], at_once),
            rows=tuple(answers),
            exact=self._trace.exact,
            notes=(*self._trace.notes, *notes, *told_of_rows(self._behind)),
            replays=replays.count if replays else 0,
            _cost=cost,
            _explain=cost.counting(
                "what the culprits share", lambda: explain_elements(candidates, blamed, behind)
            ),
            _write_test=self._test_of(candidates, answers, shown),
            _suspect=cost.counting(
                "the operators to suspect", lambda: self._suspects(replays, candidates, blamed, behind)
            ),
        )

    def _suspects(
        self,
        replays: RddReplays | None,
        candidates: RddCandidates,
        culprits: FrozenBitMap,
        behind: FrozenBitMap,
    ) -> tuple[Suspect, ...]:
        if replays is None or not culprits:
            return ()
        with jobs_of_ours(self._trace.context, "the operators to suspect"), travelling(*_TRAVELLING):
            if replays.in_lumps:
                if candidates.count > MOST_CANDIDATES:
                    return ()
                replays = RddReplays(self._trace, self._rows, self._failing, candidates)
            return suspects_of(replays, candidates, culprits, behind)

    def _test_of(
        self, candidates: RddCandidates, answers: Sequence[IsolatedRow], shown: Shown
    ) -> Callable[[str | os.PathLike[str]], Path] | None:
        """Writes a test of what was found; None where what is wrong is a function, which it can't hold."""
        condition, root, origin = self._condition, self._rows.operator, self._origin
        if condition is None:
            return None
        reproduced = FrozenBitMap().union(*(each.reproduction.numbers for each in answers))
        return lambda path: write_rdd_test(path, root, candidates, reproduced, condition, origin, shown)


def _searched(
    found: FailingElement, candidates: FrozenBitMap, rankings: Sequence[Ranking], effort: Effort = ONE_BY_ONE
) -> Searched:
    return Searched(found.identity, found.value, candidates, rankings, effort)


def _predicate(failing: Any) -> Callable[[Any], Any]:
    if not isinstance(failing, str) and not callable(failing):
        raise BigDebugError(
            f"failing can't be {type(failing).__name__} for an RDD",
            hint="pass a function of an element, or an expression in Python of an element x: x[1] < 0",
        )
    found = predicate_of(failing)
    assert found is not None
    return found


def _not_again(replays: RddReplays, alone: str) -> NotFailingError:
    if replays.failure is not None:
        return NotFailingError(
            f"the program fails when it runs on {alone}, in the driver's process: {first_line(replays.failure)}",
            hint="its functions need something that only Spark's workers have, or the whole of a source",
        )
    return NotFailingError(
        f"the elements don't fail again when the program runs on {alone}",
        hint="they depend on something else as well: on the whole of a source, on an order or on chance",
    )
