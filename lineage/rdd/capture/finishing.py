"""The index of an output out of what taps noted while its job ran."""

from __future__ import annotations

import secrets
import time
from collections import defaultdict
from functools import partial
from typing import Any

from bigdebug.lineage.asking import jobs_of_ours
from bigdebug.lineage.rdd.capture.captured import Tap
from bigdebug.lineage.rdd.capture.heads import PlaceHead
from bigdebug.lineage.rdd.doubts import doubts_about
from bigdebug.lineage.rdd.index.manifest import RddManifest, StoredRelation
from bigdebug.lineage.rdd.index.sources import SourceWriter
from bigdebug.lineage.rdd.index.task_file import ELEMENTS, RELATION
from bigdebug.lineage.rdd.index.writing import written_value
from bigdebug.lineage.rdd.kinds import RECORD_WISE, VALUE_ACTIONS
from bigdebug.lineage.rdd.operator import RddOperator
from bigdebug.lineage.rdd.reading import sources_in
from bigdebug.lineage.rdd.rows import RddRows
from bigdebug.lineage.rdd.trace import contributing_in_order
from bigdebug.lineage.rdd.travelling import travelling
from bigdebug.lineage.store.folders import entries
from bigdebug.lineage.store.tables import TableStore

Files = dict[int, tuple[str, int]]
"""By partition the name of its file of notes, without the ending, and how many records were handed on."""


def finish_capture(
    rows: RddRows, tap: Tap, store: TableStore, output: int, result: Any, began: float
) -> bool:
    """Make the index of an output of what taps noted; whether they noted all of it.

    Args:
        rows: what the action was about.
        tap: at what it computed.
        store: where its run lies.
        output: its number.
        result: what the action gave.
        began: when it began, as of `time.monotonic`.
    """
    way = _way(rows.operator)
    if way is None:
        return False
    taps: dict[RddOperator, Tap] = {each: each.taps[0] for each in way if each.taps}
    if rows.operator.kind in VALUE_ACTIONS:
        taps[rows.operator] = tap
    notes: dict[str, Files] = {}
    for each in {tap, *taps.values()}:
        noted = _noted(store, each)
        if noted is None:
            return False
        notes[each.folder] = noted
    folder = f"{output}-{secrets.token_hex(4)}"
    with (
        jobs_of_ours(rows.operator.context, f"the lineage of output {output}"),
        travelling(),
        store.making(output, folder),
    ):
        manifest = _manifest(rows, tap, taps, notes, store, folder, result, began)
        store.publish(output, folder, manifest.to_bytes())
    return True


def _way(root: RddOperator) -> list[RddOperator] | None:
    """All operators that elements may stem from; None if one of them has no taps."""
    way = contributing_in_order(root)
    for operator in way:
        if not operator.inputs or operator.kind in RECORD_WISE:
            continue
        if operator is root and operator.kind in VALUE_ACTIONS:
            continue
        if operator.taps is None:
            return None
    return way


def _noted(store: TableStore, tap: Tap) -> Files | None:
    """A file of notes for each partition; None if one is missing."""
    found = _found(store, tap)
    return found if set(found) == set(range(tap.rdd.getNumPartitions())) else None


def _found(store: TableStore, tap: Tap) -> Files:
    """The files of notes that are there, of each partition one, whichever attempt it is of."""
    filesystem, path = store.place(tap.folder)
    found: Files = {}
    for info in entries(filesystem, path):
        name, dot, ending = info.base_name.rpartition(".")
        if dot + ending == RELATION:
            attempt, _, records = name.partition(".")
            found.setdefault(int(attempt.partition("-")[0]), (name, int(records)))
    return found


def _manifest(
    rows: RddRows,
    tap: Tap,
    taps: dict[RddOperator, Tap],
    notes: dict[str, Files],
    store: TableStore,
    folder: str,
    result: Any,
    began: float,
) -> RddManifest:
    root = rows.operator
    filesystem, path = store.place(folder)
    if root.kind in VALUE_ACTIONS:
        written_value(filesystem, f"{path}/output", root.serial, result)
        output: tuple[str, ...] = (f"{folder}/output/0{RELATION}",)
        elements: tuple[str, ...] = (f"{folder}/output/0{ELEMENTS}",)
        count = 1
    else:
        output = _files(tap, notes[tap.folder], RELATION)
        attempts = {n: (name.partition(".")[0], records) for n, (name, records) in notes[tap.folder].items()}
        elements = _files(tap, attempts, ELEMENTS)
        count = len(result) if isinstance(result, list) else _count(filesystem, store, elements)
    relations = [StoredRelation(output, placed=True)]
    for operator in sorted(taps, key=lambda each: -each.serial):
        relations.append(
            StoredRelation(
                _files(taps[operator], notes[taps[operator].folder], RELATION),
                placed=False,
                leaf=operator.serial,
                label=operator.label,
                described=operator.described(),
                call_site=operator.call_site,
            )
        )
    counts: dict[int, dict[int, int]] = defaultdict(dict)
    for each in {tap, *taps.values()}:
        if isinstance(each.head, PlaceHead):
            counts[each.head.leaf] |= {n: records for n, (_, records) in notes[each.folder].items()}
    for teller in (each for operator in contributing_in_order(root) for each in operator.tellers):
        if isinstance(teller.head, PlaceHead):
            counts[teller.head.leaf] |= {n: records for n, (_, records) in _found(store, teller).items()}
    sources = sources_in(contributing_in_order(root))
    for source in sources:
        source.know_counts(partial(counts.__getitem__, source.operator.serial))
    writer = SourceWriter(filesystem, path, folder)
    stored = tuple(writer.stored(source, source.operator.serial) for source in sources)
    size = store.size(folder) + sum(store.size(each.folder) for each in {tap, *taps.values()})
    return RddManifest(
        folder=folder,
        spark=str(root.context.version),
        seconds=round(time.monotonic() - began, 3),
        size=size,
        rows=count,
        notes=tuple(doubts_about(root)),
        output=root.described(),
        elements=elements,
        relations=tuple(relations),
        sources=stored,
    )


def _files(tap: Tap, files: Files, ending: str) -> tuple[str, ...]:
    return tuple(f"{tap.folder}/{name}{ending}" for _, (name, _) in sorted(files.items()))


def _count(filesystem: Any, store: TableStore, elements: tuple[str, ...]) -> int:
    from bigdebug.lineage.rdd.index.relations import batches

    paths = [store.place(name)[1] for name in elements]
    return sum(sum(batch.column("count").to_pylist()) for batch in batches(filesystem, paths))
