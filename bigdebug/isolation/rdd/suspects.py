"""Which places in an RDD program to suspect: the ways that culprits took through its functions and others didn't.

Records are run again, one by one, through the program's own functions of one element at a time, and these are watched;
functions of groups are run on all candidates, and what is made of the groups after them is watched, too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

import numpy as np
from pyroaring import BitMap, FrozenBitMap

from bigdebug.isolation.rdd.candidates import RddCandidates
from bigdebug.isolation.rdd.quiet import unheard
from bigdebug.isolation.rdd.replays import RddReplays
from bigdebug.isolation.rdd.ways import Watch, Way
from bigdebug.isolation.suspects import Suspect, Taken, ranked
from bigdebug.lineage.rdd import workers
from bigdebug.lineage.rdd.annotator import contributing, is_boundary
from bigdebug.lineage.rdd.freezing import Frozen
from bigdebug.lineage.rdd.kinds import BY_PARTITION, RECORD_WISE
from bigdebug.lineage.rdd.known_keys import known_key
from bigdebug.lineage.rdd.operator import RddOperator
from bigdebug.lineage.rdd.packing import named

MOST_WATCHED = 2_000
"""So many culprits at most, and so many others, are watched."""

_OF_GROUPS = 4 * MOST_WATCHED
"""So many elements of an operator at most."""


def suspects_of(
    replays: RddReplays, candidates: RddCandidates, culprits: FrozenBitMap, behind: FrozenBitMap
) -> tuple[Suspect, ...]:
    """The ways that some candidates took and others didn't, the most suspicious first.

    Args:
        replays: of the program.
        candidates: of all failing elements.
        culprits: their numbers.
        behind: numbers of the candidates of the elements that the culprits are of.
    """
    spoiled = [stand.numbers for stand in candidates.stands if stand.numbers & culprits]
    if not spoiled:
        return ()
    others = (behind & FrozenBitMap().union(*spoiled)) - culprits
    some = _some(culprits), _some(others)
    spectrum = _Spectrum(replays, *some)
    with unheard():
        taken = [*spectrum.above(), *spectrum.below()]
    return ranked(taken, *map(len, some))


class _Spectrum:
    """Which of some candidates took which way."""

    def __init__(
        self,
        replays: RddReplays,
        culprits: FrozenBitMap,
        others: FrozenBitMap,
    ) -> None:
        self._replays = replays
        self._culprits, self._others = culprits, others
        self._watched = culprits | others
        self._watch = Watch()

    def above(self) -> Iterator[Taken]:
        """Ways through what replays run: over groups, joins and what else needs several records."""
        for operator, elements in sorted(self._replays.inputs(RECORD_WISE), key=lambda each: -each[0].serial):
            made_of = ((element, self._numbers(ids)) for element, ids in elements)
            yield from self._through(operator, self._replays.arguments(operator), made_of)[0]

    def below(self) -> Iterator[Taken]:
        """Ways through what is made of the records one by one, where replays begin."""
        known: dict[RddOperator, list[tuple[Any, FrozenBitMap]]] = {}
        found: list[list[Taken]] = []
        for operator, frozen in sorted(self._one_by_one.items(), key=lambda each: each[0].serial):
            if operator.kind not in RECORD_WISE:
                elements = self._replays.given_by(operator, frozen, self._watched)
                known[operator] = [(element, self._numbers(ids)) for element, ids in elements]
                continue
            arguments = self._replays.arguments(operator, frozen)
            taken, known[operator] = self._through(operator, arguments, known[operator.inputs[0]])
            found.append(taken)
        for taken in reversed(found):
            yield from taken

    # -- what is watched ----------------------------------------------------------------------------

    def _through(
        self, operator: RddOperator, arguments: dict[str, Any], elements: Iterable[tuple[Any, FrozenBitMap]]
    ) -> tuple[list[Taken], list[tuple[Any, FrozenBitMap]]]:
        """The ways that elements take through an operator's function, and what becomes of them."""
        one_by_one = workers.one_by_one(operator.kind, arguments.get("f"))  # type: ignore[arg-type]
        found: dict[Way | str, BitMap] = {}
        made: list[tuple[Any, FrozenBitMap]] = []
        looked_at = 0
        for element, numbers in elements:
            if not numbers:
                continue
            looked_at += 1
            if looked_at > _OF_GROUPS:
                break
            self._watch.taken.clear()
            given: list[Any] = []
            try:
                with self._watch.entered():
                    given.extend(each for each, _ in one_by_one(0, [(element, ())]))
            except Exception:
                continue  # what crashes here crashed in no replay: it isn't like the others
            ways: list[Way | str] = list(self._watch.taken)
            if operator.kind == "filter":
                ways.append("keeps it" if given else "drops it")
            elif operator.kind in ("flatMap", "flatMapValues") and not given:
                ways.append("makes nothing of it")
            for way in ways:
                found.setdefault(way, BitMap()).update(numbers)
            made += ((each, numbers) for each in given)
        return [
            Taken(
                operator.label,
                operator.call_site,
                str(way),
                numbers.intersection_cardinality(self._culprits),
                numbers.intersection_cardinality(self._others),
            )
            for way, numbers in sorted(found.items(), key=_where)
        ], made

    # -- the records behind elements ----------------------------------------------------------------

    def _numbers(self, ids: Any) -> FrozenBitMap:
        """The watched candidates that ids of a replay's element name; none where they can't be told."""
        found = BitMap()
        for leaf, name in named(ids):
            if self._replays.is_source(leaf):
                if name in self._watched:
                    found.add(name)
            else:
                found.update(self._members.get(leaf, {}).get(name, ()))
        return FrozenBitMap(found)

    @cached_property
    def _members(self) -> dict[int, dict[Any, FrozenBitMap]]:
        """By group the watched candidates in it."""
        self.__dict__["_members"] = found = dict[int, dict[Any, FrozenBitMap]]()
        boundaries = frozenset(
            each.kind
            for each in self._replays.operators
            if is_boundary(each) and each.kind not in BY_PARTITION
        )
        # Those below others come first: groups are made of groups.
        for operator, elements in sorted(self._replays.inputs(boundaries), key=lambda each: each[0].serial):
            key = self._replays.key(operator)
            groups: dict[Any, BitMap] = {}
            for element, ids in elements:
                numbers = self._numbers(ids)
                if numbers:
                    groups.setdefault(known_key(key(element)), BitMap()).update(numbers)
            mine = found.setdefault(self._replays.leaf(operator), {})
            for name, members in groups.items():
                mine[name] = FrozenBitMap(members | mine.get(name, FrozenBitMap()))
        return found

    # -- where replays begin ------------------------------------------------------------------------

    @cached_property
    def _one_by_one(self) -> dict[RddOperator, Frozen]:
        """The operators below: functions of one element at a time, and what gives the elements that they begin with."""
        found: dict[RddOperator, Frozen] = {}
        waiting = deque(self._replays.begins)
        while waiting:
            operator, frozen = waiting.popleft()
            if operator in found:
                continue
            found[operator] = frozen
            if operator.kind in RECORD_WISE:
                waiting += ((each, frozen) for each in contributing(operator))
            else:
                # Functions below what goes by position are watched from where that begins.
                below = [each for each in contributing(operator) if self._has_functions(each)]
                waiting += ((each, frozen) for each in below)
        read = {each for operator in found if operator.kind in RECORD_WISE for each in operator.inputs}
        return {each: given for each, given in found.items() if each.kind in RECORD_WISE or each in read}

    def _has_functions(self, operator: RddOperator) -> bool:
        return any(each.kind in RECORD_WISE for each in operator.walk())


def _where(way: tuple[Way | str, BitMap]) -> tuple[str, int, int, str]:
    """Ways in the order of the program's text, those of the operator itself first."""
    place, _ = way
    if isinstance(place, str):
        return "", 0, 0, place
    return place.code.co_filename, place.code.co_firstlineno, place.offset, str(place.outcome)


def _some(numbers: FrozenBitMap) -> FrozenBitMap:
    """All, or of very many so many from all over."""
    if len(numbers) <= MOST_WATCHED:
        return numbers
    every = np.frombuffer(numbers.to_array(), dtype=np.uint32)
    return FrozenBitMap(every[np.linspace(0, len(every) - 1, MOST_WATCHED).astype(np.int64)].tolist())
