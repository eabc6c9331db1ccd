"""Traces of RDDs: from elements of an output back to the records of the sources that they came from."""

from __future__ import annotations

import contextlib
import heapq
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property, partial
from typing import Any

from pyspark.storagelevel import StorageLevel

from bigdebug.lineage.asking import jobs_of_ours
from bigdebug.lineage.errors import BigDebugError, UnsupportedOperatorError
from bigdebug.lineage.finding import find_source
from bigdebug.lineage.found import Source, Step
from bigdebug.lineage.location import Location, TracedRecord
from bigdebug.lineage.rdd import standins, workers
from bigdebug.lineage.rdd.annotator import (
    Annotator,
    Marks,
    contributing,
    frozen_for,
    is_boundary,
    mark_of,
    within,
)
from bigdebug.lineage.rdd.doubts import doubts_about
from bigdebug.lineage.rdd.freezing import Frozen
from bigdebug.lineage.rdd.kinds import BY_PARTITION, UNKNOWN
from bigdebug.lineage.rdd.operator import RddOperator
from bigdebug.lineage.rdd.reading import RddSource, sources_in
from bigdebug.lineage.rdd.rows import RddRows
from bigdebug.lineage.rdd.some_rows import only_given

MOST_KEYS = 5_000
"""So many keys of a boundary at most are sent to the workers with the question; more are joined there."""

Predicate = Callable[[Any], Any]
Narrow = Callable[[Any], Any]
"""Gives the elements asked about, of an annotated RDD."""


class _Segment:
    """The elements on the trace between a boundary, or the output, and the boundaries and sources below.

    Args:
        tops: the operators it begins with, the functions to use, and which of their elements are on the trace.
        found: the ids of these elements, kept in Spark.
    """

    def __init__(
        self, tops: list[tuple[RddOperator, Frozen]], narrow: Narrow, found: Any, kept: bool
    ) -> None:
        self.tops = tops
        self.narrow = narrow
        self.found = found
        self.kept = kept

    def operators(self) -> Iterator[tuple[RddOperator, Frozen]]:
        """Its operators, each once, with the functions that they are given."""
        seen = set()
        for top, frozen in self.tops:
            for operator in within(top):
                if operator not in seen:
                    seen.add(operator)
                    yield operator, frozen


