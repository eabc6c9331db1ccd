"""What to do about a lopsided shuffle, checked by doing it; and where hot keys come from."""

from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

import bigdebug
from bigdebug.lineage.errors import BigDebugError
from bigdebug.skew.finding import Finding
from bigdebug.skew.hashing import salted_hash, salted_with_zero
from bigdebug.skew.thresholds import Thresholds
from bigdebug.skew.what_if import Change

PARTITIONS = 8


@pytest.fixture
def eight_partitions(spark: SparkSession) -> Any:
    spark.conf.set("spark.sql.shuffle.partitions", str(PARTITIONS))
    yield
    spark.conf.set("spark.sql.shuffle.partitions", "4")


@pytest.fixture(scope="module")
def orders(spark: SparkSession) -> DataFrame:
    rows = [(f"c{n % 400}", n) for n in range(2_000)] + [("hot", n) for n in range(2_000)]
    return spark.createDataFrame(rows, "customer string, amount int")


@pytest.fixture(scope="module")
def customers(spark: SparkSession) -> DataFrame:
    rows = [(f"c{n}", n) for n in range(400)] + [("hot", 0)]
    return spark.createDataFrame(rows, "customer string, region int")


def actions(finding: Finding) -> list[str]:
    return [each.action for each in finding.advice]


def longest(frame: DataFrame, *keys: str) -> int:
    """Of the partitions that Spark really makes of these keys."""
    spread = frame.repartition(PARTITIONS, *keys).groupBy(F.spark_partition_id().alias("p")).count()
    return int(spread.agg(F.max("count")).collect()[0][0])


@pytest.mark.compat
def test_a_salted_hash_is_sparks(spark: SparkSession) -> None:
    keys = spark.range(50).select(F.hash("id").alias("h"), F.col("id"))
    rows = keys.select(
        "h", *(F.hash("id", F.lit(salt)) for salt in range(5)), salted_with_zero(F.col("h"))
    ).collect()
    for row in rows:
        assert [salted_hash(row.h, salt) for salt in range(5)] == list(row[1:6])
        assert row[6] == row[1]


def test_a_salted_repartition_is_foretold(
    session: bigdebug.Session, orders: DataFrame, eight_partitions: None
) -> None:
    report = session.skew(orders.repartition(PARTITIONS, "customer"))
    (finding,) = report
    assert actions(finding) == ["salt", "another key"]
    assert "F.when(F.col(\"customer\").isin('hot'), F.floor(F.rand() * " in finding.advice[0].change
    (foretold,) = report.what_if(salt=16)
    salt = F.when(F.col("customer").isin("hot"), F.floor(F.rand(7) * 16)).otherwise(0).cast("int")
    really = longest(orders.withColumn("salt", salt), "customer", "salt")
    assert foretold.applies
    assert foretold.records.total == 4_000
    assert really / 1.5 < foretold.records.most < really * 1.5
    assert foretold.records.most < finding.records_of_partitions.most / 2


def test_a_salted_join_is_foretold(
    session: bigdebug.Session, orders: DataFrame, customers: DataFrame, eight_partitions: None
) -> None:
    report = session.skew(orders.join(customers, "customer"))
    (finding,) = report
    assert actions(finding)[0] == "broadcast"
    assert "salt" in actions(finding)
    change = next(each.change for each in finding.advice if each.action == "salt")
    assert "F.explode(F.when(" in change
    (foretold,) = report.what_if(salt=8)
    assert foretold.added == 7
    hot = F.col("customer") == "hot"
    one = orders.withColumn("salt", F.when(hot, F.floor(F.rand(7) * 8)).otherwise(0).cast("int"))
    salts = F.when(hot, F.sequence(F.lit(0), F.lit(7))).otherwise(F.array(F.lit(0)))
    two = customers.withColumn("salt", F.explode(salts))
    really = longest(
        one.select("customer", "salt").unionAll(two.select("customer", "salt")), "customer", "salt"
    )
    assert really / 1.5 < foretold.records.most < really * 1.5
    salted = one.join(two, ["customer", "salt"]).drop("salt")
    assert salted.count() == orders.join(customers, "customer").count()
    (wider,) = report.what_if(partitions=64)
    assert wider.partitions == 64
    assert wider.records.most >= 2_000


def test_null_keys_are_filtered_before_the_join(
    session: bigdebug.Session, spark: SparkSession, customers: DataFrame, eight_partitions: None
) -> None:
    rows: list[tuple[str | None, int]] = [(f"c{n % 400}", n) for n in range(800)]
    rows += [(None, n) for n in range(1_000)]
    visits = spark.createDataFrame(rows, "customer string, page int")
    report = session.skew(visits.join(customers, "customer", "left"))
    (finding,) = report
    assert finding.hot_keys[0].kind == "null"
    advice = next(each for each in finding.advice if each.action == "filter nulls")
    assert "customer is null: 1,000 records" in advice.evidence
    assert 'keyed = visits.where(F.col("customer").isNotNull())' in advice.change
    (foretold,) = report.what_if(drop_nulls=True)
    kept = visits.where("customer is not null").select("customer").unionAll(customers.select("customer"))
    assert foretold.records.most == longest(kept, "customer")


def test_what_spark_adds_up_before_the_shuffle_is_left_alone(
    session: bigdebug.Session, orders: DataFrame
) -> None:
    (finding,) = session.skew(orders.groupBy("customer").count())
    assert actions(finding) == ["nothing"]
    (listed,) = session.skew(orders.groupBy("customer").agg(F.collect_set("amount")))
    assert actions(listed)[0] == "combine first"


def test_thresholds_can_be_set(session: bigdebug.Session, orders: DataFrame) -> None:
    report = session.skew(orders.repartition(4, "customer"), Thresholds(times_median=10_000))
    assert report.skewed == []
    assert report.thresholds.severity(1.5) == "low"
    assert Thresholds(severities=(2, 3, 4, 5)).severity(1.5) == "none"


def test_changes_are_parsed() -> None:
    assert Change.parsed(["salt=16,partitions=400", "nulls=drop"]) == Change(16, 400, True)
    with pytest.raises(BigDebugError, match="nothing that can be tried"):
        Change.parsed(["pepper=3"])
    with pytest.raises(BigDebugError, match="changes nothing"):
        Change(salt=1)


@pytest.mark.compat
def test_a_hot_key_is_traced_to_the_file_it_comes_from(
    session: bigdebug.Session, spark: SparkSession, tmp_path: Path
) -> None:
    folder = tmp_path / "sales"
    folder.mkdir()
    for part in range(4):
        lines = [f"c{n % 50},{n},web" for n in range(part * 50, part * 50 + 100)]
        if part == 2:
            lines += [f",{n},till" for n in range(240)]
        if part == 3:
            lines += [f",{n},till" for n in range(10)]
        (folder / f"part-{part}.csv").write_text("\n".join(["customer,amount,channel", *lines]) + "\n")
    sales = spark.read.csv(str(folder), header=True, schema="customer string, amount int, channel string")
    cleaned = sales.withColumn("customer", F.coalesce("customer", F.lit("")))
    (finding,) = session.skew(cleaned.repartition(4, "customer"))
    traced = finding.trace()
    assert traced.key.key == {"customer": ""}
    (source,) = traced.sources
    assert (source.name, source.count) == ("sales", 250)
    assert [(Path(file).name, n) for file, n in source.files] == [("part-2.csv", 240), ("part-3.csv", 10)]
    assert any("customer" in pattern or "channel = 'till'" in pattern for pattern in source.patterns)
    assert traced.sentences[0].startswith("96% of customer = '' come from ")
    assert traced.traces["input"].records().count() == 250
