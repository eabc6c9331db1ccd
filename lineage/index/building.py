"""Write the whole lineage of an output down."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

from bigdebug.lineage.asking import asking
from bigdebug.lineage.depth import deep_plans
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.identity import SourceLeaf
from bigdebug.lineage.index.manifest import THROUGH_RDDS, Manifest
from bigdebug.lineage.index.writing import DataflowWriter
from bigdebug.lineage.operators import NodeLookup
from bigdebug.lineage.questions import Question
from bigdebug.lineage.rdd.index.building import ProgramWriter, telling_why
from bigdebug.lineage.rdd.joints import joints_among
from bigdebug.lineage.rdd.mixed import all_operators, followed, frames_below
from bigdebug.lineage.rdd.operator import RddOperator
from bigdebug.lineage.rdd.reading import require_all_unchanged
from bigdebug.lineage.rdd.recipe import NOT_REDACTED
from bigdebug.lineage.rdd.travelling import travelling
from bigdebug.lineage.store.tables import TableStore


def build_index(
    question: Question,
    store: TableStore,
    output: int,
    lookup: NodeLookup,
    redact: Sequence[str] = (),
    progress: Callable[[str], None] = lambda _: None,
    execution: Any | None = None,
    since: float | None = None,
) -> Manifest:
    """Index an output; its former index, if there is one, stands until this one does.

    Args:
        question: about all its rows.
        store: where its run lies.
        output: its number.
        lookup: gives the recorded node of a tag's value.
        redact: columns whose values must not be stored.
        progress: told what is done next.
        execution: the JVM `QueryExecution` that gave the output's rows, where it has just run.
        since: when the program computed them, in seconds since the epoch; None where that was compared before.

    Raises:
        UnsupportedOperatorError: the dataflow holds an operator whose lineage isn't understood.
        SourceChangedError: a file that it reads through RDDs isn't what it was.
        UnreachableError: the store can't be written.
        BigDebugError: Spark couldn't compute it.
    """
    folder = f"{output}-{secrets.token_hex(4)}"
    began = time.monotonic()
    about = f"the lineage of output {output}"
    joints = followed(joints_among(question.catalyst.spark.sparkContext, question.sources.values()))
    below = _below(question, joints, store, folder, lookup, redact, progress, since) if joints else None
    workers_asked = telling_why() if below is not None else nullcontext()
    with workers_asked, deep_plans(), asking(question.catalyst, about), store.making(output, folder):
        if below is None:
            manifest = DataflowWriter(question, store, folder, redact, progress, {}).of_output(execution)
        else:
            with travelling(), below.kept_meanwhile(question.catalyst, joints) as leaves:
                writer = DataflowWriter(question, store, folder, redact, progress, leaves)
                manifest = writer.of_output(execution)
                content = json.loads(below.manifest().to_bytes())
            manifest = replace(manifest, below=content, format=THROUGH_RDDS)
        seconds = round(time.monotonic() - began, 3)
        manifest = replace(manifest, seconds=seconds, size=store.size(folder))
        store.publish(output, folder, manifest.to_bytes())
    return manifest


def _below(
    question: Question,
    joints: Mapping[SourceLeaf, RddOperator],
    store: TableStore,
    folder: str,
    lookup: NodeLookup,
    redact: Sequence[str],
    progress: Callable[[str], None],
    since: float | None,
) -> ProgramWriter:
    """What writes the RDDs below down."""
    if redact:
        raise BigDebugError(
            f"{NOT_REDACTED} ({next(iter(joints.values())).described()})",
            hint="trace the output in the running program",
        )
    tops = list(dict.fromkeys(joints.values()))
    frames = frames_below(tops, lookup)
    require_all_unchanged(all_operators(tops, frames), since)
    own = [leaf.name for leaf in question.sources.values() if leaf not in joints]
    given = {top: top.frozen or {} for top in tops}
    return ProgramWriter(given, frames, store, f"{folder}/below", progress, own)
