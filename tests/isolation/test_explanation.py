"""What is said of culprits: patterns, their counts, their conditions."""

import datetime
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

import bigdebug
from bigdebug.isolation.explaining import Pattern
from bigdebug.isolation.found import Isolation


def said(found: Isolation) -> dict[str, tuple[int, int]]:
    """By text, how many culprits and others fit."""
    return {each.text: (each.culprits[0], each.others[0]) for each in found.explanation}


def require_true(found: Isolation, source: DataFrame, pattern: Pattern) -> None:
    """All records of the source are candidates: the condition finds just those that were counted."""
    assert pattern.condition is not None
    assert source.where(pattern.condition).count() == pattern.culprits[0] + pattern.others[0]
    assert pattern.culprits[1] == found.culprits.total


def test_files_rows_of_parquet_and_days_have_conditions(
    session: bigdebug.Session, spark: SparkSession, tmp_path: Path
) -> None:
    dice = random.Random(2)
    for part in range(3):
        values = [dice.uniform(1, 9) for _ in range(200)]
        if part == 1:
            values[100:110] = [-value * 1_000 for value in values[100:110]]
        ids = [dice.randrange(10_000) for _ in values]
        table = pa.table({"id": ids, "v": values, "day": [datetime.date(2024, 1, 1 + n % 28) for n in ids]})
        pq.write_table(table, tmp_path / f"part-{part}.parquet")
    orders = spark.read.parquet(str(tmp_path))
    found = session.isolate(orders.agg(F.min("v").alias("least")), "least < 0")
    assert found.culprits.total == 10
    assert said(found) == {"v < 0": (10, 0), "file part-1.parquet and position from 100 to 109": (10, 0)}
    for pattern in found.explanation:
        require_true(found, orders, pattern)


@pytest.mark.proof("explanations of records in memory and of odd names")
def test_memory_and_odd_names_are_explained(session: bigdebug.Session, spark: SparkSession) -> None:
    rows = [(n % 7, "it's" if n % 50 == 7 else "is", float(n % 11)) for n in range(400)]
    data = spark.createDataFrame(rows, "k int, `a word` string, v double")
    bad = F.when(F.col("a word") == "is", F.col("v")).otherwise(100.0)
    found = session.isolate(data.agg(F.max(bad).alias("most")), "most = 100")
    assert found.culprits.total == 8
    cost = found.jobs, found.seconds
    first = found.explanation[0]
    assert found.jobs > cost[0], "what is looked for later counts, too"
    assert found.seconds > cost[1]
    assert first.text == "a word = 'it\\'s'"
    require_true(found, data, first)


@pytest.mark.proof("the explanation of an end before its start")
def test_an_end_before_its_start_is_told(session: bigdebug.Session, spark: SparkSession) -> None:
    dice = random.Random(3)
    starts = [dice.randrange(1_000, 1_400) for _ in range(300)]
    rows = [(n % 5, start, start + dice.randrange(20, 90)) for n, start in enumerate(starts)]
    rows[37] = (2, 1_390, 1_005)
    data = spark.createDataFrame(rows, "k int, start_time int, end_time int")
    took = F.col("end_time") - F.col("start_time")
    found = session.isolate(data.groupBy("k").agg(F.min(took).alias("least")), "least < 0")
    first = found.explanation[0]
    assert (first.text, first.condition) == ("end_time < start_time", "end_time < start_time")
    assert (first.culprits, first.others) == ((1, 1), (0, 59))


def test_where_there_are_no_culprits_nothing_is_explained(
    session: bigdebug.Session, spark: SparkSession
) -> None:
    found = session.isolate(spark.range(5).agg(F.count("*").alias("n")), "n < 50")
    assert found.culprits.total == 0
    assert found.explanation == ()
