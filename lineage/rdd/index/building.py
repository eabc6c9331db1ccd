"""Write the whole lineage of an RDD's output down, by a second pass over its sources."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from bigdebug.lineage.asking import jobs_of_ours
from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.errors import BigDebugError, UnreachableError
from bigdebug.lineage.finding import numbered
from bigdebug.lineage.identity import SourceLeaf
from bigdebug.lineage.index.manifest import Manifest
from bigdebug.lineage.rdd import placing, workers
from bigdebug.lineage.rdd.annotator import Annotator, contributing, is_boundary
from bigdebug.lineage.rdd.doubts import doubts_about, doubts_about_taken
from bigdebug.lineage.rdd.frames import functions_given, take_elements_once
from bigdebug.lineage.rdd.freezing import Frozen, frozen_for
from bigdebug.lineage.rdd.index.first_only import FirstOnly
from bigdebug.lineage.rdd.index.frames import IndexedFrame
from bigdebug.lineage.rdd.index.manifest import (
    FORMAT,
    THROUGH_FRAMES,
    RddManifest,
    StoredFrame,
    StoredRelation,
)
from bigdebug.lineage.rdd.index.sources import SourceWriter
from bigdebug.lineage.rdd.index.task_file import ELEMENTS, RELATION, Written
from bigdebug.lineage.rdd.index.writing import relation_written
from bigdebug.lineage.rdd.kinds import BY_PARTITION, FIRST_ROWS, INTO_FRAME, OF_FRAME
from bigdebug.lineage.rdd.known_keys import known_key_of
from bigdebug.lineage.rdd.mixed import Frames, in_order_of_names
from bigdebug.lineage.rdd.operator import RddOperator
from bigdebug.lineage.rdd.reading import sources_in
from bigdebug.lineage.rdd.rows import RddRows
from bigdebug.lineage.rdd.some_rows import only_given
from bigdebug.lineage.rdd.trace import require_understood
from bigdebug.lineage.rdd.travelling import travelling
from bigdebug.lineage.rdd.walk import release
from bigdebug.lineage.store.folders import entries
from bigdebug.lineage.store.tables import TableStore


def build_rdd_index(
    rows: RddRows,
    store: TableStore,
    output: int,
    frames: Frames,
    notes: tuple[str, ...] = (),
    progress: Callable[[str], None] = lambda _: None,
) -> RddManifest:
    """Index an output; its former index, if there is one, stands until this one does.

    Args:
        rows: what the action was about.
        store: where its run lies.
        output: its number.
        frames: the DataFrames below, as `frames_below` found them.
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
        telling_why(),
        jobs_of_ours(rows.operator.context, about),
        travelling(),
        store.making(output, folder),
    ):
        writer = ProgramWriter({rows.operator: rows.frozen}, frames, store, folder, progress)
        with writer.kept_meanwhile():
            manifest = writer.manifest(rows, notes)
        manifest = replace(manifest, seconds=round(time.monotonic() - began, 3))
        store.publish(output, folder, manifest.to_bytes())
    return manifest


@contextmanager
def telling_why() -> Iterator[None]:
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


