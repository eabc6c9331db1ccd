"""Write the whole lineage of an RDD's output down, by a second pass over its sources."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from bigdebug.lineage.asking import jobs_of_ours
from bigdebug.lineage.errors import BigDebugError, UnreachableError
from bigdebug.lineage.rdd import workers
from bigdebug.lineage.rdd.annotator import Annotator, contributing, frozen_for, is_boundary
from bigdebug.lineage.rdd.doubts import doubts_about, doubts_about_taken
from bigdebug.lineage.rdd.freezing import Frozen
from bigdebug.lineage.rdd.index import writing
from bigdebug.lineage.rdd.index.manifest import RddManifest, StoredRelation
from bigdebug.lineage.rdd.index.sources import SourceWriter
from bigdebug.lineage.rdd.kinds import BY_PARTITION
from bigdebug.lineage.rdd.operator import RddOperator
from bigdebug.lineage.rdd.reading import sources_in
from bigdebug.lineage.rdd.rows import RddRows
from bigdebug.lineage.rdd.some_rows import only_given
from bigdebug.lineage.rdd.trace import contributing_in_order, require_understood
from bigdebug.lineage.rdd.travelling import travelling
from bigdebug.lineage.rdd.walk import release
from bigdebug.lineage.store.folders import entries
from bigdebug.lineage.store.tables import TableStore


def build_rdd_index(
    rows: RddRows,
    store: TableStore,
    output: int,
    notes: tuple[str, ...] = (),
    progress: Callable[[str], None] = lambda _: None,
) -> RddManifest:
    """Index an output; its former index, if there is one, stands until this one does.

    Args:
        rows: what the action was about.
        store: where its run lies.
        output: its number.
        notes: what is already known to make its traces inexact.
        progress: told what is done next.

    Raises:
        UnsupportedOperatorError: the program holds an operator whose lineage isn't understood.
        UnreachableError: the store can't be written, or not from where Spark's workers are.
        BigDebugError: Spark couldn't compute it.
    """
    require_understood(rows.operator)
    folder = f"{output}-{secrets.token_hex(4)}"
    began = time.monotonic()
    about = f"the lineage of output {output}"
    with (
        _telling_why(),
        jobs_of_ours(rows.operator.context, about),
        travelling(),
        store.making(output, folder),
    ):
        builder = _Builder(rows, store, folder, progress)
        try:
            manifest = builder.manifest(notes, began)
        finally:
            release([*builder.annotator.kept.values()])
        store.publish(output, folder, manifest.to_bytes())
    return manifest


@contextmanager
def _telling_why() -> Iterator[None]:
    """Have what is in the way at Spark's workers said in words of ours."""
    try:
        yield
    except BigDebugError as error:
        if "No module named 'pyarrow'" in error.message:
            raise UnreachableError(
                "Spark's Python workers have no pyarrow, which writes the index",
                hint="install it where they run, or name another Python: PYSPARK_PYTHON",
            ) from error
        unnameable = re.search(r"UnnameableError: (.*?)(?: \(|$)", error.message)
        if unnameable:
            raise BigDebugError(
                f"the lineage can't be written down: {unnameable[1]}", hint="trace without an index"
            ) from error
        raise


