"""Traces: from output rows back to the source records they came from."""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from typing import Any

from pyspark.sql import Column, DataFrame

from bigdebug.lineage.annotate import Annotator
from bigdebug.lineage.annotated import Annotated, Boundary
from bigdebug.lineage.asking import asking
from bigdebug.lineage.beside import Beside
from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.certainty import doubts
from bigdebug.lineage.columns import ColumnLineage, Read
from bigdebug.lineage.comparison import Comparison
from bigdebug.lineage.described import Described, Description, trace_description
from bigdebug.lineage.estimate import SMALL_BYTES, bytes_read
from bigdebug.lineage.finding import find_source, place_of_column
from bigdebug.lineage.found import Source, Step
from bigdebug.lineage.fusing import fused
from bigdebug.lineage.identity import SourceLeaf
from bigdebug.lineage.index.given import given_groups, given_output, has_run
from bigdebug.lineage.last_digits import doubts_about_sums
from bigdebug.lineage.location import TracedRecord
from bigdebug.lineage.minimizing import told_of
from bigdebug.lineage.narrowing import Narrowed, below_conservative, narrowed
from bigdebug.lineage.operators import ONE_BY_ONE, Operator
from bigdebug.lineage.packed_ids import packings
from bigdebug.lineage.parquet_records import READERS
from bigdebug.lineage.records import SourceRecords
from bigdebug.lineage.segments import Answered, Narrow, Segment, local_relation, matching_keys
from bigdebug.lineage.steps import gives_records_once, steps_of
from bigdebug.lineage.where import RowsOf, rows_where


