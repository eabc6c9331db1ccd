"""The rules of operators where the program calls DataFrame methods."""

import pandas as pd
import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import IntegerType

import bigdebug
from tests.lineage.origins import Calls, Frames, came_from


@F.udf(IntegerType())
def _plain(v: int | None) -> int | None:
    return None if v is None else v * 2


@F.pandas_udf(IntegerType())  # type: ignore[call-overload]
def _vectorized(v: pd.Series) -> pd.Series:
    return v * 2


def _numbered(frame: DataFrame) -> DataFrame:
    """With `zipWithIndex`, or where Spark is older with pandas-on-Spark's index, which is the same operator."""
    if hasattr(frame, "zipWithIndex"):
        return frame.zipWithIndex()
    return frame.pandas_api().to_spark(index_col="index")


CALLS = {
    "select and filter": Calls(
        lambda f: f["orders"].filter(F.col("v") > 5).select((F.col("v") * 2).alias("w")),
        "w = 40",
        {"orders": {2}},
    ),
    "join with duplicate names": Calls(
        lambda f: f["orders"].join(f["customers"], f["orders"].k == f["customers"].k),
        "city = 'Oslo'",
        {"orders": {3, 5}, "customers": {2}},
        compat=True,
    ),
    "groupBy": Calls(
        lambda f: f["orders"].groupBy("k").agg(F.sum("v").alias("s")), "s = 30", {"orders": {1, 2}}
    ),
    "union by name with missing columns": Calls(
        lambda f: f["orders"].unionByName(f["customers"], allowMissingColumns=True),
        "city = 'Rome' or v = 1",
        {"orders": {6}, "customers": {1}},
        compat=True,
    ),
    "dropDuplicates over all columns": Calls(
        lambda f: f["orders"].select("k").dropDuplicates(), "k = 'a'", {"orders": {1, 2}}
    ),
    "dropDuplicates below a set difference that counts": Calls(
        lambda f: (
            f["orders"].select("n", "k").dropDuplicates(["n"]).exceptAll(f["customers"].select("n", "k"))
        ),
        "n = 2",
        {"orders": {2}},
        compat=True,
    ),
    "plain Python UDF": Calls(
        lambda f: f["orders"].select(_plain("v").alias("w")), "w = 40", {"orders": {2}}, compat=True
    ),
    "pandas UDF, in a filter": Calls(
        lambda f: f["orders"].filter(_vectorized("v") > 20), "true", {"orders": {2}}
    ),
    "grouping by a Python UDF": Calls(
        lambda f: f["orders"].groupBy((_plain("v") > 12).alias("big")).count(), "big", {"orders": {1, 2, 4}}
    ),
    "cached": Calls(
        lambda f: f["orders"].filter("v > 1").cache().groupBy("k").count(), "k = 'a'", {"orders": {1, 2}}
    ),
    "repartition and sort": Calls(
        lambda f: f["orders"].repartition(3).sort("v").coalesce(1).sortWithinPartitions("k"),
        "v = 7",
        {"orders": {4}},
    ),
    "pivot": Calls(
        lambda f: f["orders"].withColumn("odd", F.col("n") % 2).groupBy("k").pivot("odd").agg(F.max("v")),
        "k = 'b'",
        {"orders": {3, 5}},
    ),
    "melt": Calls(
        lambda f: f["orders"].melt(["k"], ["n", "v"], "name", "value"), "value = 20", {"orders": {2}}
    ),
    "rollup": Calls(lambda f: f["orders"].rollup("k").count(), "k = 'b'", {"orders": {3, 5}}),
    "as-of join": Calls(
        lambda f: f["orders"]._joinAsOf(f["customers"], f["orders"].v, f["customers"].n, direction="nearest"),
        "v = 20",
        {"orders": {2}, "customers": {4}},
    ),
    "rows numbered": Calls(
        lambda f: _numbered(f["orders"]).groupBy("k").agg(F.max("index").alias("i")),
        "k = 'b'",
        {"orders": {3, 5}},
    ),
    "na and stat helpers": Calls(
        lambda f: f["orders"].na.fill({"v": 0}).na.drop(subset=["k"]).replace("a", "A", subset=["k"]),
        "k = 'A'",
        {"orders": {1, 2}},
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    "calls",
    [pytest.param(c, id=name, marks=[pytest.mark.compat] if c.compat else []) for name, c in CALLS.items()],
)
def test_calls_rows_came_from(session: bigdebug.Session, frames: Frames, calls: Calls) -> None:
    try:
        assert came_from(session, calls.make(frames), calls.where) == calls.expected
    finally:
        frames["orders"].sparkSession.catalog.clearCache()


def test_drop_duplicates_names_the_record_that_survived(session: bigdebug.Session, frames: Frames) -> None:
    frame = frames["orders"].dropDuplicates(["k"])
    for row in frame.collect():
        assert came_from(session, frame, F.col("n") == row.n) == {"orders": {row.n}}