class RddTrace:
    """Where the elements of an RDD came from. Immutable; runs its jobs when it is first asked.

    Args:
        rows: what was asked about.
        where: a function of an element that says whether to trace it; None for all.
        notes: what is already known to make it inexact.
    """

    def __init__(self, rows: RddRows, where: Predicate | None = None, notes: tuple[str, ...] = ()) -> None:
        self._rows = rows
        self._where = where
        self._root = rows.operator
        self._context = rows.operator.context
        _require_understood(self._root)
        self._annotator = Annotator(self._context)
        self._sources = sources_in(_contributing_in_order(self._root))
        self._static_doubts = [*notes, *doubts_about(self._root)]
        self._run: list[_Segment] = []
        self._arrived: dict[RddOperator, list[Any]] = {}
        self._given: dict[RddOperator, Frozen] = {}  # the functions that boundaries were asked for with
        self._nan_keys: set[RddOperator] = set()
        weakref.finalize(self, _release, self._run, self._annotator)

    # -- the public face ----------------------------------------------------------------------------

    @cached_property
    def matched(self) -> int:
        """How many elements the trace starts from."""
        with self._asking("matching elements"):
            return int(self._first.found.count())

    @cached_property
    def sources(self) -> list[Source]:
        """The sources, in the order that the program reads them, with the number of their records on the trace."""
        with self._asking("source records"):
            return [
                Source(source.name, source.kind, source.call_site, self._count(source), _Files(self, source))
                for source in self._sources
            ]

    @cached_property
    def steps(self) -> list[Step]:
        """The operators on the way back, from the output down."""
        with self._asking("steps"):
            found = []
            for segment in self._segments:
                counts = self._marked(segment, Marks()).flatMap(_marks_of).distinct().map(workers.first_of)
                by_mark = counts.countByValue()
                for operator, _ in segment.operators():
                    if operator.inputs and by_mark.get(mark_of(operator)):
                        count = by_mark[mark_of(operator)]
                        records = partial(self._step_records, segment, operator)
                        found.append((operator, Step(operator.label, operator.call_site, count, records)))
            # A boundary is the top of no segment but those above it: the latest operators come first.
            return [step for _, step in sorted(found, key=lambda pair: -pair[0].serial)]

    def records(self, source: str | None = None) -> Any:
        """An RDD of a source's records on the trace, as `TracedRecord`s.

        Args:
            source: name or unambiguous stem; may be left out where there is only one source.
        """
        chosen = self._chosen(source)
        with self._asking("source records"):
            return self._distributed_records(chosen)

    def collect(self, limit: int = 1000) -> list[TracedRecord]:
        """Up to `limit` records of each source, by file and position."""
        return [record for source in self._sources for record in self.collect_source(source.name, limit)]

    def collect_source(self, source: str, limit: int = 1000) -> list[TracedRecord]:
        """Up to `limit` records of one source."""
        chosen = self._chosen(source)
        with self._asking("records"):
            return chosen.located(self._values(chosen, self._ids[chosen.operator].takeOrdered(limit)))

    @property
    def exact(self) -> bool:
        """Whether the trace holds just the records the elements came from, told for sure."""
        return not self._doubts

    @property
    def notes(self) -> list[str]:
        """Why the trace isn't exact."""
        return list(self._doubts)

    def narrow(self, seconds: float = 60.0) -> RddTrace:
        """The trace itself, where it can't be smaller.

        Raises:
            BigDebugError: it could be smaller; that isn't found out for RDDs.
        """
        if not any(operator.kind in BY_PARTITION for operator in self._root.walk()):
            return self
        raise BigDebugError(
            "traces of RDDs can't be narrowed yet",
            hint="the notes say which operators make this one conservative",
        )

    @property
    def bytes(self) -> int:
        """The most that one pass over the sources reads; not known of RDDs."""
        return 0

    def __repr__(self) -> str:
        names = ", ".join(source.name for source in self._sources)
        return f"<RddTrace of {self._root.described()} back to {names}>"

    # -- how it gets there --------------------------------------------------------------------------

    @contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        with jobs_of_ours(self._context, what), _travelling():
            yield

    @cached_property
    def _doubts(self) -> list[str]:
        self.sources  # noqa: B018  # what keys there are is seen on the way
        told = [
            f"{operator.described()} has keys that aren't equal to themselves (not a number): "
            "the trace holds all elements with such keys"
            for operator in sorted(self._nan_keys, key=lambda each: each.serial)
        ]
        return [*self._static_doubts, *told]

    @cached_property
    def _first(self) -> _Segment:
        where = self._where

        def narrow(annotated: Any) -> Any:
            given = only_given(self._rows, annotated)
            return given if where is None else given.filter(lambda pair: where(pair[0]))

        return self._segment([(self._root, self._rows.frozen)], narrow)

    @cached_property
    def _segments(self) -> list[_Segment]:
        """All segments the trace runs through, the output's first; each boundary once, whoever leads to it."""
        segments = [self._first]
        self._arrive(self._first)
        # A boundary is looked at when all segments that may lead to it have been: those are later ones.
        waiting = [(-each.serial, each) for each in self._arrived if is_boundary(each)]
        heapq.heapify(waiting)
        while waiting:
            _, boundary = heapq.heappop(waiting)
            before = set(self._arrived)
            segment = self._below(boundary)
            if segment is not None:
                segments.append(segment)
                self._arrive(segment)
            for each in set(self._arrived) - before:
                if is_boundary(each):
                    heapq.heappush(waiting, (-each.serial, each))
        return segments

    @cached_property
    def _ids(self) -> dict[RddOperator, Any]:
        """By source the places of its records on the trace, each once."""
        self._segments  # noqa: B018
        found = {}
        for source in self._sources:
            arrived = self._arrived.get(source.operator)
            if arrived:
                ids = self._context.union(arrived) if len(arrived) > 1 else arrived[0]
                found[source.operator] = ids.distinct().persist(StorageLevel.MEMORY_AND_DISK)
                self._run.append(_Segment([], workers.itself, found[source.operator], kept=False))
            else:
                found[source.operator] = self._context.emptyRDD()
        return found

    def _segment(
        self, tops: list[tuple[RddOperator, Frozen]], narrow: Narrow, kept: bool = False
    ) -> _Segment:
        annotated = [self._annotator.annotated(top, frozen) for top, frozen in tops]
        return self._found(tops, narrow, annotated, kept)

    def _found(
        self, tops: list[tuple[RddOperator, Frozen]], narrow: Narrow, annotated: list[Any], kept: bool
    ) -> _Segment:
        narrowed = [narrow(each) for each in annotated]
        every = self._context.union(narrowed) if len(narrowed) > 1 else narrowed[0]
        found = every.map(workers.without_element).persist(StorageLevel.MEMORY_AND_DISK)
        segment = _Segment(tops, narrow, found, kept)
        self._run.append(segment)
        return segment

    def _arrive(self, segment: _Segment) -> None:
        """Note the ids by which a segment names records and groups below."""
        for operator, _ in segment.operators():
            if not operator.inputs or is_boundary(operator):
                ids = segment.found.flatMap(workers.ids_of(self._annotator.leaf(operator)))
                self._arrived.setdefault(operator, []).append(ids)
                self._given.setdefault(operator, self._frozen_at(segment, operator))

    def _frozen_at(self, segment: _Segment, wanted: RddOperator) -> Frozen:
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

    def _below(self, boundary: RddOperator) -> _Segment | None:
        """The segment below a boundary: the elements of its input in the groups on the trace."""
        arrived = self._arrived[boundary]
        names = self._context.union(arrived) if len(arrived) > 1 else arrived[0]
        given = self._given[boundary]
        tops = [(below, given) for below in contributing(boundary)]
        if boundary.kind in BY_PARTITION:
            reads = dict(names.reduceByKey(max).collect())
            if not reads:
                return None
            kept = boundary in self._annotator.kept
            inputs = self._annotator.inputs(boundary, given)
            return self._found(
                tops, lambda rdd: rdd.mapPartitionsWithIndex(workers.read_before(reads)), inputs, kept
            )
        keys = names.treeAggregate(set(), *workers.most_of(MOST_KEYS))
        if not keys:
            return None
        key = self._annotator.input_keys(boundary, given)
        if len(keys) <= MOST_KEYS:
            narrow = partial(_among, keys=frozenset(keys), key=key)
            nan = any(map(workers.stands_for_nan, keys))
        else:
            pairs = names.map(workers.with_nothing).distinct()
            narrow = partial(_joined, pairs=pairs, key=key)
            nan = not pairs.keys().filter(workers.stands_for_nan).isEmpty()
        if nan:
            self._nan_keys.add(boundary)
        return self._segment(tops, narrow)

    # -- what is shown ------------------------------------------------------------------------------

    def _count(self, source: RddSource) -> int:
        return int(self._ids[source.operator].count())

    def _values(self, source: RddSource, places: list[tuple[int, int]]) -> list[tuple[tuple[int, int], Any]]:
        wanted: dict[int, set[int]] = {}
        for partition, place in places:
            wanted.setdefault(partition, set()).add(place)
        if not wanted:
            return []
        picking = source.rdd.mapPartitionsWithIndex(workers.picked(wanted))
        return list(self._context.runJob(picking, workers.itself, sorted(wanted)))

    def _distributed_records(self, source: RddSource) -> Any:
        places = self._ids[source.operator].map(workers.with_nothing)
        every = source.rdd.mapPartitionsWithIndex(workers.placed)
        found = every.join(places).mapValues(workers.first_of)
        starts, whole, name = source.first_positions(), source.whole_files, source.name

        def record(found: tuple[tuple[int, int], Any]) -> TracedRecord:
            (partition, place), value = found
            if whole:
                return TracedRecord(name, Location(value[0].removeprefix("file:"), 0), value)
            if partition not in starts:
                return TracedRecord(name, Location(None, place, partition), value)
            file, first = starts[partition]
            return TracedRecord(name, Location(file, first + place), value)

        return found.map(record)

    def _files(self, source: RddSource) -> list[str]:
        with self._asking("files"):
            if source.whole_files:
                found = source.rdd.mapPartitionsWithIndex(workers.placed).join(
                    self._ids[source.operator].map(workers.with_nothing)
                )
                return source.files((), [[path] for path in found.map(_path_of).distinct().collect()])
            if source.splits is None:
                return []
            return source.files(self._ids[source.operator].map(workers.first_of).distinct().collect())

    def _marked(self, segment: _Segment, marks: Marks) -> Any:
        narrowed = [
            segment.narrow(self._annotator.annotated(top, frozen, marks)) for top, frozen in segment.tops
        ]
        return self._context.union(narrowed) if len(narrowed) > 1 else narrowed[0]

    def _step_records(self, segment: _Segment, operator: RddOperator) -> Any:
        mark = mark_of(operator)
        with self._asking("elements of a step"):
            marked = self._marked(segment, Marks(kept=operator)).flatMap(workers.ids_of(mark))
            return marked.map(workers.place_and_element).reduceByKey(workers.left_of).values()

    def _chosen(self, source: str | None) -> RddSource:
        if source is None and len(self._sources) == 1:
            return self._sources[0]
        return find_source(self._sources, source or "")


