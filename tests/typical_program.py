"""Runs a little of all that programs do in Spark, and waits for its Java to end: `python typical_program.py FOLDER`."""

import os
import sys

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from bigdebug.lineage.java import ensure_java


def main(folder: str) -> None:
    ensure_java()
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    spark = (
        SparkSession.builder.master("local[2]")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.sql.warehouse.dir", f"{folder}/warehouse")
        .getOrCreate()
    )
    rows = spark.createDataFrame([(n, "ab"[n % 2], n * 1.5) for n in range(20)], "n int, k string, x double")
    for kind in ("csv", "json", "parquet"):
        rows.write.format(kind).save(f"{folder}/{kind}")
        read = spark.read.schema(rows.schema).format(kind).load(f"{folder}/{kind}")
        read.join(rows, "n").groupBy(rows.k).agg(F.sum(rows.x), F.count("*")).orderBy(rows.k).collect()
    rows.createOrReplaceTempView("rows")
    spark.sql(
        "select k, rank() over (partition by k order by x) r from rows where n in (select n from rows)"
    ).toPandas()
    rows.select(F.udf(lambda n: n, "long")("n")).collect()
    gateway = spark.sparkContext._gateway
    spark.stop()
    gateway.shutdown()
    gateway.proc.stdin.close()
    gateway.proc.wait()


if __name__ == "__main__":
    main(sys.argv[1])
