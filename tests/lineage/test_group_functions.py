"""Python functions of whole groups: which group a row was made of, whatever the key and the function's ways."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from pyspark.cloudpickle import register_pickle_by_value, unregister_pickle_by_value
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F
from pyspark.sql.types import DoubleType

import bigdebug
from tests.lineage.origins import TABLES, Calls, Frames, came_from
from tests.thinned import thinned


@pytest.fixture
def session(spark: SparkSession, tmp_path: Path) -> Iterator[bigdebug.Session]:
    """A run of its own for each test: a forward trace goes through all outputs of a run."""
    with bigdebug.attach(spark, store=str(tmp_path / "store")) as attached:
        yield attached


@pytest.fixture
def frames(session: bigdebug.Session, spark: SparkSession) -> Frames:
    for name, (schema, rows) in TABLES.items():
        spark.createDataFrame(rows, schema).createOrReplaceTempView(name)
    return {name: spark.table(name) for name in TABLES}


@pytest.fixture(scope="module", autouse=True)
def _by_value() -> Iterator[None]:
    """Spark's workers have no way to import this module."""
    register_pickle_by_value(sys.modules[__name__])
    yield
    unregister_pickle_by_value(sys.modules[__name__])


def sizes(group: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({"size": [len(group)], "last": [group["n"].max()]})


def keyed(key: tuple[Any, ...], group: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame([[len(group), group["n"].max()]])  # no names: Spark goes by position


def kept(group: pd.DataFrame) -> pd.DataFrame:
    group["n"] = group["n"] * 10  # a function may change what it was given
    return group[["n", "k"]]


def without_small(group: pd.DataFrame) -> pd.DataFrame:
    return sizes(group) if len(group) > 1 else pd.DataFrame()


def table_sizes(group: pa.Table) -> pa.Table:
    return pa.table({"size": [group.num_rows], "last": [max(group["n"].to_pylist())]})


def both(left: pd.DataFrame, right: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({"left": [len(left)], "right": [len(right)]})


def both_tables(key: tuple[Any, ...], left: pa.Table, right: pa.Table) -> pa.Table:
    return pa.table({"left": [left.num_rows], "right": [right.num_rows]})


@F.pandas_udf(DoubleType())
def mean(values: pd.Series) -> float:
    return float(values.mean())


SIZES = "size bigint, last bigint"
CALLS = {
    "applyInPandas": Calls(
        lambda f: f["orders"].groupBy("k").applyInPandas(sizes, SIZES),
        "last = 5",
        {"orders": {3, 5}},
    ),
    "with the key, by position": Calls(
        lambda f: f["orders"].groupBy("k").applyInPandas(keyed, SIZES), "last = 4", {"orders": {4}}
    ),
    "rows of its own": Calls(
        lambda f: f["orders"].groupBy("k").applyInPandas(kept, "n int, k string"), "n = 10", {"orders": {1, 2}}
    ),
    "no rows for some groups": Calls(
        lambda f: f["orders"].groupBy("k").applyInPandas(without_small, SIZES),
        "true",
        {"orders": {1, 2, 3, 5}},
    ),
    "by an expression": Calls(
        lambda f: f["orders"].groupBy(F.col("v") > 6).applyInPandas(sizes, SIZES),
        "last = 4",
        {"orders": {1, 2, 4}},
    ),
    "all in one group": Calls(
        lambda f: f["orders"].groupBy().applyInPandas(sizes, SIZES), "true", {"orders": {1, 2, 3, 4, 5, 6}}
    ),
    "applyInArrow": Calls(
        lambda f: f["orders"].groupBy("k").applyInArrow(table_sizes, SIZES),
        "size = 2 and last = 2",
        {"orders": {1, 2}},
    ),
    "cogroup": Calls(
        lambda f: f["orders"].groupBy("k").cogroup(f["customers"].groupBy("k")).applyInPandas(
            both, "left bigint, right bigint"
        ),
        "left = 2",
        {"orders": {1, 2, 3, 5}, "customers": {1, 2}},
    ),
    "cogroup, one side empty": Calls(
        lambda f: f["orders"].groupBy("k").cogroup(f["customers"].groupBy("k")).applyInArrow(
            both_tables, "left bigint, right bigint"
        ),
        "left = 0 or right = 0",
        {"orders": {6}, "customers": {4}},
    ),
    "above and below others": Calls(
        lambda f: f["orders"]
        .groupBy("k")
        .agg(F.count("*").alias("n"))
        .groupBy("n")
        .applyInPandas(sizes, SIZES)
        .join(f["customers"], F.col("last") == F.col("n")),
        "size = 2 and last = 1",
        {"orders": {4, 6}, "customers": {1}},
    ),
    "aggregate in pandas": Calls(
        lambda f: f["orders"].groupBy("k").agg(mean("v").alias("mean")), "mean = 15", {"orders": {1, 2}}
    ),
    "window in pandas": Calls(
        lambda f: f["orders"].withColumn("mean", mean("v").over(Window.partitionBy("k"))),
        "mean = 15 and n = 2",
        {"orders": {2}},
    ),
}  # fmt: skip


@pytest.mark.compat
@pytest.mark.parametrize(
    "name",
    thinned(
        CALLS,
        "functions of groups, backward and forward",
        among=["applyInPandas", "applyInArrow", "cogroup", "window in pandas"],
    ),
)
def test_backward_and_forward(session: bigdebug.Session, frames: Frames, name: str) -> None:
    calls = CALLS[name]
    frame = calls.make(frames)
    assert came_from(session, frame, calls.where) == calls.expected
    # The other way round: those records reach the rows they are behind.
    asked = f"n in ({', '.join(map(str, calls.expected['orders']))})"
    reached = _reached(session, frames["orders"], asked, frame)
    rows = [row.asDict() for row in frame.filter(calls.where).collect()]
    if len(calls.expected) == 1:
        assert all(row in reached for row in rows)
    else:
        assert any(row in reached for row in rows)


KEYS = {
    "text that isn't UTF-8": ["cast(x'ff' as string)", "cast(x'fe' as string)", "'a'"],
    "the hour that comes twice": [
        "timestamp'2024-11-03 01:30:00 America/New_York'",
        "timestamp'2024-11-03 06:30:00 UTC'",
        "timestamp'2024-11-03 05:30:00 UTC'",
    ],
    "not a number": ["double('nan')", "0.0D", "1.5D", "null"],
    "long decimals": ["12345678901234567890.123456789012345678", "12345678901234567890.123456789012345679"],
    "structs": ["struct(1, 'a')", "struct(1, null)", "null"],
    "arrays": ["array(1, 2)", "array(1)", "array(null)"],
    "maps": ["map('a', 1, 'b', null)", "map('a', 1)", "map()", "null"],
}


def test_steps_where_no_row_is_left(session: bigdebug.Session, frames: Frames) -> None:
    left, right = (frames["orders"].where(condition).groupBy("k") for condition in ("n < 0", "n is null"))
    gone = left.cogroup(right).applyInPandas(both, "left int, right int").where("left > 0")
    trace = session.trace(gone.groupBy("left").agg(F.max("right")))
    assert (trace.matched, [source.count for source in trace.sources]) == (0, [0, 0])
    assert {step.count for step in trace.steps} == {0}


@pytest.mark.parametrize("values", thinned(KEYS.values(), "keys that Python does not hold exactly"), ids=KEYS)
@pytest.mark.compat
def test_keys_that_python_does_not_hold_exactly(
    session: bigdebug.Session, spark: SparkSession, values: list[str]
) -> None:
    records = spark.range(60)
    frame = records.withColumn("k", F.expr(f"array({', '.join(values)})[id % {len(values)}]"))

    def first(group: pa.Table) -> pa.Table:
        return pa.table({"first": [min(group["id"].to_pylist())]})

    rows = frame.groupBy("k").applyInArrow(first, "first bigint")
    groups = frame.groupBy("k").agg(F.sort_array(F.collect_list("id")).alias("ids")).collect()
    assert len(groups) >= 2
    found = {record.value["id"] for record in session.trace(rows, "first = 0").collect()}
    assert found == next(set(row.ids) for row in groups if 0 in row.ids)


@pytest.mark.compat
def test_what_spark_takes_for_one_key_is_one_group(session: bigdebug.Session, spark: SparkSession) -> None:
    texts = spark.range(6).selectExpr("id", "array('a', 'A', 'b')[id % 3] collate UTF8_LCASE as k")
    count = texts.groupBy("k").applyInPandas(lambda g: pd.DataFrame({"size": [len(g)]}), "size bigint")
    assert sorted(row.size for row in count.collect()) == [2, 4]
    assert {r.value["id"] for r in session.trace(count, "size = 4").collect()} == {0, 1, 3, 4}
    zeros = spark.range(6).selectExpr("id", "array(0.0D, -0.0D, 1.0D)[id % 3] as k")
    count = zeros.groupBy("k").applyInPandas(lambda g: pd.DataFrame({"size": [len(g)]}), "size bigint")
    for size in {row.size for row in count.collect()}:
        traced = session.trace(count, F.col("size") == size)
        assert len(traced.collect()) == size * traced.matched


def test_functions_of_batches(session: bigdebug.Session, spark: SparkSession) -> None:
    if not spark.version >= "4.2":
        pytest.skip("functions of a group's batches came with Spark 4.2")

    def pandas_batches(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for batch in batches:
            yield pd.DataFrame({"last": [batch["id"].max()]})

    def arrow_batches(key: Any, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        yield pa.RecordBatch.from_pydict({"last": [max(max(b["id"].to_pylist()) for b in batches)]})

    records = spark.range(20)
    groups = records.groupBy((F.col("id") % 4).alias("k"))
    spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", "2")
    try:
        many = groups.applyInPandas(pandas_batches, "last bigint")
        once = groups.applyInArrow(arrow_batches, "last bigint")
        for frame, where in ((many, "last = 5"), (once, "last = 17")):
            assert {r.value["id"] for r in session.trace(frame, where).collect()} == {1, 5, 9, 13, 17}
        reached = _reached(session, records, "id = 13", many)
        assert {row["last"] for row in reached} == {row.last for row in many.filter("last % 4 = 1").collect()}
        assert [row["last"] for row in _reached(session, records, "id = 13", once)] == [17]
    finally:
        spark.conf.unset("spark.sql.execution.arrow.maxRecordsPerBatch")


@pytest.mark.compat
def test_forward_beside_aggregates_in_python(session: bigdebug.Session, frames: Frames) -> None:
    @F.udf("bigint")
    def twice(value: int | None) -> int | None:
        return None if value is None else 2 * value

    orders = frames["orders"]
    in_pandas = orders.groupBy("k").agg(mean("v").alias("mean"))
    assert [row["k"] for row in _reached(session, orders, "n = 5", in_pandas)] == ["b"]
    scalar = orders.groupBy("k").agg(F.sum(twice("v")).alias("twice"))
    assert _reached(session, orders, "n = 6", scalar) == [{"k": "c", "twice": 2}]


def test_aggregates_in_arrow(session: bigdebug.Session, frames: Frames) -> None:
    if not hasattr(F, "arrow_udf"):
        pytest.skip("arrow_udf came with Spark 4.1")

    @F.arrow_udf("bigint")
    def size(values: pa.Array) -> int:
        return len(values)

    orders = frames["orders"]
    frame = orders.groupBy("k").agg(size("n").alias("size"))
    assert came_from(session, frame, "k = 'b'") == {"orders": {3, 5}}
    assert _reached(session, orders, "n = 1", frame) == [{"k": "a", "size": 2}]


def test_maps_in_another_order_are_other_groups(session: bigdebug.Session, spark: SparkSession) -> None:
    """Spark gives them to a function one by one, though they would be one group of an aggregate."""
    frame = spark.range(6).selectExpr("id", "if(id % 2 = 0, map('a', 1, 'b', 2), map('b', 2, 'a', 1)) as k")
    rows = frame.groupBy("k").applyInPandas(lambda g: pd.DataFrame({"n": [g["id"].min()]}), "n bigint")
    assert sorted(row.n for row in rows.collect()) == [0, 1]
    assert {r.value["id"] for r in session.trace(rows, "n = 1").collect()} == {1, 3, 5}


@pytest.mark.proof("groups by keys nested with a collation")
def test_keys_nested_with_a_collation(session: bigdebug.Session, spark: SparkSession) -> None:
    frame = spark.range(8).selectExpr(
        "id",
        "struct(array('a', 'A', 'b', null)[id % 4] collate UTF8_LCASE as x) as k",
        "array(array('a', 'A', 'b', null)[id % 4] collate UTF8_LCASE, 'c') as many",
    )
    expected = sorted(
        sorted(row.ids) for row in frame.groupBy("k").agg(F.collect_list("id").alias("ids")).collect()
    )
    assert expected == [[0, 1, 4, 5], [2, 6], [3, 7]]
    for key in ("k", "many"):
        rows = frame.groupBy(key).applyInPandas(lambda g: pd.DataFrame({"n": [g["id"].min()]}), "n bigint")
        firsts = [row.n for row in rows.collect()]
        found = [{r.value["id"] for r in session.trace(rows, f"n = {n}").collect()} for n in sorted(firsts)]
        assert found == [set(group) for group in expected]


def _reached(
    session: bigdebug.Session, source: DataFrame, where: str, frame: DataFrame
) -> list[dict[str, Any]]:
    frame.collect()
    forward = session.trace(source, where, direction="forward")
    return [row.value for row in forward.collect_source(forward.sources[-1].name)]