class ProgramWriter:
    """Writes what elements came from, on through the DataFrames below.

    Args:
        tops: the operators to begin with, and the functions given to each: the output's, or of a DataFrame above
            those that made it.
        frames: the DataFrames below, as `frames_below` found them.
        store: where the run lies.
        folder: of what is written, within the run's folder of indexes.
        progress: told what is done next.
        above: what sources of a DataFrame above are called; None where there is none.
    """

    def __init__(
        self,
        tops: Mapping[RddOperator, Frozen],
        frames: Frames,
        store: TableStore,
        folder: str,
        progress: Callable[[str], None] = lambda _: None,
        above: Sequence[str] | None = None,
    ) -> None:
        self._tops = tops
        self._store = store
        self._folder = folder
        self._progress = progress
        self._context = next(iter(tops)).context
        self._filesystem, self._path = store.place(folder)
        order = in_order_of_names([*tops], frames)
        self._joints = [each for each in order if each.kind == INTO_FRAME]
        self._frames = {each: IndexedFrame(frames[each]) for each in order if each.kind == OF_FRAME}
        self._sources = sources_in(order)
        self._name(above)
        self._annotator = Annotator(self._context, self._frames)
        self._first: FirstOnly | None = None
        self._given = functions_given(tops, frames, contributing)
        # Leaves have their numbers before ids of them are written.
        for operator in self._given:
            if not operator.inputs or is_boundary(operator):
                self._annotator.leaf(operator)

    @contextmanager
    def kept_meanwhile(
        self, catalyst: Catalyst | None = None, joints: Mapping[SourceLeaf, RddOperator] | None = None
    ) -> Iterator[dict[SourceLeaf, int]]:
        """Around all writing: what comes in another order each time is computed once, and kept until the end.

        Args:
            catalyst: of the session that a DataFrame above belongs to, if there is one.
            joints: by leaf of that, the operator that made it.

        Yields by such a leaf the number of the operator.
        """
        joints = joints or {}
        if catalyst is not None:
            take_elements_once(self._annotator, catalyst, joints)
        for each in self._frames.values():
            take_elements_once(self._annotator, each.frame.question.catalyst, each.frame.joints)
        try:
            yield {leaf: self._annotator.leaf(joint) for leaf, joint in joints.items()}
        finally:
            release([*self._annotator.kept.values()])

    def manifest(self, rows: RddRows | None = None, notes: tuple[str, ...] = ()) -> RddManifest:
        """Write all, and say what was written.

        Args:
            rows: what an action was about; None below a DataFrame.
            notes: what is already known to make traces inexact.
        """
        began = time.monotonic()
        doubts = [doubt for top in dict.fromkeys([*self._tops, *self._joints]) for doubt in doubts_about(top)]
        written: list[Written] = []
        relations = []
        given: tuple[str, ...] = ()
        if rows is not None:
            self._progress("the output's elements")
            annotated = self._annotator.annotated(rows.operator, rows.frozen)
            asked = only_given(rows, annotated, self._annotator)
            given = *doubts_about_taken(rows), *asked.doubts
            written = self._written(
                asked.elements, "output", None, elements=True, partitions=asked.partitions
            )
            if rows.action in FIRST_ROWS:
                self._first = FirstOnly(self._annotator, self._given, rows.operator, asked.elements)
            relations.append(StoredRelation(self._files("output", written, RELATION), placed=True))
        frames = {}
        # Those that lead to others stand before these.
        for operator in sorted(self._given, key=lambda each: -each.serial):
            if operator.kind == OF_FRAME:
                frames[operator] = self._rows_of(operator)
                relations.append(self._relation(operator, (), placed=True))
            elif operator.inputs and is_boundary(operator):
                relations.append(self._below(operator))
        writer = SourceWriter(self._filesystem, self._path, self._folder, self._progress)
        return RddManifest(
            folder=self._folder,
            spark=str(self._context.version),
            seconds=round(time.monotonic() - began, 3),
            size=self._store.size(self._folder),
            rows=sum(count for _, _, count in written),
            notes=(*notes, *dict.fromkeys(doubts), *given),
            output="" if rows is None else rows.operator.described(),
            elements=self._files("output", written, ELEMENTS),
            relations=tuple(relations),
            sources=tuple(
                writer.stored(source, self._annotator.leaf(source.operator)) for source in self._sources
            ),
            frames=tuple(StoredFrame(self._annotator.leaf(each), frames[each]) for each in self._frames),
            format=THROUGH_FRAMES if self._frames or rows is None else FORMAT,
        )

    # -- inside -------------------------------------------------------------------------------------

    def _name(self, above: Sequence[str] | None) -> None:
        """Have all sources called what they are called in other traces."""
        below = [(each, leaf) for each in self._frames.values() for leaf in each.frame.own_sources()]
        called = [*(source.name for source in self._sources), *(leaf.name for _, leaf in below)]
        first = len(self._sources)
        anew = 0 if above is not None else first
        called[anew:] = [name.partition("#")[0] for name in called[anew:]]
        names = numbered([*(above or ()), *called])[len(above or ()) :]
        for source, name in zip(self._sources, names, strict=False):
            source.name = name
        for (frame, leaf), name in zip(below, names[first:], strict=True):
            frame.names[leaf] = name

    def _rows_of(self, operator: RddOperator) -> Manifest:
        """The index of a DataFrame whose rows are elements."""
        leaf = self._annotator.leaf(operator)
        frame = self._frames[operator]
        joints = {each: self._annotator.leaf(joint) for each, joint in frame.frame.joints.items()}
        return frame.written(self._store, f"{self._folder}/frame-{leaf}", joints, self._progress)

    def _below(self, boundary: RddOperator) -> StoredRelation:
        """The relation of a boundary's input."""
        leaf = self._annotator.leaf(boundary)
        given = frozen_for(boundary, self._given[boundary])
        self._progress(f"what {boundary.described()} was made of")
        partitions: Sequence[int] | None = None
        if boundary.kind in BY_PARTITION or boundary.kind == INTO_FRAME:
            (annotated,) = self._annotator.inputs(boundary, given)
            if boundary in self._annotator.kept:
                annotated = annotated.map(placing.without_marks, True)
            if self._first is not None:
                annotated, partitions = self._first.read_of(boundary, annotated)
            name = None
        else:
            inputs = [self._annotator.annotated(below, given) for below in contributing(boundary)]
            annotated = self._context.union(inputs) if len(inputs) > 1 else inputs[0]
            name = known_key_of(self._annotator.input_keys(boundary, given))
        folder = f"group-{leaf}"
        written = self._written(annotated, folder, name, partitions=partitions)
        return self._relation(boundary, self._files(folder, written, RELATION), placed=name is None)

    def _relation(self, boundary: RddOperator, files: tuple[str, ...], *, placed: bool) -> StoredRelation:
        return StoredRelation(
            files,
            placed=placed,
            leaf=self._annotator.leaf(boundary),
            prefix=boundary.kind in BY_PARTITION,
            label="" if boundary.kind == INTO_FRAME else boundary.label,
            described=boundary.described(),
            call_site=boundary.call_site,
        )

    def _written(
        self,
        annotated: Any,
        name: str,
        key: Any,
        *,
        elements: bool = False,
        partitions: Sequence[int] | None = None,
    ) -> list[Written]:
        folder = f"{self._path}/{name}"
        write = annotated.mapPartitionsWithIndex(relation_written(self._filesystem, folder, key, elements))
        found = sorted(self._context.runJob(write, workers.itself, partitions))
        self._require_seen(name, found)
        return found

    def _require_seen(self, name: str, written: list[Written]) -> None:
        found = entries(self._filesystem, f"{self._path}/{name}")
        seen = {info.base_name.partition(".")[0] for info in found}
        if any(file not in seen for _, file, _ in written):
            raise UnreachableError(
                f"Spark's executors wrote the index to {self._path}, where this process can't see it",
                hint="use a store that all machines share: attach(store=…), --store or BIGDEBUG_STORE",
            )

    def _files(self, name: str, written: list[Written], ending: str) -> tuple[str, ...]:
        return tuple(f"{self._folder}/{name}/{file}{ending}" for _, file, _ in written)
