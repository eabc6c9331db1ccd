"""Generated inputs: orders and customers, as Parquet and CSV, at sizes that grow."""

from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

GROUPS = 1_000
CUSTOMERS = 10_000


def make(spark: SparkSession, folder: Path, rows: int, kind: str) -> Path:
    """Write the inputs of one size and format, unless they are there; the folder of `orders` and `customers`."""
    place = folder / f"{kind}-{rows}"
    if not (place / "customers" / "_SUCCESS").exists():
        customer = F.pmod(F.xxhash64("id"), F.lit(CUSTOMERS))
        orders = spark.range(rows).select(
            F.col("id").alias("order"),
            customer.alias("customer"),
            F.pmod(F.xxhash64(F.col("id") + 1), F.lit(GROUPS)).alias("product"),
            (F.pmod(F.xxhash64(F.col("id") + 2), F.lit(100_000)) / 100).alias("amount"),
            F.concat(F.lit("note "), F.col("id").cast("string")).alias("note"),
        )
        customers = spark.range(CUSTOMERS).select(
            F.col("id").alias("customer"), F.concat(F.lit("city "), F.col("id") % 100).alias("city")
        )
        for name, frame in (("orders", orders), ("customers", customers)):
            _write(frame, place / name, kind)
    return place


def _write(frame: DataFrame, place: Path, kind: str) -> None:
    writer = frame.write.mode("overwrite")
    if kind == "csv":
        writer.option("header", True).csv(str(place))
    else:
        writer.parquet(str(place))


def read(spark: SparkSession, place: Path, kind: str, name: str) -> DataFrame:
    if kind == "parquet":
        return spark.read.parquet(str(place / name))
    schema = {
        "orders": "`order` long, customer long, product long, amount double, note string",
        "customers": "customer long, city string",
    }
    return spark.read.csv(str(place / name), header=True, schema=schema[name])


def group_by(spark: SparkSession, place: Path, kind: str) -> DataFrame:
    orders = read(spark, place, kind, "orders")
    return orders.groupBy("product").agg(F.sum("amount").alias("total"), F.count("*").alias("n"))


def join_and_aggregate(spark: SparkSession, place: Path, kind: str) -> DataFrame:
    orders = read(spark, place, kind, "orders").filter("amount > 10")
    customers = read(spark, place, kind, "customers")
    return orders.join(customers, "customer").groupBy("city").agg(F.avg("amount").alias("mean"))


PROGRAMS = {
    "group-by": (group_by, "product = 7"),
    "join-and-aggregate": (join_and_aggregate, "city = 'city 7'"),
}
KEYS = {"group-by": ["product"], "join-and-aggregate": ["customer", "amount"]}
"""The columns of `orders` that decide which rows of a program a record goes to."""
