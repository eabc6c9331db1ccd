"""What was found in closed form, confirmed by replays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from pyroaring import FrozenBitMap

from bigdebug.isolation.blamed import Searched
from bigdebug.isolation.candidate_set import CandidateSet
from bigdebug.isolation.closed_form import ClosedForm
from bigdebug.isolation.failing import Identity
from bigdebug.isolation.group_rows import SPELLED_SUBSETS
from bigdebug.isolation.light import LIGHT, LIGHT_SETTINGS
from bigdebug.isolation.ranking import CoarseError
from bigdebug.isolation.replays import Replays
from bigdebug.isolation.search import AT_ONCE, Outcome
from bigdebug.isolation.search_row import Blame
from bigdebug.lineage.pinned import settings

_MOST = 256
"""Subsets that are replayed where rounding may decide."""
_WORK = 20_000_000
"""Records that these have together."""

Expected = list[tuple[FrozenBitMap, dict[Identity, Outcome]]]


def confirmed(
    replays: Replays, closed: ClosedForm, searched: Sequence[Searched], candidates: CandidateSet
) -> bool:
    """Whether the pipeline does with what was found what the closed form says.

    That every failing input fails and every removal repairs is replayed, of all rows at once where they share no
    records. That nothing can be left out follows from the values, unless the rounding of sums may decide: then it is
    replayed, too.

    What holds records that are known together only isn't replayed: that all of them add up to what the run gave, whose
    every record Spark had passed, has to be enough.

    Raises:
        CoarseError: more must be known of the candidates to tell.
    """
    found = [(row.identity, row.blame) for row in searched if row.blame is not None]
    expected = (
        _together(closed, found, candidates) if _apart(closed, found) else _one_by_one(found, candidates)
    )
    known = [each for each in expected if candidates.are_known(each[0])]
    if len(known) < len(expected):
        if not closed.gives({row.identity: row.value for row in searched}):
            raise CoarseError
        expected = known
    for row, blame in found:
        unsure = list(islice(_unsure(closed, row, blame), _MOST + 1))
        if not all(candidates.are_known(subset) for subset, _ in unsure):
            raise CoarseError
        expected += [(subset, {row: outcome}) for subset, outcome in unsure]
    subsets = [subset for subset, _ in expected]
    if len(subsets) > _MOST or sum(map(len, subsets)) > _WORK:
        return False
    rows = [row for row, _ in found]
    # What few records give is read of the rows that are kept, whatever these were joined of.
    little = len(subsets) <= SPELLED_SUBSETS and sum(map(len, subsets)) <= LIGHT
    with settings(replays.catalyst, LIGHT_SETTINGS if little else {}):
        outcomes = replays.outcomes(subsets, rows, candidates)
    return all(
        outcome[row] is wanted
        for outcome, (_, of_rows) in zip(outcomes, expected, strict=True)
        for row, wanted in of_rows.items()
    )


def _repaired(blame: Blame) -> Outcome:
    return Outcome.ABSENT if blame.vanishes else Outcome.PASSED


def _apart(closed: ClosedForm, found: Sequence[tuple[Identity, Blame]]) -> bool:
    every = [closed.candidates(row) for row, _ in found]
    return sum(map(len, every)) == len(FrozenBitMap().union(*every))


def _together(
    closed: ClosedForm, found: Sequence[tuple[Identity, Blame]], candidates: CandidateSet
) -> Expected:
    removed = FrozenBitMap().union(*(blame.culprits.records for _, blame in found if blame.culprits))
    alone = FrozenBitMap().union(*(blame.reproduction.records for _, blame in found))
    # Records that aren't any row's may be there or not: of others' groups.
    return [
        (candidates.everything - removed, {row: _repaired(b) for row, b in found if b.culprits}),
        (alone, {row: Outcome.FAILED for row, _ in found}),
    ]


def _one_by_one(found: Sequence[tuple[Identity, Blame]], candidates: CandidateSet) -> Expected:
    expected: Expected = []
    for row, blame in found:
        expected.append((blame.reproduction.records, {row: Outcome.FAILED}))
        if blame.culprits is not None:
            expected.append((candidates.everything - blame.culprits.records, {row: _repaired(blame)}))
    return expected


def _unsure(closed: ClosedForm, row: Identity, blame: Blame) -> Iterator[tuple[FrozenBitMap, Outcome]]:
    """The subsets on which the rest of a proof stands and which rounding may decide, and what they should give."""
    if closed.is_exact(row):
        return
    stands_on = _stands_on(closed, row, blame)
    while subsets := list(islice(stands_on, AT_ONCE.sets)):
        for subset, told in zip(subsets, closed.told([(row, each) for each in subsets]), strict=True):
            if not told.sure:
                yield subset, told.outcome


def _stands_on(closed: ClosedForm, row: Identity, blame: Blame) -> Iterator[FrozenBitMap]:
    if blame.reproduction.proven:
        for number in blame.reproduction.records:
            yield blame.reproduction.records - FrozenBitMap([number])
    if blame.culprits is not None and blame.culprits.proven:
        left = closed.candidates(row) - blame.culprits.records
        for number in blame.culprits.records:
            yield left | FrozenBitMap([number])
