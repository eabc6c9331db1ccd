"""Traces out of the index of a DataFrame's output that go on through RDDs."""

from __future__ import annotations

from functools import cached_property

from bigdebug.lineage.finding import find_source
from bigdebug.lineage.found import Source, Step
from bigdebug.lineage.index.trace import IndexedTrace
from bigdebug.lineage.location import TracedRecord
from bigdebug.lineage.rdd.index.descent import Descent, stems_of_rows
from bigdebug.lineage.rdd.index.manifest import RddManifest
from bigdebug.lineage.store.tables import TableStore


class CrossingIndexedTrace(IndexedTrace):
    """Where rows of an output came from. Its sources are those of the DataFrame, followed by those below RDDs.

    Args:
        nearest: the trace of the DataFrame.
        below: what the index of the RDDs says of itself.
        store: where the run lies.
    """

    def __init__(self, nearest: IndexedTrace, below: RddManifest, store: TableStore) -> None:
        self._nearest = nearest
        self._descent = Descent(store, below, lambda: stems_of_rows(nearest.arrivals()))

    @property
    def matched(self) -> int:
        return self._nearest.matched

    @cached_property
    def sources(self) -> list[Source]:
        return [*self._nearest.sources, *self._descent.sources]

    @cached_property
    def steps(self) -> list[Step]:
        return [*self._nearest.steps, *self._descent.steps]

    def collect_source(self, source: str, limit: int = 1000) -> list[TracedRecord]:
        chosen = find_source(self.sources, source).name
        of = self._nearest if any(each.name == chosen for each in self._nearest.sources) else self._descent
        return of.collect_source(chosen, limit)

    @property
    def exact(self) -> bool:
        return self._nearest.exact and self._descent.exact

    @property
    def notes(self) -> list[str]:
        return list(dict.fromkeys([*self._nearest.notes, *self._descent.notes]))

    def __repr__(self) -> str:
        return f"<IndexedTrace back to {', '.join([*self._nearest.names, *self._descent.names])}>"
