"""At what hour do flights leave? The mean by airline and destination, with a Python function.

The wrong rows: flights leave at 94 o'clock. The function takes the first two digits for the hour, and 930
is half past nine. To see it on the airline and destination with the fewest flights:

    bigdebug run flights_udf.py
    bigdebug trace last 1 --where "carrier = '9E' and dest = 'CAE'"
"""

from nycflights import csv_file
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

spark = SparkSession.builder.master("local[*]").appName("hours").getOrCreate()
reader = spark.read.options(header=True, inferSchema=True, nullValue="NA")
flights = reader.csv(csv_file("flights"))


@F.udf("double")
def hour(clock):
    """The hour of the day, of a clock time written as 1730."""
    digits = str(clock)
    return int(digits[:2]) + int(digits[2:] or 0) / 60


hours = (
    flights.withColumn("hour", hour("sched_dep_time"))
    .groupBy("carrier", "dest")
    .agg(F.round(F.avg("hour"), 1).alias("hour"), F.count("*").alias("flights"))
)
for row in hours.orderBy(F.desc("hour"), "carrier", "dest").collect()[:5]:
    print(f"{row.carrier}  {row.dest}  {row.hour:5.1f}  {row.flights:4}")
