"""Traces of RDDs whose records were narrowed by replays."""

from __future__ import annotations

from typing import Any

from bigdebug.lineage.found import Step
from bigdebug.lineage.minimizing import told_of
from bigdebug.lineage.rdd.narrowing import NarrowedRecords, below_conservative, narrowed, places_of
from bigdebug.lineage.rdd.reading import RddSource
from bigdebug.lineage.rdd.summary import Summary, summary_of
from bigdebug.lineage.rdd.trace import RddTrace


class NarrowedRddTrace(RddTrace):
    """A trace whose records were narrowed by replays; its steps are those of the trace it was made of."""

    def __init__(self, whole: RddTrace, found: NarrowedRecords) -> None:
        self.__dict__.update(whole.__dict__)
        self.__dict__.pop("sources", None)
        self._once = None
        self._whole = whole  # what it keeps in Spark is needed still
        self._found = found

    @property
    def notes(self) -> list[str]:
        count = sum(map(len, self._found.places.values()))
        names = [source.name for source in self._found.places]
        return [*self._whole.notes, told_of(self._found.replays, count, names, self._found.minimal)]

    @property
    def steps(self) -> list[Step]:
        return self._whole.steps

    def _ids(self, source: RddSource) -> Any:
        if source not in self._found.places:
            return super()._ids(source)
        return self._context.parallelize(self._found.places[source])

    def _summary(self, source: RddSource) -> Summary:
        if source not in self._found.places:
            return super()._summary(source)
        return summary_of(self._found.places[source])


def narrowed_trace(whole: RddTrace, seconds: float) -> RddTrace:
    """A smaller trace; the same one where it can't be smaller.

    Args:
        whole: the trace.
        seconds: how long to go on at most.
    """
    sources = below_conservative(whole._root, whole._sources)
    if not sources:
        return whole
    with whole._asking("a smaller trace"):
        records = {source: places_of(source, whole._ids(source)) for source in sources}
        if not any(records.values()):
            return whole
        return NarrowedRddTrace(whole, narrowed(whole._walk, records, seconds))
