"""The records of a reproduction as a written test has them: rows of frames, or elements of RDDs."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from pyspark.sql import DataFrame

from bigdebug.isolation.builders import RDD_READERS, READERS, Builder, Read
from bigdebug.isolation.literals import NoLiteralError, has_literals, source_of
from bigdebug.isolation.writing import LONGEST_LINE, constant_for
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.identity import MEMORY_KINDS, SourceLeaf
from bigdebug.lineage.location import TracedRecord
from bigdebug.lineage.operators import Operator
from bigdebug.lineage.rdd.kinds import IN_FILES
from bigdebug.lineage.rdd.reading import RddSource
from bigdebug.lineage.sql_names import named

MOST_INLINE = 50
"""Rows of a source that stand in the test itself; more go to a file beside it."""
_WHOLE: dict[str, Any] = dict.fromkeys(
    ("break_long_words", "break_on_hyphens", "drop_whitespace", "expand_tabs", "replace_whitespace"), False
)


@dataclass(frozen=True)
class _Input:
    """The records of a source.

    Attributes:
        name: the source's.
        constant: what they are called in the test.
        read: the source, as far as code has to do with it.
    """

    name: str
    constant: str
    read: Read


@dataclass(frozen=True)
class FrameInput(_Input):
    """The records of a DataFrame's source.

    Attributes:
        table: the name of a table or view that the program asks for.
        rows: sources of the records; None where they stand in a file.
        schema: in DDL.
        file: its name.
    """

    table: str | None
    rows: Sequence[str] | None
    schema: str
    file: str | None

    @property
    def made(self) -> str:
        """The source of an expression for its frame."""
        if self.file is not None:
            return f"spark.read.parquet(str(Path(__file__).with_name({source_of(self.file)})))"
        return f"spark.createDataFrame({self.constant}, {self.constant}_SCHEMA)"

    @property
    def declared(self) -> str | None:
        """Lines that hold the records; None where a file does."""
        if self.rows is None:
            return None
        rows = "".join(f"    {row},\n" for row in self.rows)
        listed = f"[\n{rows}]" if rows else "[]"
        schema = source_of(self.schema)
        if len(schema) + len(self.constant) > LONGEST_LINE:
            lines = textwrap.wrap(self.schema, LONGEST_LINE - 10, **_WHOLE)
            schema = "(\n" + "".join(f"    {source_of(line)}\n" for line in lines) + ")"
        return f"{self.constant} = {listed}\n{self.constant}_SCHEMA = {schema}"

    @property
    def literals(self) -> Sequence[str]:
        return self.rows or ()


@dataclass(frozen=True)
class ElementsInput(_Input):
    """The records of an RDD's source.

    Attributes:
        literals: sources of the records.
    """

    literals: Sequence[str]

    @property
    def made(self) -> str:
        """The source of an expression for an RDD of them."""
        return f"spark.sparkContext.parallelize({self.constant}, 2)"

    @property
    def declared(self) -> str:
        """Lines that hold the records."""
        elements = "".join(f"    {element},\n" for element in self.literals)
        return f"{self.constant} = [\n{elements}]" if elements else f"{self.constant}: list = []"


Input: TypeAlias = FrameInput | ElementsInput


def frame_input(
    target: Path,
    leaf: SourceLeaf,
    name: str,
    frame: DataFrame,
    constants: set[str],
    redact: Sequence[str] = (),
) -> FrameInput:
    """The records of a DataFrame's source, written to a file beside the test where they are many.

    Args:
        target: the test's file.
        leaf: the source.
        name: what it is called.
        frame: of the records, maybe with their places.
        constants: that are taken.
        redact: columns whose values must not be written.

    Raises:
        BigDebugError: they hold values that must not be written.
    """
    frame = frame.drop("_record")
    hidden = [each for each in frame.columns if each in redact]
    if hidden:
        raise BigDebugError(
            f"values of {hidden[0]} are redacted, so the records can't be written to a test",
            hint="isolate in a run that doesn't redact it, with made-up data",
        )
    constant = constant_for(name, constants)
    schema = ", ".join(f"{named(each.name)} {each.dataType.simpleString()}" for each in frame.schema.fields)
    rows = _rows(frame)
    file = None
    if rows is None:
        file = f"{target.stem}_{constant.lower()}.parquet"
        target.parent.mkdir(parents=True, exist_ok=True)
        frame.coalesce(1).write.mode("overwrite").parquet(str(target.with_name(file).absolute()))
    table = leaf.operator.table or leaf.operator.view
    return FrameInput(name, constant, read_of(leaf.operator, name), table, rows, schema, file)


def elements_input(
    source: RddSource, name: str, records: Sequence[TracedRecord], constants: set[str]
) -> ElementsInput:
    """The records of an RDD's source.

    Args:
        source: the source.
        name: what it is called.
        records: of it.
        constants: that are taken.

    Raises:
        BigDebugError: they hold values that code can't.
    """
    operator = source.operator
    try:
        elements = tuple(source_of(record.value) for record in records)
    except NoLiteralError as error:
        raise BigDebugError(
            f"records of {name} hold values of {error}, which a test can't",
            hint="read or make the data as texts, numbers, tuples, lists and dicts",
        ) from None
    paths = operator.node.paths if operator.node is not None else ()
    read = Read(name, source.call_site, tuple(paths), operator.kind not in IN_FILES)
    return ElementsInput(name, constant_for(name, constants), read, elements)


def read_of(leaf: Operator, name: str) -> Read:
    """A source of a DataFrame, as far as code has to do with it."""
    paths = leaf.node.paths if leaf.node is not None else ()
    return Read(name, leaf.call_site, tuple(paths), leaf.kind in MEMORY_KINDS or leaf.kind == "Range")


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


# -- where the program reads them -------------------------------------------------------------------


def patched(builder: Builder | None, inputs: Sequence[Input]) -> list[Input]:
    """The records that a function reads by itself, in place of what it would find."""
    return [] if builder is None else [each for each in inputs if each.name not in builder.frames]


def reader_imports(builder: Builder | None, read: Sequence[Input]) -> list[str]:
    """Lines that import what a call of the program's function takes, and what is patched for it."""
    return [
        *(["from pyspark import cloudpickle"] if builder is not None else []),
        *(
            ["from pyspark import SparkContext"]
            if any(isinstance(each, ElementsInput) for each in read)
            else []
        ),
        *(
            ["from pyspark.sql.readwriter import DataFrameReader"]
            if any(isinstance(each, FrameInput) for each in read)
            else []
        ),
    ]


