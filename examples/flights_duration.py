"""How long do the flights from New York take? The mean by destination and month, as a Parquet file.

The wrong row: flights to PSE take -1,023 minutes in October. Those that land after midnight seem to land
before they leave. To see them, and the records they stand in:

    bigdebug run flights_duration.py
    bigdebug trace last mean-durations.parquet --where "dest = 'PSE' and month = 10" --limit 3
"""

from nycflights import csv_file
from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F

spark = SparkSession.builder.master("local[*]").appName("durations").getOrCreate()
reader = spark.read.options(header=True, inferSchema=True, nullValue="NA")
flights = reader.csv(csv_file("flights"))


def minutes(clock: str) -> Column:
    """Minutes since midnight, of a clock time written as 2349."""
    return F.floor(F.col(clock) / 100) * 60 + F.col(clock) % 100


timed = flights.withColumn("took", minutes("arr_time") - minutes("dep_time"))
means = (
    timed.where("took is not null")
    .groupBy("dest", "month")
    .agg(F.round(F.avg("took"), 1).alias("minutes"), F.count("took").alias("flights"))
)
means.write.mode("overwrite").parquet("mean-durations.parquet")
means.orderBy("minutes", "dest", "month").show(5)
