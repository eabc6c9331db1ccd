"""The candidates of failing elements, and what replays begin with, in one pass over the sources.

Else there are two: one tells which records are candidates, the next one what these give. Where the groups on the trace
are known by their keys, and what they are made of is made of the records of one source one by one, a pass that keeps
all that a record gives until it is known whether any of it belongs to these groups tells both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from bigdebug.isolation.rdd import fetching, lumping
from bigdebug.isolation.rdd.annotating import Asked
from bigdebug.isolation.rdd.candidates import (
    MOST_CANDIDATES,
    Places,
    RddCandidates,
    RddStand,
    require_few,
    same_records,
)
from bigdebug.isolation.rdd.fetching import Lump
from bigdebug.isolation.rdd.local import functions_of
from bigdebug.isolation.rdd.lumps import Lumps
from bigdebug.isolation.rdd.partials import COMBINING
from bigdebug.isolation.rdd.points import Held, Point
from bigdebug.isolation.rdd.replayable import points_of
from bigdebug.lineage.rdd import passing
from bigdebug.lineage.rdd.annotator import Annotator
from bigdebug.lineage.rdd.chains import Chain, chain_below
from bigdebug.lineage.rdd.freezing import Frozen, frozen_for
from bigdebug.lineage.rdd.kinds import IN_FILES
from bigdebug.lineage.rdd.known_keys import stands_for_nan
from bigdebug.lineage.rdd.operator import RddOperator
from bigdebug.lineage.rdd.reading import RddSource
from bigdebug.lineage.rdd.rows import RddRows
from bigdebug.lineage.rdd.trace import RddTrace
from bigdebug.lineage.rdd.walk import AskedOf

Ordinals = np.ndarray[Any, np.dtype[np.int64]]

_SOURCES = IN_FILES | {"parallelize", "range"}


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


@dataclass(frozen=True)
class _Seen:
    """What a pass over one source saw.

    Attributes:
        way: from the source.
        places: by partition of each element on the trace, in their order, where the record stands that gave it.
        pieces: by partition the elements, as `Pieces` pickles them.
        lumps: what is known of others, with their partitions.
        partitioner: that says in which partition an element is, if there is one.
    """

    way: _Way
    places: Sequence[Ordinals]
    pieces: Sequence[Sequence[bytes]]
    lumps: Sequence[tuple[int, Lump]]
    partitioner: Any

    @property
    def count(self) -> int:
        """How many elements are known one by one."""
        return sum(map(len, self.places))

    @cached_property
    def distinct(self) -> Places:
        """By partition the places of all records on the trace, each once."""
        parts: dict[int, list[Ordinals]] = {
            number: [each] for number, each in enumerate(self.places) if len(each)
        }
        for partition, (_, data, _, _) in self.lumps:
            parts.setdefault(partition, []).append(np.frombuffer(data, dtype=np.int64))
        return {partition: _united(parts[partition]) for partition in sorted(parts)}


class OnePass:
    """What one pass over each of the sources saw.

    Args:
        seen: of each, by the operator where replays begin.
    """

    def __init__(self, seen: Mapping[RddOperator, _Seen]) -> None:
        self._seen = seen

    @property
    def in_lumps(self) -> bool:
        """Whether many elements are only known by what they combine to."""
        return any(seen.lumps for seen in self._seen.values())

    def candidates(self, trace: RddTrace) -> RddCandidates:
        """The records that failing elements may come from.

        Raises:
            BigDebugError: there are too many that are known one by one.
        """
        for seen in self._seen.values():
            require_few(seen.count)
        return RddCandidates(trace, {seen.way.source.operator: seen.distinct for seen in self._seen.values()})

    def point(self, operator: RddOperator, annotator: Annotator, candidates: RddCandidates) -> Point:
        """What the candidates that are known one by one give at an operator where replays begin.

        Args:
            operator: this.
            annotator: gives leaves their numbers.
            candidates: those of this pass.
        """
        seen = self._seen[operator]
        source = seen.way.source.operator
        (stand,) = (each for each in candidates.every if each.leaf.operator is source)
        starts = stand.starts()
        numbers = [
            starts[partition] + np.searchsorted(stand.places[partition], places)
            for partition, places in enumerate(seen.places)
            if len(places)
        ]
        number = np.concatenate([np.zeros(0, dtype=np.int64), *numbers])
        held = Held(seen.pieces)
        order = np.argsort(number, kind="stable")  # elements of a partition come key by key
        held.put_in(order)
        leaves = np.full((len(number), 1), annotator.leaf(source))
        return Point(held, leaves, number[order][:, None], seen.partitioner)

    def lumps(self, annotator: Annotator, candidates: RddCandidates) -> dict[Asked, Lumps]:
        """What operators that combine by key are given, where much of it is only known together."""
        found: dict[Asked, Lumps] = {}
        for seen in self._seen.values():
            if seen.lumps:
                assert seen.way.combining is not None
                operator, frozen = seen.way.combining
                source = seen.way.source.operator
                (stand,) = (each for each in candidates.every if each.leaf.operator is source)
                point = self.point(seen.way.point, annotator, candidates)
                found[operator, id(frozen)] = Lumps(point, seen.lumps, _numbers(stand))
        return found


def in_one_pass(trace: RddTrace, *, lumps: bool = True) -> OnePass | None:
    """What one pass tells; None where it takes two. Runs a job for each source.

    Args:
        trace: of the failing elements.
        lumps: of large groups only extreme elements are told one by one, where the others can be combined.

    Raises:
        UnsupportedOperatorError: an operator can't be run on part of its records.
    """
    ways = _ways(trace)
    if ways is None:
        return None
    seen = {}
    for way in ways:
        found = _passed(way, trace.walk.annotator, lumps=lumps)
        if found is None:
            return None
        seen[way.point] = found
    return OnePass(seen)


def _ways(trace: RddTrace) -> list[_Way] | None:
    """The ways from all sources to where replays begin; None where one isn't a chain below keys that are known."""
    walk, sources = trace.walk, trace.found_sources
    if walk.rows is None:
        return None
    points = points_of(walk.rows.operator)
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
            nan = any(map(stands_for_nan, segment.asked.keys))
            may_lump = combining is not None and combining[0].inputs == (top,) and in_step and not nan
            by_point[top] = _Way(source, top, chain, segment.asked, combining if may_lump else None)
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


