"""Traces of RDDs: from elements of an output back to the records of the sources that they came from."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from typing import Any

from bigdebug.lineage.asking import jobs_of_ours
from bigdebug.lineage.described import Described, Description, trace_description
from bigdebug.lineage.errors import BigDebugError, UnsupportedOperatorError
from bigdebug.lineage.finding import find_source
from bigdebug.lineage.found import Source, Step
from bigdebug.lineage.location import Location, TracedRecord
from bigdebug.lineage.rdd import placing, workers
from bigdebug.lineage.rdd.annotator import Marks, contributing, mark_of
from bigdebug.lineage.rdd.doubts import doubts_about, doubts_about_keys, doubts_about_taken
from bigdebug.lineage.rdd.kinds import UNKNOWN
from bigdebug.lineage.rdd.one_pass import OnePass, one_pass
from bigdebug.lineage.rdd.operator import RddOperator
from bigdebug.lineage.rdd.reading import Place, RddSource, sources_in
from bigdebug.lineage.rdd.rows import RddRows
from bigdebug.lineage.rdd.segment import Segment
from bigdebug.lineage.rdd.summary import Summary
from bigdebug.lineage.rdd.travelling import travelling
from bigdebug.lineage.rdd.walk import Predicate, Walk, release_walk


class RddTrace(Described):
    """Where the elements of an RDD came from. Immutable; runs its jobs when it is first asked.

    Args:
        rows: what was asked about.
        where: a function of an element that says whether to trace it; None for all.
        notes: what is already known to make it inexact.
    """

    def __init__(self, rows: RddRows, where: Predicate | None = None, notes: tuple[str, ...] = ()) -> None:
        self._root = rows.operator
        self._rows = rows
        self._where = where
        self._context = rows.operator.context
        require_understood(self._root)
        self._sources = sources_in(contributing_in_order(self._root))
        self._static_doubts = [*notes, *doubts_about(self._root), *doubts_about_taken(rows)]
        self._walk = Walk(rows, where, self._context)
        know_what_is_counted(self._sources, self._walk)
        weakref.finalize(self, release_walk, self._walk)

    # -- the public face ----------------------------------------------------------------------------

    @cached_property
    def matched(self) -> int:
        """How many elements the trace starts from."""
        with self._asking("matching elements"):
            once = self._once
            return self._walk.matched if once is None else once.matched

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
        """The operators on the way back, from the output down; each once, whatever ways lead to it."""
        with self._asking("steps"):
            return list(self._steps_by_operator().values())

    def records(self, source: str | None = None) -> Any:
        """An RDD of a source's records on the trace, as `TracedRecord`s: Spark's workers need bigdebug for it.

        Args:
            source: name or unambiguous stem; may be left out where there is only one source.
        """
        chosen = self._chosen(source)
        name = chosen.name
        with self._asking("source records"):
            found = self._distributed_records(chosen)
        return found.map(lambda r: TracedRecord(name, Location(r[0], r[1], r[2]), r[3]))

    def placed_records(self, source: str) -> Any:
        """The same as plain tuples (file, position, partition, record): no worker needs bigdebug while `travelling`."""
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
            once = self._once
            seen = None if once is None else once.records(limit)
            if seen is not None:
                return chosen.located(seen)
            places = self._summary(chosen).first_places(limit)
            if places is None:
                places = self._ids(chosen).takeOrdered(limit)
            return chosen.located(self._values(chosen, places))

    @property
    def exact(self) -> bool:
        """Whether the trace holds just the records the elements came from, told for sure."""
        return not self._doubts

    @property
    def notes(self) -> list[str]:
        """Why the trace isn't exact."""
        return list(self._doubts)

    @property
    def static_notes(self) -> list[str]:
        """Those of them that are known before anything is computed."""
        return list(self._static_doubts)

    def narrow(self, seconds: float = 60.0) -> RddTrace:
        """A smaller trace where this one is conservative, by replaying the program on parts of its records.

        Functions of whole partitions may have made an element of any record that they had read. Of the sources
        below them the new trace has those records that give the elements asked for again, together with the other
        sources as they are, and none of which can be left out.

        Args:
            seconds: how long to go on at most; what was found by then is the answer.

        Raises:
            BigDebugError: there is too much to be replayed, or the traced records alone don't give the elements
                again.
        """
        from bigdebug.lineage.rdd.narrowed import narrowed_trace

        return narrowed_trace(self, seconds)

    @property
    def bytes(self) -> int:
        """The most that one pass over the sources reads."""
        return sum(size for each in self._sources for _, size, _ in each.operator.listed or ())

    def _description(self) -> Description:
        return trace_description(self)

    def __repr__(self) -> str:
        names = ", ".join(source.name for source in self._sources)
        return f"<RddTrace of {self._root.described()} back to {names}>"

    # -- for questions that build on it -------------------------------------------------------------

    @property
    def context(self) -> Any:
        """The SparkContext."""
        return self._context

    @property
    def walk(self) -> Walk:
        """The way it went."""
        return self._walk

    @property
    def found_sources(self) -> list[RddSource]:
        """The sources, in the order of `sources`."""
        return self._sources

    def places(self, source: RddSource) -> Any:
        """An RDD of where a source's records on the trace stand in Spark, each once."""
        with self._asking("source records"):
            return self._ids(source)

    def located(self, source: RddSource, places: list[Place]) -> list[TracedRecord]:
        """The records at some places of a source, with the places that a person can open."""
        with self._asking("records"):
            return source.located(self._values(source, places))

    def at(self, source: RddSource, places: list[Place]) -> list[TracedRecord]:
        """The same, in the order of the places."""
        with self._asking("records"):
            values = sorted(dict(self._values(source, places)).items())
            located = zip(source.locations(values), values, strict=True)
            found = {place: TracedRecord(source.name, where, value) for where, (place, value) in located}
        return [found[place] for place in places]

    def _steps_by_operator(self) -> dict[RddOperator, Step]:
        segments = self._walk.segments
        if not segments:
            return {}
        marks = self._marked(segments, Marks()).flatMap(workers.marks_of).distinct()
        counts = marks.map(workers.first_of).countByValue()
        on_the_way = {each for segment in segments for each, _ in segment.operators()}
        return {
            each: Step(each.label, each.call_site, count, partial(self._step_records, each))
            for each in sorted(on_the_way, key=lambda each: -each.serial)
            if each.inputs and (count := counts.get(mark_of(each)))
        }

    # -- how it gets there --------------------------------------------------------------------------

    @contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        with jobs_of_ours(self._context, what), travelling():
            yield

    @cached_property
    def _doubts(self) -> list[str]:
        with self._asking("the keys on the way"):
            if self._once is None:
                self._walk.segments  # noqa: B018  # what keys there are is seen on the way
        found = [*self._static_doubts, *self._walk.doubts, *doubts_about_keys(self._walk.nan_keys)]
        return list(dict.fromkeys(found))  # of two calls in one line the same is said

    # -- what is shown ------------------------------------------------------------------------------

    def _ids(self, source: RddSource) -> Any:
        """An RDD of the places of a source's records on the trace, each once."""
        return self._walk.ids(source.operator)

    @cached_property
    def _once(self) -> OnePass | None:
        """What one pass over the only source tells, where that is enough."""
        if len(self._sources) != 1:
            return None
        (source,) = self._sources
        found = one_pass(self._rows, self._where, source, self._walk.annotator)
        if found is not None:
            source.know_counts(lambda: found.totals)
        return found

    def _summary(self, source: RddSource) -> Summary:
        """How many of a source's records there are, and the first of them."""
        if self._once is not None:
            return self._once.summary
        return self._walk.summaries.get(source.operator, Summary())

    def _count(self, source: RddSource) -> int:
        return self._summary(source).count

    def _values(self, source: RddSource, places: list[tuple[int, int]]) -> list[tuple[tuple[int, int], Any]]:
        wanted: dict[int, set[int]] = {}
        for partition, place in places:
            wanted.setdefault(partition, set()).add(place)
        if not wanted:
            return []
        picking = source.rdd.mapPartitionsWithIndex(placing.picked(wanted))
        return list(self._context.runJob(picking, workers.itself, sorted(wanted)))

    def _distributed_records(self, source: RddSource) -> Any:
        places = self._ids(source).map(workers.with_nothing)
        every = source.rdd.mapPartitionsWithIndex(placing.placed)
        found = every.join(places).mapValues(workers.first_of)
        return found.map(placing.located(source.first_positions(), source.whole_files))

    def _files(self, source: RddSource) -> list[str]:
        with self._asking("files"):
            if source.whole_files:
                found = source.rdd.mapPartitionsWithIndex(placing.placed).join(
                    self._ids(source).map(workers.with_nothing)
                )
                return source.files((), [[path] for path in found.map(placing.path_of).distinct().collect()])
            if source.splits is None:
                return []
            return source.files(self._summary(source).partitions)

    def _marked(self, segments: list[Segment], marks: Marks) -> Any:
        narrowed = []
        for segment in segments:
            for top, frozen in segment.tops:
                if segment.kept is None:
                    marked = self._walk.annotator.annotated(top, frozen, marks)
                elif marks.kept is None:
                    marked = self._walk.annotator.kept[segment.kept]
                else:
                    raise BigDebugError(
                        f"what is below {segment.kept.described()} comes in another order each time, so that "
                        "its elements can't be shown",
                        hint="the records of the sources can be: trace.collect()",
                    )
                narrowed.append(segment.narrow(marked))
        return self._context.union(narrowed) if len(narrowed) > 1 else narrowed[0]

    def _step_records(self, operator: RddOperator) -> Any:
        mark = mark_of(operator)
        segments = [
            segment
            for segment in self._walk.segments
            if any(each is operator for each, _ in segment.operators())
        ]
        with self._asking("elements of a step"):
            marked = self._marked(segments, Marks(kept=operator)).flatMap(workers.ids_of(mark))
            return marked.map(placing.place_and_element).reduceByKey(workers.left_of).values()

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


def know_what_is_counted(sources: Sequence[RddSource], walk: Walk) -> None:
    """Have sources know how many records a walk saw in them."""
    for source in sources:
        source.know_counts(partial(walk.annotator.counted, source.operator))


def contributing_in_order(root: RddOperator) -> list[RddOperator]:
    """All operators that elements may stem from, in the order that the program names them."""
    seen: dict[RddOperator, None] = {}
    waiting = [root]
    while waiting:
        operator = waiting.pop()
        if operator not in seen:
            seen[operator] = None
            waiting += reversed(contributing(operator))
    return list(seen)


def require_understood(root: RddOperator) -> None:
    """Raises UnsupportedOperatorError where an operator can't be traced; says which, and where it stands."""
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
                "method whose lineage isn't understood (a barrier stage)",
                hint="attach before the RDD is made, and make it with the methods of SparkContext and RDD",
            )
