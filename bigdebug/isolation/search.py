"""Delta debugging in rounds, whose subsets are all tried at once.

Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", TSE 2002. There one test follows another;
here a round's tests are one Spark job, so that it pays to cut records into many pieces, to go on with all pieces that
fail, and to try whole series of removals at once. What is found is 1-minimal, as there.

A search is a generator: it yields the subsets to be tried and is sent what became of the row in each. Whoever drives
it may try the subsets of several searches together.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import accumulate, islice, pairwise
from typing import Any, TypeVar

from pyroaring import FrozenBitMap

FirstT = TypeVar("FirstT")
SecondT = TypeVar("SecondT")

PIECES = 16
"""Records are cut into so many pieces first."""
FEW = 32
"""No more records than these are tried one by one from the start: they are no more subsets than a round can have."""


@dataclass(frozen=True)
class Effort:
    """How much a search may ask at once.

    Attributes:
        sets: subsets tried at once.
        work: records that the subsets of a round have together; where more would be needed, what is left will do.
        singles: records that are tried one by one where few of them can be left out, if any; where there are more,
            they will do.
        heads: heads of one ranking tried at once.
        ahead: try what may be asked next, too, where it is little: another round takes longer.
    """

    sets: int = 64
    work: int = 100_000_000
    singles: int = 1_000_000
    heads: int = 6
    ahead: bool = False


IN_JOBS = Effort(ahead=True)
"""Where each round is a Spark job."""
ONE_BY_ONE = Effort()
"""Where each subset is run by itself."""
AT_ONCE = Effort(sets=512, work=1_000_000_000_000, singles=20_000, heads=16, ahead=True)
"""Where outcomes are told without running anything."""
IN_LUMPS = Effort(sets=512, work=1_000_000_000_000, singles=2_000)
"""Where only few of the records are run again each time."""


class Outcome(Enum):
    """What became of a failing row in a replay."""

    FAILED = "failed"
    PASSED = "passed"
    ABSENT = "absent"
    UNRESOLVED = "unresolved"


Sets = Sequence[FrozenBitMap]
Outcomes = Sequence[Outcome]
Trying = Generator[Sets, Outcomes, FrozenBitMap]


@dataclass(frozen=True)
class Minimal:
    """A set of records that does something, of which no single record can be left out.

    Attributes:
        records: their numbers.
        proven: none can be left out for sure.
    """

    records: FrozenBitMap
    proven: bool


def fewest(
    records: FrozenBitMap,
    holds: Callable[[FrozenBitMap], FrozenBitMap],
    wanted: Outcome,
    effort: Effort = IN_JOBS,
    *,
    tight: bool = False,
) -> Generator[Sets, Outcomes, Minimal]:
    """The least part of some records that will do.

    Args:
        records: which will do.
        holds: which records are in the replay that tries a part.
        wanted: what becomes of the row then, if the part will do.
        effort: how much is asked at once.
        tight: it is known that few of them can be left out, if any: each alone is tried first.
    """

    known: dict[FrozenBitMap, bool] = {}

    def which(parts: Sets) -> Generator[Sets, Outcomes, list[bool]]:
        found: list[bool] = []
        for first in range(0, len(parts), effort.sets):
            outcomes = yield [holds(part) for part in parts[first : first + effort.sets]]
            found += [outcome is wanted for outcome in outcomes]
        return found

    def soon(parts: Sets, next_ones: Sets) -> Generator[Sets, Outcomes, list[bool]]:
        """The same of a few records, and of what may be asked next."""
        fresh = list(dict.fromkeys(part for part in parts if part not in known))
        if fresh:
            more = dict.fromkeys(part for part in next_ones if part not in known)
            fresh += list(islice(more, max(0, effort.sets - len(fresh)))) if effort.ahead else []
            known.update(zip(fresh, (yield from which(fresh)), strict=True))
        return [known[part] for part in parts]

    if tight and len(records) > effort.singles:
        return Minimal(records, False)
    granularity = len(records) if tight else _pieces(records)
    whole = not tight  # no piece of this size was tried alone yet
    while len(records) > 1:
        granularity = min(granularity, len(records))
        pieces = cut(records, granularity)
        others = [records - piece for piece in pieces]
        few = len(records) <= FEW
        if whole:
            alone = yield from (soon(pieces, others) if few else which(pieces))
            if any(alone):
                records = pieces[alone.index(True)]
                granularity = _pieces(records)
                continue
        if granularity * max(len(holds(FrozenBitMap())), len(holds(records))) > effort.work:
            return Minimal(records, False)
        rests = yield from (soon(others, []) if few else which(others))
        removable = [piece for piece, does in zip(pieces, rests, strict=True) if does]
        if removable:
            series: list[FrozenBitMap] = list(accumulate(removable, FrozenBitMap.union))
            # Each alone can go; together they may be too many.
            left = [records - each for each in series]
            # Of few the next that is asked, if only the first can go, or all.
            asked = (
                soon(left[1:], [*_without_each(left[-1]), *_without_each(left[0])])
                if few
                else which(left[1:])
            )
            together = [True, *(yield from asked)]
            gone = series[max(i for i, does in enumerate(together) if does)]
            stay = len(pieces) - sum(1 for piece in removable if piece <= gone)
            records, granularity, whole = records - gone, max(stay, 2), False
            continue
        if granularity == len(records):
            return Minimal(records, True)
        granularity, whole = granularity * PIECES, True
    if len(records) == 1 and (yield from which([FrozenBitMap()]))[0]:
        records = FrozenBitMap()
    return Minimal(records, True)


def side_by_side(
    first: Generator[Sets, Outcomes, FirstT], second: Generator[Sets, Outcomes, SecondT]
) -> Generator[Sets, Outcomes, tuple[FirstT, SecondT]]:
    """Two searches that know nothing of each other, each of whose rounds are one: half as many.

    Args:
        first, second: the searches.
    """
    found: dict[int, Any] = {}
    going: dict[int, tuple[Generator[Sets, Outcomes, Any], Sets]] = {}

    def step(number: int, search: Generator[Sets, Outcomes, Any], answers: Outcomes | None) -> None:
        try:
            going[number] = search, next(search) if answers is None else search.send(answers)
        except StopIteration as done:
            going.pop(number, None)
            found[number] = done.value

    step(0, first, None)
    step(1, second, None)
    while going:
        answers = iter((yield [each for _, sets in going.values() for each in sets]))
        for number, (search, sets) in list(going.items()):
            step(number, search, [*islice(answers, len(sets))])
    return found[0], found[1]


def failing_parts(
    records: FrozenBitMap, most: int, effort: Effort = IN_JOBS
) -> Generator[Sets, Outcomes, list[FrozenBitMap]]:
    """Small disjoint parts of some records that fail alone: every piece that does is cut further, all at once.

    Args:
        records: of which the row fails.
        most: parts that are looked for.
        effort: how much is asked at once.
    """
    found: list[FrozenBitMap] = []
    level = [records]
    while level and len(found) < most:
        cuts = [cut(part, min(_pieces(part), len(part))) for part in level[: max(effort.sets // PIECES, 1)]]
        rest = level[len(cuts) :]
        outcomes = iter((yield [piece for pieces in cuts for piece in pieces]))
        level = []
        for pieces in cuts:
            failing = [piece for piece in pieces if next(outcomes) is Outcome.FAILED]
            if not failing:
                found.append(FrozenBitMap().union(*pieces))
            found += [piece for piece in failing if len(piece) == 1]
            level += [piece for piece in failing if len(piece) > 1]
        level += rest
    return found + level


def _without_each(records: FrozenBitMap) -> list[FrozenBitMap]:
    """Records without each of them."""
    return [records - FrozenBitMap([number]) for number in records]


def _pieces(records: FrozenBitMap) -> int:
    """How many pieces records are cut into first."""
    return len(records) if len(records) <= FEW else PIECES


def cut(records: FrozenBitMap, number: int) -> list[FrozenBitMap]:
    """Records, cut into so many pieces of about the same size, each of records that follow one another."""
    size = len(records)
    bounds = [size * i // number for i in range(number + 1)]
    return [records[low:high] for low, high in pairwise(bounds)]
