"""Data sources that users write in Python: their records by value, live and from a recipe."""

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.datasource import DataSource, DataSourceReader, InputPartition

import bigdebug
from bigdebug.lineage.index.trace import IndexedTrace
from bigdebug.lineage.location import Location
from bigdebug.lineage.postmortem import open_output
from bigdebug.lineage.store import Store, StoredRun
from bigdebug.lineage.trace import Trace
from tests.recipe.finding_secrets import places_of


class Numbers(DataSource):
    """Gives n from 0 to `count`, in another order on every read."""

    @classmethod
    def name(cls) -> str:
        return "numbers"

    def schema(self) -> str:
        return "n int, k int"

    def reader(self, schema: Any) -> DataSourceReader:
        path = self.options.get("path")
        count = int(Path(path).read_text()) if path else int(self.options.get("count", "30"))
        return Reader(count)


class Reader(DataSourceReader):
    def __init__(self, count: int) -> None:
        self.count = count

    def partitions(self) -> Sequence[InputPartition]:
        return [InputPartition(part) for part in range(3)]

    def read(self, partition: InputPartition) -> Iterator[tuple[int, int]]:
        numbers = list(range(partition.value, self.count, 3))
        random.shuffle(numbers)
        yield from ((n, n % 4) for n in numbers)


def numbers(spark: SparkSession, **options: str) -> DataFrame:
    spark.dataSource.register(Numbers)
    return spark.read.format("numbers").options(**options).load()


def read(trace: Trace | IndexedTrace) -> list[int]:
    return sorted(record.value["n"] for record in trace.collect())


def counted(frame: DataFrame) -> DataFrame:
    return frame.where("n > 2").groupBy("k").count()


def recorded(spark: SparkSession, store: Path, frame: DataFrame) -> StoredRun:
    with bigdebug.attach(spark, store=str(store)):
        counted(frame).collect()
    return Store(str(store)).find("last")


EXPECTED = [n for n in range(3, 30) if n % 4 == 1]


@pytest.mark.compat
def test_records_of_a_source_that_gives_them_in_any_order(spark: SparkSession, tmp_path: Path) -> None:
    with bigdebug.attach(spark, store=str(tmp_path)) as session:
        frame = counted(numbers(spark))
        trace = session.trace(frame, "k = 1")
        assert read(trace) == EXPECTED
        assert [(step.operator, step.count) for step in trace.steps] == [("Aggregate", 1), ("Filter", 7)]
        assert sorted(row.n for row in trace.steps[1].records().collect()) == EXPECTED
        assert sorted(row.n for row in trace.records().collect()) == EXPECTED
        assert trace.sources[0].kind == "numbers"
        assert not trace.exact


@pytest.mark.proof("an index of a source that gives its records in any order")
def test_an_index_of_records_in_any_order(spark: SparkSession, tmp_path: Path) -> None:
    with bigdebug.attach(spark, store=str(tmp_path)) as session:
        frame = counted(numbers(spark))
        frame.collect()
        index = session.index(session.outputs[-1])
        indexed, again = index.trace("k = 1"), session.trace(session.outputs[-1], "k = 1")
        assert (indexed.matched, indexed.exact, indexed.notes) == (again.matched, again.exact, again.notes)
        assert read(indexed) == read(again) == EXPECTED
        assert [(one.name, one.kind, one.count) for one in indexed.sources] == [
            (one.name, one.kind, one.count) for one in again.sources
        ]
        assert {record.location for record in indexed.collect()} == {Location(None, None)}


@pytest.mark.compat
def test_from_a_recipe(spark: SparkSession, tmp_path: Path) -> None:
    run = recorded(spark, tmp_path, numbers(spark, count="20"))
    assert run.output("1").recipe == "stored"

    class Others(Numbers):
        def schema(self) -> str:
            return "n string, k string"

    spark.dataSource.register(Others)
    trace = open_output(run, run.output("1"), spark=spark).trace("k = 1")
    assert read(trace) == [n for n in EXPECTED if n < 20]
    assert "computed again, the program gives the same rows as the run did" in trace.notes
    assert spark.read.format("numbers").load().dtypes[0] == ("n", "string"), "what the program has now stays"


def test_what_it_reads_from_is_gone(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "count").write_text("9")
    spark.dataSource.register(Numbers)
    frame = spark.read.format("numbers").load(str(tmp_path / "count"))
    run = recorded(spark, tmp_path / "store", frame)
    (tmp_path / "count").unlink()
    with pytest.raises(bigdebug.BigDebugError, match="No such file"):
        open_output(run, run.output("1"), spark=spark).trace("k = 1").collect()


def test_a_secret_option_keeps_it_out_of_recipes(spark: SparkSession, tmp_path: Path) -> None:
    run = recorded(spark, tmp_path, numbers(spark, apiToken="tops3cret"))
    assert run.output("1").recipe == "unavailable"
    assert "was given apitoken" in str(run.output("1").recipe_problem).lower()
    assert places_of("tops3cret", tmp_path) == []
