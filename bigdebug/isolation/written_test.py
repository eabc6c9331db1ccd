"""A test, written for the user's own suite: the few records that make rows wrong, the pipeline, and what must not be.

It calls the function that builds the frame where the user's code has one, so that it passes once that is mended.
"""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyroaring import FrozenBitMap
from pyspark.sql import DataFrame

from bigdebug.isolation.builders import READERS, Builder, NoBuilderError, Read, find_builder
from bigdebug.isolation.candidate_set import CandidateSet, Share
from bigdebug.isolation.literals import NoLiteralError, has_literals, imports_of, source_of
from bigdebug.isolation.same_records import first_readers
from bigdebug.isolation.writing import (
    LONGEST_LINE,
    Origin,
    called,
    constant_for,
    has_spark_fixture,
    imported,
    one_line,
    recorded,
    settings_of,
    spark_fixture,
)
from bigdebug.lineage.asking import asking
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.identity import MEMORY_KINDS
from bigdebug.lineage.operators import Operator
from bigdebug.lineage.questions import Question
from bigdebug.lineage.sql_names import named

MOST_INLINE = 50
"""Records of a source that stand in the test itself; more go to a file beside it."""
_WHOLE: dict[str, Any] = dict.fromkeys(
    ("break_long_words", "break_on_hyphens", "drop_whitespace", "expand_tabs", "replace_whitespace"), False
)


@dataclass(frozen=True)
class _Input:
    """A source's records, as the test has them.

    Attributes:
        name: the source's.
        constant: what they are called in the test.
        read: the source, as far as code has to do with it.
        table: the name of a table or view that the program asks for.
        rows: sources of the records; None where they stand in a file.
        schema: in DDL.
        file: its name.
    """

    name: str
    constant: str
    read: Read
    table: str | None
    rows: Sequence[str] | None
    schema: str
    file: str | None

    @property
    def frame(self) -> str:
        """The source of an expression for its frame."""
        if self.file is not None:
            return f"spark.read.parquet(str(Path(__file__).with_name({source_of(self.file)})))"
        return f"spark.createDataFrame({self.constant}, {self.constant}_SCHEMA)"