class _Builder:
    def __init__(
        self, rows: RddRows, store: TableStore, folder: str, progress: Callable[[str], None]
    ) -> None:
        self._rows = rows
        self._store = store
        self._folder = folder
        self._progress = progress
        self.annotator = Annotator(rows.operator.context)
        self._filesystem, self._path = store.place(folder)
        self._given: dict[RddOperator, Frozen] = {}
        # Leaves have their numbers before ids of them are written.
        self._boundaries = self._numbered()

    def manifest(self, notes: tuple[str, ...], began: float) -> RddManifest:
        root, frozen = self._rows.operator, self._rows.frozen
        sources = sources_in(contributing_in_order(root))
        by_place = frozenset(
            self.annotator.leaf(each)
            for each in [*self._boundaries, *(source.operator for source in sources)]
            if each.kind in BY_PARTITION or not each.inputs
        )
        self._progress("the output's elements")
        given = only_given(self._rows, self.annotator.annotated(root, frozen))
        written = self._written(given.elements, "output", None, by_place, elements=True)
        relations = [StoredRelation(self._files("output", written, writing.RELATION), placed=True)]
        for boundary in self._boundaries:
            relations.append(self._below(boundary, by_place))
        writer = SourceWriter(self._filesystem, self._path, self._folder, self._progress)
        return RddManifest(
            folder=self._folder,
            spark=str(root.context.version),
            seconds=round(time.monotonic() - began, 3),
            size=self._store.size(self._folder),
            rows=sum(count for _, _, count in written),
            notes=(*notes, *doubts_about(root), *doubts_about_taken(self._rows), *given.doubts),
            output=root.described(),
            elements=self._files("output", written, writing.ELEMENTS),
            relations=tuple(relations),
            sources=tuple(writer.stored(source, self.annotator.leaf(source.operator)) for source in sources),
        )

    # -- inside -------------------------------------------------------------------------------------

    def _numbered(self) -> list[RddOperator]:
        """The boundaries on the way down, those that lead to others first; each with the functions it is given."""
        seen: set[RddOperator] = set()
        waiting = [(self._rows.operator, self._rows.frozen)]
        found = []
        while waiting:
            operator, given = waiting.pop()
            if operator in seen:
                continue
            seen.add(operator)
            frozen = frozen_for(operator, given)
            if not operator.inputs:
                self.annotator.leaf(operator)
            elif is_boundary(operator):
                self._given[operator] = frozen
                self.annotator.leaf(operator)
                found.append(operator)
            waiting += [(below, frozen) for below in contributing(operator)]
        return sorted(found, key=lambda each: -each.serial)

    def _below(self, boundary: RddOperator, by_place: frozenset[int]) -> StoredRelation:
        """The relation of a boundary's input."""
        leaf, given = self.annotator.leaf(boundary), self._given[boundary]
        self._progress(f"what {boundary.described()} was made of")
        if boundary.kind in BY_PARTITION:
            (annotated,) = self.annotator.inputs(boundary, given)
            name = None
        else:
            inputs = [self.annotator.annotated(below, given) for below in contributing(boundary)]
            annotated = self.annotator.context.union(inputs) if len(inputs) > 1 else inputs[0]
            name = workers.known_key_of(self.annotator.input_keys(boundary, given))
        folder = f"group-{leaf}"
        written = self._written(annotated, folder, name, by_place)
        return StoredRelation(
            self._files(folder, written, writing.RELATION),
            placed=name is None,
            leaf=leaf,
            prefix=boundary.kind in BY_PARTITION,
            label=boundary.label,
            described=boundary.described(),
            call_site=boundary.call_site,
        )

    def _written(
        self, annotated: Any, name: str, key: Any, by_place: frozenset[int], *, elements: bool = False
    ) -> list[writing.Written]:
        write = writing.relation_written(self._filesystem, f"{self._path}/{name}", key, by_place, elements)
        found = sorted(annotated.mapPartitionsWithIndex(write).collect())
        self._require_seen(name, found)
        return found

    def _require_seen(self, name: str, written: list[writing.Written]) -> None:
        found = entries(self._filesystem, f"{self._path}/{name}")
        seen = {info.base_name.partition(".")[0] for info in found}
        if any(file not in seen for _, file, _ in written):
            raise UnreachableError(
                f"Spark's executors wrote the index to {self._path}, where this process can't see it",
                hint="use a store that all machines share: attach(store=…), --store or BIGDEBUG_STORE",
            )

    def _files(self, name: str, written: list[writing.Written], ending: str) -> tuple[str, ...]:
        return tuple(f"{self._folder}/{name}/{file}{ending}" for _, file, _ in written)
