"""How many jobs Spark has run."""

from pyspark.sql import SparkSession


def jobs(spark: SparkSession) -> int:
    return int(spark.sparkContext._jsc.sc().dagScheduler().numTotalJobs())
