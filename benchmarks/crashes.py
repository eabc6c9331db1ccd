"""What guards against records that crash functions cost where none does, and what finding the culprits takes."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

import bigdebug
from benchmarks.measures import Row, fresh_store, row_of
from benchmarks.pairs import paired, seconds

POLICIES: dict[str, dict[str, Any]] = {"skip": {}, "repair": {"repair": -1}}


def measured(spark: SparkSession, folder: Path, rows: int) -> Iterator[Row]:
    """All figures of one size.

    Args:
        spark: the session.
        folder: for the data.
        rows: how many records.
    """
    programs = _programs(spark, _numbers(spark, folder, rows))
    for name, (program, _) in programs.items():
        for policy, more in POLICIES.items():
            if policy == "repair" and name not in ("RDD map", "UDF"):
                continue

            def off(program: Any = program) -> float:
                return _attached(spark, program, "raise")

            def on(program: Any = program, policy: str = policy, more: Any = more) -> float:
                return _attached(spark, program, policy, **more)

            yield row_of(f"guarded ({policy}) ÷ plain, no crash", name, rows, "text", paired(on, off, 5))
    for name, (_, crashing) in programs.items():

        def plain(crashing: Any = crashing) -> float:
            return _attached(spark, crashing, "raise", timeout=0)

        def found(crashing: Any = crashing) -> float:
            return _attached(spark, crashing, "raise")

        yield row_of(
            "failing and finding the culprits ÷ failing", name, rows, "text", paired(found, plain, 3)
        )


def many(spark: SparkSession, folder: Path, rows: int) -> Iterator[Row]:
    """A thousand records that crash, left out; and all that a failing cast of Spark's own is of.

    Args:
        spark: the session.
        folder: for the data.
        rows: how many records.
    """
    place = _numbers(spark, folder, rows)
    apart = rows // 1_000

    def crashing(number: int) -> int:
        return 100 // (number % apart)

    def never(number: int) -> int:
        return 100 // (number % apart or 1)

    for name, program in _summing(spark, place).items():

        def fine(program: Any = program) -> float:
            return _attached(spark, lambda: program(never), "raise")

        def left_out(program: Any = program) -> float:
            return _attached(spark, lambda: program(crashing), "skip")

        yield row_of("1,000 crashing, skip ÷ plain without", name, rows, "text", paired(left_out, fine, 5))

    def cast(bad: str) -> Any:
        number = f"cast(if(value like '{bad}', 'bad', split_part(value, ',', 1)) as bigint)"
        return spark.read.text(place).agg(F.expr(f"sum({number})")).collect()

    yield row_of(
        "failing and finding all culprits ÷ the job",
        "ANSI cast",
        rows,
        "text",
        paired(
            lambda: _attached(spark, lambda: cast(f"%{str(apart)[1:]},7"), "raise"),
            lambda: _attached(spark, lambda: cast("none"), "raise"),
            5,
        ),
    )


def _summing(spark: SparkSession, place: str) -> dict[str, Callable[[Callable[[int], int]], Any]]:
    """Programs that sum what a function makes of each record's number."""

    def udf(function: Callable[[int], int], **more: Any) -> Any:
        made = F.udf(lambda line: function(int(line.split(",")[0])), "long", **more)
        return spark.read.text(place).select(F.sum(made("value"))).collect()

    def pandas(function: Callable[[int], int]) -> Any:
        @F.pandas_udf("long")  # type: ignore[call-overload,untyped-decorator,unused-ignore]
        def made(lines: pd.Series) -> pd.Series:
            return lines.str.split(",").str[0].astype(int).map(function)

        return spark.read.text(place).select(F.sum(made("value"))).collect()

    context = spark.sparkContext
    return {
        "RDD map": lambda function: (
            context.textFile(place).map(lambda line: function(int(line.split(",")[0]))).sum()
        ),
        "UDF": udf,
        "Arrow UDF": lambda function: udf(function, useArrow=True),
        "pandas UDF": pandas,
    }


def _numbers(spark: SparkSession, folder: Path, rows: int) -> str:
    """The folder of a text file with a number a line."""
    place = folder / f"numbers-{rows}"
    if not (place / "_SUCCESS").exists():
        spark.range(rows).select(F.concat("id", F.lit(",7")).alias("line")).write.mode("overwrite").text(
            str(place)
        )
    return str(place)


def _programs(spark: SparkSession, place: str) -> dict[str, tuple[Callable[[], Any], Callable[[], Any]]]:
    """Programs, and the same with one record that crashes them."""
    context = spark.sparkContext

    def rdd(first: int) -> Any:
        return context.textFile(place).map(lambda line: 100 // (int(line.split(",")[0]) - first)).sum()

    def parts(first: int) -> Any:
        def quotients(lines: Iterator[str]) -> Iterator[int]:
            return (100 // (int(line.split(",")[0]) - first) for line in lines)

        return context.textFile(place).mapPartitions(quotients).sum()

    def udf(first: int) -> Any:
        function = F.udf(lambda line: 100 // (int(line.split(",")[0]) - first), "long")
        return spark.read.text(place).select(F.sum(function("value"))).collect()

    def arrow(first: int) -> Any:
        function = F.udf(lambda line: 100 // (int(line.split(",")[0]) - first), "long", useArrow=True)
        return spark.read.text(place).select(F.sum(function("value"))).collect()

    def pandas(first: int) -> Any:
        @F.pandas_udf("long")  # type: ignore[call-overload,untyped-decorator,unused-ignore]
        def function(lines: pd.Series) -> pd.Series:
            numbers = lines.str.split(",").str[0].astype(int)
            if (numbers == first).any():
                raise ZeroDivisionError
            return 100 // (numbers + 1)

        return spark.read.text(place).select(F.sum(function("value"))).collect()

    return {
        "RDD map": (lambda: rdd(-1), lambda: rdd(77)),
        "RDD mapPartitions": (lambda: parts(-1), lambda: parts(77)),
        "UDF": (lambda: udf(-1), lambda: udf(77)),
        "Arrow UDF": (lambda: arrow(-1), lambda: arrow(77)),
        "pandas UDF": (lambda: pandas(-1), lambda: pandas(77)),
    }


def _attached(spark: SparkSession, program: Callable[[], Any], policy: str, **more: Any) -> float:
    with bigdebug.attach(spark, store=fresh_store()) as session:
        session.on_crash(policy, **more)

        def run() -> None:
            with contextlib.suppress(Exception), contextlib.redirect_stderr(io.StringIO()):
                program()

        return seconds(run)
