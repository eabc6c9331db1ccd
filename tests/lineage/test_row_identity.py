"""Sources whose records have a place of their own: the interface behind which table formats stand."""

import random
from collections.abc import Iterator
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.datasource import DataSource, DataSourceReader, InputPartition

import bigdebug
from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.location import Location
from bigdebug.lineage.row_identity import identity_of, register, unregister


class Ledger(DataSource):
    """Twenty records of two files, in another order on each read, that know where they stand."""

    @classmethod
    def name(cls) -> str:
        return "ledger"

    def schema(self) -> str:
        return "amount int, kept_in string, line bigint"

    def reader(self, schema: Any) -> DataSourceReader:
        return LedgerReader()


class LedgerReader(DataSourceReader):
    def read(self, partition: InputPartition) -> Iterator[tuple[int, str, int]]:
        records = [
            (10 * file + line, f"file:///books/{file}", line) for file in range(2) for line in range(10)
        ]
        random.shuffle(records)
        yield from records


class LedgerPlaces:
    """Takes the place from the record's columns."""

    kind = "ledger"
    tried = True

    def holds(self, _: Catalyst, plan: Any) -> bool:
        return plan.getClass().getSimpleName() == "DataSourceV2Relation" and plan.table().name() == "ledger"

    def place(self, catalyst: Catalyst, plan: Any) -> tuple[Any, Any, Any]:
        columns = catalyst.output(plan)
        return plan, columns[1], columns[2]


class UntriedPlaces(LedgerPlaces):
    tried = False


@pytest.fixture
def ledger(session: bigdebug.Session, spark: SparkSession) -> DataFrame:
    spark.dataSource.register(Ledger)
    return spark.read.format("ledger").load()


@pytest.fixture
def places() -> Iterator[LedgerPlaces]:
    identity = LedgerPlaces()
    register(identity)
    yield identity
    unregister(identity)


@pytest.mark.compat
@pytest.mark.usefixtures("places")
def test_records_have_the_places_that_their_source_gives(
    session: bigdebug.Session, ledger: DataFrame
) -> None:
    trace = session.trace(ledger.groupBy("kept_in").sum("amount"), "kept_in like '%1'")
    assert [(record.location, record.value["amount"]) for record in trace.collect()] == [
        (Location("/books/1", line), 10 + line) for line in range(10)
    ]
    (source,) = trace.sources
    assert (source.kind, source.count) == ("ledger", 10)
    assert trace.notes == [
        f"{source.name} was read anew, and nothing tells whether it holds what it held when the run read it"
    ]
    first = trace.records().orderBy("amount").first()
    assert first is not None
    assert (first._record.file, first._record.position) == ("/books/1", 0)
    forward = session.trace(ledger, "amount = 3", direction="forward")
    assert forward.matched == 1


@pytest.mark.usefixtures("places")
def test_what_cannot_be_indexed_says_so(session: bigdebug.Session, ledger: DataFrame) -> None:
    ledger.where("amount > 4").collect()
    with pytest.raises(BigDebugError, match="records of ledger tables can't be indexed yet"):
        session.index(session.outputs[-1])


def test_what_has_not_been_tried_says_so(session: bigdebug.Session, ledger: DataFrame) -> None:
    identity = UntriedPlaces()
    register(identity)
    try:
        notes = session.trace(ledger, "amount = 3").notes
    finally:
        unregister(identity)
    assert any("reading records of ledger tables has not been tried yet" in note for note in notes)


def test_only_parquet_is_known_to_have_places(
    session: bigdebug.Session, spark: SparkSession, ledger: DataFrame, tmp_path: Any
) -> None:
    spark.range(3).write.parquet(str(tmp_path / "p"))
    spark.range(3).write.orc(str(tmp_path / "o"))
    catalyst = Catalyst(spark)
    kinds = []
    for frame in (spark.read.parquet(str(tmp_path / "p")), spark.read.orc(str(tmp_path / "o")), ledger):
        found = identity_of(catalyst, catalyst.analyzed(frame))
        kinds.append(found and found.kind)
    assert kinds == ["parquet", None, None]
