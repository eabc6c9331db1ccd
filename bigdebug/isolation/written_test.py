"""A test, written for the user's own suite: the few records that make rows wrong, the pipeline, and what must not be.

It calls the function that builds the frame where the user's code has one, so that it passes once that is mended.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pyroaring import FrozenBitMap

from bigdebug.isolation.behind import RecordsBehind, Shown
from bigdebug.isolation.builders import Builder, NoBuilderError, Read, find_builder
from bigdebug.isolation.candidate_set import CandidateSet
from bigdebug.isolation.inputs import Input, frame_input, patched, read_of, reader_imports, reading
from bigdebug.isolation.literals import imports_of, source_of
from bigdebug.isolation.same_records import first_readers
from bigdebug.isolation.writing import (
    Origin,
    called,
    has_spark_fixture,
    imported,
    one_line,
    recorded,
    settings_of,
    spark_fixture,
)
from bigdebug.lineage.asking import asking
from bigdebug.lineage.callsite import CallSite
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.identity import SourceLeaf
from bigdebug.lineage.operators import Operator
from bigdebug.lineage.questions import Question


def write_test(
    path: str | os.PathLike[str],
    question: Question,
    candidates: CandidateSet,
    reproduction: FrozenBitMap,
    failing: str,
    origin: Origin | None,
    shown: Shown | None = None,
) -> Path:
    """Write a test that fails as long as the records of a reproduction give a failing row.

    Args:
        path: of the file; one that is there is written anew.
        question: about the output.
        candidates: kept.
        reproduction: numbers of the records that make rows fail.
        failing: SQL over the output: which rows fail.
        origin: where the output is recorded, if it is.
        shown: what gives the records that candidates were made of, where these are rows.

    Returns:
        The file's path.

    Raises:
        BigDebugError: it can't be written; says why and what to do.
    """
    target = Path(path)
    if not reproduction:
        raise BigDebugError("no record is needed for the rows to fail, so there is nothing to test with")
    redact = origin.redact if origin else ()
    with asking(question.catalyst, "the records of a test"):
        settings = settings_of(question.catalyst.spark)
        found: tuple[Builder, _Given] | None = None
        reason = ""
        if isinstance(shown, RecordsBehind) and shown.are_all_records:
            found, _ = _built(question, _behind(target, question, candidates, reproduction, redact, shown))
        if found is None:
            given = _given(target, question, candidates, reproduction, redact)
            found, reason = _built(question, given)
    builder, given = found if found is not None else (None, given)
    if builder is None and (origin is None or origin.output is None):
        raise BigDebugError(
            f"no function builds this frame that a test could call ({reason}), and no output is recorded of it",
            hint="build it in a function that returns it, or call an action on it before you isolate",
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(
        _text(target, builder, reason, given.inputs, failing, origin, settings, given.everything)
    )
    return target


@dataclass(frozen=True)
class _Given:
    """What a function that builds the frame would be given.

    Attributes:
        inputs: the records of sources.
        reads: the sources, those too of which there is no record.
        sites: where operators stand.
        everything: there are records of all sources.
    """

    inputs: list[Input]
    reads: list[Read]
    sites: list[CallSite | None]
    everything: bool


def _given(
    target: Path,
    question: Question,
    candidates: CandidateSet,
    reproduction: FrozenBitMap,
    redact: Sequence[str],
    below: Mapping[SourceLeaf, list[Input]] | None = None,
    constants: set[str] | None = None,
) -> _Given:
    """The records of the DataFrame's own sources; in place of some of these what is below them."""
    below, constants = below or {}, constants or set()
    inputs: list[Input] = []
    for stand in candidates.stands:
        if stand.leaf in below:
            inputs += below[stand.leaf]
        else:
            frame = candidates.frame(reproduction & stand.numbers, stand.leaf)
            inputs.append(frame_input(target, stand.leaf, stand.leaf.name, frame, constants, redact))
    # A source that reads another one's records is that one.
    readers = first_readers(question.catalyst, question.sources.values())
    sources = [leaf for leaf in dict.fromkeys(readers.values()) if leaf not in below]
    names = {each.name for each in inputs}
    others = [read_of(leaf.operator, leaf.name) for leaf in sources if leaf.name not in names]
    sites = [each.call_site for each in _made(question.root)]
    return _Given(inputs, [*(each.read for each in inputs), *others], sites, not others)


