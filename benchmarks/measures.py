"""What is measured. Each measure gives rows of a table."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession

import bigdebug
from benchmarks.data import PROGRAMS, make
from benchmarks.pairs import Paired, paired, seconds

Row = dict[str, Any]

STORES = Path(tempfile.gettempdir()) / "bigdebug-benchmarks" / "stores"
"""What was recorded; removed when all is measured."""

_fresh = itertools.count()


def recording(spark: SparkSession, folder: Path, rows: int, kind: str) -> Iterator[Row]:
    """Recording on ÷ off: build the DataFrame, collect the result."""
    place = make(spark, folder, rows, kind)
    for name, (program, _) in PROGRAMS.items():

        def off(program: Any = program) -> float:
            return seconds(lambda: program(spark, place, kind).collect())

        def on(program: Any = program) -> float:
            session = bigdebug.attach(spark, store=fresh_store())
            try:
                return seconds(lambda: program(spark, place, kind).collect())
            finally:
                session.detach()

        yield row_of("recording on ÷ off", name, rows, kind, paired(on, off))


def first_trace(spark: SparkSession, folder: Path, rows: int, kind: str) -> Iterator[Row]:
    """First backward trace of one output row ÷ the job: matched, counts by source and ten records."""
    place = make(spark, folder, rows, kind)
    for name, (program, where) in PROGRAMS.items():

        def job(program: Any = program) -> float:
            return seconds(lambda: program(spark, place, kind).collect())

        def trace(program: Any = program, where: str = where) -> float:
            session = bigdebug.attach(spark, store=fresh_store())
            try:
                frame = program(spark, place, kind)
                return seconds(lambda: _ask(session, frame, where))
            finally:
                session.detach()

        yield row_of("first backward trace ÷ job", name, rows, kind, paired(trace, job))


def waiting(spark: SparkSession, nodes: int) -> Row:
    """How much longer an action on a plan of some nodes takes with recording, recipe thread and all."""

    def plan() -> DataFrame:
        frame = spark.range(10).toDF("x")
        for i in range(nodes - 1):
            frame = frame.filter(f"x >= {-i}") if i % 2 else frame.withColumn("x", frame["x"] + 0)
        return frame

    def off() -> float:
        frame = plan()
        return seconds(frame.collect)

    def on() -> float:
        session = bigdebug.attach(spark, store=fresh_store())
        try:
            frame = plan()
            return seconds(frame.collect)
        finally:
            session.detach()

    return row_of(
        "action of a tiny job, recording on ÷ off", f"{nodes} operators", 10, "range", paired(on, off)
    )


def many_actions(spark: SparkSession, actions: int) -> Row:
    """A program of many short actions from attach to detach: what waits behind one slows the next."""

    def work() -> None:
        for number in range(actions):
            frame = spark.range(1000).toDF("x").filter(f"x > {number}")
            frame.withColumn("y", frame["x"] % 10).groupBy("y").count().collect()

    def on() -> float:
        def attached() -> None:
            with bigdebug.attach(spark, store=fresh_store()):
                work()

        return seconds(attached)

    return row_of(
        "program of small actions, recording on ÷ off",
        f"{actions} actions",
        1000,
        "range",
        paired(on, lambda: seconds(work)),
    )


def _ask(session: bigdebug.Session, frame: DataFrame, where: str) -> None:
    trace = session.trace(frame, where)
    assert trace.matched == 1
    assert all(source.count for source in trace.sources)
    assert len(trace.collect(10)) > 0


def fresh_store() -> str:
    """A store that nobody has used."""
    return str(STORES / str(next(_fresh)))


def row_of(measure: str, program: str, rows: int, kind: str, found: Paired) -> Row:
    """A row of a table."""
    return {
        "measure": measure,
        "program": program,
        "rows": rows,
        "source": kind,
        "ratio": found.ratio,
        "least": found.least,
        "most": found.most,
        "seconds": found.a,
        "against": found.b,
        "more_ms": 1000 * found.more,
    }
