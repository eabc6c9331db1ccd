"""Traces out of the index of an RDD's output: without Spark and without Java."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from bigdebug.lineage.described import Described, Description, trace_description
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.finding import find_source
from bigdebug.lineage.found import Source, Step
from bigdebug.lineage.links import Writing
from bigdebug.lineage.location import TracedRecord
from bigdebug.lineage.rdd.conditions import predicate_of
from bigdebug.lineage.rdd.index.manifest import RddManifest, StoredRelation, is_rdd_manifest
from bigdebug.lineage.rdd.index.names import PARTITION_SHIFT, UNEQUAL, place_of
from bigdebug.lineage.rdd.index.records import IndexedRddRecords, stored_elements
from bigdebug.lineage.rdd.index.relations import ByKey, ByPlace, ByPrefix, Stems, Wanted, stems_of
from bigdebug.lineage.store.tables import TableStore

_UNEQUAL = (
    "{} has keys that aren't equal to themselves (not a number): the trace holds all elements with such keys"
)


class RddIndex:
    """The whole lineage of an RDD's output, as it was written down.

    Args:
        store: where its run lies.
        manifest: what it says of itself.
    """

    def __init__(self, store: TableStore, manifest: RddManifest) -> None:
        self._store = store
        self._manifest = manifest

    @property
    def rows(self) -> int:
        """How many elements the output has."""
        return self._manifest.rows

    @property
    def bytes(self) -> int:
        """The size of its files."""
        return self._manifest.size

    @property
    def seconds(self) -> float:
        """How long it took to make."""
        return self._manifest.seconds

    def trace(self, where: Any = None, *, column: str | None = None) -> IndexedRddTrace:
        """A backward trace of the output's elements.

        Args:
            where: which of them: a function of an element, or an expression in Python of `x`; None for all.
            column: elements have none.

        Raises:
            BigDebugError: `where` is neither.
        """
        if column is not None:
            raise BigDebugError("elements of an RDD have no columns", hint="leave out --column")
        return IndexedRddTrace(self._store, self._manifest, where)

    def written_by(self, candidates: Sequence[Writing]) -> Iterator[tuple[str, Writing]]:
        """Nothing: traces of RDDs end at their sources."""
        return iter(())

    def __repr__(self) -> str:
        return f"<RddIndex of {self.rows:,} elements, {self.bytes:,} bytes>"


def open_rdd_index(store: TableStore, output: int) -> RddIndex | None:
    """The index of an output; None where there is none, or it is of a DataFrame.

    Raises:
        DamagedIndexError: it is damaged, or of another version.
        RecipeError: somebody else could have written it.
    """
    data = store.manifest(output)
    if data is None or not is_rdd_manifest(data):
        return None
    store.check_trusted(output)  # its elements are pickled
    return RddIndex(store, RddManifest.from_bytes(data))


class IndexedRddTrace(Described):
    """Where elements of an output came from. Has the face of a live `RddTrace`, but for what is an RDD there."""

    def __init__(self, store: TableStore, manifest: RddManifest, where: Any) -> None:
        self._filesystem, self._folder = store.place("")
        self._manifest = manifest
        self._where = where
        self._predicate = predicate_of(where)

    @cached_property
    def matched(self) -> int:
        """How many elements the trace starts from."""
        return self._manifest.rows if self._matching.places is None else len(self._matching.places)

    @cached_property
    def sources(self) -> list[Source]:
        """The sources, in the order that the program reads them, with the number of their records on the trace."""
        return [
            Source(
                each.name, each.kind, each.call_site, self._records[each.leaf].count, self._records[each.leaf]
            )
            for each in self._manifest.sources
        ]

    @cached_property
    def steps(self) -> list[Step]:
        """The boundaries on the way back, from the output down: an index has no others' elements."""
        return [
            Step(relation.label, relation.call_site, len(keys), _no_elements)
            for relation, keys in self._passed
            if keys
        ]

    def collect(self, limit: int = 1000) -> list[TracedRecord]:
        """Up to `limit` records of each source, by file and position."""
        return [
            record for each in self._manifest.sources for record in self._records[each.leaf].collect(limit)
        ]

    def collect_source(self, source: str, limit: int = 1000) -> list[TracedRecord]:
        """Up to `limit` records of one source."""
        return self._records[find_source(self._manifest.sources, source).leaf].collect(limit)

    @property
    def exact(self) -> bool:
        """Whether these are just the records that the elements came from, told for sure."""
        return not self._doubts

    @property
    def notes(self) -> list[str]:
        """Why the trace isn't exact, and what else a person must know about it."""
        return [*self._doubts, *(note for each in self._records.values() for note in each.notes)]

    def _description(self) -> Description:
        return trace_description(self)

    def __repr__(self) -> str:
        return f"<IndexedRddTrace back to {', '.join(each.name for each in self._manifest.sources)}>"

    # -- how it gets there --------------------------------------------------------------------------

    @cached_property
    def _matching(self) -> ByPlace:
        """The elements asked about."""
        predicate = self._predicate
        if predicate is None:
            return ByPlace(None)
        found: list[int] = []
        for first, _, elements in stored_elements(self._filesystem, self._paths(self._manifest.elements)):
            found += [first + i for i, element in enumerate(elements()) if self._holds(predicate, element)]
        return ByPlace(np.array(sorted(found), dtype=np.int64))

    def _holds(self, predicate: Callable[[Any], Any], element: Any) -> bool:
        try:
            return bool(predicate(element))
        except Exception as error:
            raise BigDebugError(
                f"where={self._where!r} can't be evaluated over {str(element)[:80]}: {type(error).__name__}: {error}",
                hint=f"it is asked of every element of {self._manifest.output}",
            ) from error

    @cached_property
    def _descent(self) -> tuple[Stems, list[tuple[StoredRelation, set[Any]]]]:
        """What the elements stem from, and the boundaries passed with their groups on the trace."""
        first, *others = self._manifest.relations
        found = Stems()
        if self._matching.places is None or len(self._matching.places):
            found = self._stems(first, self._matching)
        passed: list[tuple[StoredRelation, set[Any]]] = []
        # Those that lead to a boundary stand before it.
        for relation in others:
            assert relation.leaf is not None
            names = _groups(found, relation)
            passed.append((relation, names))
            if names:
                found.add(self._stems(relation, _wanted(found, relation)))
        return found, passed

    @property
    def _passed(self) -> list[tuple[StoredRelation, set[Any]]]:
        return self._descent[1]

    @cached_property
    def _records(self) -> dict[int, IndexedRddRecords]:
        stems = self._descent[0]
        return {
            each.leaf: IndexedRddRecords(
                self._filesystem,
                self._path,
                each,
                stems.places.get(each.leaf, np.empty(0, dtype=np.int64)),
            )
            for each in self._manifest.sources
        }

    @cached_property
    def _doubts(self) -> list[str]:
        unequal = [
            _UNEQUAL.format(relation.described)
            for relation, names in self._passed
            if any(isinstance(name, bytes) and name.startswith(UNEQUAL) for name in names)
        ]
        return [*self._manifest.notes, *reversed(unequal)]

    def _stems(self, relation: StoredRelation, wanted: Wanted) -> Stems:
        return stems_of(self._filesystem, self._paths(relation.files), wanted)

    def _paths(self, files: Sequence[str]) -> list[str]:
        return [self._path(file) for file in files]

    def _path(self, file: str) -> str:
        return f"{self._folder.rstrip('/')}/{file}"


def _groups(found: Stems, relation: StoredRelation) -> set[Any]:
    """The groups of a boundary that are on the trace."""
    assert relation.leaf is not None
    if relation.placed:
        return set(found.places.get(relation.leaf, np.empty(0, dtype=np.int64)).tolist())
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
