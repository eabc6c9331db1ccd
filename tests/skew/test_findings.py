"""The keys behind lopsided shuffles: exact counts, partitions, joins that multiply rows, keys that are missing."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

import bigdebug
from bigdebug.skew import counting
from bigdebug.skew.finding import Finding
from tests.proofs import Part


@pytest.fixture(scope="module")
def orders(spark: SparkSession) -> DataFrame:
    """400 orders of 100 customers, 600 of the one that is '', and 50 of none."""
    rows: list[tuple[str | None, int]] = [(f"c{n % 100}", n) for n in range(400)]
    rows += [("", n) for n in range(600)]
    rows += [(None, n) for n in range(50)]
    return spark.createDataFrame(rows, "customer string, amount int")


@pytest.fixture(scope="module")
def customers(spark: SparkSession) -> DataFrame:
    rows = [(f"c{n}", f"name {n}") for n in range(100)] + [("", "nobody"), (None, "null")]
    return spark.createDataFrame(rows, "customer string, name string")


def only(report: Any) -> Finding:
    (finding,) = report
    assert isinstance(finding, Finding)
    return finding


@pytest.mark.compat
def test_the_hot_key_of_an_aggregate(session: bigdebug.Session, orders: DataFrame) -> None:
    report = session.skew(orders.groupBy("customer").agg(F.collect_list("amount")))
    found = only(report)
    assert (found.operator, found.keys, found.records) == ("Aggregate", ("customer",), 1050)
    assert found.call_site is not None
    assert "groupBy" in found.call_site.text
    hot = {key.key["customer"]: key for key in found.hot_keys}
    assert (hot[""].records, hot[""].kind, hot[""].hot_by) == (600, "default", ("records", "bytes"))
    assert hot[""].share == pytest.approx(600 / 1050)
    assert set(hot) == {""}
    assert found.severity in ("moderate", "severe", "critical")
    (side,) = found.sides
    assert (side.keys, side.records_of_keys.median, side.records_of_keys.most) == (102, 4, 600)
    null = next(key for key in found.largest if key.key["customer"] is None)
    assert (null.records, null.kind) == (50, "null")
    assert report.skewed == [found]


@pytest.mark.compat
def test_records_and_bytes_of_partitions_are_those_of_the_job(
    spark: SparkSession, session: bigdebug.Session, orders: DataFrame
) -> None:
    found = only(session.skew(orders.repartition(5, "customer")))
    really = orders.repartition(5, "customer").groupBy(F.spark_partition_id().alias("p")).count().collect()
    counts = sorted(row["count"] for row in really)
    spread = found.records_of_partitions
    assert (spread.least, spread.most, spread.total, spread.count) == (
        counts[0],
        counts[-1],
        1050,
        len(counts),
    )
    place = {row.p for row in really if row["count"] == counts[-1]}
    assert found.hot_keys[0].partition in place


@pytest.mark.compat
def test_a_join_that_multiplies_rows(session: bigdebug.Session, spark: SparkSession) -> None:
    left = spark.createDataFrame(
        [(n % 50, n) for n in range(200)] + [(7, n) for n in range(96)], "k int, x int"
    )
    right = spark.createDataFrame(
        [(n % 50, n) for n in range(100)] + [(7, n) for n in range(98)], "k int, y int"
    )
    joined = left.join(right, "k")
    found = only(session.skew(joined))
    assert found.rows == joined.count()
    assert found.multiplies == pytest.approx(found.rows / 296)
    key = found.hot_keys[0]
    assert (key.key, key.pairs, dict(key.sides)) == ({"k": 7}, 10_000, {"left": 100, "right": 100})
    assert "pairs" in key.hot_by


def test_null_keys_are_shuffled_only_where_their_rows_are_kept(
    session: bigdebug.Session, orders: DataFrame, customers: DataFrame
) -> None:
    inner, outer = (only(session.skew(orders.join(customers, "customer", how))) for how in ("inner", "left"))
    assert [side.dropped_nulls for side in inner.sides] == [50, 1]
    assert [side.records for side in inner.sides] == [1000, 101]
    assert [side.dropped_nulls for side in outer.sides] == [0, 1]
    assert [side.nulls for side in outer.sides] == [50, 0]
    assert (inner.rows, outer.rows) == (1000, 1050)
    null = next(key for key in inner.largest if key.kind == "null")
    assert (null.shuffled, null.records, null.hot) == (False, 51, False)
    assert any("leaves them out" in note for note in inner.notes)


def test_windows_deduplication_and_sql(
    session: bigdebug.Session, spark: SparkSession, orders: DataFrame, customers: DataFrame
) -> None:
    orders.createOrReplaceTempView("skew_orders")
    customers.createOrReplaceTempView("skew_customers")
    report = session.skew(
        spark.sql(
            "select o.customer, count(*) n from skew_orders o, skew_customers c "
            "where o.customer = c.customer and o.amount < 300 group by o.customer"
        )
    )
    assert {each.operator for each in report} == {"Aggregate", "Join"}
    join = next(each for each in report if each.operator == "Join")
    assert [side.records for side in join.sides] == [600, 101]
    ranked = orders.withColumn("rank", F.row_number().over(Window.partitionBy("customer").orderBy("amount")))
    assert only(session.skew(ranked)).hot_keys[0].records == 600
    everything = orders.withColumn("rank", F.row_number().over(Window.orderBy("amount")))
    alone = only(session.skew(everything))
    assert (alone.keys, alone.partitions, alone.records_of_partitions.most) == ((), 1, 1050)
    assert only(session.skew(orders.dropDuplicates(["customer"]))).operator == "Deduplicate"
    assert only(session.skew(orders.select("customer").distinct())).keys == ("customer",)


def test_skew_in_bytes_alone(session: bigdebug.Session, spark: SparkSession) -> None:
    rows = [(n % 40, "x" * (3_000 if n % 40 == 3 else 8)) for n in range(400)]
    found = only(session.skew(spark.createDataFrame(rows, "k int, text string").repartition("k")))
    assert [(key.key["k"], key.hot_by) for key in found.hot_keys] == [(3, ("bytes",))]
    assert found.hot_keys[0].bytes == 10 * (8 + 8 + 8 + 3_000)


def test_keys_by_zipfs_law_are_hot_as_far_as_they_make_partitions_long(
    session: bigdebug.Session, spark: SparkSession
) -> None:
    counts = {
        exponent: {key: max(1, round(1_500 / (key + 1) ** exponent)) for key in range(150)}
        for exponent in (0.5, 1.0, 2.0)
    }
    rows = [(exponent, key, times) for exponent, held in counts.items() for key, times in held.items()]
    made = spark.createDataFrame(rows, "e double, k int, times int")
    every = made.select("e", "k", F.explode(F.sequence(F.lit(1), "times"))).select("e", "k").cache()
    parts = [every.where(F.col("e") == exponent).repartition(16, "k") for exponent in counts]
    report = session.skew(parts[0].unionAll(parts[1]).unionAll(parts[2]))
    placed = made.select("e", "k", F.pmod(F.hash("k"), F.lit(16)).alias("place"), "times").collect()
    every.unpersist()
    assert len(report) == 3
    for finding in report:
        exponent = min(counts, key=lambda each: abs(sum(counts[each].values()) - finding.records))
        held = counts[exponent]
        assert [key.records for key in finding.largest[:5]] == sorted(held.values(), reverse=True)[:5]
        loads: Counter[int] = Counter()
        for row in placed:
            if row.e == exponent:
                loads[row.place] += row.times
        usual = min(sorted(loads.values())[(len(loads) - 1) // 2], sum(loads.values()) / 16)
        middle = sorted(held.values())[74]
        hot = {key for key, times in held.items() if times >= max(5 * middle, 1.33 * usual)}
        assert {key.key["k"] for key in finding.hot_keys if "records" in key.hot_by} == hot
        assert (finding.severity == "none") == (not finding.hot_keys)
    assert report[0].severity == "critical"


def test_nothing_is_reported_where_there_is_no_skew(session: bigdebug.Session, spark: SparkSession) -> None:
    even = spark.range(4_000).select((F.col("id") % 200).alias("k"), F.col("id").alias("v"))
    other = spark.range(200).select(F.col("id").alias("k"))
    report = session.skew(even.join(other, "k").groupBy("k").agg(F.collect_list("v")))
    assert len(report) == 2
    assert report.skewed == []
    assert all(not each.hot_keys for each in report)


@pytest.mark.proof("hot keys of any type")
def test_keys_of_any_type(session: bigdebug.Session, spark: SparkSession) -> None:
    frame = spark.sql("select if(id < 60, 0, id) as n from range(100)").selectExpr(
        "cast(n as double) * -1 d",
        "timestamp_micros(n) t",
        "date_add(date'2020-02-29', cast(n as int)) day",
        "cast(cast(n as string) as binary) b",
        "cast(n as decimal(30,2)) e",
        "named_struct('a', n, 'b', null) s",
        "n > 0 f",
        "array(n) a",
    )
    for name in frame.columns[:6]:
        found = only(session.skew(frame.repartition(4, name)))
        (key,) = [each for each in found.largest if each.records == 60]
        row = frame.where("not f").select(name).first()
        value = None if row is None else row[0]
        assert key.hot
        if name != "s":
            assert key.key[name] == value


SIDES: dict[str, Any] = {
    "left": st.lists(
        st.tuples(st.sampled_from([None, 0, 1, 2, 3]), st.integers(1, 60)), min_size=1, max_size=6
    ),
    "right": st.lists(
        st.tuples(st.sampled_from([None, 0, 1, 2, 9]), st.integers(1, 60)), min_size=1, max_size=6
    ),
    "how": st.sampled_from(["inner", "left", "right", "full", "left_semi", "left_anti"]),
}
Side = list[tuple[int | None, int]]


@settings(max_examples=3)
@given(**SIDES)
def test_counts_are_those_of_brute_force(
    session: bigdebug.Session, spark: SparkSession, left: Side, right: Side, how: str
) -> None:
    judge(session, spark, left, right, how)


@pytest.mark.proof("counts of the keys of joins, by brute force", examples=200)
def test_many_counts_are_those_of_brute_force(
    part: Part, session: bigdebug.Session, spark: SparkSession
) -> None:
    @part.drawn
    @given(**SIDES)
    def judged(left: Side, right: Side, how: str) -> None:
        judge(session, spark, left, right, how)

    judged()


def judge(session: bigdebug.Session, spark: SparkSession, left: Side, right: Side, how: str) -> None:
    one, two = ([k for k, times in side for _ in range(times)] for side in (left, right))
    frames = [spark.createDataFrame([(k,) for k in side], "k int") for side in (one, two)]
    joined = frames[0].join(frames[1], "k", how)
    found = only(session.skew(joined))
    counts = [Counter(one), Counter(two)]
    for key in found.largest:
        assert tuple(key.sides.values()) in {
            tuple(count[key.key["k"]] for count in counts),
            # Keyless records of the two sides part where those of only one are shuffled.
            (counts[0][None], 0),
            (0, counts[1][None]),
        }
        if key.key["k"] is not None:
            assert tuple(key.sides.values()) == tuple(count[key.key["k"]] for count in counts)
            assert key.pairs == counts[0][key.key["k"]] * counts[1][key.key["k"]]
    assert {key.key["k"] for key in found.largest} == set(one) | set(two)
    if how not in ("left_semi", "left_anti"):
        assert found.rows == joined.count()


def test_many_keys_are_summed_up_by_spark_and_come_to_the_same(
    session: bigdebug.Session, orders: DataFrame, customers: DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    joined = orders.join(customers, "customer", "left").groupBy("amount").count()
    few = session.skew(joined)
    monkeypatch.setattr(counting, "FEW", 0)
    many = session.skew(joined)
    assert many.findings == few.findings
    assert many.what_if(salt=4, partitions=7) == few.what_if(salt=4, partitions=7)
