"""`trace.narrow()`: where a trace is conservative, the few records that give the rows again, by replays."""

import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pyspark.cloudpickle import register_pickle_by_value, unregister_pickle_by_value
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

import bigdebug
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.minimizing import Search


@pytest.fixture(scope="module", autouse=True)
def _by_value() -> Iterator[None]:
    """Spark's workers have no way to import this module."""
    register_pickle_by_value(sys.modules[__name__])
    yield
    unregister_pickle_by_value(sys.modules[__name__])


@pytest.fixture
def readings(session: bigdebug.Session, spark: SparkSession, tmp_path: Path) -> DataFrame:
    """Sixty readings in one file of one partition."""
    place = str(tmp_path / "readings")
    frame = spark.range(60).select(
        F.col("id").cast("int").alias("n"), (F.col("id") % 4).alias("k"), (F.col("id") * 2).alias("v")
    )
    frame.coalesce(1).write.parquet(place)
    return spark.read.parquet(place)


def numbers(trace: Any, source: str = "readings") -> set[int]:
    return {record.value["n"] for record in trace.collect() if record.source == source}


def only_large(parts: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    for part in parts:
        yield part[part["v"] > 100][["n", "v"]]


def running_sum(parts: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """Each row with the sum of the readings of key 1 so far."""
    total = 0
    for part in parts:
        rows = []
        for _, row in part.iterrows():
            total += int(row["v"]) if row["k"] == 1 else 0
            rows.append({"n": int(row["n"]), "total": total})
        yield pd.DataFrame(rows, columns=["n", "total"])


def test_a_row_of_a_function_of_partitions_is_narrowed_to_its_record(
    session: bigdebug.Session, readings: DataFrame
) -> None:
    trace = session.trace(readings.mapInPandas(only_large, "n int, v long"), "n = 57")
    assert len(numbers(trace)) == 60
    assert not trace.exact
    smaller = trace.narrow()
    assert numbers(smaller) == {57}
    assert smaller.matched == 1
    assert [source.count for source in smaller.sources] == [1]
    assert [row.n for row in smaller.records("readings").collect()] == [57]
    assert not smaller.exact
    assert "none of them can be left out" in smaller.notes[-1]
    assert [(s.operator, s.count) for s in smaller.steps] == [(s.operator, s.count) for s in trace.steps]


def test_all_that_a_row_hangs_on_is_kept(session: bigdebug.Session, readings: DataFrame) -> None:
    few = readings.where("n < 20")
    trace = session.trace(few.mapInPandas(running_sum, "n int, total long"), "n = 14")
    # Itself, and those of key 1 before it.
    assert numbers(trace.narrow()) == {1, 5, 9, 13, 14}


@pytest.mark.proof("several rows narrowed, with an exact source beside")
def test_several_rows_and_an_exact_source_beside(
    session: bigdebug.Session, spark: SparkSession, readings: DataFrame
) -> None:
    names = spark.createDataFrame([(50, "a"), (52, "b"), (54, "c")], "n int, name string")
    names.createOrReplaceTempView("names")
    joined = readings.mapInPandas(only_large, "n int, v long").join(spark.table("names"), "n")
    smaller = session.trace(joined, "name <> 'b'").narrow()
    assert numbers(smaller) == {54}, "50 isn't large"
    assert numbers(smaller, "names") == {54}


def test_an_exact_trace_is_as_small_as_it_gets(session: bigdebug.Session, readings: DataFrame) -> None:
    trace = session.trace(readings.where("v > 10"), "n = 20")
    assert trace.narrow() is trace


def with_chance(parts: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    for part in parts:
        yield pd.DataFrame({"n": part["n"], "r": [str(uuid.uuid4()) for _ in part["n"]]})


def test_rows_that_never_come_again_are_told(session: bigdebug.Session, readings: DataFrame) -> None:
    trace = session.trace(readings.mapInPandas(with_chance, "n int, r string"), "n = 3")
    with pytest.raises(BigDebugError, match="aren't there again"):
        trace.narrow()


def test_time_that_runs_out_gives_what_was_found(session: bigdebug.Session, readings: DataFrame) -> None:
    trace = session.trace(readings.mapInPandas(only_large, "n int, v long"), "n = 57")
    smaller = trace.narrow(seconds=0)
    assert len(numbers(smaller)) == 60
    assert "the time ran out" in smaller.notes[-1]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 16, 45])
@pytest.mark.parametrize("needed", [set(), {0}, {0, 1}, {3, 11, 12}, {44}, {0, 44}])
def test_what_the_search_leaves_is_minimal(size: int, needed: set[int]) -> None:
    needed = {number for number in needed if number < size}
    tried = []

    def test(part: list[tuple[int, int]]) -> bool:
        inside = {number for start, end in part for number in range(start, end)}
        tried.append(inside)
        return needed <= inside

    search = Search(test, float("inf"))
    left = search.minimized([(0, size)])
    assert {number for start, end in left for number in range(start, end)} == needed
    assert search.in_time
