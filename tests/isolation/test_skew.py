"""Groups that hold too much, and the records that must go so that they don't."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

import bigdebug
from bigdebug.isolation.weighing import fewest
from bigdebug.lineage.errors import BigDebugError
from tests.thinned import thinned


@pytest.fixture(scope="module")
def sales(spark: SparkSession) -> DataFrame:
    rows = [(f"c{n % 6}", n, "x") for n in range(24)]  # four of each
    rows += [("c1", n, "x" * 400) for n in range(100, 140)]
    rows += [("c2", 5_000, "x"), ("c2", 4_000, "x")]
    return spark.createDataFrame(rows, "customer string, amount int, text string")


@pytest.mark.compat
def test_a_group_of_too_many_records(session: bigdebug.Session, sales: DataFrame) -> None:
    found = session.isolate(sales.groupBy("customer").agg(F.avg("amount").alias("mean")), bigdebug.Skew())
    assert found.matched == 1
    (row,) = found.rows
    assert row.value["customer"] == "c1"
    assert row.candidates == 44
    assert row.culprits.total == 44 - 20
    assert row.culprits.proof == "1-minimal"
    assert row.notes == ("it holds 44 records, 66.7 % of all; without the culprits 20 records",)
    assert found.notes == ("20 records are too much for a group: 5 times the median of 6 groups, 4",)
    assert found.failing == "more than 5 times the median of records"


@pytest.mark.parametrize("folder", thinned(["parquet", None], "heavy groups of records in memory", 2))
def test_what_the_records_of_a_heavy_group_share_is_told_where_it_is_enough(
    folder: str | None, session: bigdebug.Session, spark: SparkSession, tmp_path: Path
) -> None:
    usual = [(f"c{n % 6}", n % 7, "web", "odd" if n % 6 == 1 else "x") for n in range(60)]
    robots = [("c1", n % 7, "bot", "x") for n in range(90)]
    data = spark.createDataFrame([*usual, *robots], "customer string, amount int, agent string, note string")
    if folder is not None:
        few, many = (data.where(each) for each in ("agent = 'web'", "agent = 'bot'"))
        few.coalesce(1).write.parquet(str(tmp_path / "few"))
        many.coalesce(1).write.parquet(str(tmp_path / "many"))
        data = spark.read.parquet(str(tmp_path / "few"), str(tmp_path / "many"))
    found = session.isolate(data.groupBy("customer").count(), bigdebug.Skew())
    told = {each.text.partition(" ")[0]: each for each in found.explanation}
    assert "customer" not in told, "that is the group itself"
    assert "note" not in told, "there would still be too many without them"
    assert (told["agent"].text, told["agent"].condition) == ("agent = 'bot'", "agent = 'bot'")
    assert (told["agent"].culprits, told["agent"].others) == ((90, 100), (0, 50))
    assert ("file" in told) == (folder is not None)


def test_a_group_of_too_many_bytes(session: bigdebug.Session, sales: DataFrame) -> None:
    totals = sales.where("amount >= 0").groupBy("customer").agg(F.max("text").alias("longest"))
    found = session.isolate(totals, bigdebug.Skew(by="bytes", factor=10))
    assert [row.value["customer"] for row in found.rows] == ["c1"]
    assert {record.value["text"] for record in found.culprits} == {"x" * 400}


def test_a_group_of_too_large_a_sum_loses_its_largest_records(
    session: bigdebug.Session, sales: DataFrame
) -> None:
    totals = sales.groupBy("customer").agg(F.sum("amount").alias("total"))
    found = session.isolate(totals, bigdebug.Skew(by="amount", factor=80))
    rows = {row.value["customer"]: row for row in found.rows}
    assert set(rows) == {"c1", "c2"}
    assert [record.value["amount"] for record in rows["c2"].culprits] == [5_000]
    assert rows["c2"].culprits.influence == [5_000]


def test_joined_records_count_as_often_as_they_take_part(
    session: bigdebug.Session, spark: SparkSession, sales: DataFrame
) -> None:
    regions = spark.createDataFrame(
        [(f"c{n}", f"r{n % 3}") for n in range(6)], "customer string, region string"
    )
    joined = sales.join(regions, "customer").groupBy("region").count()
    found = session.isolate(joined, bigdebug.Skew(factor=1.5))
    (row,) = found.rows
    assert row.value["region"] == "r1"
    assert row.candidates == 48
    assert {record.source for record in row.culprits} != {""}
    assert row.culprits.total == 48 - 15


def test_balanced_groups_have_nothing_to_blame(session: bigdebug.Session, sales: DataFrame) -> None:
    found = session.isolate(sales.groupBy("customer").count(), bigdebug.Skew(factor=12))
    assert (found.matched, found.rows, found.culprits.total) == (0, (), 0)


def test_what_has_no_groups_is_refused(session: bigdebug.Session, sales: DataFrame) -> None:
    with pytest.raises(BigDebugError, match="isn't an aggregate that shows its grouping columns"):
        session.isolate(sales.select("amount"), bigdebug.Skew())
    with pytest.raises(BigDebugError, match="by='nothing' can't be added up"):
        session.isolate(sales.groupBy("customer").count(), bigdebug.Skew(by="nothing"))
    with pytest.raises(ValueError, match="factor must be 1 or more"):
        bigdebug.Skew(factor=0.5)


@settings(max_examples=200)
@given(weights=st.lists(st.integers(-3, 20), min_size=1, max_size=12), limit=st.integers(0, 40))
def test_the_records_that_must_go_are_as_few_as_can_be(weights: list[int], limit: int) -> None:
    numbers = np.arange(len(weights))
    taken, held = fewest(numbers, np.array(weights, dtype=float), limit)
    left = sum(weights) - sum(weights[n] for n in taken)
    assert held == {n: weights[n] for n in taken}
    if sum(weights) <= limit:
        assert len(taken) <= 1
        return
    heaviest = sorted(weights, reverse=True)
    least = next((k for k in range(len(weights) + 1) if sum(heaviest[k:]) <= limit), None)
    assert len(taken) == (least or 0)
    if least:
        assert left <= limit
        assert all(left + weights[n] > limit for n in taken)
