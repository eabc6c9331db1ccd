"""The candidates of failing elements, and what replays begin with, in one pass over the sources.

Else there are two: one tells which records are candidates, the next one what these give. Where the groups on the trace
are known by their keys, and what they are made of is made of the records of one source one by one, a pass that keeps
all that a record gives until it is known whether any of it belongs to these groups tells both. Where groups are
combined by key, and each is an element of the output, what joins give is told where it is combined.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pyroaring import FrozenBitMap

from bigdebug.isolation.rdd import fetching, lumping
from bigdebug.isolation.rdd.candidates import (
    MOST_CANDIDATES,
    Places,
    RddCandidates,
    bits_of,
    require_few,
    same_records,
)
from bigdebug.isolation.rdd.local import functions_of
from bigdebug.isolation.rdd.lumping import Combine
from bigdebug.isolation.rdd.lumps import Lumps
from bigdebug.isolation.rdd.partials import COMBINING
from bigdebug.isolation.rdd.passed import Passed
from bigdebug.isolation.rdd.points import Point
from bigdebug.isolation.rdd.replayable import is_by_record, points_of
from bigdebug.lineage.rdd import passing
from bigdebug.lineage.rdd.annotator import Annotator, is_boundary, within
from bigdebug.lineage.rdd.chains import Chain, chain_below
from bigdebug.lineage.rdd.freezing import Frozen, frozen_for
from bigdebug.lineage.rdd.kinds import IN_FILES
from bigdebug.lineage.rdd.known_keys import stands_for_nan
from bigdebug.lineage.rdd.operator import RddOperator
from bigdebug.lineage.rdd.reading import RddSource
from bigdebug.lineage.rdd.rows import RddRows
from bigdebug.lineage.rdd.segment import AskedOf
from bigdebug.lineage.rdd.trace import RddTrace

_SOURCES = IN_FILES | {"parallelize", "range"}

_MOST_KEYS = 64
"""So many groups at most are told of in lumps: of each some elements are kept until there are enough for one."""

_IN_STEP = frozenset({"map", "filter", "mapValues", "keyBy", "keys", "values"})
"""Make at most one element of one."""


@dataclass(frozen=True)
class _Way:
    """From a source to where replays begin.

    Attributes:
        source: whose records they are.
        point: the operator where replays begin.
        chain: from the source to there.
        asked: what tells those of its elements that are on the trace.
        combining: the operator above that combines these by key, with the functions that it is given, where many of
            them may be combined beforehand.
    """

    source: RddSource
    point: RddOperator
    chain: Chain
    asked: AskedOf
    combining: tuple[RddOperator, Frozen] | None


class OnePass:
    """What one pass over each of the sources told.

    Args:
        told: by the operator where replays begin; or by the one that combines by key what is told of.
        combining: the operator that combines by key what was told, if it was told for that.
    """

    def __init__(self, told: Mapping[RddOperator, Passed], combining: RddOperator | None = None) -> None:
        self._told = told
        self._combining = combining

    @property
    def in_lumps(self) -> bool:
        """Whether replays begin with what is combined, of which much may only be known together."""
        return self._combining is not None

    def candidates(self, trace: RddTrace) -> RddCandidates:
        """The records that failing elements may come from.

        Raises:
            BigDebugError: there are too many that are known one by one.
        """
        require_few(sum(told.count for told in self._told.values()))
        places: dict[RddOperator, Places] = {}
        for told in self._told.values():
            places.update((trace.walk.annotator.of_leaf(leaf), each) for leaf, each in told.places().items())
        return RddCandidates(trace, places)

    def point(self, operator: RddOperator, annotator: Annotator, candidates: RddCandidates) -> Point:
        """What the candidates give at an operator where replays begin.

        Args:
            operator: this.
            annotator: gives leaves their numbers.
            candidates: those of this pass.
        """
        return self._told[operator].point(annotator, candidates)

    def lumps(self, annotator: Annotator, candidates: RddCandidates) -> tuple[RddOperator, Lumps]:
        """The operator that combines by key, and what it is given."""
        assert self._combining is not None
        (told,) = self._told.values()
        return self._combining, told.lumps(annotator, candidates)


def in_one_pass(trace: RddTrace, *, lumps: bool = True) -> OnePass | None:
    """What one pass tells; None where it takes two. Runs a job for each source.

    Args:
        trace: of the failing elements.
        lumps: of large groups only extreme elements are told one by one, where the others can be combined.

    Raises:
        UnsupportedOperatorError: an operator can't be run on part of its records.
    """
    if trace.walk.rows is None:
        return None
    points = points_of(trace.walk.rows.operator)
    ways = _ways(trace, points)
    if ways is None:
        return _joined(trace, points) if lumps else None
    told: dict[RddOperator, Passed] = {}
    for way in ways:
        told[way.point] = passed = _passed(way, trace.walk.annotator, lumps=lumps)
        if not passed.whole:
            return None  # so many that it must be known beforehand how many
        way.source.know_counts(lambda passed=passed: passed.totals)  # type: ignore[misc]
    combining = [way.combining for way in ways if told[way.point].lumped]
    return OnePass(told, combining[0][0] if combining and combining[0] else None)


def fetched(
    annotated: Any, annotator: Annotator, candidates: RddCandidates, among: FrozenBitMap | None = None
) -> Point:
    """What candidates give at an operator, in a pass of its own.

    Args:
        annotated: its annotated RDD.
        annotator: that made it.
        candidates: all there are.
        among: the numbers of those that are asked for; None for all.
    """
    wanted = {
        annotator.leaf(stand.leaf.operator): bits_of(stand.places if among is None else stand.placed(among))
        for stand in candidates.every
    }
    batches = annotated.mapPartitionsWithIndex(fetching.of_candidates(wanted), True).collect()
    passed = Passed(annotated.getNumPartitions(), batches, partitioner=annotated.partitioner)
    return passed.point(annotator, candidates)


def _ways(trace: RddTrace, points: list[RddOperator]) -> list[_Way] | None:
    """The ways from all sources to where replays begin; None where one isn't a chain below keys that are known."""
    walk, sources = trace.walk, trace.found_sources
    assert walk.rows is not None
    combining = _combining(walk.rows)
    by_point: dict[RddOperator, _Way] = {}
    for segment in walk.segments:
        for top, frozen in segment.tops:
            if segment.asked is None or top not in points:
                continue
            chain = chain_below(top, frozen)
            source = next((each for each in sources if each.operator is chain.bottom), None)
            if top in by_point or source is None or source.whole_files or chain.bottom.kind not in _SOURCES:
                return None
            in_step = all(operator.kind in _IN_STEP for operator, _ in chain.operators)
            may_lump = combining is not None and combining[0].inputs == (top,) and in_step
            lumped = combining if may_lump and _are_told_apart(segment.asked) else None
            by_point[top] = _Way(source, top, chain, segment.asked, lumped)
    ways = list(by_point.values())
    # A record that is read on two ways is a candidate on both if it is on one.
    if len(ways) != len(points) or len({same_records(way.source.operator) for way in ways}) != len(sources):
        return None
    return ways


