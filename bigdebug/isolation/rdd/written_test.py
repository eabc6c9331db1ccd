"""A test of an RDD's elements, written for the user's own suite; as `isolation.written_test` does for DataFrames."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pyroaring import FrozenBitMap

from bigdebug.isolation.builders import RDD_READERS, Builder, NoBuilderError, Read, find_builder
from bigdebug.isolation.literals import NoLiteralError, imports_of, source_of
from bigdebug.isolation.rdd.candidates import RddCandidates
from bigdebug.isolation.writing import (
    Origin,
    called,
    constant_for,
    has_spark_fixture,
    imported,
    one_line,
    recorded,
    spark_fixture,
)
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.rdd.kinds import IN_FILES, ROWS
from bigdebug.lineage.rdd.operator import RddOperator

MOST_RECORDS = 1_000
"""Records that a test holds."""


@dataclass(frozen=True)
class _Input:
    """A source's records, as the test has them.

    Attributes:
        read: the source, as far as code has to do with it.
        constant: what they are called in the test.
        elements: their sources.
    """

    read: Read
    constant: str
    elements: tuple[str, ...]

    @property
    def rdd(self) -> str:
        """The source of an expression for an RDD of them."""
        return f"spark.sparkContext.parallelize({self.constant}, 2)"


def write_rdd_test(
    path: str | os.PathLike[str],
    root: RddOperator,
    candidates: RddCandidates,
    reproduction: FrozenBitMap,
    failing: str,
    origin: Origin | None,
) -> Path:
    """Write a test that fails as long as the records of a reproduction give a failing element.

    Args:
        path: of the file; one that is there is written anew.
        root: that made the elements.
        candidates: of the failing elements.
        reproduction: numbers of the records that make elements fail.
        failing: an expression in Python of an element: which of them fail.
        origin: where the output is recorded, if it is.

    Returns:
        The file's path.

    Raises:
        BigDebugError: it can't be written; says why and what to do.
    """
    if not reproduction:
        raise BigDebugError("no record is needed for the elements to fail, so there is nothing to test with")
    if origin is not None and origin.redact:
        raise BigDebugError(
            "values are redacted in this run, so the records can't be written to a test",
            hint="isolate in a run that doesn't redact, with made-up data",
        )
    if any(each.leaf.operator.kind == ROWS for each in candidates.stands):
        raise BigDebugError(
            "a test can't be written yet of elements that are made of a DataFrame's rows",
            hint="write the rows that culprits.dataframe() gives to a file, and a test that reads it",
        )
    target = Path(path)
    inputs = _inputs(candidates, reproduction)
    reads = [each.read for each in inputs]
    operators = [each for each in root.walk() if each.node is not None]
    sources = {each.leaf.operator for each in candidates.every}
    top = next((each.call_site for each in operators if each not in sources), None)
    builder: Builder | None = None
    reason = ""
    try:
        builder = find_builder(top, [each.call_site for each in operators], reads)
    except NoBuilderError as error:
        reason = str(error)
    if builder is None and (origin is None or origin.output is None):
        raise BigDebugError(
            f"no function builds this RDD that a test could call ({reason}), and no output is recorded of it",
            hint="build it in a function that returns it, or call an action on it before you isolate",
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(_text(target, builder, reason, inputs, failing, origin))
    return target


def _inputs(candidates: RddCandidates, reproduction: FrozenBitMap) -> list[_Input]:
    if len(reproduction) > MOST_RECORDS:
        raise BigDebugError(
            f"{len(reproduction):,} records make the elements fail, more than the {MOST_RECORDS:,} that a test holds",
            hint="ask about fewer elements, or about one that fewer records make wrong",
        )
    found: list[_Input] = []
    taken: set[str] = set()
    for stand in candidates.stands:
        leaf = stand.leaf
        records = candidates.trace.located(leaf, stand.places_of(reproduction))
        try:
            elements = tuple(source_of(record.value) for record in records)
        except NoLiteralError as error:
            raise BigDebugError(
                f"records of {leaf.name} hold values of {error}, which a test can't",
                hint="read or make the data as texts, numbers, tuples, lists and dicts",
            ) from None
        paths = leaf.operator.node.paths if leaf.operator.node is not None else ()
        read = Read(leaf.name, leaf.call_site, tuple(paths), leaf.operator.kind not in IN_FILES)
        found.append(_Input(read, constant_for(leaf.name, taken), elements))
    return found


def _text(
    target: Path,
    builder: Builder | None,
    reason: str,
    inputs: Sequence[_Input],
    failing: str,
    origin: Origin | None,
) -> str:
    own_spark = not has_spark_fixture(target)
    read = [] if builder is None else [each for each in inputs if each.read.name not in builder.frames]
    imports = [
        *imports_of([element for each in inputs for element in each.elements]),
        *(["import sys"] if builder else []),
        *(["from pathlib import Path"] if builder else []),
        "from typing import Any",
        "",
        *(["import pytest"] if own_spark or read else []),
        *([] if builder else ["from bigdebug.isolation.rerun import rerun_elements"]),
        *(["from pyspark import SparkContext"] if read else []),
        "from pyspark.sql import SparkSession",
    ]
    head = [
        f'"""Elements are wrong for which holds: {one_line(failing)}.\n\n'
        'Written by bigdebug from the few records that show it.\n"""',
        "\n".join(imports).strip(),
    ]
    if builder is None:
        assert origin is not None
        head.append(recorded(origin, reason))
    else:
        head += imported(builder, target)
    head += [_constant(each) for each in inputs]
    blocks = ["\n\n".join(head)]
    if own_spark:
        blocks.append(spark_fixture({}))
    if read:
        blocks.append(_reading(read))
    blocks += [_judging(failing), _test(builder, inputs, bool(read))]
    return "\n\n\n".join(blocks) + "\n"