def write_test(
    path: str | os.PathLike[str],
    question: Question,
    candidates: CandidateSet,
    reproduction: FrozenBitMap,
    failing: str,
    origin: Origin | None,
) -> Path:
    """Write a test that fails as long as the records of a reproduction give a failing row.

    Args:
        path: of the file; one that is there is written anew.
        question: about the output.
        candidates: kept.
        reproduction: numbers of the records that make rows fail.
        failing: SQL over the output: which rows fail.
        origin: where the output is recorded, if it is.

    Returns:
        The file's path.

    Raises:
        BigDebugError: it can't be written; says why and what to do.
    """
    target = Path(path)
    if not reproduction:
        raise BigDebugError("no record is needed for the rows to fail, so there is nothing to test with")
    with asking(question.catalyst, "the records of a test"):
        inputs = list(_inputs(target, candidates, reproduction, origin.redact if origin else ()))
        settings = settings_of(question.catalyst.spark)
    sites = [each.call_site for each in question.root.walk() if each.node is not None and each.node.id]
    leaves = {each.operator for each in question.sources.values()}
    top = next((each.call_site for each in _made(question.root) if each not in leaves), None)
    # A source that reads another one's records is that one.
    readers = first_readers(question.catalyst, question.sources.values())
    sources = list(dict.fromkeys(readers.values()))
    reads = [each.read for each in inputs] + [
        _read(leaf.operator, leaf.name) for leaf in sources if leaf.name not in {each.name for each in inputs}
    ]
    builder: Builder | None = None
    reason = ""
    try:
        builder = find_builder(top, sites, reads)
        if set(builder.frames) - {each.name for each in inputs}:
            raise NoBuilderError("it takes a frame of which no record is on the trace")
    except NoBuilderError as error:
        builder, reason = None, str(error)
    if builder is None and (origin is None or origin.output is None):
        raise BigDebugError(
            f"no function builds this frame that a test could call ({reason}), and no output is recorded of it",
            hint="build it in a function that returns it, or call an action on it before you isolate",
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    everything = len(inputs) == len(sources)
    target.write_text(_text(target, builder, reason, inputs, failing, origin, settings, everything))
    return target


def _made(root: Operator) -> Iterator[Operator]:
    """The operators that the program's frames are made by, the action's own limit left out."""
    return (each for each in root.walk() if each.node is not None and each.node.id)


# -- the records ------------------------------------------------------------------------------------


def _inputs(
    target: Path, candidates: CandidateSet, reproduction: FrozenBitMap, redact: Sequence[str]
) -> Iterator[_Input]:
    constants: set[str] = set()
    for stand in candidates.stands:
        frame = candidates.frame(reproduction & stand.numbers, stand.leaf).drop("_record")
        hidden = [name for name in frame.columns if name in redact]
        if hidden:
            raise BigDebugError(
                f"values of {hidden[0]} are redacted, so the records can't be written to a test",
                hint="isolate in a run that doesn't redact it, with made-up data",
            )
        yield _input(target, stand, frame, constants)


def _input(target: Path, stand: Share, frame: DataFrame, constants: set[str]) -> _Input:
    leaf = stand.leaf
    constant = constant_for(leaf.name, constants)
    schema = ", ".join(f"{named(each.name)} {each.dataType.simpleString()}" for each in frame.schema.fields)
    rows = _rows(frame)
    file = None
    if rows is None:
        file = f"{target.stem}_{constant.lower()}.parquet"
        target.parent.mkdir(parents=True, exist_ok=True)
        frame.coalesce(1).write.mode("overwrite").parquet(str(target.with_name(file).absolute()))
    table = leaf.operator.table or leaf.operator.view
    return _Input(leaf.name, constant, _read(leaf.operator, leaf.name), table, rows, schema, file)


def _rows(frame: DataFrame) -> list[str] | None:
    """The records as sources; None where they are many, or of a kind that has none."""
    if not all(has_literals(field.dataType) for field in frame.schema.fields):
        return None
    found = frame.limit(MOST_INLINE + 1).collect()
    if len(found) > MOST_INLINE:
        return None
    try:
        return [source_of(row) for row in found]
    except (NoLiteralError, OverflowError):
        return None


def _read(leaf: Operator, name: str) -> Read:
    paths = leaf.node.paths if leaf.node is not None else ()
    return Read(name, leaf.call_site, tuple(paths), leaf.kind in MEMORY_KINDS or leaf.kind == "Range")


# -- the text ---------------------------------------------------------------------------------------


def _text(
    target: Path,
    builder: Builder | None,
    reason: str,
    inputs: Sequence[_Input],
    failing: str,
    origin: Origin | None,
    settings: Mapping[str, str],
    everything: bool,
) -> str:
    rows = [row for each in inputs for row in each.rows or ()]
    own_spark = not has_spark_fixture(target)
    patched = builder is not None and any(each.name not in builder.frames for each in inputs)
    needs_path = builder is not None or any(each.file for each in inputs)
    imports = [
        *imports_of(rows),
        *(["import sys"] if builder else []),
        *(["from pathlib import Path"] if needs_path else []),
        "",
        *(["import pytest"] if own_spark or patched else []),
        *([] if builder else ["from bigdebug.isolation.rerun import rerun"]),
        "from bigdebug.pytest_plugin.dataflow import Dataflow",
        "from pyspark.sql import DataFrame, SparkSession",
        *(["from pyspark.sql.readwriter import DataFrameReader"] if patched else []),
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
    head += [_constants(each) for each in inputs if each.rows is not None]
    head.append(f"FAILING = {source_of(failing)}")
    blocks = ["\n\n".join(head)]
    if own_spark:
        blocks.append(spark_fixture(settings))
    if builder is None:
        blocks.append(_of_recipe(inputs))
    else:
        if patched:
            blocks.append(_reading(builder, inputs))
        blocks.append(_of_builder(builder, inputs, patched, everything))
    return "\n\n\n".join(blocks) + "\n"


def _constants(each: _Input) -> str:
    assert each.rows is not None
    rows = "".join(f"    {row},\n" for row in each.rows)
    listed = f"[\n{rows}]" if rows else "[]"
    schema = source_of(each.schema)
    if len(schema) + len(each.constant) > LONGEST_LINE:
        lines = textwrap.wrap(each.schema, LONGEST_LINE - 10, **_WHOLE)
        schema = "(\n" + "".join(f"    {source_of(line)}\n" for line in lines) + ")"
    return f"{each.constant} = {listed}\n{each.constant}_SCHEMA = {schema}"


def _reading(builder: Builder, inputs: Sequence[_Input]) -> str:
    """The fixture that has the program read the few records."""
    files, tables = [], []
    for each in inputs:
        if each.name in builder.frames:
            continue
        if each.read.paths:
            names = {Path(path).name for path in each.read.paths}
            files += [f"        {source_of(name)}: {each.frame},\n" for name in sorted(names)]
        elif each.table is not None:
            name = each.table.rsplit(".", 1)[-1]
            tables.append(f"    {each.frame}.createOrReplaceTempView({source_of(name)})\n")
    text = (
        "@pytest.fixture\n"
        "def records(spark, monkeypatch):\n"
        '    """The program reads these few records, whatever else is in its files."""\n'
    )
    text += "".join(tables)
    if not files:
        return text.rstrip()
    readers = ", ".join(f'"{name}"' for name in READERS)
    return (
        f"{text}"
        f"    frames = {{\n{''.join(files)}    }}\n\n"
        "    def instead_of(read):\n"
        "        def reading(self, path=None, *args, **options):\n"
        "            first = path[0] if isinstance(path, (list, tuple)) else path\n"
        "            found = frames.get(Path(str(first)).name)\n"
        "            return read(self, path, *args, **options) if found is None else found\n\n"
        "        return reading\n\n"
        f"    for name in ({readers}):\n"
        "        monkeypatch.setattr(DataFrameReader, name, instead_of(getattr(DataFrameReader, name)))"
    )


def _of_builder(builder: Builder, inputs: Sequence[_Input], patched: bool, everything: bool) -> str:
    call = called(builder, {each.name: each.frame for each in inputs}, everything)
    fixtures = "spark: SparkSession, records: None" if patched else "spark: SparkSession"
    fixtures += ", dataflow: Dataflow"
    return (
        f"def test_no_row_is_wrong({fixtures}) -> None:\n"
        f"    rows: DataFrame = {call}\n"
        "    dataflow.assert_none(rows, FAILING)"
    )


def _of_recipe(inputs: Sequence[_Input]) -> str:
    given = "".join(f"        {source_of(each.name)}: {each.frame},\n" for each in inputs)
    return (
        "def test_no_row_is_wrong(spark: SparkSession, dataflow: Dataflow) -> None:\n"
        f"    inputs = {{\n{given}    }}\n"
        "    rows: DataFrame = rerun(spark, STORE, RUN, OUTPUT, inputs)\n"
        "    dataflow.assert_none(rows, FAILING)"
    )
