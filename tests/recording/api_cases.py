"""PySpark's public methods, each called as users call it: what must be the same with bigdebug and without."""

import file_cases
import frame_cases
import pandas as pd
import pyarrow as pa
from api_env import Cases
from pyspark.sql import Row
from pyspark.sql import functions as F

_OF_THE_SESSION: Cases = {
    "SparkSession.createDataFrame": lambda e: e.spark.createDataFrame([Row(a=1, b="x")]),
    "SparkSession.createDataFrame#pandas": lambda e: e.spark.createDataFrame(pd.DataFrame({"a": [1, 2]})),
    "SparkSession.createDataFrame#arrow": lambda e: e.spark.createDataFrame(pa.table({"a": [1, 2]})),
    "SparkSession.createDataFrame#error": lambda e: e.spark.createDataFrame([]),
    "SparkSession.emptyDataFrame": lambda e: e.spark.emptyDataFrame("a int"),
    "SparkSession.range": lambda e: e.spark.range(3),
    "SparkSession.sql": lambda e: e.spark.sql("select {d}.a from {d} where a > :n", {"n": 1}, d=e.df),
    "SparkSession.sql#insert": lambda e: e.spark.sql(f"insert into {e.saved_table()} values (1, 'q', 2.0)"),
    "SparkSession.sql#syntax": lambda e: e.spark.sql("selec 1"),
    "SparkSession.sql#insert fails": lambda e: e.spark.sql("insert into no_such_table select 1"),
    "SparkSession.table": lambda e: e.spark.table(e.saved_table()),
    "SparkSession.table#missing": lambda e: e.spark.table("no_such_table"),
    "SparkSession.tvf": lambda e: e.spark.tvf.explode(F.array(F.lit(1), F.lit(2))),
    "SparkSession.catalog": lambda e: e.spark.catalog.createTable(e.table(), e.written("parquet")),
    "RDD.toDF": lambda e: e.spark.sparkContext.parallelize([(1, "x")], 1).toDF(["a", "b"]),
}

CASES: Cases = frame_cases.CASES | file_cases.CASES | _OF_THE_SESSION

NOT_EXERCISED: dict[str, str] = {
    "GroupedData.session": "an attribute, not a method",
    "GroupedData.transformWithState": "takes a stream and a state store, which no test here runs",
    "GroupedData.transformWithStateInPandas": "takes a stream and a state store, which no test here runs",
    "MergeIntoWriter.WhenMatched": "a class that whenMatched gives, exercised by merge",
    "MergeIntoWriter.WhenNotMatched": "a class that whenNotMatched gives",
    "MergeIntoWriter.WhenNotMatchedBySource": "a class that whenNotMatchedBySource gives",
    "MergeIntoWriter.whenMatched": "exercised by merge",
    "MergeIntoWriter.whenNotMatched": "only builds the statement that merge runs",
    "MergeIntoWriter.whenNotMatchedBySource": "only builds the statement that merge runs",
    "MergeIntoWriter.withSchemaEvolution": "only builds the statement that merge runs",
}


RAISES = {
    "DataFrame.alias#error",
    "DataFrame.collect#division",
    "DataFrame.collect#fails",
    "DataFrame.dropDuplicates#error",
    "DataFrame.dropDuplicatesWithinWatermark",
    "DataFrame.dropna#error",
    "DataFrame.executionInfo",
    "DataFrame.filter#no argument",
    "DataFrame.filter#syntax",
    "DataFrame.filter#type",
    "DataFrame.filter#unknown column",
    "DataFrame.groupBy#unknown column",
    "DataFrame.join#ambiguous",
    "DataFrame.observe#error",
    "DataFrame.select#unknown column",
    "DataFrame.show#error",
    "DataFrame.take#error",
    "DataFrame.toDF#too few",
    "DataFrame.toLocalIterator#fails",
    "DataFrame.transform#error",
    "DataFrame.union#error",
    "DataFrame.withColumn#error",
    "DataFrame.writeStream",
    "DataFrameReader.changes",
    "DataFrameReader.csv#missing",
    "DataFrameReader.table#missing",
    "DataFrameWriter.insertInto#missing",
    "DataFrameWriter.mode#error",
    "DataFrameWriter.sortBy",
    "DataFrameWriterV2.append#missing",
    "DataFrameWriterV2.overwritePartitions",
    "GroupedData.agg#error",
    "GroupedData.apply#error",
    "GroupedData.applyInPandasWithState",
    "MergeIntoWriter.merge",
    "SparkSession.createDataFrame#error",
    "SparkSession.sql#insert fails",
    "SparkSession.sql#syntax",
    "SparkSession.table#missing",
}
"""The cases that PySpark refuses, some because stock Spark has no source that can do it."""
