"""Failing rows while they are looked into, and what is said of each and of all together, of DataFrames and of RDDs."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pyroaring import FrozenBitMap

from bigdebug.isolation.at_once import AtOnce
from bigdebug.isolation.found import IsolatedRecords, IsolatedRow, Proof
from bigdebug.isolation.ranking import Ranking
from bigdebug.isolation.search import IN_JOBS, Effort, Minimal, Outcomes, Sets
from bigdebug.isolation.search_row import Blame, NotAgainError, RowSearch

_PROOFS: tuple[Proof, ...] = ("none", "sufficient", "1-minimal")


@dataclass
class Searched:
    """A failing row that is being looked into.

    Attributes:
        identity: the row's, by which it is followed.
        value: what it is.
        candidates: numbers of the records that it may come from.
        rankings: of them and others.
        effort: how much is asked at once.
        search: for it.
        wanted: the subsets whose outcomes it waits for.
        blame: what was found; None while it goes on.
        again: whether it fails when the pipeline runs on its candidates alone.
    """

    identity: Any
    value: Any
    candidates: FrozenBitMap
    rankings: Sequence[Ranking]
    effort: Effort = IN_JOBS
    search: RowSearch = field(init=False)
    wanted: Sets = ()
    blame: Blame | None = None
    again: bool = True
    _running: Generator[Sets, Outcomes, Blame] = field(init=False)

    def __post_init__(self) -> None:
        self.search = RowSearch(self.candidates, self.rankings, self.effort)
        self._running = self.search.run()

    @property
    def going(self) -> bool:
        """Whether it isn't at its end."""
        return self.again and self.blame is None

    def step(self, answers: Outcomes | None) -> None:
        """Go on with what became of the row in the subsets that were wanted."""
        try:
            self.wanted = next(self._running) if answers is None else self._running.send(answers)
        except StopIteration as done:
            self.blame = done.value
        except NotAgainError:
            self.again = False

    @property
    def best(self) -> Blame:
        """What was found, or what is known so far."""
        return self.blame or self.search.best()


def answer(
    row: Searched,
    candidates: AtOnce,
    called: str = "row",
    influence: Mapping[int, float | None] | None = None,
) -> IsolatedRow:
    """The answer for one failing row.

    Args:
        row: that was looked into.
        candidates: its records are of these.
        called: what it is, for people.
        influence: of records by number, where it is known.
    """
    blame = row.best
    notes = []
    if blame.needs_none:
        notes.append(f"the {called} fails without any of the records it comes from")
    if blame.vanishes:
        notes.append(
            f"no removal that was tried makes the {called} pass; without the culprits it isn't there"
        )
    culprits, proof = FrozenBitMap(), _PROOFS[0]
    if blame.culprits is not None:
        culprits, proof = blame.culprits.records, _proof(blame.culprits)
    elif row.blame is not None and not blame.needs_none:
        notes.append(f"no removal that was tried makes the {called} pass")
    alone = blame.reproduction
    return IsolatedRow(
        value=row.value,
        candidates=len(row.candidates),
        culprits=IsolatedRecords(candidates, culprits, proof, influence),
        reproduction=IsolatedRecords(candidates, alone.records, _proof(alone), influence),
        notes=tuple(notes),
        vanishes=blame.vanishes,
    )


def together(parts: Sequence[IsolatedRecords], candidates: AtOnce) -> IsolatedRecords:
    """What rows have together; it is as sure as the least sure of them."""
    if len(parts) == 1:
        return parts[0]
    proof = min((each.proof for each in parts), key=_PROOFS.index, default=_PROOFS[0])
    numbers = FrozenBitMap().union(*(each.numbers for each in parts)) if parts else FrozenBitMap()
    influence = {number: value for each in reversed(parts) for number, value in each.influences.items()}
    return IsolatedRecords(candidates, numbers, proof, influence)


def _proof(found: Minimal) -> Proof:
    return "1-minimal" if found.proven else "sufficient"
