"""Forward traces that RDDs have a part in: from source records to the outputs that they went into."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from bigdebug.lineage.errors import UnknownNameError
from bigdebug.lineage.finding import find_source, numbered
from bigdebug.lineage.forward import ForwardTrace, OutputReached, RowsReached
from bigdebug.lineage.found import Source, Step
from bigdebug.lineage.identity import SourceLeaf
from bigdebug.lineage.location import Location, TracedRecord
from bigdebug.lineage.output import Output
from bigdebug.lineage.questions import Question
from bigdebug.lineage.rdd import flags, placing, workers
from bigdebug.lineage.rdd.carrying import Carrier, Ways
from bigdebug.lineage.rdd.conditions import predicate_of
from bigdebug.lineage.rdd.doubts import doubts_about_taken
from bigdebug.lineage.rdd.frames import Frame
from bigdebug.lineage.rdd.joints import joints_among
from bigdebug.lineage.rdd.mixed import followed, in_order_of_names
from bigdebug.lineage.rdd.operator import RddOperator
from bigdebug.lineage.rdd.reading import RddSource, sources_in
from bigdebug.lineage.rdd.rows import RddRows
from bigdebug.lineage.rdd.some_rows import Given, only_given
from bigdebug.lineage.rdd.trace import require_understood
from bigdebug.lineage.reached import matching_of, unfollowed


class ElementsReached:
    """The elements of an RDD's output that records went into.

    Args:
        rows: what its action was about.
        output: the output.
        carrier: of flags.
    """

    def __init__(self, rows: RddRows, output: Output, carrier: Carrier) -> None:
        require_understood(rows.operator)
        self.name = f"output {output.number}"
        self._rows = rows
        self._output = output
        self._carrier = carrier
        self._ways = Ways(carrier, {rows.operator: rows.frozen})

    def source(self) -> Source:
        return Source(self.name, "output", self._output.call_site, self._count, self)

    def steps(self) -> Iterator[Step]:
        return self._ways.steps()

    def records(self) -> Any:
        name = self.name
        with self._carrier.asking("elements reached"):
            return self._elements.map(lambda element: TracedRecord(name, Location(None, None), element))

    def placed_records(self) -> Any:
        with self._carrier.asking("elements reached"):
            return self._elements.map(placing.without_place)

    def collect(self, limit: int) -> list[TracedRecord]:
        with self._carrier.asking("elements reached"):
            found = self._elements.take(limit)
        return [TracedRecord(self.name, Location(None, None), element) for element in found]

    def doubts(self) -> list[str]:
        self._count  # noqa: B018  # what keys there are is seen on the way
        return [*self._ways.doubts(), *doubts_about_taken(self._rows), *self._given.doubts]

    def compared(self) -> list[str]:
        return []

    def files(self) -> list[str]:
        """None: what an action gave stands in no file that a trace knows of."""
        return []

    @property
    def bytes(self) -> int:
        return self._ways.bytes

    # -- inside -------------------------------------------------------------------------------------

    @cached_property
    def _given(self) -> Given:
        rows = self._rows
        with self._carrier.asking("elements reached"):
            flagger = self._carrier.flagger
            return only_given(rows, flagger.annotated(rows.operator, rows.frozen), flagger)

    @cached_property
    def _elements(self) -> Any:
        return self._given.elements.filter(flags.has_ids).map(workers.element_of)

    @cached_property
    def _count(self) -> int:
        with self._carrier.asking("elements reached"):
            return int(self._elements.count())


@dataclass(frozen=True)
class Program:
    """How an output came about: what of RDDs and DataFrames it is made of.

    Attributes:
        output: the output.
        asked: what its action was about; a question of a DataFrame's rows.
        joints: of a DataFrame, by leaf the operators that made it of RDDs.
    """

    output: Output
    asked: RddRows | Question
    joints: Mapping[SourceLeaf, RddOperator] = field(default_factory=dict)

    @property
    def tops(self) -> list[RddOperator]:
        """The operators of RDDs to begin with."""
        if isinstance(self.asked, RddRows):
            return [self.asked.operator]
        return list(dict.fromkeys(self.joints.values()))

    def reached(self, carrier: Carrier) -> OutputReached | None:
        """What of the output the chosen records of a carrier went into; None where they can't have."""
        if isinstance(self.asked, RddRows):
            if not carrier.leads(self.asked.operator):
                return None
            return ElementsReached(self.asked, self.output, carrier)
        if not carrier.leads_into(self.asked, self.joints):
            return None
        leading = {joint: joint.frozen or {} for joint in self.tops if carrier.leads(joint)}
        flagging = carrier.flagging(self.asked, self.joints)
        return RowsReached(self.asked, self.output, flagging, Ways(carrier, leading) if leading else None)

    def ends(self, carrier: Carrier) -> list[str]:
        """Where it isn't known what it was made of: records may have gone into it that way."""
        own = unfollowed(self.asked) if isinstance(self.asked, Question) else []
        return [*own, *Ways(carrier, {top: {} for top in self.tops}).ends()]