def _behind(
    target: Path,
    question: Question,
    candidates: CandidateSet,
    reproduction: FrozenBitMap,
    redact: Sequence[str],
    shown: RecordsBehind,
) -> _Given:
    """The same, of the sources of the RDDs that the DataFrame was made of."""
    constants: set[str] = set()
    below = shown.inputs(target, reproduction, constants, redact)
    found = _given(target, question, candidates, reproduction, redact, below, constants)
    return replace(found, sites=[*found.sites, *shown.call_sites()])


def _built(question: Question, given: _Given) -> tuple[tuple[Builder, _Given] | None, str]:
    """The function that builds the frame, if there is one, or why there is none."""
    leaves = {each.operator for each in question.sources.values()}
    top = next((each.call_site for each in _made(question.root) if each not in leaves), None)
    try:
        builder = find_builder(top, given.sites, given.reads)
    except NoBuilderError as error:
        return None, str(error)
    if set(builder.frames) - {each.name for each in given.inputs}:
        return None, "it takes a frame of which no record is on the trace"
    return (builder, given), ""


def _made(root: Operator) -> Iterator[Operator]:
    """The operators that the program's frames are made by, the action's own limit left out."""
    return (each for each in root.walk() if each.node is not None and each.node.id)


# -- the text ---------------------------------------------------------------------------------------


def _text(
    target: Path,
    builder: Builder | None,
    reason: str,
    inputs: Sequence[Input],
    failing: str,
    origin: Origin | None,
    settings: Mapping[str, str],
    everything: bool,
) -> str:
    rows = [row for each in inputs for row in each.literals]
    own_spark = not has_spark_fixture(target)
    read = patched(builder, inputs)
    needs_path = builder is not None or any(each.declared is None for each in inputs)
    imports = [
        *imports_of(rows),
        *(["import sys"] if builder else []),
        *(["from pathlib import Path"] if needs_path else []),
        "",
        *(["import pytest"] if own_spark or read else []),
        *([] if builder else ["from bigdebug.isolation.rerun import rerun"]),
        "from bigdebug.pytest_plugin.dataflow import Dataflow",
        *sorted([*reader_imports(builder, read), "from pyspark.sql import DataFrame, SparkSession"]),
    ]
    head = [
        f'"""Rows are wrong for which holds: {one_line(failing)}.\n\n'
        'Written by bigdebug from the few records that show it.\n"""',
        "\n".join(imports).strip(),
    ]
    if builder is None:
        assert origin is not None
        head.append(recorded(origin, reason))
    else:
        head += imported(builder, target)
    head += [each.declared for each in inputs if each.declared is not None]
    head.append(f"FAILING = {source_of(failing)}")
    blocks = ["\n\n".join(head)]
    if own_spark:
        blocks.append(spark_fixture(settings))
    if builder is None:
        blocks.append(_of_recipe(inputs))
    else:
        if read:
            blocks.append(reading(read))
        blocks.append(_of_builder(builder, inputs, bool(read), everything))
    return "\n\n\n".join(blocks) + "\n"


def _of_builder(builder: Builder, inputs: Sequence[Input], reads: bool, everything: bool) -> str:
    call = called(builder, {each.name: each.made for each in inputs}, everything)
    fixtures = "spark: SparkSession, records: None" if reads else "spark: SparkSession"
    fixtures += ", dataflow: Dataflow"
    return (
        f"def test_no_row_is_wrong({fixtures}) -> None:\n"
        f"    rows: DataFrame = {call}\n"
        "    dataflow.assert_none(rows, FAILING)"
    )


def _of_recipe(inputs: Sequence[Input]) -> str:
    given = "".join(f"        {source_of(each.name)}: {each.made},\n" for each in inputs)
    return (
        "def test_no_row_is_wrong(spark: SparkSession, dataflow: Dataflow) -> None:\n"
        f"    inputs = {{\n{given}    }}\n"
        "    rows: DataFrame = rerun(spark, STORE, RUN, OUTPUT, inputs)\n"
        "    dataflow.assert_none(rows, FAILING)"
    )
