"""Forward traces: from source records to the output rows that they went into."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from pyspark.sql import Column, DataFrame

from bigdebug.lineage.annotated import Annotated
from bigdebug.lineage.asking import asking
from bigdebug.lineage.certainty import doubts
from bigdebug.lineage.described import Described, Description, trace_description
from bigdebug.lineage.errors import BigDebugError, UnknownNameError
from bigdebug.lineage.estimate import bytes_read
from bigdebug.lineage.finding import find_source
from bigdebug.lineage.flags import Flagging, takes_job
from bigdebug.lineage.found import Source, Step
from bigdebug.lineage.identity import SourceLeaf
from bigdebug.lineage.location import Location, TracedRecord
from bigdebug.lineage.operators import KEEPING, Operator
from bigdebug.lineage.output import Output
from bigdebug.lineage.questions import Question
from bigdebug.lineage.records import as_dict, place_of
from bigdebug.lineage.segments import local_relation
from bigdebug.lineage.where import rows_where


@dataclass(frozen=True)
class Reached:
    """The rows of an output, or of one of its operators, that records went into.

    Args:
        question: about the output.
        flagging: knows the records.
        operator: whose rows.
    """

    question: Question
    flagging: Flagging
    operator: Operator

    def frame(self) -> DataFrame:
        """The operator's columns, one row a row reached."""
        catalyst = self.question.catalyst
        annotated = self.flagging.annotate(self.operator)
        columns = catalyst.output(self.operator.plan)
        return catalyst.frame(catalyst.project(columns, self._narrowed(annotated)))

    def count(self) -> int:
        """How many rows."""
        annotated = self.flagging.annotate(self.operator)
        catalyst = self.question.catalyst
        return int(catalyst.frame(catalyst.project([], self._narrowed(annotated))).count())

    def files(self) -> list[str]:
        """None: what an action gave stands in no file that a trace knows of."""
        return []

    def collect(self, name: str, limit: int) -> list[TracedRecord]:
        rows = self.frame().limit(limit).collect()
        return [TracedRecord(name, Location(None, None), as_dict(row)) for row in rows]

    def _narrowed(self, annotated: Annotated) -> Any:
        catalyst = self.question.catalyst
        reached = self.flagging.is_reached(annotated)
        if reached is None:
            return local_relation(catalyst, annotated.plan.output(), catalyst.seq([]))
        return catalyst.filter(reached, annotated.plan)


@dataclass(frozen=True)
class Named:
    """An output's name, for finding it by."""

    name: str


class ForwardTrace(Described):
    """The output rows that source records went into. Immutable; runs its jobs when it is first asked.

    Has the face of a backward `Trace`; its `sources` are the outputs reached.

    Attributes:
        source: the name of the source it starts from.

    Args:
        start: a question that holds the source, and the source.
        questions: about the outputs that read the records, each with the output, if there was an action, and
            the leaves of the question that hold the records.
        where: which records of the source; None for all.
        notes: what is already known to make it inexact.
    """

    def __init__(
        self,
        start: tuple[Question, SourceLeaf],
        questions: Sequence[tuple[Question, Output | None, Sequence[SourceLeaf]]],
        where: str | Column | None = None,
        notes: Sequence[str] = (),
    ) -> None:
        self._known_doubts = notes
        first, leaf = start
        self.source = leaf.name
        self._start = Reached(first, _flagging(first, [leaf], where), leaf.operator)
        self._outputs = []
        for question, output, leaves in questions:
            flagging = _flagging(question, leaves, where)
            flagging.check(question.root)
            if not any(map(takes_job, question.root.walk())):
                flagging.annotate(question.root)  # what can't be traced is said now, not at the first job
            self._outputs.append((question, output, flagging))

    @cached_property
    def matched(self) -> int:
        """How many records of the source the trace starts from."""
        with asking(self._start.question.catalyst, "matching records"):
            return self._start.count()

    @cached_property
    def sources(self) -> list[Source]:
        """The outputs reached, with the number of their rows; an output that isn't reached has none."""
        found = []
        for question, output, flagging in self._outputs:
            reached = Reached(question, flagging, question.root)
            with asking(question.catalyst, "rows reached"):
                count = reached.count()
            site = output.call_site if output else question.root.call_site
            found.append(Source(_name(output), "output", site, count, reached))
        return found

    @cached_property
    def steps(self) -> list[Step]:
        """The operators on the way, from the source up to the outputs."""
        return [step for each in self._outputs for step in _steps(each[0], each[2])]

    def records(self, source: str | None = None) -> DataFrame:
        """The rows of an output that were reached: its columns, and an empty struct `_record`.

        Args:
            source: name of the output; may be left out where there is only one.
        """
        chosen = self._chosen(source)
        return chosen.frame().withColumn("_record", place_of(None, None))

    def collect(self, limit: int = 1000) -> list[TracedRecord]:
        """Up to `limit` rows of each output reached."""
        return [row for source in self.sources for row in self.collect_source(source.name, limit)]

    def collect_source(self, source: str, limit: int = 1000) -> list[TracedRecord]:
        """Up to `limit` rows of one output."""
        chosen = self._chosen(source)
        with asking(chosen.question.catalyst, "rows reached"):
            return chosen.collect(source, limit)

    @property
    def exact(self) -> bool:
        """Whether these are just the rows that the records went into, told for sure."""
        return not self._doubts

    @property
    def notes(self) -> list[str]:
        """Why the trace isn't exact, and what else a person must know about it."""
        several = len(self._outputs) > 1
        compared = [
            f"{_name(output)}: {note}" if several else note
            for (question, output, _), own in zip(self._outputs, self._doubts_by_output, strict=True)
            if own and question.comparison is not None
            for note in question.comparison.notes
        ]
        return [*self._doubts, *compared]

    @property
    def bytes(self) -> int:
        """The most that one pass over the sources reads."""
        return sum(
            bytes_read(question.catalyst, question.sources.values()) for question, _, _ in self._outputs
        )

    @property
    def _doubts(self) -> list[str]:
        found = (doubt for own in self._doubts_by_output for doubt in own)
        return list(dict.fromkeys([*self._known_doubts, *found]))

    @cached_property
    def _doubts_by_output(self) -> list[list[str]]:
        """What makes each output inexact: one that nothing does needs no comparison with the run."""
        found = []
        for question, _, _ in self._outputs:
            with asking(question.catalyst, "what a second run can't tell"):
                own = doubts(question.catalyst, question.root, question.sources.values())
                found.append([*question.notes, *own])
        return found

    def _chosen(self, name: str | None) -> Reached:
        only = name is None and len(self._outputs) == 1
        names = [Named(_name(output)) for _, output, _ in self._outputs]
        chosen = names[0] if only else find_source(names, name or "")
        question, _, flagging = self._outputs[names.index(chosen)]
        return Reached(question, flagging, question.root)

    def _description(self) -> Description:
        return trace_description(self)

    def __repr__(self) -> str:
        reached = ", ".join(_name(output) for _, output, _ in self._outputs)
        return f"<ForwardTrace of {self.source} to {reached or 'no output'}>"


