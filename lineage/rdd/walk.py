"""The way of a trace: from boundary to boundary, down to the sources."""

from __future__ import annotations

import contextlib
import heapq
import threading
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property, partial
from typing import Any, Protocol

from pyspark.storagelevel import StorageLevel

from bigdebug.lineage.rdd import few_names, placing, workers
from bigdebug.lineage.rdd.annotator import (
    Annotator,
    NumberedRows,
    contributing,
    is_boundary,
)
from bigdebug.lineage.rdd.asked_keys import asked_of_keys
from bigdebug.lineage.rdd.freezing import Frozen, frozen_for
from bigdebug.lineage.rdd.kinds import BY_PARTITION, INTO_FRAME, OF_FRAME
from bigdebug.lineage.rdd.known_keys import counted_keys, stands_for_nan
from bigdebug.lineage.rdd.operator import RddOperator
from bigdebug.lineage.rdd.rows import RddRows
from bigdebug.lineage.rdd.segment import AskedOf, Narrow, Segment
from bigdebug.lineage.rdd.some_rows import only_given
from bigdebug.lineage.rdd.summary import Summary, sum_up

MOST_KEYS = 5_000
"""So many keys of a boundary at most are sent to the workers with the question; more are joined there."""

_FEW_NAMES = 64
"""So many names of groups each partition may tell of, however many partitions there are."""

Predicate = Callable[[Any], Any]


class AskedRows(NumberedRows, Protocol):
    """A DataFrame on the way of a trace."""

    def ask(self, numbers: Any) -> None:
        """Trace the rows of these numbers, an RDD."""

    def arrivals(self) -> Iterable[tuple[RddOperator, Any]]:
        """Where that leads to RDDs: the operators that made DataFrames of them, and the ids of the rows."""


