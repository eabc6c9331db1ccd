"""Watchpoints on DataFrames: guards in SQL that Spark counts, and guards in Python."""

import json
import time
from pathlib import Path

import pytest
from pyspark.errors import ArithmeticException
from pyspark.sql import Column, DataFrame, Row, SparkSession
from pyspark.sql import functions as F

import bigdebug
from bigdebug.lineage.errors import BigDebugError, UnknownNameError


@pytest.fixture
def orders(spark: SparkSession, session: bigdebug.Session, tmp_path: Path) -> DataFrame:
    spark.range(0, 1000, 1, 4).selectExpr(
        "int(id) id", "concat('s', id % 3) shop", "int(id) - 5 price"
    ).write.parquet(str(tmp_path / "orders"))
    return spark.read.parquet(str(tmp_path / "orders"))


@pytest.mark.compat
def test_hits_are_counted_per_output_and_in_sum(
    session: bigdebug.Session, orders: DataFrame, tmp_path: Path
) -> None:
    doubled = orders.withColumn("twice", F.col("price") * 2)
    totals = doubled.groupBy("shop").agg(F.sum("twice").alias("total"))
    plain = sorted(totals.collect())
    wp = session.watch(doubled, "price < 0", capacity=3)
    first = len(session.outputs) + 1
    assert sorted(totals.collect()) == plain
    assert doubled.filter("price > -3").count() == 997
    totals.write.mode("overwrite").parquet(str(tmp_path / "out"))
    assert sorted(map(tuple, totals.toPandas().itertuples(index=False))) == sorted(map(tuple, plain))
    assert len(list(doubled.toLocalIterator())) == 1000
    doubled.foreach(lambda row: None)
    assert orders.count() == 1000  # nothing that is watched
    assert wp.counts == dict.fromkeys(range(first, first + 6), 5)
    assert wp.hits == 30
    assert wp.truncated
    assert len(wp.records) == 3
    assert all(record.value["price"] < 0 for record in wp.records)
    (source,) = wp.records[0].trace().collect()
    assert source.value["id"] == wp.records[0].value["id"]
    wp.remove()
    doubled.count()
    assert wp.hits == 30


def test_a_limit_counts_what_was_read(session: bigdebug.Session, orders: DataFrame) -> None:
    wp = session.watch(orders, "price >= 0")
    assert len(orders.take(3)) == 3
    assert 0 < wp.hits < 995
    assert len(orders.limit(1000).collect()) == 1000
    assert max(wp.counts.values()) == 995
    wp.remove()


def test_of_cached_data_what_is_read_counts(session: bigdebug.Session, orders: DataFrame) -> None:
    kept = orders.filter("price >= 0").cache()
    below, at = session.watch(orders, "price = 7"), session.watch(kept, "price = 7")
    for _ in range(2):
        assert kept.count() == 995
    assert kept._jdf.queryExecution().executedPlan().toString().count("InMemoryTableScan") >= 1
    assert at.hits == 2
    assert below.hits == 0
    assert "the cache" in below.notes[0]
    kept.unpersist()
    assert kept.count() == 995
    assert (at.hits, below.hits) == (3, 1)
    at.remove()
    below.remove()


def test_a_frame_that_is_joined_with_itself(session: bigdebug.Session, orders: DataFrame) -> None:
    some = orders.filter("id < 100")
    wp = session.watch(some, "price < 0")
    assert some.alias("a").join(some.alias("b"), "id").count() == 100
    assert some.union(some).count() == 200
    assert list(wp.counts.values()) == [5, 5]
    wp.remove()


@pytest.mark.proof("watchpoints below an aggregate")
def test_an_aggregate_counts_what_it_reads_by_itself(session: bigdebug.Session, orders: DataFrame) -> None:
    """With columns that are dropped and made on the way, no rows at all, and aggregates that can't."""
    priced = orders.withColumn("twice", F.col("price") * 2).select("shop", "twice")
    programs = [
        priced.groupBy("shop").agg(F.sum("twice").alias("t")).filter("t > 0"),
        orders.groupBy().agg(F.max("price")),
        orders.filter("id < 0").groupBy("shop").count(),
        orders.groupBy("shop").agg(F.countDistinct("price")),
        orders.filter("id < 500").groupBy("shop").count(),
        orders.rollup("shop").count(),
    ]
    plain = [sorted(map(str, frame.collect())) for frame in programs]
    wp = session.watch(orders, "100 / (id - 7) > 90")
    for frame, rows in zip(programs, plain, strict=True):
        assert sorted(map(str, frame.collect())) == rows
    # Of the one that gives no rows Spark drops the count, and that is said.
    assert list(wp.counts.values()) == [1, 1, 1, 1, 1]
    assert "found a part of it to be empty" in wp.notes[0]
    assert wp.errors == 5
    wp.remove()


