"""Forward traces: from source records to the output rows that they went into."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, Protocol

from pyspark.sql import Column, DataFrame

from bigdebug.lineage.asking import asking
from bigdebug.lineage.described import Described, Description, trace_description
from bigdebug.lineage.errors import BigDebugError, UnknownNameError
from bigdebug.lineage.estimate import bytes_read
from bigdebug.lineage.finding import find_source
from bigdebug.lineage.flags import Flagging
from bigdebug.lineage.found import Source, Step
from bigdebug.lineage.identity import SourceLeaf
from bigdebug.lineage.location import TracedRecord
from bigdebug.lineage.output import Output
from bigdebug.lineage.questions import Question
from bigdebug.lineage.reached import Reached, condition_on, flagging_of, matching_of, steps_of, unfollowed
from bigdebug.lineage.records import place_of


class Below(Protocol):
    """What a DataFrame is made of beyond joints: programs of RDDs."""

    def steps(self) -> Iterable[Step]:
        """The operators on the way there, from the source up."""

    def doubts(self) -> Iterable[str]:
        """Why another run may give other rows there."""

    @property
    def bytes(self) -> int:
        """The most that one pass over the sources there reads."""


class OutputReached(Protocol):
    """An output that records may have gone into: of a DataFrame or of an RDD."""

    @property
    def name(self) -> str: ...

    def source(self) -> Source:
        """The output, with the number of its rows that were reached."""

    def steps(self) -> Iterable[Step]:
        """The operators on the way, from the source up to the output."""

    def records(self) -> Any:
        """The rows reached: a DataFrame or an RDD."""

    def placed_records(self) -> Any:
        """Those of an RDD as tuples (file, position, partition, record): without a place."""

    def collect(self, limit: int) -> list[TracedRecord]:
        """Up to `limit` of the rows reached."""

    def doubts(self) -> list[str]:
        """Why the rows may be others the next time."""

    def compared(self) -> list[str]:
        """How the rows compare with those that the run gave; nothing where that isn't known."""

    @property
    def bytes(self) -> int:
        """The most that one pass over the sources reads."""


class RowsReached:
    """The rows of a DataFrame's output that records went into.

    Args:
        question: about the output.
        output: the output; None of a DataFrame as it is.
        flagging: knows the records.
        below: what it is made of beyond joints.
    """

    def __init__(
        self, question: Question, output: Output | None, flagging: Flagging, below: Below | None = None
    ) -> None:
        flagging.check(question.root)
        if not flagging.takes_job(question.root):
            flagging.annotate(question.root)  # what can't be traced is said now, not at the first job
        self.name = f"output {output.number}" if output else "the DataFrame"
        self._question = question
        self._output = output
        self._flagging = flagging
        self._below = below
        self._reached = Reached(question, flagging, question.root)

    def source(self) -> Source:
        with asking(self._question.catalyst, "rows reached"):
            count = self._reached.count()
        site = self._output.call_site if self._output else self._question.root.call_site
        return Source(self.name, "output", site, count, self._reached)

    def steps(self) -> Iterator[Step]:
        if self._below is not None:
            yield from self._below.steps()
        yield from steps_of(self._question, self._flagging)

    def records(self) -> DataFrame:
        with asking(self._question.catalyst, "rows reached"):
            return self._reached.frame().withColumn("_record", place_of(None, None))

    def placed_records(self) -> Any:
        raise TypeError("rows of a DataFrame have columns")

    def collect(self, limit: int) -> list[TracedRecord]:
        with asking(self._question.catalyst, "rows reached"):
            return self._reached.collect(self.name, limit)

    def doubts(self) -> list[str]:
        question = self._question
        found = [*question.doubts(), *unfollowed(question)]
        if self._below is not None:
            self._flagging.annotate(question.root)  # what keys there are is seen on the way
            found += self._below.doubts()
        return found

    def compared(self) -> list[str]:
        return self._question.comparison.notes if self._question.comparison is not None else []

    @property
    def bytes(self) -> int:
        own = bytes_read(self._question.catalyst, self._question.sources.values())
        return own + (self._below.bytes if self._below is not None else 0)