class Walk:
    """Goes down from the elements asked about, a segment at a time. Runs its jobs when it is first asked.

    Args:
        rows: what was asked about; None where the question is about a DataFrame above.
        where: a function of an element that says whether it is on the trace; None for all.
        context: the SparkContext.
        frames: the DataFrames that it goes through, by the operators that give their rows.
        seeds: gives by operator an RDD of the ids that are known to be on the trace beforehand.
        annotator: makes the annotated RDDs; that of another walk of the same program, whose ids are the same then.

    Attributes:
        rows: what was asked about.
        annotator: makes the annotated RDDs.
        nan_keys: the boundaries with keys on the trace that aren't equal to themselves.
        kept: what is kept in Spark.
        doubts: why the elements asked about may be others the next time, known once they have been looked for.
    """

    def __init__(
        self,
        rows: RddRows | None,
        where: Predicate | None,
        context: Any,
        frames: Mapping[RddOperator, AskedRows] | None = None,
        seeds: Callable[[], Mapping[RddOperator, Any]] = dict,
        annotator: Annotator | None = None,
    ) -> None:
        self.rows = rows
        self._where = where
        self._context = context
        self._frames = frames or {}
        self._seeds = seeds
        self.annotator = annotator or Annotator(context, self._frames)
        self.nan_keys: set[RddOperator] = set()
        self.kept: list[Any] = []
        self.doubts: tuple[str, ...] = ()
        self._arrived: dict[RddOperator, list[Any]] = {}
        self._only_in_first: dict[RddOperator, bool] = {}
        self._given: dict[RddOperator, Frozen] = {}  # the functions that boundaries were asked for with
        self._of_sources: list[Any] = []
        self._groups: int | None = None
        self._segments_below: dict[RddOperator, Segment] = {}
        self._known: dict[
            RddOperator, Segment
        ] = {}  # the segments below boundaries that were found before these

    @cached_property
    def first(self) -> Segment:
        assert self.rows is not None
        tops = [(self.rows.operator, self.rows.frozen)]
        keys = self._asked_keys()
        return self._segment(tops, self.asked) if keys is None else Segment(tops, self.asked, keys, None)

    def asked(self, annotated: Any) -> Any:
        """The elements asked about, of all of an annotated RDD."""
        where, rows = self._where, self.rows
        assert rows is not None
        given = only_given(rows, annotated, self.annotator)
        self.doubts = given.doubts
        elements = given.elements
        return elements if where is None else elements.filter(lambda pair: where(pair[0]))

    @cached_property
    def segments(self) -> list[Segment]:
        """All segments the trace runs through, the output's first; each boundary once, whoever leads to it."""
        segments = []
        if self.rows is not None:
            segments.append(self.first)
            self._arrive(self.first)
        for operator, ids in self._seeds().items():
            self._arrive_at(operator, ids)
        # A boundary is looked at when all segments that may lead to it have been: those are later ones.
        waiting = [(-each.serial, each) for each in self._arrived if is_boundary(each)]
        heapq.heapify(waiting)
        while waiting:
            _, boundary = heapq.heappop(waiting)
            before = set(self._arrived)
            segment = self._below(boundary)
            if segment is not None:
                self._segments_below[boundary] = segment
                segments.append(segment)
                self._arrive(segment)
            for each in set(self._arrived) - before:
                if is_boundary(each):
                    heapq.heappush(waiting, (-each.serial, each))
        return segments

    @cached_property
    def matched(self) -> int:
        """How many elements are on the trace at its beginning."""
        counts = self.counts
        return self._groups or 0 if counts is None else sum(counts.values())

    @property
    def counts(self) -> dict[int, int] | None:
        """By partition, where there are any, how many elements are on the trace at its beginning.

        None where only the keys of groups were looked for, which stand elsewhere.
        """
        self.first  # noqa: B018  # it tells of groups
        if self._groups is not None:
            return None
        return {partition: count for partition, count, _ in self._seen_first if count}

    def ids(self, source: RddOperator) -> Any:
        """An RDD of the places of a source's records on the trace, each once."""
        return self._records.mapPartitions(workers.names_of(self.annotator.leaf(source)), True)

    def arrived_at(self, operator: RddOperator) -> Any | None:
        """An RDD of the names by which the trace leads to an operator; None where it doesn't."""
        self.segments  # noqa: B018
        arrived = self._arrived.get(operator)
        if arrived is None:
            return None
        return (self._context.union(arrived) if len(arrived) > 1 else arrived[0]).distinct()

    def below(self, boundary: RddOperator) -> Segment | None:
        """The segment below a boundary; None where nothing leads to it."""
        self.segments  # noqa: B018
        return self._segments_below.get(boundary)

    @cached_property
    def summaries(self) -> dict[RddOperator, Summary]:
        """What the records on the trace come to, by source."""
        found = sum_up(self._records)
        return {self.annotator.of_leaf(leaf): summary for leaf, summary in found.items()}

    # -- inside -------------------------------------------------------------------------------------

    @cached_property
    def _seen_first(self) -> list[few_names.SeenFirst]:
        """What one job sees of the first segment: how much there is of it, and the names of groups if these are few."""
        found = self.first.found
        groups = {self.annotator.leaf(each) for each, _ in self.first.operators() if is_boundary(each)}
        # Of very many partitions each tells little: this process holds what they tell.
        most = max(MOST_KEYS // max(found.getNumPartitions(), 1), _FEW_NAMES)
        seen: list[few_names.SeenFirst] = found.mapPartitionsWithIndex(
            few_names.seen_first(frozenset(groups), most)
        ).collect()
        return seen

    def _names_in_first(self, boundary: RddOperator) -> set[Any] | None:
        """The names by which the trace leads to a boundary, where only the first segment does, and by few names."""
        if self._only_in_first.get(boundary) is not True:
            return None
        leaf = self.annotator.leaf(boundary)
        parts = [names.get(leaf, set()) for _, _, names in self._seen_first]
        return None if any(part is None for part in parts) else set().union(*filter(None, parts))

    @cached_property
    def _records(self) -> Any:
        """An RDD of the ids of all records on the trace, each once."""
        self.segments  # noqa: B018
        found = self._of_sources or [self._context.emptyRDD()]
        every = self._context.union(found) if len(found) > 1 else found[0]
        records = every.distinct().persist(StorageLevel.MEMORY_AND_DISK)
        self.kept.append(records)
        return records

    def _asked_keys(self) -> Any | None:
        """The ids of the elements asked about, where these are groups that can be told by what they are made of."""
        assert self.rows is not None
        asked = asked_of_keys(self.rows, self._where)
        if asked is None:
            return None
        boundary, given = asked.operator, asked.frozen
        key = self.annotator.input_keys(boundary, given)
        tops = [(below, given) for below in contributing(boundary)]

        def narrow(annotated: Any) -> Any:
            return annotated.mapPartitionsWithIndex(workers.with_key_that(asked.of_key, key))

        segment = self._segment(tops, narrow, workers.key_and_ids(key))
        keys = segment.found.map(workers.element_of).distinct()
        counts = keys.mapPartitions(counted_keys).collect()
        if any(unequal for _, unequal in counts):
            return None  # of how many elements these are the keys only the elements tell
        self._groups = sum(count for count, _ in counts)
        self._known[boundary] = segment
        return keys.map(workers.keyed(self.annotator.leaf(boundary), workers.itself))

    def _segment(
        self,
        tops: list[tuple[RddOperator, Frozen]],
        narrow: Narrow,
        of_each: Callable[[Any], Any] = workers.without_element,
    ) -> Segment:
        annotated = [self.annotator.annotated(top, frozen) for top, frozen in tops]
        return self._found(tops, narrow, annotated, None, of_each)

    def _found(
        self,
        tops: list[tuple[RddOperator, Frozen]],
        narrow: Narrow,
        annotated: list[Any],
        kept: RddOperator | None,
        of_each: Callable[[Any], Any] = workers.without_element,
    ) -> Segment:
        narrowed = [narrow(each) for each in annotated]
        every = self._context.union(narrowed) if len(narrowed) > 1 else narrowed[0]
        found = every.map(of_each).persist(StorageLevel.MEMORY_AND_DISK)
        self.kept.append(found)
        return Segment(tops, narrow, found, kept)

    def _arrive(self, segment: Segment) -> None:
        """Note the ids by which a segment names records and groups below."""
        sources: set[int] = set()
        for operator, _ in segment.operators():
            if not operator.inputs and operator.kind != OF_FRAME:
                sources.add(self.annotator.leaf(operator))
            elif is_boundary(operator):
                ids = segment.found.flatMap(workers.ids_of(self.annotator.leaf(operator)))
                is_first = self.rows is not None and segment is self.first
                self._only_in_first[operator] = is_first and operator not in self._arrived
                self._arrived.setdefault(operator, []).append(ids)
                self._given.setdefault(operator, self._frozen_at(segment, operator))
        if sources:
            self._of_sources.append(segment.found.flatMap(workers.ids_among(frozenset(sources))))

    def _arrive_at(self, operator: RddOperator, ids: Any) -> None:
        """Note the ids of the rows of a DataFrame that an operator made."""
        self._only_in_first[operator] = False
        self._arrived.setdefault(operator, []).append(ids)
        self._given.setdefault(operator, operator.frozen or {})

    def _frozen_at(self, segment: Segment, wanted: RddOperator) -> Frozen:
        """The functions in effect at an operator of a segment."""
        seen: set[RddOperator] = set()
        waiting = list(segment.tops)
        while waiting:
            operator, given = waiting.pop()
            if operator in seen:
                continue
            seen.add(operator)
            frozen = frozen_for(operator, given)
            if operator is wanted:
                return frozen
            if not is_boundary(operator):
                waiting += [(below, frozen) for below in contributing(operator)]
        raise AssertionError(wanted)

    def _below(self, boundary: RddOperator) -> Segment | None:
        """The segment below a boundary: the elements of its input in the groups on the trace."""
        if boundary in self._known:
            return self._known[boundary]
        arrived = self._arrived[boundary]
        names = self._context.union(arrived) if len(arrived) > 1 else arrived[0]
        given = self._given[boundary]
        tops = [(below, given) for below in contributing(boundary)]
        if boundary.kind == OF_FRAME:
            frame = self._frames[boundary]
            frame.ask(names)
            for operator, ids in frame.arrivals():
                self._arrive_at(operator, ids)
            return None
        if boundary.kind == INTO_FRAME:
            return self._at_places(boundary, names, tops)
        if boundary.kind in BY_PARTITION:
            reads = dict(names.reduceByKey(max).collect())
            if not reads:
                return None
            kept = boundary if boundary in self.annotator.kept else None
            inputs = self.annotator.inputs(boundary, given)
            return self._found(
                tops, lambda rdd: rdd.mapPartitionsWithIndex(placing.read_before(reads)), inputs, kept
            )
        keys = self._names_in_first(boundary)
        if keys is None:
            keys = names.treeAggregate(set(), *few_names.most_of(MOST_KEYS))
        if not keys:
            return None
        key, asked = self.annotator.input_keys(boundary, given), None
        if len(keys) <= MOST_KEYS:
            asked = AskedOf(frozenset(keys), key)
            narrow = partial(_among, asked=asked)
            nan = any(map(stands_for_nan, keys))
        else:
            pairs = names.map(workers.with_nothing).distinct()
            narrow = partial(_joined, pairs=pairs, key=key)
            nan = not pairs.keys().filter(stands_for_nan).isEmpty()
        if nan:
            self.nan_keys.add(boundary)
        segment = self._segment(tops, narrow)
        segment.asked = asked
        return segment

    def _at_places(
        self, boundary: RddOperator, names: Any, tops: list[tuple[RddOperator, Frozen]]
    ) -> Segment | None:
        """The elements that rows of a DataFrame were made of: a row stands where its element does."""
        places = names.treeAggregate(set(), *few_names.most_of(MOST_KEYS))
        if not places:
            return None
        wanted: dict[int, set[int]] = {}
        for partition, place in places:
            wanted.setdefault(partition, set()).add(place)
        pairs = names.map(workers.with_nothing).distinct() if len(places) > MOST_KEYS else None

        def narrow(annotated: Any) -> Any:
            if pairs is None:
                return annotated.mapPartitionsWithIndex(placing.at_places(wanted), True)
            return annotated.mapPartitionsWithIndex(placing.placed).join(pairs).map(workers.joined_left)

        kept = boundary if boundary in self.annotator.kept else None
        return self._found(tops, narrow, self.annotator.inputs(boundary, self._given[boundary]), kept)


def _among(annotated: Any, asked: AskedOf) -> Any:
    return annotated.mapPartitionsWithIndex(workers.among(asked.keys, asked.key), True)


def _joined(annotated: Any, pairs: Any, key: Callable[[Any], Any]) -> Any:
    return annotated.map(workers.with_key(key)).join(pairs).map(workers.joined_left)


def release_walk(walk: Walk) -> None:
    """Give back what a trace that nobody holds any more kept in Spark."""
    release([*walk.kept, *walk.annotator.kept.values()])


def release(kept: list[Any]) -> None:
    """Have Spark keep RDDs no longer."""
    if kept:
        # On a thread of its own: the collector may run in the middle of a call to the JVM.
        threading.Thread(target=_unpersist, args=(kept,), daemon=True).start()


def _unpersist(kept: list[Any]) -> None:
    with contextlib.suppress(Exception):  # Spark may be gone, and with it what it kept
        for rdd in kept:
            rdd.unpersist()
