"""What breakpoints and watchpoints cost a program that runs, and how soon a new guard catches something."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from operator import add
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

import bigdebug
from benchmarks.data import make, read
from benchmarks.measures import Row, fresh_store, row_of
from benchmarks.pairs import Paired, paired, seconds
from benchmarks.rdd import make_text

_ONE_IN = 100_000


def _scan(rows: DataFrame) -> None:
    rows.write.format("noop").mode("overwrite").save()


def _aggregate(rows: DataFrame) -> None:
    rows.groupBy("product").agg(F.sum("amount"), F.count("*")).collect()


FRAMES: dict[str, Callable[[DataFrame], None]] = {"scan": _scan, "aggregate": _aggregate}


def frames(spark: SparkSession, folder: Path, rows: int, kind: str) -> Iterator[Row]:
    """Programs of DataFrames with breakpoints that nobody looks at, and with a guard in SQL.

    Args:
        spark: the session.
        folder: for the data.
        rows: of the table.
        kind: of its files.
    """
    place = make(spark, folder, rows, kind)
    for name, program in FRAMES.items():

        def off(program: Any = program) -> float:
            return seconds(lambda: program(read(spark, place, kind, "orders")))

        def points(program: Any = program) -> float:
            with bigdebug.attach(spark, store=fresh_store()) as session:

                def work() -> None:
                    orders = read(spark, place, kind, "orders")
                    for _ in range(10):
                        session.breakpoint(orders, when="amount < 0")
                    program(orders)

                return seconds(work)

        def watched(program: Any = program) -> float:
            with bigdebug.attach(spark, store=fresh_store()) as session:

                def work() -> None:
                    orders = read(spark, place, kind, "orders")
                    wp = session.watch(orders, f"`order` % {_ONE_IN} = 7")
                    program(orders)
                    assert wp.hits == rows // _ONE_IN

                return seconds(work)

        def simple(program: Any = program) -> float:
            with bigdebug.attach(spark, store=fresh_store()) as session:

                def work() -> None:
                    orders = read(spark, place, kind, "orders")
                    wp = session.watch(orders, "amount < 0.01")
                    program(orders)
                    assert 0 < wp.hits < 2 * rows // _ONE_IN

                return seconds(work)

        yield row_of("10 breakpoints, not looked at ÷ plain", name, rows, kind, paired(points, off))
        yield row_of("watchpoint, a comparison ÷ plain", name, rows, kind, paired(simple, off))
        yield row_of("watchpoint, arithmetic in SQL ÷ plain", name, rows, kind, paired(watched, off))


def rdds(spark: SparkSession, folder: Path, megabytes: int) -> Iterator[Row]:
    """Programs of RDDs with a function as guard.

    Args:
        spark: the session.
        folder: for the text.
        megabytes: its size.
    """
    place = str(make_text(folder, megabytes))
    context = spark.sparkContext

    def lengths(lines: Any) -> int:
        return int(lines.map(len).sum())

    def words(lines: Any) -> int:
        return len(lines.flatMap(str.split).map(lambda word: (word, 1)).reduceByKey(add).collect())

    for name, program in {"line lengths": lengths, "word count": words}.items():

        def off(program: Any = program) -> float:
            return seconds(lambda: program(context.textFile(place)))

        def on(program: Any = program) -> float:
            with bigdebug.attach(spark, store=fresh_store()) as session:

                def work() -> None:
                    lines = context.textFile(place)
                    session.watch(lines, lambda line: line.startswith("word17 word4000"))
                    program(lines)

                return seconds(work)

        size = megabytes * 1_000_000
        yield row_of("watchpoint, a function ÷ plain", name, size, "text", paired(on, off, 5))


def changing(spark: SparkSession) -> Iterator[Row]:
    """From a changed guard to the first record that it catches, in tasks that run."""
    taken = []
    for _ in range(5):
        with bigdebug.attach(spark, store=fresh_store()) as session:
            numbers = spark.sparkContext.parallelize(range(2000), 2).map(lambda n: time.sleep(0.005) or n)
            wp = session.watch(numbers, lambda n: False)
            job = threading.Thread(target=numbers.count)
            job.start()
            time.sleep(1.5)
            began = time.perf_counter()
            wp.guard = lambda n: True
            while not wp.records:
                time.sleep(0.001)
            taken.append(time.perf_counter() - began)
            assert job.is_alive()
            job.join()
    taken.sort()
    part = [each / 2 for each in taken]
    found = Paired(taken[2], 2.0, part[2], part[0], part[-1], taken[2] - 2)
    yield row_of("changed guard to first record ÷ 2 s", "map", 2000, "memory", found)