def test_a_changed_guard_holds_from_the_next_action(session: bigdebug.Session, orders: DataFrame) -> None:
    wp = session.watch(orders, "price < 0")
    orders.count()
    wp.guard = F.col("price") > 990
    orders.count()
    assert list(wp.counts.values()) == [5, 4]
    assert sorted(record.value["price"] for record in wp.records) == [991, 992, 993, 994]
    with pytest.raises(UnknownNameError, match="prize"):
        wp.guard = "prize < 0"
    orders.count()
    assert list(wp.counts.values()) == [5, 4, 4]
    wp.remove()


def test_a_guard_that_is_no_condition_is_refused(session: bigdebug.Session, orders: DataFrame) -> None:
    in_python: Column = F.udf(lambda price: price < 0, "boolean")("price")
    for guard, message in (
        ("sum(price) > 1", "can't be evaluated|no condition"),
        ("rand() < 0.5", "goes by chance"),
        ("price in (select 1)", "subquery"),
        (in_python, "calls a Python function"),
        ("price", "can't be evaluated"),
    ):
        with pytest.raises(BigDebugError, match=message):
            session.watch(orders, guard)


@pytest.mark.compat
def test_a_guard_that_raises_ends_nothing(session: bigdebug.Session, orders: DataFrame) -> None:
    wp = session.watch(orders, "100 / (price + 2) > 99")
    assert orders.count() == 1000
    assert (wp.hits, wp.errors) == (1, 1)
    assert [record.value["price"] for record in wp.records] == [-1]
    assert "raised for 1 records" in wp.notes[0]
    for guard in ("100 / (price + 2) > 99 or 100 / (price + 2) < -99", "1 / 0 > price", "1 / 0 > 1"):
        wp.guard = guard
        assert orders.count() == 1000
    assert wp.hits == 1 + 2
    assert len(wp.notes) == 1
    wp.remove()


def test_a_function_as_guard_sees_the_rows(session: bigdebug.Session, orders: DataFrame) -> None:
    totals = orders.groupBy("shop").agg(F.count("*").alias("n"))
    plain = sorted(totals.collect())

    def cheap(row: Row) -> bool:
        return row.price < 0

    wp = session.watch(orders, cheap, capacity=3)
    assert sorted(totals.collect()) == plain
    assert wp.hits == 5
    assert wp.truncated
    assert len(wp.records) == 3
    assert wp.records[0].value.keys() == {"id", "shop", "price"}
    (source,) = wp.records[0].trace().collect()
    assert source.value == wp.records[0].value
    wp.guard = lambda row: 1 / row.price > 0.9
    assert orders.count() == 1000
    assert (wp.hits, wp.errors) == (6, 1)
    wp.remove()


def test_a_line_that_is_reached_later_can_be_watched(session: bigdebug.Session, orders: DataFrame) -> None:
    line = test_a_line_that_is_reached_later_can_be_watched.__code__.co_firstlineno + 3
    wp = session.watch(f"test_frame_watch.py:{line}", "price > 990")
    assert orders.filter("price > 980").select("price").distinct().count() == 14
    assert wp.hits == 4
    wp.remove()


def test_what_was_caught_goes_to_the_store(session: bigdebug.Session, orders: DataFrame) -> None:
    wp = session.watch(orders, "price = 7")
    orders.count()
    assert len(wp.records) == 1
    folder = session._recorder.folder
    assert folder is not None
    stored = folder / "captures" / f"watch-{wp.number}.json"
    until = time.monotonic() + 5
    while time.monotonic() < until:
        if stored.exists() and json.loads(stored.read_text())["records"]:
            break
        time.sleep(0.05)
    found = json.loads(stored.read_text())
    assert (found["hits"], found["guard"], len(found["records"])) == (1, "price = 7", 1)
    assert stored.stat().st_mode & 0o077 == 0
    wp.remove()


def test_an_action_that_fails_fails_as_ever(session: bigdebug.Session, orders: DataFrame) -> None:
    broken = orders.selectExpr("price", "1 / (price - 7) as inverse")
    with pytest.raises(ArithmeticException) as plain:
        broken.collect()
    wp = session.watch(orders, "price < 0")
    with pytest.raises(type(plain.value)) as watched:
        broken.collect()
    assert str(watched.value) == str(plain.value)
    assert broken.filter("price < 7").count() == 12
    assert wp.counts[session.outputs[-1].number] == 5
    wp.remove()
