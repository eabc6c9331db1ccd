"""Traces that go through RDDs and DataFrames, as often as a program goes from one to the other."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

from bigdebug.lineage.beside import Beside
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.finding import find_source, numbered
from bigdebug.lineage.found import Source, Step
from bigdebug.lineage.identity import SourceLeaf
from bigdebug.lineage.location import TracedRecord
from bigdebug.lineage.operators import NodeLookup
from bigdebug.lineage.rdd.annotator import Annotator, contributing
from bigdebug.lineage.rdd.doubts import doubts_about, doubts_about_taken
from bigdebug.lineage.rdd.frames import Frame, take_elements_once
from bigdebug.lineage.rdd.kinds import INTO_FRAME, OF_FRAME
from bigdebug.lineage.rdd.operator import RddOperator
from bigdebug.lineage.rdd.reading import sources_in
from bigdebug.lineage.rdd.rows import RddRows
from bigdebug.lineage.rdd.trace import RddTrace, know_what_is_counted, require_understood
from bigdebug.lineage.rdd.walk import Predicate, Walk, release_walk

Frames = dict[RddOperator, Frame]


def frames_below(
    tops: Iterable[RddOperator],
    lookup: NodeLookup,
    beside: Beside | None = None,
    known: Mapping[RddOperator, Frame] | None = None,
) -> Frames:
    """The DataFrames that programs of RDDs are made of, and those that these are made of in turn.

    Args:
        tops: the operators to begin with.
        lookup: gives the recorded node of a tag's value.
        beside: what counts as contributors, too.
        known: such as have been found before, with all below them; what is given back holds them, too.

    Raises:
        BigDebugError: one of the DataFrames can't be traced.
    """
    found: Frames = dict(known or {})
    waiting = list(tops)
    while waiting:
        for operator in waiting.pop().walk():
            if operator.kind == OF_FRAME and operator not in found:
                found[operator] = frame = Frame(operator, lookup, beside)
                frame.joints = followed(frame.joints)
                waiting += frame.joints.values()
    for operator in sorted(found.keys() - (known or {}).keys(), key=lambda each: each.serial):
        operator.in_order = found[operator].in_order()
    return found


def followed(joints: Mapping[SourceLeaf, RddOperator]) -> dict[SourceLeaf, RddOperator]:
    """Those joints where a trace goes on from a DataFrame to its RDD; the leaves of the others say why it doesn't."""
    return {leaf: joint for leaf, joint in joints.items() if not ends_there(leaf, joint)}


def ends_there(leaf: SourceLeaf, joint: RddOperator) -> bool:
    """Whether a trace can't go on from a DataFrame to its RDD; the leaf says why."""
    try:
        require_understood(joint)
    except BigDebugError as error:
        leaf.end_here(f"a DataFrame of an RDD: {error.message}")
        return True
    return False


@dataclass(frozen=True)
class _OfFrame:
    """A source of a DataFrame that the trace goes through."""

    name: str
    frame: Frame
    leaf: SourceLeaf


