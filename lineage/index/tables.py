"""Which tables an index of a dataflow has, as Spark plans."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from bigdebug.lineage.annotate import Annotator
from bigdebug.lineage.annotated import Annotated, Boundary, IdColumn
from bigdebug.lineage.barrier import is_session_window
from bigdebug.lineage.catalyst import Catalyst, class_name
from bigdebug.lineage.identity import SourceLeaf
from bigdebug.lineage.index.given import given_rows
from bigdebug.lineage.index.manifest import IdColumns, IndexedStep
from bigdebug.lineage.index.names import AT, COMPARABLE, KEY, NUMBER
from bigdebug.lineage.keys import hashed_key
from bigdebug.lineage.operators import Operator
from bigdebug.lineage.questions import Question
from bigdebug.lineage.rdd.frames import Numbered, numbered_rows
from bigdebug.lineage.segments import local_relation, wrapped
from bigdebug.lineage.steps import Marking, gives_all_records, gives_records_once, steps_within


@dataclass(frozen=True)
class SegmentTable:
    """The table of a segment, to be written.

    Attributes:
        plan: JVM plan of its rows.
        keyed: it has the key's columns.
        sessions: a session is part of its key, and when a row's own window starts a column of it.
        sorted_by: names of the columns that each of its files is to be sorted by.
        unique: no two of its rows have the same ids.
        counts: number of the source each of whose records is in one of its rows, or None.
        ids: its id columns.
        steps: its operators.
        columns: for the output's segment, what its columns are stored as; None for those that aren't kept.
    """

    plan: Any
    keyed: bool
    sessions: bool
    sorted_by: tuple[str, ...]
    unique: bool
    counts: int | None
    ids: tuple[IdColumns, ...]
    steps: tuple[IndexedStep, ...]
    columns: tuple[str | None, ...] = ()


class Tables:
    """The tables of a question's dataflow.

    Args:
        question: about all rows of an output.
        hidden: tells of an attribute whether its values must not be stored.
        execution: the JVM `QueryExecution` that gave the output's rows, where it has just run.
        numbers: the rows are found again by their numbers, in place of conditions on their columns.
    """

    def __init__(
        self, question: Question, hidden: Any, execution: Any | None = None, *, numbers: bool = False
    ) -> None:
        self._question = question
        self._catalyst = question.catalyst
        self._hidden = hidden
        self._execution = execution
        self._leaves = list(question.sources.values())
        self._annotator = Marking(Annotator(question.catalyst, question.sources))
        self._annotator.check(question.root)
        self._numbers = numbers

    @cached_property
    def numbered(self) -> Numbered:
        """The rows with their numbers, computed once."""
        return numbered_rows(self._annotator, self._question.root)

    def segments(self) -> Iterator[SegmentTable]:
        """The output's first, then those below boundaries, each after the one that leads to it."""
        waiting: list[Boundary | None] = [None]
        for boundary in waiting:  # which grows on the way
            top = self._question.root if boundary is None else boundary.input
            if boundary is None and self._numbers:
                annotated = self.numbered.annotated
            else:
                annotated = boundary.kept if boundary and boundary.kept else self._annotator.annotate(top)
            numbers = []
            for column in annotated.ids:
                numbers.append(len(waiting) if isinstance(column.origin, Boundary) else None)
                if isinstance(column.origin, Boundary):
                    waiting.append(column.origin)
            yield self._table(top, boundary, annotated, numbers)

    def _table(
        self, top: Operator, boundary: Boundary | None, annotated: Annotated, numbers: list[int | None]
    ) -> SegmentTable:
        catalyst = self._catalyst
        columns: list[Any] = []
        stored: tuple[str | None, ...] = ()
        keyed = sessions = False
        plan = annotated.plan
        given = None
        if top.kind == "Tail":
            # Spark finds the last rows where it hands them to the program, and nowhere else.
            rows = wrapped(catalyst, catalyst.rows(plan))
            plan = local_relation(catalyst, plan.output(), rows)
        if boundary is None and self._numbers:
            stored = (None,) * len(catalyst.output(top.plan))
            columns.append(catalyst.alias(self.numbered.number, NUMBER))
        elif boundary is None:
            output = catalyst.output(top.plan)
            stored = tuple(self._stored(i, column) for i, column in enumerate(output))
            if self._execution is not None:
                given = given_rows(catalyst, self._annotator, top, annotated.ids, self._execution)
            if given is not None:
                plan, output = given.plan, given.columns
            columns += [
                catalyst.alias(column, name)
                for column, name in zip(output, stored, strict=True)
                if name is not None
            ]
        elif boundary.grouping:
            keyed = True
            window, others = _split(boundary.grouping, boundary.grouping)
            hashes = hashed_key(catalyst, others)
            columns += [catalyst.alias(each, name) for each, name in zip(hashes, KEY, strict=True)]
            if window is not None:
                # Spark merges each row's own window into the session's: a row belongs where its window starts.
                sessions = True
                columns.append(catalyst.alias(_instant(catalyst, window, 0), AT))
        ids = []
        for i, (column, number) in enumerate(zip(annotated.ids, numbers, strict=True)):
            parts = list(self._parts(column)) if given is None else given.keys[i] or [self._truth]
            names = tuple(f"i{i}_{j}" for j in range(len(parts)))
            columns += [catalyst.alias(part, name) for part, name in zip(parts, names, strict=True)]
            source = self._leaves.index(column.origin) if isinstance(column.origin, SourceLeaf) else None
            ids.append(IdColumns(names, source, number))
        steps = tuple(
            IndexedStep(operator.kind, operator.call_site, below)
            for operator, below in steps_within(self._annotator, top, annotated.ids)
        )
        return SegmentTable(
            catalyst.project(columns, plan),
            keyed,
            sessions,
            (*KEY[:1], AT) if sessions else KEY[:1] if keyed else self._sorting(annotated, stored),
            gives_records_once(self._annotator, top),
            ids[0].source if gives_all_records(self._annotator, top) else None,
            tuple(ids),
            steps,
            stored,
        )

    @property
    def _truth(self) -> Any:
        return self._catalyst.literal(True)

    def _stored(self, number: int, column: Any) -> str | None:
        kind = str(column.dataType().catalogString())
        plain = kind.partition("(")[0] in COMPARABLE
        # A column's metadata may say that it is padded, which decides what it is equal to.
        if not plain or self._hidden(column) or "CHAR_VARCHAR" in str(column.metadata().json()):
            return None
        return f"c{number}"

    def _sorting(self, annotated: Annotated, stored: tuple[str | None, ...]) -> tuple[str, ...]:
        """The columns that tell the output's rows apart, where it is an aggregate's: what people ask by."""
        catalyst = self._catalyst
        output = catalyst.output(self._question.root.plan)
        keys = {
            catalyst.attribute_key(expression)
            for column in annotated.ids
            if isinstance(column.origin, Boundary)
            for expression in column.origin.grouping
            if class_name(expression) == "AttributeReference"
        }
        return (
            tuple(
                name
                for name, column in zip(stored, output, strict=True)
                if name is not None and catalyst.attribute_key(column) in keys
            )[:1]
            if stored
            else ()
        )

    def _parts(self, column: IdColumn) -> Iterator[Any]:
        """What is stored of an id: numbers, all null where the id is."""
        catalyst = self._catalyst
        origin = column.origin
        if isinstance(origin, SourceLeaf) and origin.identified_by_file:
            file = catalyst.expressions.XxHash64(catalyst.seq([catalyst.field(column.id, 0)]))
            parts = [file, catalyst.field(column.id, 1)]
        elif isinstance(origin, Boundary):
            if not origin.grouping:
                # Every row of the segment below is meant, where one is: there is nothing to look up.
                parts = [self._truth]
            else:
                fields = [catalyst.field(column.id, i) for i in range(len(origin.grouping))]
                window, others = _split(origin.grouping, fields)
                parts = list(hashed_key(catalyst, others))
                if window is not None:
                    parts += [_instant(catalyst, window, 0), _instant(catalyst, window, 1)]
        else:
            parts = [column.id]
        for part in parts:
            if column.id.nullable():
                absent = catalyst.expressions.IsNull(column.id)
                part = catalyst.expressions.If(absent, catalyst.null(part.dataType()), part)
            yield part


def _split(grouping: Sequence[Any], fields: Sequence[Any]) -> tuple[Any | None, list[Any]]:
    """The part of a key that is a session's window, if one is (Spark allows no second), and the others.

    Args:
        grouping: the grouping expressions.
        fields: in their order, the key's parts.
    """
    window = None
    others = []
    for expression, part in zip(grouping, fields, strict=True):
        if is_session_window(expression):
            window = part
        else:
            others.append(part)
    return window, others


def _instant(catalyst: Catalyst, window: Any, end: int) -> Any:
    """When a window starts, or ends, in microseconds: exact for timestamps with and without a time zone."""
    field = catalyst.field(window, end)
    long_type = catalyst.singleton(catalyst.jvm.org.apache.spark.sql.types, "LongType")
    return catalyst.expressions.PreciseTimestampConversion(field, field.dataType(), long_type)
