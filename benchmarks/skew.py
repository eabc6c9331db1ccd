"""What a report of skew costs against the job it is about, and timing each record against not timing it."""

from __future__ import annotations

import timeit
from collections.abc import Callable, Iterator
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

import bigdebug
from benchmarks.data import make, read
from benchmarks.measures import Row, fresh_store, row_of
from benchmarks.pairs import paired, seconds
from bigdebug.breakpoints.watch.wrapping import MadeThere
from bigdebug.skew import timers


def reports(spark: SparkSession, folder: Path, rows: int, kind: str) -> Iterator[Row]:
    """A report of all shuffles ÷ the job: of a join and an aggregate over it, and of each alone.

    Args:
        spark: the session.
        folder: for the data.
        rows: how many orders.
        kind: of files.
    """
    place = make(spark, folder, rows, kind)
    for name, program in _PROGRAMS.items():

        def job(program: Any = program) -> float:
            return seconds(lambda: _computed(program(spark, place, kind)))

        def report(program: Any = program) -> float:
            with bigdebug.attach(spark, store=fresh_store()) as session:
                frame = program(spark, place, kind)
                return seconds(lambda: session.skew(frame))

        yield row_of("skew report ÷ job", name, rows, kind, paired(report, job, 5))


def timing(spark: SparkSession, rows: int, micros: int) -> Iterator[Row]:
    """A function with a stopwatch ÷ without, of so many microseconds on this machine.

    Args:
        spark: the session.
        rows: of a function of one microsecond; of slower ones fewer.
        micros: a call of the function takes.
    """
    rows //= micros

    def work(number: int, rounds: int = _rounds_of(micros)) -> int:
        for each in repeat(1, rounds):
            number ^= each
        return number

    def off() -> float:
        rdd = spark.sparkContext.range(rows, numSlices=2).map(work)
        return seconds(lambda: rdd.mapPartitions(timers.exhausted).collect())

    def on() -> float:
        context = spark.sparkContext
        watched = MadeThere(timers.timed, work, 0, context.accumulator({}, timers.TimesParam(10)), 10)
        rdd = context.range(rows, numSlices=2).map(watched)
        return seconds(lambda: rdd.mapPartitions(timers.exhausted).collect())

    def live() -> float:
        with bigdebug.attach(spark, store=fresh_store()) as session:
            made = spark.sparkContext.range(rows, numSlices=2).map(work)
            session.watch(made, bigdebug.Slow())
            return seconds(lambda: made.mapPartitions(timers.exhausted).collect())

    def plain() -> float:
        with bigdebug.attach(spark, store=fresh_store()):
            made = spark.sparkContext.range(rows, numSlices=2).map(work)
            return seconds(lambda: made.mapPartitions(timers.exhausted).collect())

    yield row_of("records timed ÷ not", f"map of {micros} µs", rows, "range", paired(on, off, 5))
    yield row_of("slow watchpoint ÷ not", f"map of {micros} µs", rows, "range", paired(live, plain, 5))


def _rounds_of(micros: float) -> int:
    """How many rounds take so long."""

    def turning(number: int, rounds: int) -> int:
        for each in repeat(1, rounds):
            number ^= each
        return number

    few, many = (  # microseconds a call
        min(timeit.repeat(partial(turning, 1, rounds), number=1_000, repeat=20)) * 1_000
        for rounds in (10, 110)
    )
    return max(round(10 + (micros - few) / ((many - few) / 100)), 1)


def _join(spark: SparkSession, place: Path, kind: str) -> DataFrame:
    orders = read(spark, place, kind, "orders").filter("amount > 10")
    return orders.join(read(spark, place, kind, "customers").hint("merge"), "customer")


def _join_and_aggregate(spark: SparkSession, place: Path, kind: str) -> DataFrame:
    return _join(spark, place, kind).groupBy("city").agg(F.avg("amount").alias("mean"))


def _aggregate(spark: SparkSession, place: Path, kind: str) -> DataFrame:
    return (
        read(spark, place, kind, "orders").groupBy("product").agg(F.collect_list("amount").alias("amounts"))
    )


def _computed(frame: DataFrame) -> None:
    frame.write.format("noop").mode("overwrite").save()


_PROGRAMS: dict[str, Callable[[SparkSession, Path, str], DataFrame]] = {
    "join and aggregate": _join_and_aggregate,
    "join": _join,
    "aggregate": _aggregate,
}
