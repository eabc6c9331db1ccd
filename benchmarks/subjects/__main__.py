"""`python -m benchmarks.subjects [--records N] [--only NAME …]`: how long inputs take to make and programs to run."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from benchmarks.pairs import seconds
from benchmarks.subjects import SUBJECTS, Subject
from bigdebug.lineage.java import ensure_java


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.subjects")
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=list(SUBJECTS), default=list(SUBJECTS))
    parser.add_argument("--make", action="store_true", help="make the inputs, and run nothing")
    parser.add_argument("--data", type=Path, default=Path(tempfile.gettempdir()) / "bigdebug-subjects")
    arguments = parser.parse_args()
    spark = None if arguments.make else _session()
    for name in arguments.only:
        print(_measured(SUBJECTS[name], arguments, spark), flush=True)
    if spark is not None:
        spark.stop()


def _measured(subject: Subject, arguments: argparse.Namespace, spark: SparkSession | None) -> str:
    """A line of figures: each form is run once, after the first subject in a Spark that is warm."""
    began = time.perf_counter()
    made = subject.make(arguments.data, arguments.records, arguments.seed)
    took = time.perf_counter() - began
    files = [file for file in Path(made.path).rglob("*") if file.is_file()]
    size = sum(file.stat().st_size for file in files) / 1e6
    line = f"{subject.name:18} {arguments.records:>11,} records {size:8.1f} MB  made {took:6.2f} s"
    if spark is None:
        return line
    rdd = seconds(lambda: _outcome(subject.rdd(spark.sparkContext, made.path)))
    frame = seconds(lambda: _outcome(subject.frame(spark, made.path)))
    return f"{line}  RDD {rdd:6.2f} s  DataFrame {frame:6.2f} s"


def _outcome(data: object) -> None:
    """Collect the output; a crash is an outcome, too."""
    try:
        data.collect()  # type: ignore[attr-defined]
    except Exception as error:
        if not isinstance(error, PySparkException) and "Py4JJavaError" not in type(error).__name__:
            raise


def _session() -> SparkSession:
    ensure_java()
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    session = (
        SparkSession.builder.master("local[2]")
        .appName("bigdebug subjects")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.driver.memory", "4g")
        .config("spark.sql.shuffle.partitions", "8")
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("OFF")
    return session


if __name__ == "__main__":
    main()
