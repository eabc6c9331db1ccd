"""Functions of whole partitions: any row of the partition may be behind a row they give."""

import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from pyspark.cloudpickle import register_pickle_by_value, unregister_pickle_by_value
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

import bigdebug
from bigdebug.lineage.output import OutputRows
from bigdebug.lineage.questions import trace_rows
from bigdebug.lineage.recipe.archive import Recipe
from bigdebug.lineage.recipe.building import build_recipe, open_recipe
from tests.thinned import thinned


@pytest.fixture
def session(spark: SparkSession, tmp_path: Path) -> Iterator[bigdebug.Session]:
    """A run of its own for each test: a forward trace goes through all outputs of a run."""
    with bigdebug.attach(spark, store=str(tmp_path / "store")) as attached:
        yield attached


@pytest.fixture(scope="module", autouse=True)
def _by_value() -> Iterator[None]:
    """Spark's workers have no way to import this module."""
    register_pickle_by_value(sys.modules[__name__])
    yield
    unregister_pickle_by_value(sys.modules[__name__])


def doubled(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    for batch in batches:
        yield batch.assign(n=batch["n"] * 2)


def summed(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """One row a partition, also of an empty one."""
    yield pd.DataFrame({"total": [sum(int(batch["n"].sum()) for batch in batches)]})


def summed_tables(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    total = sum(sum(batch.column("n").to_pylist()) for batch in batches)
    yield pa.RecordBatch.from_pydict({"total": [total]})


class Counting:
    """A table function whose last row is made of all that it was given."""

    def __init__(self) -> None:
        self.total = 0

    def eval(self, value: int) -> Iterator[tuple[int]]:
        self.total += value
        yield (value,)

    def terminate(self) -> Iterator[tuple[int]]:
        yield (1000 + self.total,)


class Totals:
    """A table function whose only row is made of all rows of a group."""

    def __init__(self) -> None:
        self.total = 0

    def eval(self, row: Row) -> None:
        self.k, self.total = row["k"], self.total + row["n"]

    def terminate(self) -> Iterator[tuple[int, int]]:
        yield self.k, self.total


def partitions(frame: DataFrame) -> list[set[int]]:
    """The numbers in each partition of a frame that has some."""
    rows = frame.select("n", F.spark_partition_id().alias("p")).collect()
    return [{row.n for row in rows if row.p == p} for p in sorted({row.p for row in rows})]


def numbers(trace: Any) -> set[int]:
    return {record.value.get("n", record.value.get("id")) for record in trace.collect(10_000)}


INPUTS = {
    "of memory": lambda spark, _: spark.createDataFrame([(n,) for n in range(10)], "n bigint"),
    "of a range, shuffled": lambda spark, _: (
        spark.range(1, 11).select(F.col("id").alias("n")).repartition(3, "n")
    ),
    "of files": lambda spark, folder: spark.read.parquet(str(folder)).filter("n > 0"),
    "of an aggregate": lambda spark, folder: spark.read.parquet(str(folder)).groupBy("n").count().select("n"),
}


@pytest.fixture
def folder(spark: SparkSession, tmp_path: Path) -> Path:
    spark.range(20).select(F.col("id").alias("n")).repartition(4).write.parquet(str(tmp_path / "numbers"))
    return tmp_path / "numbers"


@pytest.mark.compat
@pytest.mark.parametrize(
    ("function", "name"),
    thinned(itertools.product(["pandas", "arrow"], INPUTS), "functions of partitions of all inputs"),
)
def test_a_row_came_from_its_partition(
    session: bigdebug.Session, spark: SparkSession, folder: Path, function: str, name: str
) -> None:
    frame = INPUTS[name](spark, folder)
    if function == "pandas":
        mapped = frame.mapInPandas(summed, "total bigint")
    else:
        mapped = frame.mapInArrow(summed_tables, "total bigint")
    among = partitions(frame)
    totals = sorted(row.total for row in mapped.collect() if row.total)
    assert totals == sorted(sum(each) for each in among)
    for each in among:
        trace = session.trace(mapped, f"total = {sum(each)}")
        assert any(numbers(trace) == some for some in among if sum(some) == sum(each))
        assert not trace.exact
        assert "whole partitions" in trace.notes[0]
        assert "test_mapped.py" in trace.notes[0]


def test_a_row_function_gives_its_partition(session: bigdebug.Session, spark: SparkSession) -> None:
    frame = spark.range(10).select(F.col("id").alias("n")).repartition(2)
    mapped = frame.mapInPandas(doubled, "n bigint").groupBy(F.col("n") % 4).agg(F.max("n").alias("n"))
    trace = session.trace(mapped, "n = 18")
    (source,) = trace.sources
    assert source.count == 10  # both partitions hold a number of that kind
    steps = {step.operator: step for step in trace.steps}
    assert steps["MapInPandas"].count == 5
    assert sorted(row.n for row in steps["MapInPandas"].records().collect()) == [2, 6, 10, 14, 18]
    assert (
        steps["RepartitionByExpression" if "RepartitionByExpression" in steps else "Repartition"].count == 10
    )


@pytest.mark.parametrize(
    "limits",
    thinned(
        [
            {"segments.FETCHED": 2, "trace.SMALL_BYTES": -1},
            {"trace.SMALL_BYTES": -1},
            {"segments.FETCHED_VALUES": 2},
        ],
        "functions of partitions, however much there is",
    ),
)
def test_however_much_there_is(
    session: bigdebug.Session,
    spark: SparkSession,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    limits: dict[str, int],
) -> None:
    for name, value in limits.items():
        monkeypatch.setattr(f"bigdebug.lineage.{name}", value)
    frame = spark.read.parquet(str(folder)).repartition(3, "n")
    mapped = frame.mapInPandas(summed, "total bigint")
    for each in partitions(frame):
        trace = session.trace(mapped, f"total = {sum(each)}")
        assert numbers(trace) == each
        assert trace.records().count() == len(each)


@pytest.mark.compat
def test_table_functions(session: bigdebug.Session, spark: SparkSession) -> None:
    spark.udtf.register("counting", F.udtf(Counting, returnType="m int"))
    frame = spark.createDataFrame([(n,) for n in range(10)], "n int").repartition(2, "n")
    frame.createOrReplaceTempView("counted")
    counted = spark.sql("select n, m from counted, lateral counting(n)")
    among = partitions(frame)
    ends = {row.m - 1000 for row in counted.collect() if row.m >= 1000}
    assert ends == {sum(each) for each in among}
    for each in among:
        trace = session.trace(counted, f"m = {1000 + sum(each)}")
        assert numbers(trace) == each
        assert not trace.exact


def test_a_table_function_of_groups(session: bigdebug.Session, spark: SparkSession) -> None:
    spark.udtf.register("totals", F.udtf(Totals, returnType="k int, total int"))
    frame = spark.createDataFrame([(n, n % 3) for n in range(9)], "n int, k int")
    frame.createOrReplaceTempView("grouped")
    totals = spark.sql("select * from totals(table(grouped) partition by k)")
    assert {(row.k, row.total) for row in totals.collect()} == {(0, 9), (1, 12), (2, 15)}
    trace = session.trace(totals, "total = 12")
    assert numbers(trace) >= {1, 4, 7}
    assert not trace.exact


def test_forward_to_all_rows_of_the_partition(session: bigdebug.Session, spark: SparkSession) -> None:
    source = spark.createDataFrame([(n,) for n in range(10)], "n bigint")
    frame = source.repartition(2, "n")
    (holds,) = [each for each in partitions(frame) if 3 in each]
    frame.mapInPandas(doubled, "n bigint").collect()
    trace = session.trace(source, "n = 3", direction="forward")
    assert {row.n for row in trace.records(trace.sources[-1].name).collect()} == {2 * n for n in holds}


@pytest.mark.compat
def test_from_a_recipe(session: bigdebug.Session, spark: SparkSession, folder: Path) -> None:
    frame = spark.read.parquet(str(folder)).repartition(3, "n")
    mapped = frame.mapInPandas(summed, "total bigint")
    rows = OutputRows(mapped._jdf.queryExecution().analyzed(), spark._jsparkSession, None)
    recipe = Recipe.from_bytes(build_recipe(spark, rows, lambda _: None).to_bytes())
    reader = spark.newSession()
    opened = open_recipe(reader, recipe)
    for each in partitions(frame):
        trace = trace_rows(reader, opened.rows, lambda _: None, f"total = {sum(each)}", names=opened.names)
        assert numbers(trace) == each