def program_of(context: Any, question: Question, output: Output) -> Program:
    """How a DataFrame's output came about.

    Args:
        context: the SparkContext.
        question: about its rows.
        output: the output.
    """
    joints = joints_among(context, question.sources.values())
    return Program(output, question, followed(joints))


def matching_elements(carrier: Carrier, source: RddOperator) -> Callable[[], int]:
    """What counts the chosen records of a source."""

    def matching() -> int:
        with carrier.asking("matching records"):
            return int(carrier.flagger.reached(source, {}).count())

    return matching


def forward_from_named(
    program: Program,
    frames: Mapping[RddOperator, Frame],
    where: Any,
    source: str | None,
    notes: Sequence[str] = (),
) -> ForwardTrace:
    """A forward trace to one output, from a source that is named, or the only one.

    Args:
        program: the output's.
        frames: the DataFrames below, as `frames_below` found them.
        where: which of the source's records: of one that RDDs read an expression in Python of a record `x`, of
            one of a DataFrame's a condition in SQL; None for all.
        source: its name, or an unambiguous stem.
        notes: what is already known to make it inexact.

    Raises:
        UnknownNameError: there is no such source, or more than one.
        BigDebugError: `where` is no such condition.
    """
    start = _start(program, frames, where, source)
    context = program.tops[0].context
    if isinstance(start.found, RddSource):
        operator = start.found.operator
        carrier = Carrier(context, frames, {operator: predicate_of(where)})
        matching = matching_elements(carrier, operator)
    else:
        leaf, question = start.found
        carrier = Carrier(context, frames, {}, lambda each: each is leaf, where)
        matching = matching_of(question, leaf, where)
    reached = program.reached(carrier)
    assert reached is not None  # it holds the source
    return ForwardTrace(start.name, matching, [reached], notes)


@dataclass(frozen=True)
class _Start:
    name: str
    found: RddSource | tuple[SourceLeaf, Question]


def _start(program: Program, frames: Mapping[RddOperator, Frame], where: Any, source: str | None) -> _Start:
    """The source that is named; the sources are called what they are called in backward traces."""
    order = in_order_of_names(program.tops, dict(frames))
    below = [
        (leaf, frames[each].question)
        for each in order
        if each in frames
        for leaf in frames[each].own_sources()
    ]
    own = []
    if isinstance(program.asked, Question):
        own = [(leaf, program.asked) for leaf in program.asked.sources.values() if leaf not in program.joints]
    every: list[Any] = [*own, *sources_in(order), *below]
    called = [each.name if isinstance(each, RddSource) else each[0].name for each in every]
    names = [*called[: len(own)], *(name.partition("#")[0] for name in called[len(own) :])]
    starts = [_Start(name, each) for name, each in zip(numbered(names), every, strict=True)]
    if source is not None:
        return find_source(starts, source)
    if len(starts) == 1:
        return starts[0]
    raise UnknownNameError(
        "the records of which source isn't said",
        hint=f"name the one you mean with --source: {', '.join(each.name for each in starts)}",
    )
