"""The dataflow whose outputs are indexed."""

from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F


def totals(spark: SparkSession, folder: Path) -> DataFrame:
    orders = spark.read.parquet(str(folder / "orders"))
    prices = spark.read.json(str(folder / "prices.json"), schema="k string, price int")
    names = spark.createDataFrame([("k1", "one"), ("k2", "two"), ("k3", None)], "k string, name string")
    joined = orders.join(prices, "k", "left").join(names, "k", "left")
    return joined.groupBy("k", "name").agg(F.sum("v").alias("total"), F.max("price").alias("price"))