class _Files:
    """The files of the records of a source; looked up when they are asked for."""

    def __init__(self, trace: RddTrace, source: RddSource) -> None:
        self._trace = trace
        self._source = source

    def files(self) -> list[str]:
        return self._trace._files(self._source)


def _among(annotated: Any, keys: frozenset[Any], key: Callable[[Any], Any]) -> Any:
    return annotated.filter(workers.among(keys, key))


def _joined(annotated: Any, pairs: Any, key: Callable[[Any], Any]) -> Any:
    return annotated.map(workers.with_key(key)).join(pairs).map(workers.joined_left)


def _marks_of(annotated: Any) -> Iterator[Any]:
    return ((number, name) for number, name in annotated[1] if number < 0)


def _path_of(found: Any) -> str:
    path: str = found[1][0][0]
    return path


def _contributing_in_order(root: RddOperator) -> list[RddOperator]:
    """All operators that elements may stem from, in the order that the program names them."""
    seen: dict[RddOperator, None] = {}
    waiting = [root]
    while waiting:
        operator = waiting.pop()
        if operator not in seen:
            seen[operator] = None
            waiting += reversed(contributing(operator))
    return list(seen)


def _require_understood(root: RddOperator) -> None:
    for operator in root.walk():
        if operator.problem:
            raise UnsupportedOperatorError(
                operator.problem, hint="have it use only what can be pickled, and little of it"
            )
        if operator.kind == UNKNOWN:
            readers = [each for each in root.walk() if operator in each.inputs]
            what = readers[0].described() if readers else "this"
            raise UnsupportedOperatorError(
                f"{what} reads an RDD that wasn't recorded: it was made before bigdebug was attached, or by a "
                "method whose lineage isn't understood (df.rdd, a barrier stage)",
                hint="attach before the RDD is made, and make it with the methods of SparkContext and RDD",
            )


@contextmanager
def _travelling() -> Iterator[None]:
    """Have what runs in Spark's workers pickled by value: they need not have bigdebug."""
    from pyspark import cloudpickle

    modules = [workers, standins]
    fresh = [each for each in modules if each.__name__ not in cloudpickle.list_registry_pickle_by_value()]
    for module in fresh:
        cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in fresh:
            cloudpickle.unregister_pickle_by_value(module)


def _release(segments: list[_Segment], annotator: Annotator) -> None:
    """Give back what a trace that nobody holds any more kept in Spark."""
    if segments:
        # On a thread of its own: the collector may run in the middle of a call to the JVM.
        threading.Thread(target=_release_all, args=(list(segments), annotator), daemon=True).start()


def _release_all(segments: list[_Segment], annotator: Annotator) -> None:
    with contextlib.suppress(Exception):  # Spark may be gone, and with it what it kept
        for segment in segments:
            segment.found.unpersist()
        annotator.close()