class MixedTrace(RddTrace):
    """A trace of elements that goes on through DataFrames.

    Args:
        tops: the operator of the elements; of a question about a DataFrame above, those that made DataFrames.
        frames: the DataFrames below, as `frames_below` found them.
        rows: what was asked about; None for a question about a DataFrame above.
        where: a function of an element that says whether to trace it; None for all.
        notes: what is already known to make it inexact.
        seeds: of a question about a DataFrame above, the ids on the trace by operator.
        annotator: that of another trace of the same program, whose ids are the same then.

    Attributes:
        tops, frames: these.
    """

    def __init__(
        self,
        tops: Sequence[RddOperator],
        frames: Frames,
        rows: RddRows | None = None,
        where: Predicate | None = None,
        notes: tuple[str, ...] = (),
        seeds: Callable[[], Mapping[RddOperator, Any]] = dict,
        annotator: Annotator | None = None,
    ) -> None:
        for top in tops:
            require_understood(top)
        self.tops = tuple(tops)
        self.frames = frames
        self._root = tops[0]
        self._context = tops[0].context
        order = in_order_of_names(tops, frames)
        self._sources = sources_in(order)
        self._frames = [frames[each] for each in order if each.kind == OF_FRAME]
        joints = [each for each in order if each.kind == INTO_FRAME]
        doubts = [doubt for top in dict.fromkeys([*tops, *joints]) for doubt in doubts_about(top)]
        if rows is not None:
            doubts += doubts_about_taken(rows)
        self._static_doubts = [*notes, *dict.fromkeys(doubts)]
        self._walk = Walk(rows, where, self._context, frames, seeds, annotator)
        know_what_is_counted(self._sources, self._walk)
        for frame in frames.values():
            take_elements_once(self._walk.annotator, frame.trace._catalyst, frame.joints)
        weakref.finalize(self, release_walk, self._walk)

    # -- the public face ----------------------------------------------------------------------------

    @cached_property
    def sources(self) -> list[Source]:
        """The sources, those of RDDs first, with the number of their records on the trace."""
        own = super().sources
        with self._asking("source records"):
            self._walk.segments  # noqa: B018  # tells the DataFrames which of their rows are on the trace
            return [*own, *(replace(_found(each), name=each.name) for each in self._of_frames)]

    @property
    def frame_sources(self) -> list[tuple[str, SourceLeaf]]:
        """The sources of DataFrames, and what they are called."""
        return [(each.name, each.leaf) for each in self._of_frames]

    @property
    def names(self) -> list[str]:
        """What the sources are called."""
        return [*(each.name for each in self._sources), *(each.name for each in self._of_frames)]

    @cached_property
    def steps(self) -> list[Step]:
        """The operators on the way back, from the output down."""
        with self._asking("steps"):
            found = {each: [step] for each, step in self._steps_by_operator().items()}
            for frame in self._frames:
                count = frame.trace.matched
                if count:
                    operator = frame.operator
                    own = Step(operator.label, operator.call_site, count, partial(_elements, frame))
                    found[operator] = [own, *frame.trace.steps]
            return [step for each in sorted(found, key=lambda each: -each.serial) for step in found[each]]

    def records(self, source: str | None = None) -> Any:
        """A source's records on the trace: of an RDD's an RDD of `TracedRecord`s, of a DataFrame's a DataFrame."""
        chosen = self._either(source)
        if not isinstance(chosen, _OfFrame):
            return super().records(chosen.name)
        with self._asking("source records"):
            self._walk.segments  # noqa: B018
            return chosen.frame.trace.records(chosen.leaf.name)

    def collect(self, limit: int = 1000) -> list[TracedRecord]:
        """Up to `limit` records of each source, by file and position."""
        every: list[Any] = [*self._sources, *self._of_frames]
        return [record for source in every for record in self.collect_source(source.name, limit)]

    def collect_source(self, source: str, limit: int = 1000) -> list[TracedRecord]:
        """Up to `limit` records of one source."""
        chosen = self._either(source)
        if not isinstance(chosen, _OfFrame):
            return super().collect_source(chosen.name, limit)
        with self._asking("records"):
            self._walk.segments  # noqa: B018
            found = chosen.frame.trace.collect_source(chosen.leaf.name, limit)
            return [replace(record, source=chosen.name) for record in found]

    @property
    def exact(self) -> bool:
        """Whether the trace holds just the records the elements came from, told for sure."""
        return super().exact and all(frame.trace.exact for frame in self._frames)

    @property
    def notes(self) -> list[str]:
        """Why the trace isn't exact, and what else a person must know about it."""
        further = [note for frame in self._frames for note in frame.trace.notes]
        return list(dict.fromkeys([*super().notes, *further]))

    def narrow(self, seconds: float = 60.0) -> MixedTrace:
        """A smaller trace where this one is conservative, by replaying the RDDs nearest to what was asked about.

        What is left of the rows of DataFrames that they read is traced on.

        Args:
            seconds: how long to go on at most; what was found by then is the answer.

        Raises:
            BigDebugError: what makes it conservative lies further below, there is too much to be replayed, or the
                traced records alone don't give the elements again.
        """
        from bigdebug.lineage.rdd.narrowed_mixed import narrowed_mixed

        return self if self.exact else narrowed_mixed(self, seconds)

    @property
    def bytes(self) -> int:
        """The most that one pass over the sources reads."""
        return super().bytes + sum(frame.trace.bytes for frame in self._frames)

    def __repr__(self) -> str:
        every: list[Any] = [*self._sources, *self._of_frames]
        names = ", ".join(each.name for each in every)
        return f"<RddTrace of {self._root.described()} back to {names}>"

    # -- inside -------------------------------------------------------------------------------------

    @property
    def _once(self) -> None:
        """One pass is never enough."""

    @cached_property
    def _of_frames(self) -> list[_OfFrame]:
        pairs = [(frame, leaf) for frame in self._frames for leaf in frame.own_sources()]
        own = [source.name for source in self._sources]
        names = numbered([*own, *(leaf.name.partition("#")[0] for _, leaf in pairs)])[len(own) :]
        return [_OfFrame(name, frame, leaf) for name, (frame, leaf) in zip(names, pairs, strict=True)]

    def _either(self, source: str | None) -> Any:
        every: list[Any] = [*self._sources, *self._of_frames]
        return every[0] if source is None and len(every) == 1 else find_source(every, source or "")


def all_operators(tops: Iterable[RddOperator], frames: Frames) -> set[RddOperator]:
    """All operators of RDDs below some, also below DataFrames."""
    joints = [joint for frame in frames.values() for joint in frame.joints.values()]
    return {operator for top in (*tops, *joints) for operator in top.walk()}


def in_order_of_names(tops: Sequence[RddOperator], frames: Frames) -> list[RddOperator]:
    """All operators that elements may stem from, also below DataFrames, in the order that the program names them."""
    seen: dict[RddOperator, None] = {}
    waiting = list(reversed(tops))
    while waiting:
        operator = waiting.pop()
        if operator not in seen:
            seen[operator] = None
            below = contributing(operator)
            if operator.kind == OF_FRAME:
                below = tuple(frames[operator].joints.values())
            waiting += reversed(below)
    return list(seen)


def _found(source: _OfFrame) -> Source:
    (found,) = [each for each in source.frame.trace.sources if each.name == source.leaf.name]
    return found


def _elements(frame: Frame) -> Any:
    """The rows of a DataFrame on the trace, as elements."""
    catalyst, trace = frame.trace._catalyst, frame.trace
    kept = frame.numbered.annotated
    own = catalyst.output(trace._root.plan)
    return catalyst.frame(catalyst.project(own, frame._narrow(kept))).rdd
