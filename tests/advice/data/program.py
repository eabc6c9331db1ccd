"""The program whose event logs lie beside it: `program.py FOLDER failed|killed [setting=value …]`.

Spark 4.0.0 wrote one and Spark 4.3.0 the other; `scrub.py` took out of them what tells of the machine.
"""

import os
import signal
import sys
import time

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

folder, ending, *settings = sys.argv[1:]
builder = SparkSession.builder.master("local[2,2]").appName("shop").config("spark.ui.enabled", "false")
builder = builder.config("spark.eventLog.enabled", "true").config("spark.eventLog.dir", f"file://{folder}/log")
builder = builder.config("spark.sql.shuffle.partitions", "4").config("spark.sql.warehouse.dir", f"{folder}/warehouse")
for setting in settings:
    builder = builder.config(*setting.split("=", 1))
spark = builder.getOrCreate()

orders = spark.range(200_000).withColumn("shop", F.when(F.col("id") % 20 < 19, 0).otherwise(F.col("id") % 50))
orders.write.mode("overwrite").parquet(f"{folder}/orders")
spark.range(50).withColumnRenamed("id", "shop").repartition(20).write.mode("overwrite").parquet(f"{folder}/shops")
orders, shops = spark.read.parquet(f"{folder}/orders"), spark.read.parquet(f"{folder}/shops")
orders.join(shops, "shop").groupBy("shop").count().collect()
spark.conf.set("spark.sql.autoBroadcastJoinThreshold", "-1")
orders.join(shops, "shop").agg(F.sum("id")).collect()


def slow(number):
    time.sleep(2 if number == 0 else 0)
    return number


spark.range(0, 6, 1, 6).select(F.udf(slow, "long")("id")).collect()
if ending == "killed":
    os.kill(spark._jvm.java.lang.ProcessHandle.current().pid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)
spark.range(0, 4, 1, 2).select(F.udf(lambda x: 1 // (x - 2), "int")("id")).collect()
