"""Indexes: what writing them costs beside the job, and what a trace out of one takes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

import bigdebug
from benchmarks.data import KEYS, PROGRAMS, make, read
from benchmarks.measures import Row, fresh_store, row_of
from benchmarks.pairs import Paired, paired, seconds
from bigdebug.lineage.index.reading import Index

PAIRS = 5


def capture(spark: SparkSession, folder: Path, rows: int, kind: str) -> Iterator[Row]:
    """`capture="full"` ÷ off; and what it would come to if nothing were written, only read."""
    place = make(spark, folder, rows, kind)
    for name, (program, _) in PROGRAMS.items():

        def off(program=program) -> float:  # type: ignore[no-untyped-def]
            return seconds(lambda: program(spark, place, kind).collect())

        def on(program=program) -> float:  # type: ignore[no-untyped-def]
            with bigdebug.attach(spark, store=fresh_store(), capture="full"):
                return seconds(lambda: program(spark, place, kind).collect())

        yield row_of('capture="full" ÷ off', name, rows, kind, paired(on, off, PAIRS))

        def again(off=off, needed=KEYS[name]) -> float:  # type: ignore[no-untyped-def]
            """The job, and then the bare columns by which records find their rows, read and thrown away."""
            orders = read(spark, place, kind, "orders").select(*needed)
            return off() + seconds(lambda: orders.write.format("noop").mode("overwrite").save())

        measure = 'job and one more reading of its keys, the least of capture="full" ÷ off'
        yield row_of(measure, name, rows, kind, paired(again, off, PAIRS))


def indexed(spark: SparkSession, folder: Path, rows: int, kind: str) -> Iterator[Row]:
    """Traces of one row out of an index ÷ those that compute it; the index's size ÷ the input's as text."""
    place = make(spark, folder, rows, kind)
    text = sum(file.stat().st_size for file in make(spark, folder, rows, "csv").rglob("*.csv"))
    for name, (program, where) in PROGRAMS.items():
        store = fresh_store()
        with bigdebug.attach(spark, store=store) as session:
            program(spark, place, kind).collect()
            program(spark, place, kind).collect()
            first, second = session.outputs
            index = session.index(first)
            size = Paired(
                index.bytes / 1e9, text / 1e9, index.bytes / text, index.bytes / text, index.bytes / text, 0
            )
            yield row_of("index, in GB ÷ input as text", name, rows, kind, size)

            def inside(index: Index = index, where: str = where) -> float:
                return seconds(lambda: _ask(index.trace(where)))

            def computed(session=session, output=second, where=where) -> float:  # type: ignore[no-untyped-def]
                return seconds(lambda: _ask(session.trace(output, where)))

            yield row_of(
                "indexed trace ÷ computed, inside the call", name, rows, kind, paired(inside, computed, PAIRS)
            )
        yield row_of(
            "indexed trace ÷ computed, whole command",
            name,
            rows,
            kind,
            paired(lambda: command_seconds(store, 1, where), lambda: command_seconds(store, 2, where), 3),  # noqa: B023
        )


def _ask(trace: Any) -> None:
    assert trace.matched == 1
    assert all(source.count for source in trace.sources)


def command_seconds(store: str, output: int, where: str) -> float:
    """How long `bigdebug trace` takes in a process of its own."""
    command = [
        sys.executable,
        "-m",
        "bigdebug",
        "trace",
        "last",
        str(output),
        "--where",
        where,
        "--store",
        store,
    ]
    return seconds(lambda: subprocess.run([*command, "--limit", "3"], capture_output=True, check=True))
