"""A test of an RDD's elements, written for the user's own suite; as `isolation.written_test` does for DataFrames."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pyroaring import FrozenBitMap

from bigdebug.isolation.behind import RecordsBehind, Shown
from bigdebug.isolation.builders import Builder, NoBuilderError, find_builder
from bigdebug.isolation.inputs import Input, elements_input, patched, reader_imports, reading
from bigdebug.isolation.literals import imports_of, source_of
from bigdebug.isolation.rdd.candidates import RddCandidates
from bigdebug.isolation.writing import (
    Origin,
    called,
    has_spark_fixture,
    imported,
    one_line,
    recorded,
    spark_fixture,
)
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.rdd.kinds import ROWS
from bigdebug.lineage.rdd.operator import RddOperator

MOST_RECORDS = 1_000
"""Records that a test holds."""


def write_rdd_test(
    path: str | os.PathLike[str],
    root: RddOperator,
    candidates: RddCandidates,
    reproduction: FrozenBitMap,
    failing: str,
    origin: Origin | None,
    shown: Shown | None = None,
) -> Path:
    """Write a test that fails as long as the records of a reproduction give a failing element.

    Args:
        path: of the file; one that is there is written anew.
        root: that made the elements.
        candidates: of the failing elements.
        reproduction: numbers of the records that make elements fail.
        failing: an expression in Python of an element: which of them fail.
        origin: where the output is recorded, if it is.
        shown: what gives the records that candidates were made of, where these are rows.

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
    target = Path(path)
    inputs = _inputs(target, candidates, reproduction, shown)
    of_rows = any(each.leaf.operator.kind == ROWS for each in candidates.stands)
    reads = [each.read for each in inputs]
    operators = [each for each in root.walk() if each.node is not None]
    sources = {each.leaf.operator for each in candidates.every}
    top = next((each.call_site for each in operators if each not in sources), None)
    builder: Builder | None = None
    reason = ""
    try:
        sites = [each.call_site for each in operators if each.kind != ROWS]
        behind = shown.call_sites() if isinstance(shown, RecordsBehind) else []
        builder = find_builder(top, [*sites, *behind], reads)
    except NoBuilderError as error:
        reason = str(error)
    if builder is None and of_rows:
        raise BigDebugError(
            f"no function builds this RDD that a test could call ({reason}), and what was recorded can't be run on "
            "other rows of a DataFrame",
            hint="build it in a function that returns it",
        )
    if builder is None and (origin is None or origin.output is None):
        raise BigDebugError(
            f"no function builds this RDD that a test could call ({reason}), and no output is recorded of it",
            hint="build it in a function that returns it, or call an action on it before you isolate",
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(_text(target, builder, reason, inputs, failing, origin))
    return target


def _inputs(
    target: Path, candidates: RddCandidates, reproduction: FrozenBitMap, shown: Shown | None
) -> list[Input]:
    if len(reproduction) > MOST_RECORDS:
        raise BigDebugError(
            f"{len(reproduction):,} records make the elements fail, more than the {MOST_RECORDS:,} that a test holds",
            hint="ask about fewer elements, or about one that fewer records make wrong",
        )
    constants: set[str] = set()
    below: Mapping[Any, list[Input]] = {}
    if isinstance(shown, RecordsBehind):
        if not shown.are_all_records:
            raise BigDebugError(
                "a test can't be written of rows of a DataFrame that several records were made into, or one into "
                "several",
                hint="write the rows that culprits.dataframe() gives to a file, and a test that reads it",
            )
        below = shown.inputs(target, reproduction, constants)
    found: list[Input] = []
    for stand in candidates.stands:
        leaf = stand.leaf
        if leaf in below:
            found += below[leaf]
        else:
            records = candidates.trace.located(leaf, stand.places_of(reproduction))
            found.append(elements_input(leaf, leaf.name, records, constants))
    return found


def _text(
    target: Path,
    builder: Builder | None,
    reason: str,
    inputs: Sequence[Input],
    failing: str,
    origin: Origin | None,
) -> str:
    own_spark = not has_spark_fixture(target)
    read = patched(builder, inputs)
    imports = [
        *imports_of([element for each in inputs for element in each.literals]),
        *(["import sys"] if builder else []),
        *(["from pathlib import Path"] if builder else []),
        "from typing import Any",
        "",
        *(["import pytest"] if own_spark or read else []),
        *([] if builder else ["from bigdebug.isolation.rerun import rerun_elements"]),
        *sorted([*reader_imports(builder, read), "from pyspark.sql import SparkSession"]),
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
    head += [each.declared for each in inputs if each.declared is not None]
    blocks = ["\n\n".join(head)]
    if own_spark:
        blocks.append(spark_fixture({}))
    if read:
        blocks.append(reading(read))
    blocks += [_judging(failing), _test(builder, inputs, bool(read))]
    return "\n\n\n".join(blocks) + "\n"


def _judging(failing: str) -> str:
    return (
        "def is_wrong(x: Any) -> bool:\n"
        "    key, value = x if isinstance(x, tuple) and len(x) == 2 else (None, None)\n"
        f"    return bool({failing.strip()})"
    )


def _test(builder: Builder | None, inputs: Sequence[Input], patched: bool) -> str:
    fixtures = "spark: SparkSession, records: None" if patched else "spark: SparkSession"
    if builder is None:
        given = "".join(f"        {source_of(each.name)}: {each.constant},\n" for each in inputs)
        made = f"    inputs = {{\n{given}    }}\n    elements = rerun_elements(spark, STORE, RUN, OUTPUT, inputs)\n"
    else:
        call = called(builder, {each.name: each.made for each in inputs}, True)
        made = f"    elements = {call}.collect()\n"
    return (
        f"def test_no_element_is_wrong({fixtures}) -> None:\n"
        f"{made}"
        "    assert [each for each in elements if is_wrong(each)] == []"
    )
