"""Traces of DataFrames that go on through the RDDs that these were made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

from bigdebug.lineage.asking import asking
from bigdebug.lineage.beside import Beside
from bigdebug.lineage.columns import Read
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.finding import find_source, numbered
from bigdebug.lineage.found import Source, Step
from bigdebug.lineage.identity import SourceLeaf
from bigdebug.lineage.location import TracedRecord
from bigdebug.lineage.operators import NodeLookup
from bigdebug.lineage.rdd.frames import places_on, take_elements_once
from bigdebug.lineage.rdd.joints import joints_among
from bigdebug.lineage.rdd.mixed import MixedTrace, all_operators, followed, frames_below
from bigdebug.lineage.rdd.operator import RddOperator
from bigdebug.lineage.rdd.reading import require_all_unchanged
from bigdebug.lineage.records import SourceRecords
from bigdebug.lineage.trace import Trace


class CrossingTrace(Trace):
    """A trace that goes on through RDDs. Its sources are those of the DataFrame, followed by those below RDDs.

    Args:
        nearest: the trace of the DataFrame.
        below: the trace of the RDDs.
        joints: by leaf of the DataFrame, the operator that made a DataFrame of an RDD.
    """

    def __init__(self, nearest: Trace, below: MixedTrace, joints: Mapping[SourceLeaf, RddOperator]) -> None:
        self._nearest = nearest
        self._below = below
        self._joints = joints
        self._catalyst = nearest._catalyst

    @property
    def matched(self) -> int:
        return self._nearest.matched

    @cached_property
    def sources(self) -> list[Source]:
        with asking(self._catalyst, "source records"):
            names = self._names
            below = zip(names, self._below.sources, strict=True)
            return [*self._own, *(replace(source, name=name) for name, source in below)]

    @property
    def steps(self) -> list[Step]:
        with asking(self._catalyst, "steps"):
            return [*self._nearest.steps, *self._below.steps]

    def take_column(self, column: str) -> None:
        self._nearest.take_column(column)

    def take_read(self, read: Read) -> None:
        self._nearest.take_read(read)

    def records(self, source: str | None = None) -> Any:
        """A source's records on the trace: of a DataFrame's a DataFrame, of an RDD's an RDD of `TracedRecord`s."""
        if source is None and len(self.sources) == 1:
            source = self.sources[0].name
        below = self._named(source or "")
        return self._nearest.records(source) if below is None else self._below.records(below)

    def placed_records(self, source: str) -> Any:
        """The records of an RDD's source as plain tuples, as `RddTrace` has them."""
        below = self._named(source)
        assert below is not None
        return self._below.placed_records(below)

    def collect(self, limit: int = 1000) -> list[TracedRecord]:
        return [record for source in self.sources for record in self.collect_source(source.name, limit)]

    def collect_source(self, source: str, limit: int = 1000) -> list[TracedRecord]:
        with asking(self._catalyst, "records"):
            below = self._named(source)
            if below is None:
                return self._nearest.collect_source(find_source(self.sources, source).name, limit)
            name = find_source(self.sources, source).name
            found = self._below.collect_source(below, limit)
            return [replace(record, source=name) for record in found]

    @property
    def exact(self) -> bool:
        return self._nearest.exact and self._below.exact

    @property
    def notes(self) -> list[str]:
        return list(dict.fromkeys([*self._nearest.notes, *self._below.notes]))

    def narrow(self, seconds: float = 60.0) -> Trace:
        """A smaller trace where functions of the RDDs that DataFrames were made of make this one conservative.

        Args:
            seconds: how long to go on at most; what was found by then is the answer.

        Raises:
            BigDebugError: what makes it conservative lies elsewhere, there is too much to be replayed, or the
                traced records alone don't give the elements again.
        """
        if self.exact:
            return self
        if not self._nearest.exact:
            raise BigDebugError(
                "a trace that goes on through RDDs can't be narrowed yet where the DataFrame's own operators make it "
                "conservative",
                hint="the notes say which operators these are",
            )
        return CrossingTrace(self._nearest, self._below.narrow(seconds), self._joints)

    @property
    def bytes(self) -> int:
        return self._nearest.bytes + self._below.bytes

    def __repr__(self) -> str:
        return repr(self._nearest)

    # -- inside -------------------------------------------------------------------------------------

    @property
    def _own(self) -> list[Source]:
        gone = {leaf.name for leaf in self._joints}
        return [source for source in self._nearest.sources if source.name not in gone]

    @cached_property
    def _names(self) -> list[str]:
        """What the sources below are called here."""
        own = [source.name for source in self._own]
        below = [source.name.partition("#")[0] for source in self._below.sources]
        return numbered([*own, *below])[len(own) :]

    def _named(self, source: str) -> str | None:
        """What a source is called below; None of one of the DataFrame's own."""
        chosen = find_source(self.sources, source)
        pairs = zip(self._names, self._below.sources, strict=True)
        return next((below.name for name, below in pairs if name == chosen.name), None)

    @cached_property
    def _records(self) -> dict[SourceLeaf, SourceRecords]:
        return {leaf: found for leaf, found in self._nearest._records.items() if leaf not in self._joints}


def through_rdds(
    trace: Trace, lookup: NodeLookup, since: float | None, beside: Beside | None = None
) -> Trace:
    """The trace, going on through the RDDs that DataFrames were made of.

    Args:
        trace: of a DataFrame's rows.
        lookup: gives the recorded node of a tag's value.
        since: when the program computed them, in seconds since the epoch; None where it is asked about now.
        beside: what counts as contributors, too.

    Raises:
        SourceChangedError: a file isn't what it was.
        BigDebugError: a DataFrame below an RDD can't be traced.
    """
    context = trace._catalyst.spark.sparkContext
    joints = followed(joints_among(context, trace._leaves.values()))
    if not joints:
        return trace
    tops = list(dict.fromkeys(joints.values()))
    frames = frames_below(tops, lookup, beside)
    require_all_unchanged(all_operators(tops, frames), since)

    def seeds() -> dict[RddOperator, Any]:
        found: dict[RddOperator, list[Any]] = {}
        for leaf, joint in joints.items():
            ids = places_on(trace, leaf)
            if ids is not None:
                found.setdefault(joint, []).append(ids)
        return {joint: ids[0] if len(ids) == 1 else context.union(ids) for joint, ids in found.items()}

    below = MixedTrace(tops, frames, seeds=seeds)
    take_elements_once(below._walk.annotator, trace._catalyst, joints)
    return CrossingTrace(trace, below, joints)
