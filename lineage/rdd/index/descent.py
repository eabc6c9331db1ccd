"""The way of a trace through the relations of an index, and on through the DataFrames between them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow.compute as pc

from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.finding import find_source
from bigdebug.lineage.found import Source, Step
from bigdebug.lineage.index.masks import Bounds, Mask
from bigdebug.lineage.index.names import NUMBER
from bigdebug.lineage.index.rows import as_arrow
from bigdebug.lineage.index.trace import IndexedTrace
from bigdebug.lineage.location import PARTITION_SHIFT as ROW_SHIFT
from bigdebug.lineage.location import TracedRecord
from bigdebug.lineage.rdd.index.by_key import ByKey
from bigdebug.lineage.rdd.index.manifest import RddManifest, StoredRelation
from bigdebug.lineage.rdd.index.names import PARTITION_SHIFT, PLACE_MASK, UNEQUAL, place_of
from bigdebug.lineage.rdd.index.records import IndexedRddRecords
from bigdebug.lineage.rdd.index.relations import ByPlace, ByPrefix, Wanted, stems_of
from bigdebug.lineage.rdd.index.stems import Stems
from bigdebug.lineage.store.tables import TableStore

_UNEQUAL = (
    "{} has keys that aren't equal to themselves (not a number): the trace holds all elements with such keys"
)
_NONE = np.empty(0, dtype=np.int64)


class Descent:
    """Goes down from what elements stem from to the records of all sources.

    Args:
        store: where the run lies.
        manifest: what the index says of itself.
        first: gives what is known to be on the trace beforehand.
    """

    def __init__(self, store: TableStore, manifest: RddManifest, first: Callable[[], Stems]) -> None:
        self._store = store
        self._filesystem, self._folder = store.place("")
        self._manifest = manifest
        self._first = first
        self._frames: dict[int, IndexedTrace] = {}

    @property
    def names(self) -> list[str]:
        """What the sources are called."""
        own = [each.name for each in self._manifest.sources]
        return [
            *own,
            *(each.name for frame in self._manifest.frames for _, each in frame.index.own_sources()),
        ]

    @property
    def sources(self) -> list[Source]:
        """The sources, those of RDDs first, with the number of their records on the trace."""
        records = self._records
        own = [
            Source(each.name, each.kind, each.call_site, records[each.leaf].count, records[each.leaf])
            for each in self._manifest.sources
        ]
        return [*own, *(source for trace in self._traces for source in trace.sources)]

    @property
    def steps(self) -> list[Step]:
        """The boundaries on the way down, and all operators of DataFrames."""
        found = []
        for relation, names in self._passed:
            if not len(names):
                continue
            if relation.label:
                found.append(Step(relation.label, relation.call_site, len(names), _no_elements))
            if relation.leaf in self._frames:
                found += self._frames[relation.leaf].steps
        return found

    def collect_source(self, source: str, limit: int) -> list[TracedRecord]:
        """Up to `limit` records of one source."""
        chosen = find_source(self.sources, source).name
        for each in self._manifest.sources:
            if each.name == chosen:
                return self._records[each.leaf].collect(limit)
        return next(
            trace.collect_source(chosen, limit)
            for trace in self._traces
            if any(each.name == chosen for each in trace.sources)
        )

    @property
    def exact(self) -> bool:
        """Whether these are just the records that the elements came from, told for sure."""
        return not self._doubts and all(trace.exact for trace in self._traces)

    @property
    def notes(self) -> list[str]:
        """Why the trace isn't exact, and what else a person must know about it."""
        own = [note for each in self._records.values() for note in each.notes]
        return list(
            dict.fromkeys([*self._doubts, *own, *(note for trace in self._traces for note in trace.notes)])
        )

    # -- how it gets there --------------------------------------------------------------------------

    @cached_property
    def _found(self) -> tuple[Stems, list[tuple[StoredRelation, Any]]]:
        """What the elements stem from, and the boundaries passed with their groups on the trace."""
        found = self._first()
        passed: list[tuple[StoredRelation, Any]] = []
        frames = {each.leaf: each.index for each in self._manifest.frames}
        # Those that lead to a boundary stand before it.
        for relation in self._manifest.relations:
            if relation.leaf is None:
                continue
            names = _groups(found, relation)
            passed.append((relation, names))
            if relation.leaf in frames:
                trace = IndexedTrace(self._store, frames[relation.leaf], _among(_rows_at(names)))
                self._frames[relation.leaf] = trace
                found.add(stems_of_rows(trace.arrivals()))
            elif len(names):
                found.add(self.stems(relation, _wanted(found, relation)))
        return found, passed

    @property
    def _passed(self) -> list[tuple[StoredRelation, Any]]:
        return self._found[1]

    @property
    def _traces(self) -> list[IndexedTrace]:
        """The traces of rows of DataFrames, in the order of their sources."""
        self._found  # noqa: B018
        return [self._frames[each.leaf] for each in self._manifest.frames]

    @cached_property
    def _records(self) -> dict[int, IndexedRddRecords]:
        stems = self._found[0]
        return {
            each.leaf: IndexedRddRecords(
                self._filesystem,
                self.path,
                each,
                stems.places.get(each.leaf, _NONE),
            )
            for each in self._manifest.sources
        }

    @cached_property
    def _doubts(self) -> list[str]:
        unequal = [
            _UNEQUAL.format(relation.described)
            for relation, names in self._passed
            if not relation.placed and any(name.startswith(UNEQUAL) for name in names)
        ]
        return [*self._manifest.notes, *reversed(unequal)]

    def stems(self, relation: StoredRelation, wanted: Wanted) -> Stems:
        """What the wanted elements of a relation stem from."""
        return stems_of(self._filesystem, self.paths(relation.files), wanted)

    def paths(self, files: Sequence[str]) -> list[str]:
        """The paths of files within the run's folder of indexes."""
        return [self.path(file) for file in files]

    def path(self, file: str) -> str:
        """The same of one."""
        return f"{self._folder.rstrip('/')}/{file}"


