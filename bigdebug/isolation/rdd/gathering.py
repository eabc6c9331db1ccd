"""The candidates of failing elements, and what replays begin with, in one pass over the sources.

Else there are two: one tells which records are candidates, the next one what these give. Where the groups on the trace
are known by their keys, and what they are made of is made of the records of one source one by one, a pass that keeps
all that a record gives until it is known whether any of it belongs to these groups tells both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bigdebug.isolation.rdd import fetching
from bigdebug.isolation.rdd.candidates import (
    MOST_CANDIDATES,
    Places,
    RddCandidates,
    require_few,
    same_records,
)
from bigdebug.isolation.rdd.points import Held, Point
from bigdebug.isolation.rdd.replayable import points_of
from bigdebug.lineage.rdd import passing
from bigdebug.lineage.rdd.annotator import Annotator
from bigdebug.lineage.rdd.chains import Chain, chain_below
from bigdebug.lineage.rdd.kinds import IN_FILES
from bigdebug.lineage.rdd.operator import RddOperator
from bigdebug.lineage.rdd.reading import RddSource
from bigdebug.lineage.rdd.trace import RddTrace
from bigdebug.lineage.rdd.walk import AskedOf

_SOURCES = IN_FILES | {"parallelize", "range"}


@dataclass(frozen=True)
class _Way:
    """From a source to where replays begin.

    Attributes:
        source: whose records they are.
        point: the operator where replays begin.
        chain: from the source to there.
        asked: what tells those of its elements that are on the trace.
    """

    source: RddSource
    point: RddOperator
    chain: Chain
    asked: AskedOf


@dataclass(frozen=True)
class _Seen:
    """What a pass over one source saw.

    Attributes:
        source: the operator that reads it.
        places: by partition of each element on the trace, in their order, where the record stands that gave it.
        pieces: by partition the elements, as `Pieces` pickles them.
        partitioner: that says in which partition an element is, if there is one.
    """

    source: RddOperator
    places: Sequence[np.ndarray[Any, np.dtype[np.int64]]]
    pieces: Sequence[Sequence[bytes]]
    partitioner: Any

    @property
    def distinct(self) -> Places:
        """By partition the places of the records, each once."""
        return {number: np.unique(each) for number, each in enumerate(self.places) if len(each)}


class OnePass:
    """What one pass over each of the sources saw.

    Args:
        seen: of each, by the operator where replays begin.
    """

    def __init__(self, seen: Mapping[RddOperator, _Seen]) -> None:
        self._seen = seen

    def candidates(self, trace: RddTrace) -> RddCandidates:
        """The records that failing elements may come from.

        Raises:
            BigDebugError: there are too many.
        """
        found = RddCandidates(trace, {seen.source: seen.distinct for seen in self._seen.values()})
        require_few(found.count)
        return found

    def point(self, operator: RddOperator, annotator: Annotator, candidates: RddCandidates) -> Point:
        """What the candidates give at an operator where replays begin.

        Args:
            operator: this.
            annotator: gives leaves their numbers.
            candidates: those of this pass.
        """
        seen = self._seen[operator]
        (stand,) = (each for each in candidates.every if each.leaf.operator is seen.source)
        starts = stand.starts()
        numbers = [
            starts[partition] + np.searchsorted(stand.places[partition], places)
            for partition, places in enumerate(seen.places)
            if len(places)
        ]
        number = np.concatenate([np.zeros(0, dtype=np.int64), *numbers])[:, None]
        leaves = np.full_like(number, annotator.leaf(seen.source))
        return Point(Held(seen.pieces), leaves, number, seen.partitioner)


def in_one_pass(trace: RddTrace) -> OnePass | None:
    """What one pass tells; None where it takes two. Runs a job for each source.

    Args:
        trace: of the failing elements.

    Raises:
        UnsupportedOperatorError: an operator can't be run on part of its records.
    """
    ways = _ways(trace)
    if ways is None:
        return None
    seen = {}
    for way in ways:
        found = _passed(way, trace.walk.annotator)
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
    by_point: dict[RddOperator, _Way] = {}
    for segment in walk.segments:
        for top, frozen in segment.tops:
            if segment.asked is None or top not in points:
                continue
            chain = chain_below(top, frozen)
            source = next((each for each in sources if each.operator is chain.bottom), None)
            if top in by_point or source is None or source.whole_files or chain.bottom.kind not in _SOURCES:
                return None
            by_point[top] = _Way(source, top, chain, segment.asked)
    ways = list(by_point.values())
    # A record that is read on two ways is a candidate on both if it is on one.
    if len(ways) != len(points) or len({same_records(way.source.operator) for way in ways}) != len(sources):
        return None
    return ways


def _passed(way: _Way, annotator: Annotator) -> _Seen | None:
    """None where there are so many elements that it must be known beforehand how many."""
    cell = passing.Cell()
    rdd = way.chain.over(way.source.rdd.mapPartitionsWithIndex(passing.noted(cell), True), annotator)
    count = rdd.getNumPartitions()
    most = 2 * MOST_CANDIDATES // max(count, 1)
    gather = fetching.of_records_with(cell, way.asked.keys, way.asked.key, most)
    totals: dict[int, int] = {}
    places: list[list[Any]] = [[] for _ in range(count)]
    pieces: list[list[bytes]] = [[] for _ in range(count)]
    for partition, total, own, pickles in rdd.mapPartitionsWithIndex(gather, True).collect():
        places[partition].append(np.frombuffer(own, dtype=np.int64))
        pieces[partition] += pickles
        if total >= 0:
            totals[partition] = total
    if len(totals) < count:
        return None
    way.source.know_counts(lambda: totals)
    together = list(_concatenated(places))
    return _Seen(way.source.operator, together, pieces, rdd.partitioner)


def _concatenated(parts: Sequence[Sequence[Any]]) -> Iterator[np.ndarray[Any, np.dtype[np.int64]]]:
    for part in parts:
        yield np.concatenate([np.zeros(0, dtype=np.int64), *part])