def _passed(way: _Way, annotator: Annotator, *, lumps: bool) -> _Seen | None:
    """None where there are so many elements that it must be known beforehand how many."""
    cell = passing.Cell()
    combined = way.combining if lumps else None
    # Where each record makes one element, places need not be noted.
    one_each = combined is not None and all(operator.kind != "filter" for operator, _ in way.chain.operators)
    source = way.source.rdd
    below = source if one_each else source.mapPartitionsWithIndex(passing.noted(cell), True)
    rdd = way.chain.over(below, annotator)
    count = rdd.getNumPartitions()
    most = 2 * MOST_CANDIDATES // max(count, 1)
    if combined is not None:
        operator, frozen = combined
        functions = functions_of(annotator.context, operator.kind, annotator.arguments(operator, frozen))
        gather = lumping.in_lumps(
            None if one_each else cell, way.asked.keys, (functions.create, functions.add), most
        )
    else:
        gather = fetching.of_records_with(cell, way.asked.keys, way.asked.key, most)
    totals: dict[int, int] = {}
    places: list[list[Any]] = [[] for _ in range(count)]
    pieces: list[list[bytes]] = [[] for _ in range(count)]
    together: list[tuple[int, Lump]] = []
    for partition, total, own, pickles, lumped in rdd.mapPartitionsWithIndex(gather, True).collect():
        places[partition].append(np.frombuffer(own, dtype=np.int64))
        pieces[partition] += pickles
        together += ((partition, each) for each in lumped)
        if total >= 0:
            totals[partition] = total
    if len(totals) < count:
        return None
    way.source.know_counts(lambda: totals)
    return _Seen(way, list(_concatenated(places)), pieces, together, rdd.partitioner)


def _concatenated(parts: Sequence[Sequence[Any]]) -> Iterator[Ordinals]:
    for part in parts:
        yield np.concatenate([np.zeros(0, dtype=np.int64), *part])


def _united(several: Sequence[Ordinals]) -> Ordinals:
    """Places in a partition, each once, going up. Of millions this takes a tenth of the time that sorting does."""
    there = np.zeros(max(int(each.max()) for each in several) + 1, dtype=bool)
    for each in several:
        there[each] = True
    return np.flatnonzero(there)


def _numbers(stand: RddStand) -> dict[int, Ordinals]:
    """By partition and place a candidate's number."""
    found = {}
    starts = stand.starts()
    for partition, places in stand.places.items():
        found[partition] = np.zeros(int(places[-1]) + 1, dtype=np.int64)
        found[partition][places] = np.arange(starts[partition], starts[partition] + len(places))
    return found