def stems_of_rows(arrivals: Iterable[tuple[int, Any]]) -> Stems:
    """What rows of DataFrames that were made of RDDs stem from: a row stands where its element does.

    Args:
        arrivals: the numbers of leaves, each with those of rows.
    """
    found = Stems()
    for leaf, rows in arrivals:
        places = rows >> ROW_SHIFT << PARTITION_SHIFT | rows & ((1 << ROW_SHIFT) - 1)
        found.add(Stems({leaf: places} if len(places) else {}))
    return found


def _rows_at(places: Any) -> Any:
    """The numbers of the rows at some places."""
    return places >> PARTITION_SHIFT << ROW_SHIFT | places & PLACE_MASK


def _among(rows: Any) -> Mask:
    """The rows of these numbers, which are sorted."""
    wanted = as_arrow(rows)

    def may(bounds: Bounds) -> bool:
        known = bounds(NUMBER)
        if known is None:
            return bool(len(rows))
        at = int(np.searchsorted(rows, known[0]))
        return at < len(rows) and bool(rows[at] <= known[1])

    return Mask(frozenset({NUMBER}), lambda table: pc.is_in(table.column(NUMBER), wanted), may)


def _groups(found: Stems, relation: StoredRelation) -> Any:
    """The groups of a boundary that are on the trace: places as an array, or names of keys as a set."""
    assert relation.leaf is not None
    if relation.placed:
        return found.places.get(relation.leaf, _NONE)
    return found.keys.get(relation.leaf, set())


def _wanted(found: Stems, relation: StoredRelation) -> Wanted:
    assert relation.leaf is not None
    if not relation.placed:
        return ByKey(frozenset(found.keys[relation.leaf]))
    places = found.places[relation.leaf]
    if not relation.prefix:
        return ByPlace(places)
    # An id tells the partition, and how many elements had been read of it.
    reads: dict[int, int] = {}
    for partition in np.unique(places >> PARTITION_SHIFT).tolist():
        reads[partition] = place_of(int(places[(places >> PARTITION_SHIFT) == partition].max()))[1]
    return ByPrefix(reads)


def _no_elements() -> Any:
    raise BigDebugError(
        "an index holds which records elements came from, not the elements of operators",
        hint="ask with Spark: session.trace(…).steps",
    )
