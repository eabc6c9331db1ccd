"""More of them: operators that run functions over groups and partitions, or go by position, nearness or rounds."""

from collections.abc import Iterator
from typing import Any

import pandas as pd
import pyarrow as pa
import pyspark
import pyspark.sql.functions as F
from pyspark.sql import DataFrame, Observation, SparkSession, Window

from tests.recipe.queries import QUERIES, query, sql

_OTHERS = ("taken", "tail", "sampled_by_position", "transposed", "nearest_in_calls", "memory_join", "vectors")
_BEFORE = frozenset(QUERIES)

# -- functions of groups ------------------------------------------------------------------------------


@query("last = 119")
def apply_in_pandas(spark: SparkSession) -> DataFrame:
    def sizes(group: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame({"size": [len(group)], "last": [group["id"].max()]})

    return spark.table("orders").groupBy("k").applyInPandas(sizes, "size bigint, last int")


@query("last = 118")
def apply_in_arrow(spark: SparkSession) -> DataFrame:
    def sizes(key: tuple[Any, ...], group: pa.Table) -> pa.Table:
        return pa.table({"size": [group.num_rows], "last": [max(group["id"].to_pylist())]})

    return spark.table("orders").groupBy("k").applyInArrow(sizes, "size bigint, last bigint")


@query("right = 1 and left = 40")
def cogroup_in_pandas(spark: SparkSession) -> DataFrame:
    def both(left: pd.DataFrame, right: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame({"left": [len(left)], "right": [len(right)]})

    orders, customers = (spark.table(name).groupBy("k") for name in ("orders", "customers"))
    return orders.cogroup(customers).applyInPandas(both, "left bigint, right bigint")


@query("right = 1 and left = 0")
def cogroup_in_arrow(spark: SparkSession) -> DataFrame:
    def both(left: pa.Table, right: pa.Table) -> pa.Table:
        return pa.table({"left": [left.num_rows], "right": [right.num_rows]})

    orders, customers = (spark.table(name).groupBy("k") for name in ("orders", "customers"))
    return orders.cogroup(customers).applyInArrow(both, "left bigint, right bigint")


@query("id = 7")
def pandas_window_function(spark: SparkSession) -> DataFrame:
    @F.pandas_udf("double")
    def middle(x: pd.Series) -> float:
        return float(x.median())

    frame = Window.partitionBy("k").orderBy("id").rowsBetween(-1, 1)
    return spark.table("orders").select("id", middle("amount").over(frame).alias("middle"))


# -- functions of partitions --------------------------------------------------------------------------


@query("double = 14")
def map_in_pandas(spark: SparkSession) -> DataFrame:
    def doubled(parts: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for part in parts:
            yield pd.DataFrame({"double": part["id"] * 2})

    return spark.table("orders").mapInPandas(doubled, "double bigint")


@query("total > 0")
def map_in_arrow(spark: SparkSession) -> DataFrame:
    def summed(parts: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        total = sum(sum(part.column("id").to_pylist()) for part in parts)
        yield pa.RecordBatch.from_pydict({"total": [total]})

    return spark.table("orders").repartition(3, "k").mapInArrow(summed, "total bigint")


@query("word = 'id 7'")
def table_function_in_python(spark: SparkSession) -> DataFrame:
    @F.udtf(returnType="word string")  # type: ignore[arg-type]
    class Words:
        def eval(self, number: int) -> Iterator[tuple[str]]:
            yield (f"id {number}",)
            yield (f"id {-number}",)

    spark.udtf.register("words", Words)  # type: ignore[arg-type]
    return spark.sql("select o.k, w.word from orders o, lateral words(o.id) w")


sql("script", "select transform(id, k) using 'cat' as (id, k) from orders", "id = '7'")

# -- joins --------------------------------------------------------------------------------------------


@query("id = 7")
def as_of_join(spark: SparkSession) -> DataFrame:
    orders, customers = spark.table("orders"), spark.table("customers")
    joined = orders._joinAsOf(customers, orders.id, customers.k * 10, how="left", direction="backward")
    return joined.select("id", "name")


sql(
    "lateral_join",
    "select o.id, c.name from orders o, lateral (select * from customers c where c.k = o.k) c",
    "id = 7",
)


@query("id = 7")
def lateral_join_in_calls(spark: SparkSession) -> DataFrame:
    customers = spark.table("customers").where(F.col("k") == F.col("o.k").outer()).select("name")
    return spark.table("orders").alias("o").lateralJoin(customers).select("id", "name")


# -- rows at their places -------------------------------------------------------------------------------

sql("except_all", "select k from orders where id < 6 except all select k from customers", "k = 1")


@query("what = 'amount' and value = 49")
def unpivot(spark: SparkSession) -> DataFrame:
    return spark.table("orders").unpivot("id", ["k", "amount"], "what", "value")


@query("id = 7")
def observed(spark: SparkSession) -> DataFrame:
    return spark.table("orders").observe(Observation(), F.count("*").alias("n")).filter("k = 1")


if hasattr(DataFrame, "zipWithIndex"):

    @query("index = 7")
    def zip_with_index(spark: SparkSession) -> DataFrame:
        return spark.table("orders").filter("k <> 1").zipWithIndex()


# -- rounds ---------------------------------------------------------------------------------------------


@query("k = 1")
def checkpoint(spark: SparkSession) -> DataFrame:
    return spark.table("orders").filter("id < 40").checkpoint().groupBy("k").agg(F.sum("id").alias("s"))


@query("k = 1")
def local_checkpoint(spark: SparkSession) -> DataFrame:
    few = spark.table("orders").filter("id < 40").localCheckpoint()
    return few.groupBy("k").agg(F.sum("id").alias("s")).localCheckpoint(eager=False)


if pyspark.__version__ >= "4.1":
    sql(
        "recursion",
        """with recursive up(k, n) as (select k, 0 from customers where vip union all
             select k, n + 1 from up where n < 2) select k, n from up""",
        "k = 2 and n = 2",
    )


INDEXED = tuple(
    name
    for name, each in QUERIES.items()
    if name not in _BEFORE or name in _OTHERS or each.unindexed is not None
)
"""The queries whose outputs are indexed, too: an index takes a second or two."""