class ForwardTrace(Described):
    """The rows of outputs that source records went into. Immutable; runs its jobs when it is first asked.

    Has the face of a backward `Trace`; its `sources` are the outputs reached.

    Attributes:
        source: the name of the source it starts from.

    Args:
        source: that name.
        matching: counts the records that the trace starts from.
        outputs: those that the records may have gone into.
        notes: what is already known to make it inexact.
    """

    def __init__(
        self,
        source: str,
        matching: Callable[[], int],
        outputs: Sequence[OutputReached],
        notes: Sequence[str] = (),
    ) -> None:
        self.source = source
        self._matching = matching
        self._outputs = list(outputs)
        self._known_doubts = notes

    @cached_property
    def matched(self) -> int:
        """How many records of the source the trace starts from."""
        return self._matching()

    @cached_property
    def sources(self) -> list[Source]:
        """The outputs reached, with the number of their rows; an output that isn't reached has none."""
        return [output.source() for output in self._outputs]

    @cached_property
    def steps(self) -> list[Step]:
        """The operators on the way, from the source up to the outputs; each once for an output."""
        return [step for output in self._outputs for step in output.steps()]

    def records(self, source: str | None = None) -> Any:
        """The rows of an output that were reached.

        Args:
            source: name of the output; may be left out where there is only one.

        Returns:
            Of a DataFrame's output a DataFrame: its columns, and an empty struct `_record`. Of an RDD's an RDD of
            `TracedRecord`s: Spark's workers need bigdebug for it.
        """
        return self._chosen(source).records()

    def placed_records(self, source: str) -> Any:
        """Those of an RDD's output as plain tuples, as `RddTrace` has them: without a place."""
        return self._chosen(source).placed_records()

    def collect(self, limit: int = 1000) -> list[TracedRecord]:
        """Up to `limit` rows of each output reached."""
        return [row for output in self._outputs for row in output.collect(limit)]

    def collect_source(self, source: str, limit: int = 1000) -> list[TracedRecord]:
        """Up to `limit` rows of one output."""
        return self._chosen(source).collect(limit)

    @property
    def exact(self) -> bool:
        """Whether these are just the rows that the records went into, told for sure."""
        return not self._doubts

    @property
    def notes(self) -> list[str]:
        """Why the trace isn't exact, and what else a person must know about it."""
        several = len(self._outputs) > 1
        compared = [
            f"{output.name}: {note}" if several else note
            for output, own in zip(self._outputs, self._doubts_by_output, strict=True)
            if own
            for note in output.compared()
        ]
        return [*self._doubts, *compared]

    @property
    def bytes(self) -> int:
        """The most that one pass over the sources reads."""
        return sum(output.bytes for output in self._outputs)

    @property
    def _doubts(self) -> list[str]:
        found = (doubt for own in self._doubts_by_output for doubt in own)
        return list(dict.fromkeys([*self._known_doubts, *found]))

    @cached_property
    def _doubts_by_output(self) -> list[list[str]]:
        """What makes each output inexact: one that nothing does needs no comparison with the run."""
        return [output.doubts() for output in self._outputs]

    def _chosen(self, name: str | None) -> OutputReached:
        only = name is None and len(self._outputs) == 1
        return self._outputs[0] if only else find_source(self._outputs, name or "")

    def _description(self) -> Description:
        return trace_description(self)

    def __repr__(self) -> str:
        reached = ", ".join(output.name for output in self._outputs)
        return f"<ForwardTrace of {self.source} to {reached or 'no output'}>"


def forward_trace(
    start: tuple[Question, SourceLeaf],
    questions: Sequence[tuple[Question, Output | None, Sequence[SourceLeaf]]],
    where: str | Column | None = None,
) -> ForwardTrace:
    """A forward trace through DataFrames alone.

    Args:
        start: a question that holds the source, and the source.
        questions: about the outputs that read the records, each with the output, if there was an action, and
            the leaves of the question that hold the records.
        where: which records of the source; None for all.
    """
    question, leaf = start
    outputs = [
        RowsReached(each, output, flagging_of(each, leaves, where)) for each, output, leaves in questions
    ]
    return ForwardTrace(leaf.name, matching_of(question, leaf, where), outputs)


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
            condition_on(question, leaf, where)
        except BigDebugError:
            continue
        fitting.append(leaf)
    if len(fitting) == 1:
        return fitting[0]
    raise UnknownNameError(
        f"{'More than one' if fitting else 'No'} source has the columns of where={str(where)!r}",
        hint=f"name the one you mean with --source: {', '.join(leaf.name for leaf in fitting or leaves)}",
    )
