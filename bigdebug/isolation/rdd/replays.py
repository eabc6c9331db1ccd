"""Running the program on subsets of its candidates, in this process, and what becomes of the failing elements there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np
from pyroaring import FrozenBitMap

from bigdebug.isolation.ranking import CoarseError, Ranking
from bigdebug.isolation.rdd import fetching
from bigdebug.isolation.rdd.annotating import LocalAnnotator
from bigdebug.isolation.rdd.candidates import RddCandidates
from bigdebug.isolation.rdd.following import Following, Identity
from bigdebug.isolation.rdd.gathering import OnePass, fetched
from bigdebug.isolation.rdd.likeness import alike
from bigdebug.isolation.rdd.lumps import Lumps
from bigdebug.isolation.rdd.material import material_of, plan_of
from bigdebug.isolation.rdd.partials import COMBINING
from bigdebug.isolation.rdd.points import Chosen, Point, columns_of, point_above
from bigdebug.isolation.rdd.quiet import unheard
from bigdebug.isolation.rdd.replayable import above, is_by_record, points_of
from bigdebug.isolation.search import Outcome
from bigdebug.lineage.rdd import placing, workers
from bigdebug.lineage.rdd.freezing import Frozen, frozen_for
from bigdebug.lineage.rdd.known_keys import known_key
from bigdebug.lineage.rdd.operator import RddOperator
from bigdebug.lineage.rdd.rows import RddRows
from bigdebug.lineage.rdd.some_rows import only_given
from bigdebug.lineage.rdd.trace import RddTrace
from bigdebug.lineage.rdd.walk import Walk

_LOOKED_AT = 1_000
"""Failing elements at most that are looked at for those of different identities."""

Elements = list[tuple[Any, tuple[tuple[int, Any], ...]]]


@dataclass(frozen=True)
class FailingElement:
    """An element of the output that fails.

    Attributes:
        identity: followed through the replays.
        value: the element, as it is in a replay of all candidates.
    """

    identity: Identity
    value: Any


@dataclass(frozen=True)
class Given:
    """Elements that an operator is given.

    Attributes:
        values: the elements.
        leaves, numbers: of each by which leaves and numbers its ids name it, as many as the most has; of keys of
            groups the number doesn't count.
    """

    values: Sequence[Any]
    leaves: np.ndarray[Any, Any]
    numbers: np.ndarray[Any, Any]


class RddReplays:
    """The program on subsets of its candidates.

    Args:
        trace: of the failing elements.
        rows: what was asked about.
        failing: tells whether an element fails.
        candidates: the records that these may come from.
        passed: the pass that saw them, and what they give where replays begin; None if nothing is known of that.

    Attributes:
        count: how many subsets were tried.
        failure: what the program raised in the last one that couldn't be computed.
        operators: that replays run, the last one first.
        begins: the operators where replays begin, with the functions that they are given.
        annotator: the trace's: of Spark's RDDs.

    Raises:
        UnsupportedOperatorError: an operator can't be run on part of its records.
        BigDebugError: what the program subtracts is too much to be held here.
    """

    def __init__(
        self,
        trace: RddTrace,
        rows: RddRows,
        failing: Callable[[Any], Any],
        candidates: RddCandidates,
        passed: OnePass | None = None,
    ) -> None:
        self._rows = rows
        self._failing = failing
        self._walk = trace.walk
        self.annotator = trace.walk.annotator
        self._candidates = candidates
        self._known: dict[tuple[Any, FrozenBitMap], dict[Identity, Outcome]] = {}
        self._behind: dict[Identity | None, FrozenBitMap] = {}
        self._first: list[tuple[Identity, Any]] | None = None
        self._by_key: dict[RddOperator, dict[Any, FrozenBitMap] | None] = {}
        self.count = 0
        self.failure: Exception | None = None
        points = points_of(rows.operator)
        self.operators = above(points, rows.operator)
        plan = plan_of(rows, set(points))
        self.begins = [(operator, frozen) for (operator, _), frozen in plan.begins.items()]
        self._asked = plan.asked
        self._material = material_of(plan, self.operators, self.annotator, candidates, passed)
        self._following = Following(rows.operator, trace.walk.annotator, candidates)

    def identities(self, most: int) -> list[Identity]:
        """Up to so many of the elements that fail in the output itself."""
        return list(self.asked_elements(most))

    def asked_elements(self, most: int) -> dict[Identity, Any]:
        """Up to so many of the elements that fail in the output itself, as they are there."""
        first = self._walk.first
        ((top, frozen),) = first.tops
        annotated = first.narrow(self._walk.annotator.annotated(top, frozen))
        found: dict[Identity, Any] = {}
        for first, ids, element in self._taken(annotated.map(fetching.with_key_and_ids)):
            found.setdefault(self._following.asked(first, ids), element)
        return dict(islice(found.items(), most))

    def failing_elements(self, identities: Sequence[Identity]) -> list[FailingElement]:
        """Those elements that fail again when the program runs on all candidates."""
        values: dict[Identity, Any] = {}
        self._first = self._values(identities)
        for identity, element in self._first or ():
            if identity not in values and self._fails(element):
                values[identity] = element
        return [FailingElement(each, values[each]) for each in identities if each in values]

    def outcome(self, subset: FrozenBitMap, asked: Sequence[Identity]) -> dict[Identity, Outcome]:
        """What becomes of each element in a subset; one that was tried before isn't tried again."""
        known = self._known.setdefault(self._known_as(subset, asked), {})
        fresh = {identity for identity in asked if identity not in known}
        if fresh:
            self.count += 1
            elements = self._run(subset)
            if elements is None:
                known.update(dict.fromkeys(fresh, Outcome.UNRESOLVED))
            else:
                known.update(self._judged(elements, fresh))
        return known

    def _known_as(self, subset: FrozenBitMap, asked: Sequence[Identity]) -> tuple[Any, FrozenBitMap]:
        """What a subset is known by: of nearly all of an element's candidates those that are left out.

        Few numbers are looked up in a hundredth of the time that millions take.
        """
        identity = asked[0] if len(asked) == 1 else None
        every = self._behind.get(identity, self._candidates.everything)
        if 2 * len(subset) > len(every) and subset <= every:
            return (identity if identity in self._behind else None), every - subset
        return "there", subset

    def differ(self, asked: Sequence[Identity]) -> bool:
        """Whether another replay of all candidates gives other elements than the one that failing ones were found in.

        From then on what combines elements by key may combine them in runs, if that gives the same.

        Args:
            asked: the elements that were looked for then.
        """
        if not self.in_lumps:
            self._allow_runs()
        if alike(self._first, self._values(asked)):
            return False
        self._material.in_runs = False
        return not alike(self._first, self._values(asked))

    @property
    def in_lumps(self) -> bool:
        """Whether much of what replays are given is only known together: they may raise CoarseError."""
        return bool(self._material.lumps)

    def rankings(self, identity: Identity) -> list[Ranking]:
        """Orders in which to suspect the candidates of an element, as far as they are known one by one."""
        lumps, key = self._lumps_of(identity)
        return lumps.rankings(key)

    def behind(self, identity: Identity) -> FrozenBitMap:
        """The candidates that one of the failing elements comes from."""
        if identity not in self._behind:
            self._behind[identity] = self._found_behind(identity)
        return self._behind[identity]

    def _found_behind(self, identity: Identity) -> FrozenBitMap:
        if self.in_lumps:
            lumps, key = self._lumps_of(identity)
            return lumps.of_key(key)
        of_its_key = self._of_its_key(identity)
        if of_its_key is not None:
            return of_its_key
        whole = self._whole
        walk = _WalkHere(self._rows, whole, lambda element, ids: self._following.of(element, ids) == identity)
        found = FrozenBitMap()
        with unheard():
            for stand in self._candidates.every:
                found = found | FrozenBitMap(walk.ids(stand.leaf.operator).collect())
        return found

    def inputs(self, kinds: frozenset[str]) -> Iterable[tuple[RddOperator, Elements]]:
        """What operators of some kinds take when the program runs on all candidates, annotated."""
        for operator in self.asked(kinds):
            for rdd in self._whole.inputs(operator, self._asked[operator]):
                yield operator, rdd.collect()

    def asked(self, kinds: frozenset[str]) -> list[RddOperator]:
        """The operators of some kinds that replays run."""
        return [operator for operator in self._asked if operator.kind in kinds]

    def given(self, operator: RddOperator) -> list[Given]:
        """What an operator is given when the program runs on all candidates, of each of its inputs."""
        frozen = self._asked[operator]
        point = self._material.given(operator, frozen) if len(operator.inputs) == 1 else None
        if point is not None:
            return [Given(point.held.every, point.leaves, point.numbers)]
        every = (rdd.collect() for rdd in self._whole.inputs(operator, frozen))
        return [Given([value for value, _ in each], *columns_of(ids for _, ids in each)) for each in every]

    def arguments(self, operator: RddOperator, given: Frozen | None = None) -> dict[str, Any]:
        """The arguments of an operator, opened anew: what its functions keep from call to call is as it was.

        Args:
            operator: of the program.
            given: the functions to use, as far as the operator hasn't its own; None of one that replays run.
        """
        frozen = self._asked[operator] if given is None else frozen_for(operator, given)
        return self._annotator(self._candidates.everything).arguments(operator, frozen)

    def key(self, operator: RddOperator) -> Callable[[Any], Any]:
        """What tells the group that an element of a grouping operator's input belongs to."""
        return self._whole.input_keys(operator, self._asked[operator])

    def leaf(self, operator: RddOperator) -> int:
        """The number that ids name a source or a boundary with."""
        return self.annotator.leaf(operator)

    @cached_property
    def sources(self) -> frozenset[int]:
        """The numbers of the leaves that name sources, and no groups."""
        return frozenset(self.annotator.leaf(stand.leaf.operator) for stand in self._candidates.every)

    def is_source(self, leaf: int) -> bool:
        """Whether a leaf's number names a source, and no group."""
        return leaf in self.sources

    def given_by(self, operator: RddOperator, given: Frozen, numbers: FrozenBitMap) -> Elements:
        """What an operator gives of some candidates alone, annotated as in replays. Runs a job.

        Args:
            operator: where replays begin, or below.
            given: the functions to use, as far as the operator hasn't its own.
            numbers: of the candidates.
        """
        annotated = self.annotator.annotated(operator, given)
        point = fetched(annotated, self.annotator, self._candidates, numbers)
        chosen = Chosen(numbers, self._candidates.count)
        elements: Elements = point.annotated(self._material.context, chosen).collect()
        return elements

    # -- inside -------------------------------------------------------------------------------------

    @cached_property
    def _whole(self) -> LocalAnnotator:
        """The program on all candidates."""
        return self._annotator(self._candidates.everything)

    def _annotator(self, subset: FrozenBitMap) -> LocalAnnotator:
        return LocalAnnotator(self._material, Chosen(subset, self._candidates.count))

    def _run(self, subset: FrozenBitMap) -> Elements | None:
        """The annotated elements of the output; None where the program fails."""
        rows = self._rows
        try:
            with unheard():
                found = self._annotator(subset).annotated(rows.operator, rows.frozen)
                # Of those that an action left out any may be given once others are gone: all are followed.
                if rows.action == "lookup":
                    found = only_given(rows, found).elements
                elements: Elements = found.collect()
        except CoarseError:
            raise
        except (Exception, SystemExit) as error:
            self.failure = error if isinstance(error, Exception) else RuntimeError(f"it exits: {error}")
            return None
        return elements

    def _judged(self, elements: Elements, asked: set[Identity]) -> dict[Identity, Outcome]:
        found = dict.fromkeys(asked, Outcome.ABSENT)
        for element, ids in elements:
            identity = self._following.of(element, ids)
            if identity in asked and found[identity] is not Outcome.FAILED:
                try:
                    fails = self._fails(element)
                except Exception as error:
                    self.failure, found[identity] = error, Outcome.UNRESOLVED
                else:
                    unresolved = found[identity] is Outcome.UNRESOLVED
                    well = Outcome.UNRESOLVED if unresolved else Outcome.PASSED
                    found[identity] = Outcome.FAILED if fails else well
        return found

    def _fails(self, element: Any) -> bool:
        with unheard():
            return bool(self._failing(element))

    def _of_its_key(self, identity: Identity) -> FrozenBitMap | None:
        """The candidates of the key that names an element, where a shuffle gathers what is known of them all."""
        if len(identity) != 1 or self._following.has_partners:
            return None
        ((leaf, name),) = identity
        if leaf < 0 or self.is_source(leaf):
            return None
        operator = self.annotator.of_leaf(leaf)
        if operator not in self._asked or operator.kind not in COMBINING | {"groupByKey"}:
            return None
        if operator not in self._by_key:
            point = self._material.given(operator, self._asked[operator])
            self._by_key[operator] = None if point is None else _by_first(point)
        known = self._by_key[operator]
        return None if known is None else known.get(name)

    def _taken(self, elements: Any) -> list[Any]:
        """The first of the elements asked about, out of the partitions that are known to hold some."""
        counts = self._walk.counts
        if counts is None:
            return list(elements.take(_LOOKED_AT))
        wanted, total = [], 0
        for partition in sorted(counts):
            if total < _LOOKED_AT:
                wanted.append(partition)
                total += counts[partition]
        found = elements.mapPartitions(placing.first_elements(_LOOKED_AT))
        return list(self._walk.annotator.context.runJob(found, workers.itself, wanted))[:_LOOKED_AT]

    def _lumps_of(self, identity: Identity) -> tuple[Lumps, Any]:
        """What is known of the candidates of an element, and its key."""
        ((leaf, key),) = identity
        operator = self.annotator.of_leaf(leaf)
        return self._material.lumps[operator, id(self._asked[operator])], key

    def _allow_runs(self) -> None:
        self._material.in_runs = True
        begun = {point for point, _ in self.begins}
        for operator, frozen in self._asked.items():
            if (
                operator.kind not in COMBINING
                or operator.inputs[0] in begun
                or not is_by_record(operator.inputs[0], begun)
            ):
                continue
            (annotated,) = self._whole.inputs(operator, frozen)
            point = point_above(annotated.parts)
            if point is not None:
                self._material.above[operator, id(frozen)] = point

    def _values(self, asked: Sequence[Identity]) -> list[tuple[Identity, Any]] | None:
        elements = self._run(self._candidates.everything)
        if elements is None:
            return None
        found = ((self._following.of(element, ids), element) for element, ids in elements)
        return [(identity, element) for identity, element in found if identity in asked]


def _by_first(point: Point) -> dict[Any, FrozenBitMap]:
    """Of pairs by their first part the candidates that they are made of."""
    places: dict[Any, list[int]] = {}
    for place, pair in enumerate(point.held.every):
        places.setdefault(known_key(pair[0]), []).append(place)
    return {key: FrozenBitMap(np.unique(point.numbers[some]).tolist()) for key, some in places.items()}


class _WalkHere(Walk):
    """The way back from one failing element, through the program on all candidates."""

    def __init__(
        self, rows: RddRows, annotator: LocalAnnotator, is_asked: Callable[[Any, Any], bool]
    ) -> None:
        super().__init__(rows, None, annotator.context)
        self.annotator = annotator
        self._is_asked = is_asked

    def asked(self, annotated: Any) -> Any:
        rows = self.rows
        assert rows is not None
        given = only_given(rows, annotated).elements if rows.action == "lookup" else annotated
        return given.filter(lambda pair: self._is_asked(*pair))
