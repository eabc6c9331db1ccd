"""What is wrong, told by an expected frame or by a function of all rows."""

from pathlib import Path

import pytest
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

import bigdebug
from bigdebug.lineage.errors import BigDebugError

ORDERS = [
    ("a", 1.0),
    ("a", 2.0),
    ("a", 700.0),
    ("b", 5.0),
    ("b", None),
    ("c", 1.0),
    ("c", 1.0),
    (None, -90.0),
]


@pytest.fixture
def totals(spark: SparkSession) -> DataFrame:
    orders = spark.createDataFrame(ORDERS, "region string, amount double")
    grouped = orders.where("amount is not null").groupBy("region")
    return grouped.agg(F.sum("amount").alias("total"), F.count("*").alias("n"))


@pytest.mark.compat
def test_rows_that_differ_from_the_expected_are_isolated(
    session: bigdebug.Session, spark: SparkSession, totals: DataFrame
) -> None:
    expected = spark.createDataFrame(
        [("a", 2, 3.0), ("b", 1, 5.000001), ("c", 2, 2.0), (None, 0, 0.0)],
        "region string, n int, total double",
    )
    found = session.isolate(totals, expected)
    assert found.matched == 2
    regions = {row.value["region"]: row for row in found.rows}
    assert set(regions) == {"a", None}
    (culprit,) = regions["a"].culprits
    assert culprit.value == {"region": "a", "amount": 700.0}
    # The row of no region isn't expected to be 0 of none: without its record it isn't there.
    assert regions[None].vanishes


@pytest.mark.proof("isolation of rows that are too many")
def test_rows_that_are_too_many_can_only_vanish(
    session: bigdebug.Session, spark: SparkSession, totals: DataFrame
) -> None:
    expected = totals.where("region != 'b' or region is null")
    found = session.isolate(totals, expected)
    (row,) = found.rows
    assert row.value["region"] == "b"
    assert row.vanishes
    assert [record.value for record in row.culprits] == [{"region": "b", "amount": 5.0}]


@pytest.mark.compat
def test_what_became_of_missing_rows_is_told(
    session: bigdebug.Session, spark: SparkSession, totals: DataFrame
) -> None:
    missing = spark.createDataFrame([("z", 1.0, 1)], "region string, total double, n bigint")
    found = session.isolate(totals, totals.unionAll(missing))
    assert found.matched == 0
    (note,) = found.notes
    assert note.startswith("an expected row is missing: `region` <=> 'z'; no record of ")


def test_an_expected_frame_of_other_columns_is_refused(
    session: bigdebug.Session, spark: SparkSession, totals: DataFrame
) -> None:
    with pytest.raises(BigDebugError, match="the expected frame has the columns region, sum"):
        session.isolate(totals, spark.createDataFrame([("a", 1)], "region string, sum int"))
    twice = totals.unionAll(totals.withColumn("n", F.lit(9)))
    with pytest.raises(BigDebugError, match="expected rows have the same region"):
        session.isolate(totals, twice)


@pytest.mark.proof("isolation of rows without groups, compared with the expected")
def test_output_without_groups_is_compared_by_whole_rows(
    session: bigdebug.Session, spark: SparkSession
) -> None:
    doubled = spark.createDataFrame([(1,), (2,), (3,)], "v int").selectExpr("v * 2 as w")
    found = session.isolate(doubled, spark.createDataFrame([(2,), (6,)], "w int"))
    assert [row.value for row in found.rows] == [{"w": 4}]
    assert [record.value for record in found.culprits] == [{"v": 2}]


@pytest.mark.compat
def test_a_function_says_that_the_whole_output_is_bad(session: bigdebug.Session, totals: DataFrame) -> None:
    def bad(rows: list[Row]) -> bool:
        return max(row.total for row in rows) > 10 * min(abs(row.total) for row in rows)

    found = session.isolate(totals.orderBy("region"), bad)
    assert found.matched == 1
    assert found.failing.endswith("bad(rows)")
    culprits = [record.value for record in found.culprits]
    assert culprits == [{"region": "a", "amount": 700.0}]
    assert found.culprits.proof == "1-minimal"
    assert {record.value["amount"] for record in found.reproduction} >= {700.0}
    assert len(found.reproduction) == 2


@pytest.mark.proof("isolation by a function of a limited output")
def test_a_function_sees_a_limited_output_as_it_is(session: bigdebug.Session, totals: DataFrame) -> None:
    least = totals.orderBy("total").limit(1)
    found = session.isolate(least, lambda rows: rows[0].total < 0)
    assert [record.value for record in found.culprits] == [{"region": None, "amount": -90.0}]


def test_a_function_that_is_content_finds_nothing(session: bigdebug.Session, totals: DataFrame) -> None:
    found = session.isolate(totals, lambda rows: not rows)
    assert (found.matched, found.rows, found.culprits.total) == (0, (), 0)


def test_a_function_that_raises_is_a_clear_error(session: bigdebug.Session, totals: DataFrame) -> None:
    with pytest.raises(BigDebugError, match="failing raised PySparkAttributeError on the output's 4 rows"):
        session.isolate(totals, lambda rows: rows[0].sum < 0)


def test_influence_ranks_the_culprits(session: bigdebug.Session, spark: SparkSession, tmp_path: Path) -> None:
    rows = [(0, v) for v in (1.0, 2.0, -40.0, 3.0, -60.0, -50.0)]
    spark.createDataFrame(rows, "k int, v double").write.parquet(str(tmp_path / "v.parquet"))
    frame = spark.read.parquet(str(tmp_path / "v.parquet")).groupBy("k").agg(F.sum("v").alias("total"))
    found = session.isolate(frame, "total < 0")
    assert [record.value["v"] for record in found.culprits] == [-60.0, -50.0, -40.0]
    assert found.culprits.influence == [-60.0, -50.0, -40.0]


def test_an_output_that_has_just_been_computed_is_not_computed_again(
    session: bigdebug.Session, spark: SparkSession, tmp_path: Path
) -> None:
    rows = [(n % 3, float(n)) for n in range(30)] + [(1, -1e6)]
    spark.createDataFrame(rows, "k int, v double").write.parquet(str(tmp_path / "v.parquet"))
    frame = spark.read.parquet(str(tmp_path / "v.parquet"))
    grouped = frame.groupBy("k").agg(F.sum("v").alias("total")).where("total < 1000").orderBy("k")
    assert len(grouped.collect()) == 3
    before = session.isolate(grouped.select("*"), "total < 0")
    given = session.isolate(grouped, "total < 0")
    assert given.jobs < before.jobs
    for found in (before, given):
        assert [row.value for row in found.rows] == [{"k": 1, "total": 145.0 - 1e6}]
        assert [record.value for record in found.culprits] == [{"k": 1, "v": -1e6}]