def _constant(each: _Input) -> str:
    elements = "".join(f"    {element},\n" for element in each.elements)
    return f"{each.constant} = [\n{elements}]" if elements else f"{each.constant}: list = []"


def _reading(read: Sequence[_Input]) -> str:
    """The fixture that has the program read the few records."""
    names = "".join(
        f"        {source_of(Path(path).name)}: {each.constant},\n"
        for each in read
        for path in each.read.paths
    )
    readers = "".join(f'        "{name}",\n' for name in RDD_READERS)
    return (
        "@pytest.fixture\n"
        "def records(spark, monkeypatch):\n"
        '    """The program reads these few records, whatever else is in its files."""\n'
        f"    elements = {{\n{names}    }}\n\n"
        "    def instead_of(read):\n"
        "        def reading(self, path, *args, **options):\n"
        "            found = elements.get(Path(str(path)).name)\n"
        "            return read(self, path, *args, **options) if found is None else self.parallelize(found, 2)\n\n"
        "        return reading\n\n"
        f"    for name in (\n{readers}    ):\n"
        "        monkeypatch.setattr(SparkContext, name, instead_of(getattr(SparkContext, name)))"
    )


def _judging(failing: str) -> str:
    return (
        "def is_wrong(x: Any) -> bool:\n"
        "    key, value = x if isinstance(x, tuple) and len(x) == 2 else (None, None)\n"
        f"    return bool({failing.strip()})"
    )


def _test(builder: Builder | None, inputs: Sequence[_Input], patched: bool) -> str:
    fixtures = "spark: SparkSession, records: None" if patched else "spark: SparkSession"
    if builder is None:
        given = "".join(f"        {source_of(each.read.name)}: {each.constant},\n" for each in inputs)
        made = f"    inputs = {{\n{given}    }}\n    elements = rerun_elements(spark, STORE, RUN, OUTPUT, inputs)\n"
    else:
        call = called(builder, {each.read.name: each.rdd for each in inputs}, True)
        made = f"    elements = {call}.collect()\n"
    return (
        f"def test_no_element_is_wrong({fixtures}) -> None:\n"
        f"{made}"
        "    assert [each for each in elements if is_wrong(each)] == []"
    )
