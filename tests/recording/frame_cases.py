"""DataFrame's public methods, and those of what it gives, each called as users call it."""

from collections.abc import Iterator
from typing import Any

import pandas as pd
import pyarrow as pa
from api_env import Cases, Env
from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def _pandas_twice(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    for frame in frames:
        yield frame.assign(a=frame.a * 2)


def _arrow_same(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    yield from batches


def _pandas_group(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({"n": [len(frame)]})


def _arrow_group(table: pa.Table) -> pa.Table:
    return pa.table({"n": [table.num_rows]})


def _pandas_pair(left: pd.DataFrame, right: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({"n": [len(left) + len(right)]})


def _arrow_pair(left: pa.Table, right: pa.Table) -> pa.Table:
    return pa.table({"n": [left.num_rows + right.num_rows]})


def _ignore(_: object) -> None:
    return None


def _observed(env: Env) -> Any:
    from pyspark.sql import Observation

    observation = Observation("seen")
    env.df.observe(observation, F.count("*").alias("n")).collect()
    return observation.get


def _pandas_api(env: Env) -> Any:
    env.spark.conf.set("spark.sql.ansi.enabled", "false")  # PySpark 4.0 has no pandas with it
    try:
        return env.df.select("a").sort("a").pandas_api().to_pandas()
    finally:
        env.spark.conf.unset("spark.sql.ansi.enabled")


def _with_aggregate_state(env: Env) -> Any:
    return env.grouped.applyInPandasWithState(_ignore, "n int", "n int", "append", "NoTimeout")


CASES: Cases = {
    # -- operators ---------------------------------------------------------------------------------
    "DataFrame.agg": lambda e: e.df.agg({"a": "max"}),
    "DataFrame.agg#columns": lambda e: e.df.agg(F.sum("a"), F.count("*").alias("n")),
    "DataFrame.alias": lambda e: e.df.alias("t").select("t.a"),
    "DataFrame.alias#error": lambda e: e.df.alias(3),
    "DataFrame.cache": lambda e: e.df.cache().unpersist(),
    "DataFrame.checkpoint": lambda e: e.df.checkpoint(),
    "DataFrame.coalesce": lambda e: e.df.coalesce(1),
    "DataFrame.crossJoin": lambda e: e.df.crossJoin(e.other),
    "DataFrame.crosstab": lambda e: e.df.crosstab("a", "b"),
    "DataFrame.cube": lambda e: e.df.cube("b").count(),
    "DataFrame.describe": lambda e: e.df.describe("a"),
    "DataFrame.distinct": lambda e: e.df.select("a").distinct(),
    "DataFrame.drop": lambda e: e.df.drop("b"),
    "DataFrame.drop#missing": lambda e: e.df.drop("nothing"),
    "DataFrame.dropDuplicates": lambda e: e.df.select("a").dropDuplicates(["a"]),
    "DataFrame.dropDuplicates#error": lambda e: e.df.dropDuplicates("a"),
    "DataFrame.dropDuplicatesWithinWatermark": lambda e: e.df.dropDuplicatesWithinWatermark(["a"]),
    "DataFrame.drop_duplicates": lambda e: e.df.select("b").drop_duplicates(),
    "DataFrame.dropna": lambda e: e.df.dropna(),
    "DataFrame.dropna#error": lambda e: e.df.dropna(how="some"),
    "DataFrame.exceptAll": lambda e: e.df.exceptAll(e.df.limit(0)),
    "DataFrame.fillna": lambda e: e.df.fillna({"b": "?"}),
    "DataFrame.filter": lambda e: e.df.filter(e.df.a > 1),
    "DataFrame.filter#text": lambda e: e.df.filter("a > 1"),
    "DataFrame.filter#unknown column": lambda e: e.df.filter("nothing > 1"),
    "DataFrame.filter#syntax": lambda e: e.df.filter("a >"),
    "DataFrame.filter#type": lambda e: e.df.filter(1),
    "DataFrame.filter#no argument": lambda e: e.df.filter(),
    "DataFrame.freqItems": lambda e: e.df.freqItems(["a"]).selectExpr("size(a_freqItems)"),
    "DataFrame.groupBy": lambda e: e.df.groupBy("b"),
    "DataFrame.groupBy#unknown column": lambda e: e.df.groupBy("nothing").count(),
    "DataFrame.groupby": lambda e: e.df.groupby("b").count(),
    "DataFrame.groupingSets": lambda e: e.df.groupingSets([["a"], ["b"]], "a", "b").count(),
    "DataFrame.hint": lambda e: e.df.hint("broadcast"),
    "DataFrame.hint#unknown": lambda e: e.df.hint("nonsense"),
    "DataFrame.intersect": lambda e: e.df.intersect(e.df),
    "DataFrame.intersectAll": lambda e: e.df.intersectAll(e.df),
    "DataFrame.join": lambda e: e.df.join(e.other, "a", "left"),
    "DataFrame.join#self": lambda e: e.df.alias("l").join(e.df.alias("r"), F.expr("l.a = r.a")),
    "DataFrame.join#ambiguous": lambda e: e.df.join(e.df, e.df.a == e.df.a).select(e.df.b),
    "DataFrame.lateralJoin": lambda e: e.df.lateralJoin(
        e.spark.range(1).select((F.col("id") + 1).alias("z"))
    ),
    "DataFrame.limit": lambda e: e.df.limit(2),
    "DataFrame.localCheckpoint": lambda e: e.df.localCheckpoint(),
    "DataFrame.mapInArrow": lambda e: e.df.mapInArrow(_arrow_same, e.df.schema),
    "DataFrame.mapInPandas": lambda e: e.df.select("a").mapInPandas(_pandas_twice, "a int"),
    "DataFrame.melt": lambda e: e.df.melt("b", ["a"], "k", "v"),
    "DataFrame.nearestByJoin": lambda e: e.df.nearestByJoin(
        e.other.withColumnRenamed("a", "z"), F.abs(F.col("a") - F.col("z")), 1, "exact", "distance"
    ),
    "DataFrame.observe": _observed,
    "DataFrame.observe#error": lambda e: e.df.observe("seen"),
    "DataFrame.offset": lambda e: e.df.offset(1),
    "DataFrame.orderBy": lambda e: e.df.orderBy("c", ascending=False),
    "DataFrame.persist": lambda e: e.df.persist().unpersist(),
    "DataFrame.randomSplit": lambda e: e.df.randomSplit([1.0, 2.0], seed=3),
    "DataFrame.repartition": lambda e: e.df.repartition(2, "a"),
    "DataFrame.repartitionById": lambda e: e.df.repartitionById(2, F.col("a") % 2),
    "DataFrame.repartitionByRange": lambda e: e.df.repartitionByRange(2, "a"),
    "DataFrame.replace": lambda e: e.df.replace("x", "z", "b"),
    "DataFrame.rollup": lambda e: e.df.rollup("a", "b").count(),
    "DataFrame.sample": lambda e: e.df.sample(fraction=0.5, seed=3),
    "DataFrame.sampleBy": lambda e: e.df.sampleBy("a", {2: 1.0}, seed=3),
    "DataFrame.select": lambda e: e.df.select("a", F.upper("b")),
    "DataFrame.select#unknown column": lambda e: e.df.select("nothing"),
    "DataFrame.selectExpr": lambda e: e.df.selectExpr("a + 1 as z"),
    "DataFrame.sort": lambda e: e.df.sort(F.desc("a"), "b"),
    "DataFrame.sortWithinPartitions": lambda e: e.df.sortWithinPartitions("a"),
    "DataFrame.subtract": lambda e: e.df.subtract(e.df.filter("a = 1")),
    "DataFrame.summary": lambda e: e.df.summary("count", "max"),
    "DataFrame.to": lambda e: e.df.to(e.df.select("c", "a").schema),
    "DataFrame.toDF": lambda e: e.df.toDF("x", "y", "z"),
    "DataFrame.toDF#too few": lambda e: e.df.toDF("x"),
    "DataFrame.toJSON": lambda e: e.df.toJSON(),
    "DataFrame.transform": lambda e: e.df.transform(lambda d, n: d.filter(d.a > n), 1),
    "DataFrame.transform#method": lambda e: e.df.select("a").transform(DataFrame.distinct),
    "DataFrame.transform#error": lambda e: e.df.transform(lambda d: 3),
    "DataFrame.transpose": lambda e: e.df.select("b", "a").dropna().transpose(),
    "DataFrame.union": lambda e: e.df.union(e.df).union(e.df),
    "DataFrame.union#error": lambda e: e.df.union(e.other),
    "DataFrame.unionAll": lambda e: e.df.unionAll(e.df),
    "DataFrame.unionByName": lambda e: e.df.unionByName(e.other, allowMissingColumns=True),
    "DataFrame.unpivot": lambda e: e.df.unpivot(["b"], ["a"], "k", "v"),
    "DataFrame.where": lambda e: e.df.where("a = 2"),
    "DataFrame.withColumn": lambda e: e.df.withColumn("z", e.df.a * 2),
    "DataFrame.withColumn#error": lambda e: e.df.withColumn("z", "a"),
    "DataFrame.withColumnRenamed": lambda e: e.df.withColumnRenamed("a", "z"),
    "DataFrame.withColumnRenamed#missing": lambda e: e.df.withColumnRenamed("nothing", "z"),
    "DataFrame.withColumns": lambda e: e.df.withColumns({"z": e.df.a, "y": F.lit(1)}),
    "DataFrame.withColumnsRenamed": lambda e: e.df.withColumnsRenamed({"a": "z"}),
    "DataFrame.withMetadata": lambda e: e.df.withMetadata("a", {"k": "v"}),
    "DataFrame.withWatermark": lambda e: e.df.withColumn(
        "t", F.lit("2024-01-01").cast("timestamp")
    ).withWatermark("t", "1 hour"),
    "DataFrame.zip": lambda e: e.df.zip(e.df),
    "DataFrame.zipWithIndex": lambda e: e.df.zipWithIndex(),
    "DataFrame.__getitem__": lambda e: e.df[e.df.a > 1],
    "DataFrame.__getitem__#columns": lambda e: e.df[["a", "b"]],
    "DataFrame.__getitem__#column": lambda e: e.df["a"],
    # -- actions -----------------------------------------------------------------------------------
    "DataFrame.collect": lambda e: e.df.collect(),
    "DataFrame.collect#job": lambda e: e.numbers.collect(),
    "DataFrame.collect#empty": lambda e: e.df.limit(0).collect(),
    "DataFrame.collect#fails": lambda e: e.numbers.select(F.raise_error(F.lit("no")).cast("int")).collect(),
    "DataFrame.collect#division": lambda e: e.numbers.selectExpr("1 / (id - id)").collect(),
    "DataFrame.count": lambda e: e.df.count(),
    "DataFrame.first": lambda e: e.df.sort("a").first(),
    "DataFrame.first#none": lambda e: e.df.limit(0).first(),
    "DataFrame.foreach": lambda e: e.df.foreach(_ignore),
    "DataFrame.foreachPartition": lambda e: e.df.foreachPartition(_ignore),
    "DataFrame.head": lambda e: e.df.sort("a").head(),
    "DataFrame.head#many": lambda e: e.df.sort("a", "c").head(3),
    "DataFrame.isEmpty": lambda e: e.df.isEmpty(),
    "DataFrame.isEmpty#true": lambda e: e.df.limit(0).isEmpty(),
    "DataFrame.show": lambda e: e.df.sort("a", "c").show(),
    "DataFrame.show#some": lambda e: e.df.sort("a", "c").show(2, truncate=False, vertical=True),
    "DataFrame.show#error": lambda e: e.df.show("two"),
    "DataFrame.tail": lambda e: e.df.sort("a", "c").tail(2),
    "DataFrame.take": lambda e: e.df.sort("a", "c").take(2),
    "DataFrame.take#error": lambda e: e.df.take(-1),
    "DataFrame.toArrow": lambda e: e.df.sort("a", "c").toArrow(),
    "DataFrame.toLocalIterator": lambda e: e.df.sort("a", "c").toLocalIterator(),
    "DataFrame.toLocalIterator#fails": lambda e: e.numbers.selectExpr("1 / (id - id)").toLocalIterator(),
    "DataFrame.toPandas": lambda e: e.df.sort("a", "c").toPandas(),
    # -- all else ----------------------------------------------------------------------------------
    "DataFrame.approxQuantile": lambda e: e.df.approxQuantile("a", [0.5], 0.0),
    "DataFrame.asTable": lambda e: type(e.df.asTable()),
    "DataFrame.colRegex": lambda e: e.df.select(e.df.colRegex("`a|b`")),
    "DataFrame.columns": lambda e: e.df.columns,
    "DataFrame.corr": lambda e: e.df.corr("a", "c"),
    "DataFrame.cov": lambda e: e.df.cov("a", "c"),
    "DataFrame.createGlobalTempView": lambda e: e.df.createGlobalTempView(e.table()),
    "DataFrame.createOrReplaceGlobalTempView": lambda e: e.df.createOrReplaceGlobalTempView(e.table()),
    "DataFrame.createOrReplaceTempView": lambda e: e.df.createOrReplaceTempView(e.table()),
    "DataFrame.createTempView": lambda e: e.df.createTempView(e.table()),
    "DataFrame.dtypes": lambda e: e.df.dtypes,
    "DataFrame.executionInfo": lambda e: e.df.executionInfo,
    "DataFrame.exists": lambda e: e.df.filter(e.other.exists()),
    "DataFrame.explain": lambda e: e.df.explain("formatted"),
    "DataFrame.inputFiles": lambda e: len(e.read_back(e.written("parquet"), "parquet").inputFiles()),
    "DataFrame.isLocal": lambda e: e.df.isLocal(),
    "DataFrame.isStreaming": lambda e: e.df.isStreaming,
    "DataFrame.mergeInto": lambda e: type(e.df.mergeInto(e.saved_table(), F.lit(True))),
    "DataFrame.metadataColumn": lambda e: e.read_back(e.written("parquet"), "parquet").select(
        F.col("a"), F.lit(1)
    ),
    "DataFrame.na": lambda e: type(e.df.na),
    "DataFrame.pandas_api": _pandas_api,
    "DataFrame.plot": lambda e: type(e.df.plot),
    "DataFrame.printSchema": lambda e: e.df.printSchema(),
    "DataFrame.rdd": lambda e: e.df.rdd.map(tuple).collect(),
    "DataFrame.registerTempTable": lambda e: e.df.registerTempTable(e.table()),
    "DataFrame.sameSemantics": lambda e: e.df.sameSemantics(e.df),
    "DataFrame.scalar": lambda e: e.df.filter(F.col("a") == e.other.agg(F.max("a")).scalar()),
    "DataFrame.schema": lambda e: e.df.schema,
    "DataFrame.semanticHash": lambda e: type(e.df.semanticHash()),
    "DataFrame.sparkSession": lambda e: e.df.sparkSession is e.spark,
    "DataFrame.sql_ctx": lambda e: type(e.df.sql_ctx),
    "DataFrame.stat": lambda e: type(e.df.stat),
    "DataFrame.storageLevel": lambda e: e.df.storageLevel,
    "DataFrame.unpersist": lambda e: e.df.unpersist(),
    "DataFrame.write": lambda e: type(e.df.write),
    "DataFrame.writeStream": lambda e: e.df.writeStream.start(),
    "DataFrame.writeTo": lambda e: type(e.df.writeTo(e.table())),
    # -- what `na` and `stat` give ------------------------------------------------------------------
    "DataFrameNaFunctions.drop": lambda e: e.df.na.drop(subset=["c"]),
    "DataFrameNaFunctions.fill": lambda e: e.df.na.fill(0),
    "DataFrameNaFunctions.replace": lambda e: e.df.na.replace({1: 9}, subset=["a"]),
    "DataFrameStatFunctions.approxQuantile": lambda e: e.df.stat.approxQuantile("a", [0.5], 0.0),
    "DataFrameStatFunctions.corr": lambda e: e.df.stat.corr("a", "c"),
    "DataFrameStatFunctions.cov": lambda e: e.df.stat.cov("a", "c"),
    "DataFrameStatFunctions.crosstab": lambda e: e.df.stat.crosstab("a", "b"),
    "DataFrameStatFunctions.freqItems": lambda e: e.df.stat.freqItems(["a"]).selectExpr("size(a_freqItems)"),
    "DataFrameStatFunctions.sampleBy": lambda e: e.df.stat.sampleBy("a", {2: 1.0}, seed=3),
    # -- GroupedData --------------------------------------------------------------------------------
    "GroupedData.agg": lambda e: e.grouped.agg(F.max("a").alias("m"), F.min("c")),
    "GroupedData.agg#error": lambda e: e.grouped.agg(F.max("nothing")),
    "GroupedData.apply": lambda e: e.grouped.apply(
        F.pandas_udf(_pandas_group, "n long", F.PandasUDFType.GROUPED_MAP)
    ),
    "GroupedData.apply#error": lambda e: e.grouped.apply(_ignore),
    "GroupedData.applyInArrow": lambda e: e.grouped.applyInArrow(_arrow_group, "n long"),
    "GroupedData.applyInPandas": lambda e: e.grouped.applyInPandas(_pandas_group, "n long"),
    "GroupedData.applyInPandasWithState": _with_aggregate_state,
    "GroupedData.avg": lambda e: e.grouped.avg("a"),
    "GroupedData.cogroup": lambda e: type(e.grouped.cogroup(e.grouped)),
    "GroupedData.count": lambda e: e.grouped.count(),
    "GroupedData.max": lambda e: e.grouped.max("a"),
    "GroupedData.mean": lambda e: e.grouped.mean("a"),
    "GroupedData.min": lambda e: e.grouped.min("a"),
    "GroupedData.pivot": lambda e: e.grouped.pivot("a").sum("c"),
    "GroupedData.sum": lambda e: e.grouped.sum("a", "c"),
    "PandasCogroupedOps.applyInArrow": lambda e: (
        e.df.groupBy("a").cogroup(e.other.groupBy("a")).applyInArrow(_arrow_pair, "n long")
    ),
    "PandasCogroupedOps.applyInPandas": lambda e: (
        e.df.groupBy("a").cogroup(e.other.groupBy("a")).applyInPandas(_pandas_pair, "n long")
    ),
}