def leaf_asked(question: Question, name: str | None, where: str | Column | None) -> SourceLeaf:
    """The source that a question speaks of: the one named, the only one, or the only one `where` makes sense for.

    Raises:
        UnknownNameError: there is no such source, or more than one.
    """
    leaves = list(question.sources.values())
    if name is not None:
        return find_source(leaves, name)
    if len(leaves) == 1:
        return leaves[0]
    fitting = []
    for leaf in leaves:
        try:
            _condition(question, leaf, where)
        except BigDebugError:
            continue
        fitting.append(leaf)
    if len(fitting) == 1:
        return fitting[0]
    raise UnknownNameError(
        f"{'More than one' if fitting else 'No'} source has the columns of where={str(where)!r}",
        hint=f"name the one you mean with --source: {', '.join(leaf.name for leaf in fitting or leaves)}",
    )


def _flagging(question: Question, leaves: Sequence[SourceLeaf], where: str | Column | None) -> Flagging:
    conditions = {leaf.operator: _condition(question, leaf, where) for leaf in leaves}
    return Flagging(question.catalyst, question.sources, conditions)


def _condition(question: Question, leaf: SourceLeaf, where: str | Column | None) -> Any:
    catalyst = question.catalyst
    if where is None:
        return catalyst.literal(True)
    found = rows_where(catalyst, leaf.operator, where, rows_of=leaf.name)
    if found.condition is None:
        raise BigDebugError(
            f"where={str(where)!r} is no condition on one record of {leaf.name}",
            hint="leave window functions and generators out of it",
        )
    if leaf.pinned is not None:
        pinned = {catalyst.attribute_key(column) for column in leaf.pinned}
        for column in catalyst.items(found.condition.references().toSeq()):
            if catalyst.attribute_key(column) not in pinned:
                raise BigDebugError(
                    f"the run didn't read the column {column.name()} of {leaf.name}, and which of its malformed "
                    "records count depends on the columns read",
                    hint=f"ask by the columns it read: {', '.join(leaf.columns)}",
                )
    return found.condition


def _steps(question: Question, flagging: Flagging) -> Iterator[Step]:
    counts: dict[Operator, int] = {}
    with asking(question.catalyst, "steps"):
        for operator in reversed(list(question.root.walk())):
            if not operator.children or not flagging.annotate(operator).ids or operator.kind == "LocalLimit":
                continue
            reached = Reached(question, flagging, operator)
            below = operator.children[0]
            if operator.kind in KEEPING and below in counts:
                counts[operator] = counts[below]
            else:
                counts[operator] = reached.count()
            yield Step(operator.kind, operator.call_site, counts[operator], partial(_rows, reached))


def _rows(reached: Reached) -> DataFrame:
    return reached.frame()


def _name(output: Output | None) -> str:
    return f"output {output.number}" if output else "the DataFrame"
