"""Traces through RDDs and DataFrames whose records were narrowed by replays of the RDDs nearest to the question.

The rows of DataFrames below are what these replays begin with: what is left of them is traced on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.found import Step
from bigdebug.lineage.minimizing import told_of
from bigdebug.lineage.rdd import placing
from bigdebug.lineage.rdd.annotator import contributing
from bigdebug.lineage.rdd.kept_rows import over_rows
from bigdebug.lineage.rdd.kinds import INTO_FRAME
from bigdebug.lineage.rdd.mixed import Frames, MixedTrace
from bigdebug.lineage.rdd.narrowing import below_conservative, digests_asked, digests_at, narrowed, places_of
from bigdebug.lineage.rdd.operator import RddOperator
from bigdebug.lineage.rdd.reading import Place, RddSource
from bigdebug.lineage.rdd.rows import RddRows
from bigdebug.lineage.rdd.summary import Summary, summary_of
from bigdebug.lineage.rdd.trace import RddTrace
from bigdebug.lineage.rdd.walk import Walk

Left = dict[RddOperator, list[Place]]
"""By source, or operator that gives a DataFrame's rows, the places of the records that are left."""


@dataclass(frozen=True)
class _Narrowed:
    """What was found for one operator asked about; no note where there was nothing to look for."""

    left: Left
    note: str | None = None


def narrowed_mixed(whole: MixedTrace, seconds: float) -> MixedTrace:
    """A smaller trace; the same one where there is no element to look for.

    Args:
        whole: the trace.
        seconds: how long to go on at most, for each of the operators that it begins with.

    Raises:
        BigDebugError: what makes it conservative lies elsewhere, or there is too much to be replayed.
    """
    with whole._asking("a smaller trace"):
        found = [_narrowed(whole, top, seconds) for top in whole.tops]
        if not any(found):
            raise BigDebugError(
                "what makes this trace conservative lies below a DataFrame that it goes through, where it can't be "
                "narrowed yet",
                hint="the notes say which operator that is; trace the DataFrame, or the RDD below it, and narrow that",
            )
        left: dict[RddOperator, set[Place]] = {}
        narrower = [each or _Narrowed({}) for each in found]
        for each in narrower:
            for operator, places in each.left.items():
                left.setdefault(operator, set()).update(places)
        for top, each in zip(whole.tops, narrower, strict=True):
            # What another operator asked about leads to as well stays whole.
            for operator in leaves_near([top]) - each.left.keys():
                left.pop(operator, None)
        if not left:
            return whole
        told = [each.note for each in narrower if each.note is not None]
        return NarrowedMixedTrace(whole, {each: sorted(places) for each, places in left.items()}, told)


def _narrowed(whole: MixedTrace, top: RddOperator, seconds: float) -> _Narrowed | None:
    walk = whole.walk
    rows, digests = _asked_about(whole, top)
    over = over_rows(rows, whole.frames)
    flat = RddTrace(over.rows)
    sources = below_conservative(over.rows.operator, flat.found_sources)
    own = {source.operator: source for source in whole.found_sources}
    deep = leaves_near(joint for frame in whole.frames.values() for joint in frame.joints.values())
    sources = [source for source in sources if source.operator not in deep]
    records: dict[RddSource, list[Place]] = {}
    for source in sources:
        frame = over.frames.get(source.operator)
        if frame is None:
            records[source] = places_of(source, whole.places(own[source.operator]))
        else:
            numbers = walk.arrived_at(frame)
            records[source] = [] if numbers is None else places_of(source, numbers.map(placing.place_of))
    if not sources:
        return None
    if not any(records.values()):
        return _Narrowed({})
    found = narrowed(flat.walk, records, seconds, digests())
    count = sum(map(len, found.places.values()))
    return _Narrowed(
        {
            over.frames.get(source.operator, source.operator): places
            for source, places in found.places.items()
        },
        told_of(found.replays, count, [source.name for source in found.places], found.minimal),
    )


def _asked_about(whole: MixedTrace, top: RddOperator) -> tuple[RddRows, Callable[[], Counter[bytes]]]:
    """What replays compute, and what of it is looked for."""
    walk = whole.walk
    if top.kind == INTO_FRAME:
        return RddRows(top.inputs[0], top.frozen or {}), lambda: digests_at(walk, top)
    assert walk.rows is not None
    return walk.rows, lambda: digests_asked(walk)


def leaves_near(tops: Iterable[RddOperator]) -> set[RddOperator]:
    """The sources, and the operators that give rows of DataFrames, that elements stem from without one in between."""
    found: set[RddOperator] = set()
    waiting = [top.inputs[0] if top.kind == INTO_FRAME else top for top in tops]
    seen = set(waiting)
    while waiting:
        operator = waiting.pop()
        if not operator.inputs:
            found.add(operator)
        for below in contributing(operator):
            if below not in seen:
                seen.add(below)
                waiting.append(below)
    return found


class NarrowedMixedTrace(MixedTrace):
    """A trace whose records were narrowed by replays; its steps down to what was narrowed are those it had.

    Args:
        whole: the trace it was made of.
        left: of what was narrowed, the records that are left.
        told: what was found.
    """

    def __init__(self, whole: MixedTrace, left: Mapping[RddOperator, list[Place]], told: list[str]) -> None:
        kept = {
            name: value
            for name, value in vars(whole).items()
            if name.startswith("_") and name != "_of_frames"
        }
        self.__dict__.update(kept)
        self.tops = whole.tops
        self._whole = whole  # what it keeps in Spark is needed still
        self._left, self._told = left, told
        self.frames: Frames = {operator: frame.again() for operator, frame in whole.frames.items()}
        self._frames = [self.frames[frame.operator] for frame in whole._frames]
        near = self._near = leaves_near(whole.tops)
        self._walk = Walk(
            None, None, self._context, self.frames, lambda: _seeds(whole, left, near), whole.walk.annotator
        )

    @property
    def matched(self) -> int:
        return self._whole.matched

    @property
    def steps(self) -> list[Step]:
        return self._whole.steps

    @property
    def notes(self) -> list[str]:
        return [*self._whole.notes, *self._told]

    @property
    def exact(self) -> bool:
        return False

    def narrow(self, seconds: float = 60.0) -> MixedTrace:
        """The trace itself."""
        return self

    def _ids(self, source: RddSource) -> Any:
        if source.operator in self._left:
            return self._context.parallelize(self._left[source.operator])
        return self._whole.places(source) if source.operator in self._near else super()._ids(source)

    def _summary(self, source: RddSource) -> Summary:
        if source.operator in self._left:
            return summary_of(self._left[source.operator])
        return self._whole._summary(source) if source.operator in self._near else super()._summary(source)


def _seeds(
    whole: MixedTrace, left: Mapping[RddOperator, list[Place]], near: set[RddOperator]
) -> dict[RddOperator, Any]:
    """The numbers of rows to go on with, by the operators that give them."""
    found = {}
    for operator in near & whole.frames.keys():
        if operator in left:
            numbers = whole.context.parallelize([placing.number_of(place) for place in left[operator]])
        else:
            numbers = whole.walk.arrived_at(operator)
        if numbers is not None:
            found[operator] = numbers
    return found
