"""How long do the flights from New York take? The mean by destination and month, the shortest first."""

from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F

spark = SparkSession.builder.master("local[*]").appName("flights").getOrCreate()
reader = spark.read.options(header=True, inferSchema=True, nullValue="NA")
flights = reader.csv("flights.csv")


def minutes(clock: str) -> Column:
    """Minutes since midnight, of a clock time written as 2349."""
    return F.floor(F.col(clock) / 100) * 60 + F.col(clock) % 100


took = minutes("arr_time") - minutes("dep_time")
timed = flights.withColumn("took", took)
means = timed.groupBy("dest", "month").agg(
    F.round(F.avg("took")).cast("int").alias("minutes"),
    F.count("took").alias("flights"),
)
report = means.orderBy("minutes").collect()

print("dest  month  minutes  flights")
for row in report[:5]:
    print(f"{row.dest:4}  {row.month:5}  {row.minutes:7,}  {row.flights:7}")
