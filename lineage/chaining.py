"""Traces that go on through files which an earlier recorded run wrote, to the sources of that run.

Nothing ties a record of a written file to the row that it was, but its values: the trace goes on from all rows
of the earlier output that have the values of a traced record. Where rows are alike that is too many, and a
format without types may give a value back as another; both is told.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

from pyspark.sql import DataFrame

from bigdebug.lineage.annotated import Annotated
from bigdebug.lineage.asking import asking
from bigdebug.lineage.barrier import behind_barrier, holds_sessions
from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.columns import Read
from bigdebug.lineage.errors import BigDebugError, UnreachableError
from bigdebug.lineage.finding import find_source, numbered
from bigdebug.lineage.found import Source, Step
from bigdebug.lineage.identity import SourceLeaf
from bigdebug.lineage.links import Writing, writings, written_by
from bigdebug.lineage.listing import listed_files
from bigdebug.lineage.location import TracedRecord
from bigdebug.lineage.operators import Operator
from bigdebug.lineage.pushdown import unpushed
from bigdebug.lineage.segments import RowSet, fetch, semi_joined
from bigdebug.lineage.store import Store
from bigdebug.lineage.trace import Trace
from bigdebug.lineage.where import RowsOf, Where

# Formats that write and read null and the empty string alike, and trim.
_UNTYPED = frozenset({"csv"})

Follow = Callable[[Writing, RowsOf], Trace]
"""Traces rows of an earlier output."""


@dataclass(frozen=True)
class _Reached:
    """A source of an earlier run that the trace went on to."""

    source: Source
    own_name: str
    trace: Trace


class ChainedTrace(Trace):
    """A trace that goes on through what earlier runs wrote.

    Its `sources` are those of the traced run, followed by those of the earlier runs it goes on to; `steps`, too.

    Args:
        nearest: the trace through the run that was asked about.
        earlier: gives what earlier runs wrote, the latest first.
        follow: traces rows of such an output.
    """

    def __init__(self, nearest: Trace, earlier: Callable[[], list[Writing]], follow: Follow) -> None:
        self._nearest = nearest
        self._earlier = earlier
        self._follow = follow
        self._catalyst = nearest._catalyst
        self._problems: list[str] = []

    @property
    def matched(self) -> int:
        return self._nearest.matched

    @property
    def sources(self) -> list[Source]:
        return [*self._nearest.sources, *(reached.source for reached in self._reached)]

    @property
    def steps(self) -> list[Step]:
        return [*self._nearest.steps, *(step for trace in self._further.values() for step in trace.steps)]

    def records(self, source: str | None = None) -> DataFrame:
        if source is None and not self._reached:
            return self._nearest.records()
        chosen = find_source(self.sources, source or "")
        for reached in self._reached:
            if reached.source is chosen:
                return reached.trace.records(reached.own_name)
        return self._nearest.records(chosen.name)

    def placed_records(self, source: str) -> Any:
        chosen = find_source(self.sources, source)
        for reached in self._reached:
            if reached.source is chosen:
                return reached.trace.placed_records(reached.own_name)
        return self._nearest.placed_records(chosen.name)

    def collect(self, limit: int = 1000) -> list[TracedRecord]:
        found = self._nearest.collect(limit)
        for reached in self._reached:
            found += self._named(reached, limit)
        return found

    def collect_source(self, source: str, limit: int = 1000) -> list[TracedRecord]:
        chosen = find_source(self.sources, source)
        for reached in self._reached:
            if reached.source is chosen:
                return self._named(reached, limit)
        return self._nearest.collect_source(chosen.name, limit)

    @property
    def exact(self) -> bool:
        further = self._further
        return self._nearest.exact and not self._problems and all(trace.exact for trace in further.values())

    @property
    def notes(self) -> list[str]:
        further = [f"{writing}: {note}" for writing, trace in self._further.items() for note in trace.notes]
        return [*self._nearest.notes, *self._problems, *further]

    def narrow(self, seconds: float = 60.0) -> Trace:
        nearest = self._nearest.narrow(seconds)
        return self if nearest is self._nearest else ChainedTrace(nearest, self._earlier, self._follow)

    @property
    def bytes(self) -> int:
        return self._nearest.bytes

    def take_column(self, column: str) -> None:
        self._nearest.take_column(column)

    def take_read(self, read: Read) -> None:
        self._nearest.take_read(read)

    def __repr__(self) -> str:
        return repr(self._nearest)

    # -- how it goes on -----------------------------------------------------------------------------

    @cached_property
    def _further(self) -> dict[Writing, Trace]:
        """The traces through earlier runs; fills in what is to be told."""
        candidates = self._earlier()
        found: dict[Writing, Trace] = {}
        if not candidates:
            return found
        with asking(self._catalyst, "what earlier runs wrote"):
            for leaf, records in self._nearest._records.items():
                if not leaf.in_files or not records.count:
                    continue
                for writing, files in self._written_by(leaf, candidates).items():
                    values, count = self._values(records.frame(), leaf, files)
                    if not count:
                        continue
                    try:
                        trace = self._follow(writing, _having(values, leaf.kind))
                        trace.take_read(partial(self._read_of, leaf))
                        self._compare(leaf, writing, count, trace.matched)
                        found[writing] = trace
                    except BigDebugError as error:
                        self._problems.append(
                            f"{leaf.name} was written by {writing}, through which the trace can't go on: "
                            f"{error.message}"
                        )
        return found

    def _read_of(self, leaf: SourceLeaf, written: list[str]) -> tuple[list[int], list[int]]:
        """What columns that were written are to the rows that the trace starts from."""
        source = next(each for each in self._nearest.sources if each.name == leaf.name)
        read = numbered(leaf.columns)
        places = {name.casefold(): place for place, name in enumerate(written)}
        as_written = {name: places[name.casefold()] for name in read if name.casefold() in places}
        if len(as_written) < len(read) == len(written):  # as `_pairs` has it
            as_written = {name: place for place, name in enumerate(read)}
        values = [as_written[name] for name in source.columns if name in as_written]
        return values, [as_written[name] for name in source.deciding_columns if name in as_written]

    def _written_by(self, leaf: SourceLeaf, candidates: list[Writing]) -> dict[Writing, frozenset[str]]:
        files = leaf.listed or listed_files(self._catalyst, leaf.operator.plan.relation())
        return written_by(files, leaf.table, candidates)

    def _values(self, frame: DataFrame, leaf: SourceLeaf, files: frozenset[str]) -> tuple[RowSet, int]:
        """The values of those records that stand in some files."""
        frame = frame.filter(frame["_record"]["file"].isin(sorted(files))).drop("_record")
        plan = self._catalyst.analyzed(frame)
        fetched = fetch(self._catalyst, plan, self._catalyst.output(plan), valued=False)
        assert fetched is not None
        rows, persisted = fetched
        if persisted is not None:
            weakref.finalize(self, _give_back, persisted)
        return rows, rows.count

    def _compare(self, leaf: SourceLeaf, writing: Writing, count: int, matched: int) -> None:
        if matched < count:
            self._problems.append(
                f"{leaf.name} was written by {writing}; at least {count - matched:,} of its {count:,} records "
                "have values of no row there, and aren't followed"
            )
        elif matched > count:
            self._problems.append(
                f"{leaf.name} was written by {writing}, where {matched:,} rows have the values of its "
                f"{count:,} records: rows that are alike can't be told apart"
            )

    @cached_property
    def _reached(self) -> list[_Reached]:
        pairs = [
            (writing, trace, source) for writing, trace in self._further.items() for source in trace.sources
        ]
        own = [source.name for source in self._nearest.sources]
        names = numbered([*own, *(source.name.partition("#")[0] for _, _, source in pairs)])[len(own) :]
        return [
            _Reached(
                replace(
                    source,
                    name=name,
                    run=source.run or writing.run.run_id,
                    output=source.output or writing.output.number,
                ),
                source.name,
                trace,
            )
            for name, (writing, trace, source) in zip(names, pairs, strict=True)
        ]

    @staticmethod
    def _named(reached: _Reached, limit: int) -> list[TracedRecord]:
        found = reached.trace.collect_source(reached.own_name, limit)
        return [replace(record, source=reached.source.name) for record in found]


def _give_back(persisted: DataFrame) -> None:
    # On a thread of its own: the collector may run in the middle of a call to the JVM.
    threading.Thread(target=persisted.unpersist, daemon=True).start()


def _having(values: RowSet, kind: str) -> RowsOf:
    """Which rows of an earlier output have the values of some records that were read from it."""

    def where(catalyst: Catalyst, root: Operator) -> Where:
        pairs = _pairs(catalyst, catalyst.output(root.plan), catalyst.output(values.plan))

        def conditions(theirs: list[Any]) -> list[Any]:
            return [
                condition
                for mine, ordinal in pairs
                for condition in _alike(catalyst, mine, theirs[ordinal], kind)
            ]

        def narrow(top: Annotated) -> Any:
            plan = catalyst.project_more(top.attributes, top.plan, root.plan)
            if holds_sessions(catalyst, root):
                plan = behind_barrier(catalyst, plan)
            return semi_joined(catalyst, plan, values, conditions)

        return Where(narrow, is_condition=False)

    return RowsOf(where)


def _pairs(catalyst: Catalyst, written: list[Any], read: list[Any]) -> list[tuple[Any, int]]:
    """The columns as they were written, each with the place of the one that it was read as."""
    places = {str(column.name()).casefold(): place for place, column in enumerate(read)}
    named = [
        (column, places[str(column.name()).casefold()])
        for column in written
        if str(column.name()).casefold() in places
    ]
    if len(named) == len(read) or (named and len(written) != len(read)):
        return named
    if len(written) == len(read):  # a text format without a header, or a table that was inserted into
        return [(column, place) for place, column in enumerate(written)]
    raise BigDebugError(
        "the columns that were read aren't those that were written",
        hint="trace in the earlier run, by values of its own columns",
    )


def _alike(catalyst: Catalyst, mine: Any, theirs: Any, kind: str) -> list[Any]:
    """Conditions for a written value to be the one that was read."""
    written, read = str(mine.dataType().catalogString()), str(theirs.dataType().catalogString())
    mine = unpushed(catalyst, mine)
    expressions = catalyst.expressions
    if "map<" in written or "map<" in read:  # Spark compares no maps
        mine, theirs = _cast(catalyst, mine, None), _cast(catalyst, theirs, None)
    elif written != read:
        if _is_text(written):
            mine, theirs = _bare(catalyst, mine, kind), _bare(catalyst, theirs, kind)
            if not _is_text(read):
                mine = _cast(catalyst, mine, theirs.dataType())
        else:
            # As it was written: what was read as text, or as a wider type, has that type's precision.
            nulls = catalyst.same(expressions.IsNull(mine), expressions.IsNull(theirs))
            return [catalyst.same(mine, _cast(catalyst, theirs, mine.dataType())), nulls]
    elif _is_text(written):
        mine, theirs = _bare(catalyst, mine, kind), _bare(catalyst, theirs, kind)
    return [catalyst.same(mine, theirs)]


def _is_text(data_type: str) -> bool:
    return data_type.startswith(("string", "char", "varchar"))


def _bare(catalyst: Catalyst, text: Any, kind: str) -> Any:
    """Text as a format gives it back, whether it is null, empty or in blanks."""
    if kind not in _UNTYPED or not _is_text(str(text.dataType().catalogString())):
        return text
    trimmed = catalyst.expressions.StringTrim(text, catalyst.none)
    empty = catalyst.literal("")
    condition = catalyst.expressions.EqualTo(trimmed, empty)
    return catalyst.expressions.If(condition, catalyst.null(text.dataType()), trimmed)


def _cast(catalyst: Catalyst, expression: Any, data_type: Any | None) -> Any:
    """A cast that gives null for what can't be cast; to text, if no type is named."""
    if data_type is None:
        data_type = catalyst.singleton(catalyst.jvm.org.apache.spark.sql.types, "StringType")
    zone = catalyst.some(catalyst.spark.conf.get("spark.sql.session.timeZone"))
    return catalyst.expressions.Cast(expression, data_type, zone, catalyst.expressions.EvalMode.TRY())


def chained(trace: Trace, store: str, run_id: str | None, before: float) -> Trace:
    """The trace, going on through what earlier runs wrote that are in the same store.

    Args:
        trace: of rows of a run.
        store: where runs are kept.
        run_id: the run; None where it isn't kept.
        before: when the output that is traced began, in seconds since the epoch.
    """
    from bigdebug.lineage.postmortem import Replay, open_output  # which makes such traces itself

    def earlier() -> list[Writing]:
        try:
            return writings(Store(store), run_id, before)
        except UnreachableError:
            return []

    def follow(writing: Writing, rows: RowsOf) -> Trace:
        replay = open_output(writing.run, writing.output, spark=trace._catalyst.spark)
        if not isinstance(replay, Replay):
            raise BigDebugError("it wrote the elements of an RDD, through which traces don't go on yet")
        return replay.trace(rows)

    return ChainedTrace(trace, earlier, follow)
