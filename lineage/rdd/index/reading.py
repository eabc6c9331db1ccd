"""Traces out of the index of an RDD's output: without Spark and without Java."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from bigdebug.lineage.described import Described, Description, trace_description
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.found import Source, Step
from bigdebug.lineage.links import Writing
from bigdebug.lineage.location import TracedRecord
from bigdebug.lineage.rdd.conditions import predicate_of
from bigdebug.lineage.rdd.index.descent import Descent
from bigdebug.lineage.rdd.index.manifest import RddManifest, is_rdd_manifest
from bigdebug.lineage.rdd.index.records import stored_elements
from bigdebug.lineage.rdd.index.relations import ByPlace
from bigdebug.lineage.rdd.index.stems import Stems
from bigdebug.lineage.store.tables import TableStore


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
        self._filesystem, _ = store.place("")
        self._manifest = manifest
        self._descent = Descent(store, manifest, self._stems)
        self._where = where
        self._predicate = predicate_of(where)

    @cached_property
    def matched(self) -> int:
        """How many elements the trace starts from."""
        return self._manifest.rows if self._matching.places is None else len(self._matching.places)

    @cached_property
    def sources(self) -> list[Source]:
        """The sources, in the order that the program reads them, with the number of their records on the trace.

        Those of RDDs come first.
        """
        return self._descent.sources

    @cached_property
    def steps(self) -> list[Step]:
        """The boundaries on the way back, from the output down: an index has no others' elements.

        Of DataFrames all operators are among them.
        """
        return self._descent.steps

    def collect(self, limit: int = 1000) -> list[TracedRecord]:
        """Up to `limit` records of each source, by file and position."""
        return [record for source in self.sources for record in self.collect_source(source.name, limit)]

    def collect_source(self, source: str, limit: int = 1000) -> list[TracedRecord]:
        """Up to `limit` records of one source."""
        return self._descent.collect_source(source, limit)

    @property
    def exact(self) -> bool:
        """Whether these are just the records that the elements came from, told for sure."""
        return self._descent.exact

    @property
    def notes(self) -> list[str]:
        """Why the trace isn't exact, and what else a person must know about it."""
        return self._descent.notes

    def _description(self) -> Description:
        return trace_description(self)

    def __repr__(self) -> str:
        return f"<IndexedRddTrace back to {', '.join(self._descent.names)}>"

    # -- how it gets there --------------------------------------------------------------------------

    @cached_property
    def _matching(self) -> ByPlace:
        """The elements asked about."""
        predicate = self._predicate
        if predicate is None:
            return ByPlace(None)
        found: list[int] = []
        for first, _, elements in stored_elements(
            self._filesystem, self._descent.paths(self._manifest.elements)
        ):
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

    def _stems(self) -> Stems:
        """What the elements asked about stem from."""
        matching = self._matching
        if matching.places is not None and not len(matching.places):
            return Stems()
        return self._descent.stems(self._manifest.relations[0], matching)
