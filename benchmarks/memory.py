"""How much memory a trace of one row takes in the driver, as its source grows: the driver in a process of its own.

`python -m benchmarks.memory FOLDER KIND ROWS` measures one size and prints it as JSON.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

import bigdebug
from benchmarks.data import PROGRAMS, make
from benchmarks.measures import Row, fresh_store, row_of
from benchmarks.pairs import Paired
from bigdebug.lineage.java import ensure_java

MB = 1 << 20


def memory(spark: SparkSession, folder: Path, sizes: list[int], kind: str) -> Iterator[Row]:
    """The driver's heap and its Python after a trace, each beside that of the first size."""
    first: dict[str, float] = {}
    for rows in sizes:
        make(spark, folder, rows, kind)
        found = _of_a_process(folder, kind, rows)
        for name, measured in found.items():
            base = first.setdefault(name, measured)
            ratio = measured / base
            yield row_of(
                f"{name}, in MB ÷ that of the first size",
                "group-by, trace of one row",
                rows,
                kind,
                Paired(measured, base, ratio, ratio, ratio, 0),
            )


def _of_a_process(folder: Path, kind: str, rows: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.memory", str(folder), kind, str(rows)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _measure(folder: Path, kind: str, rows: int) -> dict[str, float]:
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
    program, where = PROGRAMS["group-by"]
    frame = program(spark, folder / f"{kind}-{rows}", kind)
    with bigdebug.attach(spark, store=fresh_store()) as session:
        for pool in beans.getMemoryPoolMXBeans():
            pool.resetPeakUsage()
        trace = session.trace(frame, where)
        assert trace.matched == 1
        assert sum(source.count for source in trace.sources) > rows // 10_000
        assert len(trace.collect(10)) == 10
        peak = sum(
            pool.getPeakUsage().getUsed()
            for pool in beans.getMemoryPoolMXBeans()
            if str(pool.getType().toString()) == "Heap memory" and "Eden" not in pool.getName()
        )
        beans.getMemoryMXBean().gc()
        held = beans.getMemoryMXBean().getHeapMemoryUsage().getUsed()
    python = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    spark.stop()
    return {
        "driver's heap, most that outlived a collection": peak / MB,
        "driver's heap, held by the trace": held / MB,
        "driver's Python, most": python,
    }


if __name__ == "__main__":
    print(json.dumps(_measure(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))))
