"""Isolation where a million records are behind a failing row, and ten thousand of them are to blame."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

import bigdebug
from benchmarks.measures import Row, fresh_store, row_of
from benchmarks.pairs import paired, seconds

_GROUPS = 10
_ONE_OF = 100
"""Of so many records of the failing group one is bad: all of these are of one group."""
_PAIRS = 3


def measured(spark: SparkSession, folder: Path, rows: int) -> Iterator[Row]:
    """Isolation ÷ the job, of programs that are told in closed form and of one that isn't.

    Args:
        spark: the session.
        folder: for the data.
        rows: how many records, a tenth of which are of the failing group.
    """
    place = folder / f"culprits-{rows}"
    if not place.exists():
        bad = F.col("id") % (_GROUPS * _ONE_OF) == 3
        amount = F.when(bad, F.lit(-1_000)).otherwise(F.col("id") % 7 + 1)
        made = spark.range(rows).select((F.col("id") % _GROUPS).alias("k"), amount.alias("v"))
        made.write.csv(str(place))
    for name, (program, failing) in _PROGRAMS.items():
        found: list[Any] = []

        def job(program: Any = program) -> float:
            return seconds(lambda: program(spark, str(place)).collect())

        def isolated(program: Any = program, failing: Any = failing, found: list[Any] = found) -> float:
            with bigdebug.attach(spark, store=fresh_store()) as session:
                output = program(spark, str(place))
                output.collect()
                answer = session.isolate(output, failing)
                (row,) = answer.rows
                found[:] = [row.culprits.total, row.candidates, row.culprits.proof]
                answer.release()
                return float(answer.seconds)

        pairs = paired(isolated, job, _PAIRS)
        culprits, candidates, proof = found
        measure = f"isolation ÷ job: {culprits:,} of {candidates:,} to blame, {proof}"
        yield row_of(measure, name, rows, "csv", pairs)


def _grouped(spark: SparkSession, path: str, made: Any) -> DataFrame:
    return spark.read.csv(path, schema="k long, v long").groupBy("k").agg(made.alias("made"))


def _python(spark: SparkSession, path: str) -> DataFrame:
    @F.pandas_udf("long")
    def least(values: pd.Series) -> int:
        return int(values.min())

    return _grouped(spark, path, least("v"))


def _rdd(spark: SparkSession, path: str) -> Any:
    fields = spark.sparkContext.textFile(path).map(lambda line: line.split(","))
    return fields.map(lambda parts: (int(parts[0]), int(parts[1]))).reduceByKey(min)


_PROGRAMS: dict[str, tuple[Callable[[SparkSession, str], Any], Any]] = {
    "min": (lambda spark, path: _grouped(spark, path, F.min("v")), "made < 0"),
    "sum": (lambda spark, path: _grouped(spark, path, F.sum("v")), "made < 0"),
    "a Python function": (_python, "made < 0"),
    "reduceByKey of an RDD": (_rdd, lambda pair: pair[1] < 0),
}