def reading(read: Sequence[Input]) -> str:
    """The fixture that has the program read the few records."""
    frames = [each for each in read if isinstance(each, FrameInput)]
    elements = [each for each in read if isinstance(each, ElementsInput)]
    tables = [each for each in frames if not each.read.paths and each.table is not None]
    views = "".join(
        f"    {each.made}.createOrReplaceTempView({source_of((each.table or '').rsplit('.', 1)[-1])})\n"
        for each in tables
    )
    parts = [
        *(
            _instead(frames, "frames", "DataFrameReader", READERS)
            if any(e.read.paths for e in frames)
            else ()
        ),
        *(_instead(elements, "elements", "SparkContext", RDD_READERS) if elements else ()),
    ]
    body = "\n\n".join(parts)
    return (
        "@pytest.fixture\n"
        "def records(spark, monkeypatch):\n"
        '    """The program reads these few records, whatever else is in its files."""\n'
        f"{views}{body}"
    ).rstrip()


def _instead(read: Sequence[Input], called: str, reader: str, methods: Sequence[str]) -> Iterator[str]:
    """What has the methods of a reader give records by the names of their files."""
    known = {
        (Path(path).name, each.constant if isinstance(each, ElementsInput) else each.made)
        for each in read
        for path in each.read.paths
    }
    entries = "".join(f"        {source_of(name)}: {made},\n" for name, made in sorted(known))
    made = "found" if called == "frames" else "self.parallelize(found, 2)"
    yield f"    {called} = {{\n{entries}    }}"
    yield (
        f"    def {called}_instead_of(read):\n"
        "        def reading(self, path=None, *args, **options):\n"
        "            first = path[0] if isinstance(path, (list, tuple)) else path\n"
        f"            found = {called}.get(Path(str(first)).name)\n"
        f"            return read(self, path, *args, **options) if found is None else {made}\n\n"
        "        return reading"
    )
    names = "".join(f'        "{name}",\n' for name in methods)
    yield (
        f"    for name in (\n{names}    ):\n"
        f"        monkeypatch.setattr({reader}, name, {called}_instead_of(getattr({reader}, name)))"
    )
