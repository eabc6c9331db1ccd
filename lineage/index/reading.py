"""Traces out of an index: without Spark, without Java, and without the sources' files but for values to show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bigdebug.lineage.index.manifest import Manifest, undamaged
from bigdebug.lineage.index.trace import IndexedTrace
from bigdebug.lineage.links import Writing, written_by
from bigdebug.lineage.rdd.index.crossing import CrossingIndexedTrace
from bigdebug.lineage.rdd.index.manifest import RddManifest
from bigdebug.lineage.store.tables import TableStore


class Index:
    """The whole lineage of an output, as it was written down.

    Args:
        store: where its run lies.
        manifest: what it says of itself.

    Raises:
        DamagedIndexError: it is damaged.
    """

    def __init__(self, store: TableStore, manifest: Manifest) -> None:
        self._store = store
        self._manifest = manifest
        with undamaged():
            self._below = None if manifest.below is None else RddManifest.from_content(manifest.below)

    @property
    def rows(self) -> int:
        """How many rows the output has."""
        return self._manifest.segments[0].rows

    @property
    def bytes(self) -> int:
        """The size of its tables."""
        return self._manifest.size

    @property
    def seconds(self) -> float:
        """How long it took to make."""
        return self._manifest.seconds

    def trace(self, where: str | None = None, *, column: str | None = None) -> IndexedTrace:
        """A backward trace of the output's rows.

        Args:
            where: which of them: a condition of a subset of SQL; None for all.
            column: a column of the output: `columns` and `deciding_columns` of the trace's sources are those that
                its values rest on. All columns, if left out.

        Raises:
            NeedsSparkError: only Spark can evaluate `where`, or tell of a single column: the index is an old one.
            UnknownNameError: `where` or `column` names a column that the output doesn't have.
        """
        nearest = IndexedTrace(self._store, self._manifest, where, column)
        if self._below is None:
            return nearest
        return CrossingIndexedTrace(nearest, self._below, self._store)

    def written_by(self, candidates: Sequence[Writing]) -> Iterator[tuple[str, Writing]]:
        """The sources whose files some outputs of earlier runs wrote, by name."""
        for source in self._manifest.sources:
            for writing in written_by(source.listed, source.table, candidates):
                yield source.name, writing

    def __repr__(self) -> str:
        return f"<Index of {self.rows:,} rows, {self.bytes:,} bytes>"


def open_index(store: TableStore, output: int) -> Index | None:
    """The index of an output; None where there is none.

    Raises:
        DamagedIndexError: it is damaged, or of another version.
        RecipeError: it holds elements of RDDs, and somebody else could have written it.
    """
    data = store.manifest(output)
    if data is None:
        return None
    manifest = Manifest.from_bytes(data)
    if manifest.below is not None:
        store.check_trusted(output)  # its elements are pickled
    return Index(store, manifest)