def _combining(rows: RddRows) -> tuple[RddOperator, Frozen] | None:
    """The operator that combines by key of what each element of the output is made, if there is one."""
    if rows.action is not None:
        return None
    chain = chain_below(rows.operator, rows.frozen)
    if chain.bottom.kind not in COMBINING:
        return None
    return chain.bottom, frozen_for(chain.bottom, chain.frozen)


def _are_told_apart(asked: AskedOf) -> bool:
    """Whether a worker can keep the elements of each key apart: keys are few, and equal to themselves."""
    return len(asked.keys) <= _MOST_KEYS and not any(map(stands_for_nan, asked.keys))


def _passed(way: _Way, annotator: Annotator, *, lumps: bool) -> Passed:
    cell = passing.Cell()
    combining = way.combining if lumps else None
    # Where each record makes one element, places need not be noted.
    one_each = combining is not None and all(operator.kind != "filter" for operator, _ in way.chain.operators)
    source = way.source.rdd
    below = source if one_each else source.mapPartitionsWithIndex(passing.noted(cell), True)
    rdd = way.chain.over(below, annotator)
    leaf, most = annotator.leaf(way.source.operator), _most(rdd)
    if combining is not None:
        combine = _combine(annotator, *combining)
        gather = lumping.in_lumps(leaf, None if one_each else cell, way.asked.keys, combine, most)
    else:
        gather = fetching.of_records_with(cell, way.asked.keys, way.asked.key, most)
    batches = rdd.mapPartitionsWithIndex(gather, True).collect()
    return Passed(rdd.getNumPartitions(), batches, leaf, rdd.partitioner)


def _joined(trace: RddTrace, points: list[RddOperator]) -> OnePass | None:
    """What is combined by key above joins; None where that isn't all there is above these."""
    walk = trace.walk
    assert walk.rows is not None
    combining = _combining(walk.rows)
    if combining is None or not is_by_record(combining[0].inputs[0], points):
        return None
    operator, frozen = combining
    (top,) = operator.inputs
    segment = walk.below(operator)
    if segment is None or segment.asked is None or not _are_told_apart(segment.asked):
        return None
    if any(is_boundary(each) for each in within(top)):
        return None
    annotator = walk.annotator
    annotated = annotator.annotated(top, frozen)
    combine = _combine(annotator, operator, frozen)
    gather = lumping.annotated_in_lumps(segment.asked.keys, combine, _most(annotated))
    batches = annotated.mapPartitionsWithIndex(gather, True).collect()
    passed = Passed(annotated.getNumPartitions(), batches, partitioner=annotated.partitioner)
    return OnePass({operator: passed}, operator) if passed.whole else None


def _most(rdd: Any) -> int:
    """How many elements of a partition are told one by one."""
    return 2 * MOST_CANDIDATES // max(int(rdd.getNumPartitions()), 1)


def _combine(annotator: Annotator, operator: RddOperator, frozen: Frozen) -> Combine:
    functions = functions_of(annotator.context, operator.kind, annotator.arguments(operator, frozen))
    return functions.create, functions.add