class Trace(Described):
    """Where the rows of an output came from. Immutable; runs its jobs when it is first asked.

    Args:
        catalyst: of the pinned session.
        root: the dataflow of the output.
        sources: its sources, a leaf each, in the plan's order.
        where: which rows to trace; None for all.
        notes: what is already known to make it inexact.
        comparison: of the rows with those the run gave, made where the trace is inexact.
        beside: what counts as contributors, too.
    """

    def __init__(
        self,
        catalyst: Catalyst,
        root: Operator,
        sources: dict[Operator, SourceLeaf],
        where: str | Column | RowsOf | None = None,
        notes: Sequence[str] = (),
        comparison: Comparison | None = None,
        beside: Beside | None = None,
    ) -> None:
        self._comparison = comparison
        self._catalyst = catalyst
        self._root = root
        self._leaves = sources
        packed = packings(catalyst, sources.values())
        self._annotators = [Annotator(catalyst, sources, beside=beside, packings=packed)]
        if bytes_read(catalyst, sources.values()) <= SMALL_BYTES:
            small = Annotator(catalyst, sources, values=True, beside=beside, packings=packed)
            self._annotators.insert(0, small)
        self._annotator = self._annotators[0]
        self._annotator.check(root)
        self._known_doubts = tuple(notes)
        self._run: list[Segment] = []
        weakref.finalize(self, _release, self._run)
        self._where = rows_where(catalyst, root, where)  # an unknown column is said now, not at the first job
        self._top = Segment(catalyst, self._annotator, root, self._where.narrow)
        self._below_first: Segment | None = None
        self._execution: Any | None = None
        self._read: Read | None = None
        self._values_wanted = False
        self._answered = Answered(catalyst) if beside is not None and beside.windows else None

    # -- the public face ----------------------------------------------------------------------------

    @cached_property
    def matched(self) -> int:
        """How many rows of the output the trace starts from."""
        with asking(self._catalyst, "matching rows"):
            return self._first.rows().count

    @cached_property
    def sources(self) -> list[Source]:
        """The sources, in the plan's order, with the number of their records on the trace."""
        columns = ColumnLineage(self._catalyst, self._root, read=self._read)
        return [
            Source(leaf.name, leaf.kind, leaf.call_site, records.count, records, partial(columns.of, leaf))
            for leaf, records in self._records.items()
        ]

    @cached_property
    def steps(self) -> list[Step]:
        """The operators on the way back, from the output down."""
        with asking(self._catalyst, "steps"):
            return list(steps_of(self._catalyst, self._annotator, self._segments, self._run))

    def records(self, source: str | None = None) -> DataFrame:
        """A source's records on the trace: its columns, and the struct `_record(file, position, partition)`.

        Args:
            source: name or unambiguous stem; may be left out where there is only one source.
        """
        return self._chosen(source).frame()

    def placed_records(self, source: str) -> Any:
        """Those of an RDD's source as plain tuples, as `RddTrace` has them: these sources have columns."""
        raise TypeError(f"records of {source} are rows of a DataFrame")

    def collect(self, limit: int = 1000) -> list[TracedRecord]:
        """Up to `limit` records of each source, by file and position."""
        with asking(self._catalyst, "records"), ThreadPoolExecutor(READERS) as pool:
            begun = [records.begin_collecting(limit, pool) for records in self._records.values()]
            return [record for collected in begun for _, record in collected()]

    @property
    def exact(self) -> bool:
        """Whether the trace holds just the records the rows came from, told for sure."""
        return not self._doubts

    @property
    def notes(self) -> list[str]:
        """Why the trace isn't exact, and what else a person must know about it."""
        compared = self._comparison.notes if self._comparison is not None and self._doubts else []
        return [
            *dict.fromkeys([*self._doubts, *compared]),
            *(note for leaf in self._leaves.values() for note in leaf.notes),
        ]

    def narrow(self, seconds: float = 60.0) -> Trace:
        """A smaller trace where this one is conservative, by replaying the pipeline on parts of its records.

        Functions of whole partitions and recursions may have made a row of any record that they read. Of the
        sources below them the new trace has those records that give the rows asked for again, together with
        the other sources as they are, and none of which can be left out.

        Args:
            seconds: how long to go on at most; what was found by then is the answer.

        Raises:
            BigDebugError: there is too much to be replayed, or the traced records alone don't give the rows again.
        """
        leaves = below_conservative(self._root, self._leaves)
        records = {leaf: found.rows for leaf, found in self._records.items() if leaf in leaves}
        if not any(rows.count for rows in records.values()):
            return self
        with asking(self._catalyst, "a smaller trace"):
            found = narrowed(self._catalyst, self._root, self._where, records, seconds)
        return NarrowedTrace(self, found)

    @property
    def bytes(self) -> int:
        """The most that one pass over the sources reads."""
        return bytes_read(self._catalyst, self._leaves.values())

    def _description(self) -> Description:
        return trace_description(self)

    def __repr__(self) -> str:
        return (
            f"<Trace of {self._root.described()} back to {', '.join(s.name for s in self._leaves.values())}>"
        )

    # -- how it gets there --------------------------------------------------------------------------

    def collect_source(self, source: str, limit: int = 1000) -> list[TracedRecord]:
        """Up to `limit` records of one source."""
        with asking(self._catalyst, "records"):
            return self._chosen(source).collect(limit)

    def take_given(self, execution: Any | None) -> None:
        """Look for the rows in what an execution gave, where Spark still has it, and don't compute them anew.

        Args:
            execution: the JVM `QueryExecution` of the output, whether it has run or not; None if there is none.
        """
        self._execution = execution

    def take_values(self) -> None:
        """Have records of files come with their ids where they are few and go through no shuffle with these.

        They needn't be read again then.
        """
        self._values_wanted = True

    def take_column(self, column: str) -> None:
        """Tell columns of the sources for just one of the output's: those that its values rest on.

        Raises:
            UnknownNameError: the output has no such column.
        """
        place = place_of_column(self._catalyst.names(self._root.plan), column)
        self.take_read(lambda _: ([place], []))

    def take_read(self, read: Read) -> None:
        """Tell columns of the sources for just those of the output that a later run read, and what they were to it."""
        self._read = read

    @property
    def matched_rows(self) -> Annotated:
        """The id columns of the rows that the trace starts from."""
        with asking(self._catalyst, "matching rows"):
            return Annotated(self._first.rows().plan, self._first.ids)

    @property
    def found_records(self) -> dict[SourceLeaf, SourceRecords]:
        """The records on the trace, by source."""
        return self._records

    @cached_property
    def _doubts(self) -> list[str]:
        with asking(self._catalyst, "what a second run can't tell"):
            found = [*self._known_doubts, *doubts(self._catalyst, self._root, self._leaves.values())]
            if self._where.is_condition and self._where.condition is not None:
                found += doubts_about_sums(
                    self._catalyst, self._root, self._where.condition, self._comparison, self._given
                )
        if not found and self._comparison is not None:
            found += self._comparison.python_doubts
        return found

    def _given(self) -> Any | None:
        """A plan of the output's rows that computes nothing; None where there is none."""
        if self._execution is None:
            return None
        return given_output(self._catalyst, self._root, self._execution)

    @cached_property
    def _segments(self) -> list[Segment]:
        """All segments the trace runs through, the output's first."""
        return list(self._descend(self._first))

    @cached_property
    def _first(self) -> Segment:
        """The output's segment, run; with it the one below, where one pass does both."""
        if self._where.is_condition:
            for annotator in self._annotators:
                question = fused(self._catalyst, annotator, self._root, self._where.condition)
                if question is None:
                    break
                self._below_first = question.run(self._catalyst, annotator, self._top)
                if self._below_first is not None:
                    break
        execution = self._execution
        if self._below_first is None and execution is not None and has_run(self._catalyst, execution):
            annotated = self._annotator.annotate(self._root)
            given = given_groups(self._annotator, self._root, annotated, execution)
            if given is not None:
                self._top.take_kept(given)
        self._top.rows()
        return self._top

    def _descend(self, segment: Segment) -> Iterator[Segment]:
        rows = segment.rows()
        self._run.append(segment)
        yield segment
        for column in segment.ids:
            if segment is self._top and self._below_first is not None:
                yield from self._descend(self._below_first)
            elif isinstance(column.origin, Boundary):
                keys = rows.distinct([column.id], key=column.id)
                narrow = _nothing(self._catalyst)
                if keys.count:
                    narrow = matching_keys(self._catalyst, column.origin, keys)
                top = column.origin.input
                annotator = self._annotator
                if self._values_wanted and not annotator.values and _passes_records_on(top, self._leaves):
                    annotator = annotator.with_values()
                below = Segment(self._catalyst, annotator, top, narrow, self._answered)
                if column.origin.kept is not None:
                    below.take_kept(column.origin.kept)
                yield from self._descend(below)

    @cached_property
    def _records(self) -> dict[SourceLeaf, SourceRecords]:
        with asking(self._catalyst, "source records"):
            found = {}
            for segment in self._segments:
                rows = segment.rows()
                for column in segment.ids:
                    if isinstance(column.origin, SourceLeaf):
                        if gives_records_once(self._annotator, segment.top):
                            distinct = rows.columns(column.attributes)
                        else:
                            distinct = rows.distinct(column.attributes, key=column.id)
                        found[column.origin] = SourceRecords(self._catalyst, column.origin, distinct)
            return {leaf: found[leaf] for leaf in self._leaves.values() if leaf in found}

    def _chosen(self, source: str | None) -> SourceRecords:
        leaves = list(self._records)
        if source is None and len(leaves) == 1:
            return self._records[leaves[0]]
        return self._records[find_source(leaves, source or "")]


