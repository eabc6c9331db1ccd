"""What a trace asks for is asked of the files themselves: their statistics and folders spare it reading."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

import bigdebug
from bigdebug.lineage.catalyst import Catalyst


@pytest.fixture
def data(spark: SparkSession, tmp_path: Path) -> Path:
    rows = spark.range(60).selectExpr("id n", "id % 6 k", "id % 3 part")
    for format in ("parquet", "csv"):
        rows.repartition(1).write.format(format).partitionBy("part").save(str(tmp_path / format))
    return tmp_path


def read(spark: SparkSession, folder: Path, format: str) -> DataFrame:
    return spark.read.schema("n long, k long, part int").format(format).load(str(folder / format))


@pytest.fixture
def scans(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """The scans of files in what questions ran since it was asked last, as Spark prints them."""
    ran: list[Any] = []
    executing = Catalyst.execution

    def noted(catalyst: Catalyst, plan: Any) -> Any:
        ran.append(executing(catalyst, plan))
        return ran[-1]

    monkeypatch.setattr(Catalyst, "execution", noted)

    def since() -> list[str]:
        texts = [str(execution.executedPlan().toString()) for execution in ran]
        ran.clear()
        return [line for text in texts for line in text.splitlines() if "FileScan" in line]

    return since


def test_the_condition_on_a_row_reaches_its_file(
    session: bigdebug.Session, spark: SparkSession, data: Path, scans: Callable[[], list[str]]
) -> None:
    trace = session.trace(read(spark, data, "parquet"), "k = 4 and part = 1")
    assert [record.value["n"] for record in trace.collect()] == list(range(4, 60, 6))
    found = scans()
    assert found
    for scan in found:
        assert "EqualTo(k,4)" in scan.split("PushedFilters: ")[1], scan
        assert "part" in scan.split("PartitionFilters: ")[1].split("PushedFilters")[0], scan


def test_keys_reach_the_file_as_values(
    session: bigdebug.Session, spark: SparkSession, data: Path, scans: Callable[[], list[str]]
) -> None:
    totals = read(spark, data, "parquet").groupBy("k", "part").agg(F.sum("n").alias("total"))
    # What is asked is known of the totals alone: their keys are found first, and then looked for in the files.
    trace = session.trace(totals, "total = 300")
    assert sorted(record.value["n"] for record in trace.collect()) == list(range(3, 60, 6))
    *_, records = scans()
    assert "EqualNullSafe(k,3)" in records.split("PushedFilters: ")[1], records
    assert "<=> 0)" in records.split("PartitionFilters: ")[1].split("PushedFilters")[0], records


def test_positions_in_folders_that_a_condition_leaves_out(
    session: bigdebug.Session, spark: SparkSession, data: Path
) -> None:
    frame = read(spark, data, "csv")
    found = session.trace(frame.where("part = 1"), "k = 4").collect()
    for record in found:
        lines = Path(record.location.file or "").read_text().splitlines()
        assert lines[record.location.position or 0].split(",") == [str(record.value["n"]), "4"]
    assert sorted(record.value["n"] for record in found) == list(range(4, 60, 6))
