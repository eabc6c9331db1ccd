"""How much memory questions take in the driver, as sources grow: the driver in a process of its own.

`python -m benchmarks.memory trace FOLDER KIND ROWS` or `… isolation FOLDER PROGRAM FORM RECORDS` measures one size and
prints it as JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

import bigdebug
from benchmarks.data import PROGRAMS, make
from benchmarks.isolation import FORMS
from benchmarks.measures import Row, fresh_store, row_of
from benchmarks.pairs import Paired
from benchmarks.peak import most_memory
from benchmarks.subjects import SUBJECTS
from bigdebug.lineage.java import ensure_java

MB = 1 << 20
ALIKE = ("rater frequency", "airport transit")
"""Subjects that have as many candidates at every size."""


def memory(spark: SparkSession, folder: Path, sizes: list[int], kind: str) -> Iterator[Row]:
    """The driver's heap and its Python after a trace, each beside that of the first size."""
    first: dict[str, float] = {}
    for rows in sizes:
        make(spark, folder, rows, kind)
        found = _of_a_process("trace", str(folder), kind, str(rows))
        yield from _beside(first, found, "group-by, trace of one row", rows, kind)


def of_isolation(folder: Path, sizes: list[int], program: str, form: str) -> Iterator[Row]:
    """The same after an isolation of as many candidates."""
    first: dict[str, float] = {}
    for records in sizes:
        SUBJECTS[program].make(folder, records, 1)
        found = _of_a_process("isolation", str(folder), program, form, str(records))
        candidates = f"{found.pop('candidates'):.0f}"
        yield from _beside(first, found, f"{program}, isolation among {candidates} candidates", records, form)


def _beside(
    first: dict[str, float], found: dict[str, float], what: str, rows: int, kind: str
) -> Iterator[Row]:
    for name, measured in found.items():
        base = first.setdefault(name, measured)
        ratio = measured / base
        paired = Paired(measured, base, ratio, ratio, ratio, 0)
        yield row_of(f"{name}, in MB ÷ that of the first size", what, rows, kind, paired)


def _of_a_process(*arguments: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.memory", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _trace(folder: Path, kind: str, rows: str, session: bigdebug.Session, spark: SparkSession) -> Any:
    program, where = PROGRAMS["group-by"]
    trace = session.trace(program(spark, folder / f"{kind}-{rows}", kind), where)
    assert trace.matched == 1
    assert sum(source.count for source in trace.sources) > int(rows) // 10_000
    assert len(trace.collect(10)) == 10
    return trace


def _isolation(
    folder: Path, program: str, kind: str, records: str, session: bigdebug.Session, spark: SparkSession
) -> Any:
    subject, form = SUBJECTS[program], FORMS[kind]
    made = subject.make(folder, int(records), 1)
    found = session.isolate(form.made(spark, subject, made.path), form.failing(subject))
    assert len(found.culprits)
    return found


def _measure(what: str, folder: Path, arguments: list[str]) -> dict[str, float]:
    ask = partial({"trace": _trace, "isolation": _isolation}[what], folder, *arguments)
    ensure_java()
    # Executors are processes of their own, so the driver's memory is the driver's alone.
    spark = (
        SparkSession.builder.master("local-cluster[1,2,3072]")
        .config("spark.executor.memory", "3g")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("ERROR")
    beans: Any = spark._jvm.java.lang.management.ManagementFactory  # type: ignore[union-attr]
    with bigdebug.attach(spark, store=fresh_store()) as session:
        for pool in beans.getMemoryPoolMXBeans():
            pool.resetPeakUsage()
        answer = ask(session, spark)
        peak = sum(
            pool.getPeakUsage().getUsed()
            for pool in beans.getMemoryPoolMXBeans()
            if str(pool.getType().toString()) == "Heap memory" and "Eden" not in pool.getName()
        )
        beans.getMemoryMXBean().gc()
        held = beans.getMemoryMXBean().getHeapMemoryUsage().getUsed()
        found = {
            "driver's heap, most that outlived a collection": peak / MB,
            "driver's heap, held by the answer": held / MB,
        }
        if what == "isolation":
            found["candidates"] = sum(row.candidates for row in answer.rows)
    found["driver's Python, most"] = most_memory() / MB
    spark.stop()
    return found


if __name__ == "__main__":
    what, folder, *arguments = sys.argv[1:]
    print(json.dumps(_measure(what, Path(folder), arguments)))