class NarrowedTrace(Trace):
    """A trace whose records were narrowed by replays; its steps are those of the trace it was made of."""

    def __init__(self, whole: Trace, found: Narrowed) -> None:
        self.__dict__.update(whole.__dict__)
        self.__dict__.pop("sources", None)
        self._whole = whole  # what it keeps in Spark is needed still
        self._found = found
        # Found already, or found by the whole trace when it is asked for.
        self.__dict__["_records"] = {
            leaf: SourceRecords(self._catalyst, leaf, found.rows[leaf]) if leaf in found.rows else records
            for leaf, records in whole._records.items()
        }

    @property
    def notes(self) -> list[str]:
        count = sum(rows.count for rows in self._found.rows.values())
        names = [leaf.name for leaf in self._found.rows]
        told = told_of(self._found.replays, count, names, self._found.minimal)
        return [*self._whole.notes, told]

    @property
    def steps(self) -> list[Step]:
        return self._whole.steps


def _passes_records_on(operator: Operator, sources: Mapping[Operator, SourceLeaf]) -> bool:
    """Whether an operator's rows are records of one source, each as it is read, so to speak: nothing is shuffled."""
    while operator.kind in ONE_BY_ONE:
        operator = operator.child
    return operator in sources


def _release(segments: list[Segment]) -> None:
    """Give back what a trace that nobody holds any more kept in Spark."""
    if any(segment.persisted for segment in segments):
        # On a thread of its own: the collector may run in the middle of a call to the JVM.
        threading.Thread(target=_release_all, args=(list(segments),), daemon=True).start()


def _release_all(segments: list[Segment]) -> None:
    for segment in segments:
        with contextlib.suppress(Exception):  # the session may be gone, and with it what it kept
            segment.release()


def _nothing(catalyst: Catalyst) -> Narrow:
    def narrow(below: Annotated) -> Any:
        return local_relation(catalyst, below.plan.output(), catalyst.seq([]))

    return narrow
