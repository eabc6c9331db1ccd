"""Streaming, pandas-on-Spark and MLlib programs run as ever; what isn't recorded of them is said once."""

import logging
from pathlib import Path

import pandas as pd
import pytest
from pyspark.sql import SparkSession

import bigdebug


def test_pandas_on_spark(
    session: bigdebug.Session, spark: SparkSession, caplog: pytest.LogCaptureFixture
) -> None:
    spark.conf.set("spark.sql.ansi.enabled", "false")  # PySpark 4.0 has no pandas with it
    with caplog.at_level(logging.WARNING, "bigdebug"):
        pandas_frame = spark.createDataFrame([(1, 2.0), (2, 3.0)], "a int, b double").pandas_api()
        assert pandas_frame["b"].sum() == 5.0
        assert sorted(pandas_frame.to_pandas()["a"]) == [1, 2]
        pandas_frame.to_spark().filter("a > 1").collect()
    spark.conf.unset("spark.sql.ansi.enabled")
    assert [o.action for o in session.outputs] == ["collect"]
    told = [record.getMessage() for record in caplog.records]
    assert told == ["the steps inside pandas-on-Spark aren't recorded; frames made with to_spark() are"]
    graph = session.graph
    operators = {data["operator"]: id for id, data in graph.nodes(data=True)}
    assert list(graph.predecessors(operators["filter"])) == [operators["createDataFrame"]]


def test_machine_learning(
    session: bigdebug.Session, spark: SparkSession, caplog: pytest.LogCaptureFixture
) -> None:
    from pyspark.ml.feature import StringIndexer, VectorAssembler
    from pyspark.ml.regression import LinearRegression

    frame = spark.createDataFrame(
        [("a", 1.0, 2.0), ("b", 2.0, 4.0), ("a", 3.0, 6.0)], "k string, x double, y double"
    )
    with caplog.at_level(logging.WARNING, "bigdebug"):
        indexed = StringIndexer(inputCol="k", outputCol="i").fit(frame).transform(frame)
        ready = VectorAssembler(inputCols=["x", "i"], outputCol="features").transform(indexed)
        model = LinearRegression(labelCol="y").fit(ready)
        predicted = model.transform(ready).select("prediction").collect()
    assert [round(row.prediction) for row in predicted] == [2, 4, 6]
    assert [o.action for o in session.outputs] == ["collect"]
    assert len(caplog.records) <= 1


def test_streaming(
    session: bigdebug.Session, spark: SparkSession, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spark.range(3).write.json(str(tmp_path / "in"))
    outputs = len(session.outputs)
    with caplog.at_level(logging.WARNING, "bigdebug"):
        stream = spark.readStream.schema("id long").json(str(tmp_path / "in")).filter("id > 0")
        for folder in ("one", "two"):
            query = (
                stream.writeStream.format("json")
                .option("path", str(tmp_path / f"{folder} written"))
                .option("checkpointLocation", str(tmp_path / folder))
                .trigger(availableNow=True)
                .start()
            )
            assert query.awaitTermination(120)
            assert query.exception() is None
    written = [
        spark.read.schema("id long").json(str(tmp_path / f"{each} written")) for each in ("one", "two")
    ]
    assert [sorted(row.id for row in each.collect()) for each in written] == [[1, 2], [1, 2]]
    assert [record.getMessage() for record in caplog.records] == [
        "what streaming queries write isn't recorded; what a function given to foreachBatch does, is"
    ]
    assert len(session.outputs) == outputs + 2
    assert "readStream.json" in {data["operator"] for _, data in session.graph.nodes(data=True)}


def test_stateful_streaming_by_pandas(session: bigdebug.Session, spark: SparkSession, tmp_path: Path) -> None:
    spark.range(3).write.json(str(tmp_path / "in"))

    def count(key: tuple[int], frames: object, state: object) -> object:
        yield pd.DataFrame({"n": [sum(len(frame) for frame in frames)]})  # type: ignore[attr-defined]

    stream = spark.readStream.schema("id long").json(str(tmp_path / "in"))
    counted = stream.groupBy("id").applyInPandasWithState(count, "n long", "n long", "append", "NoTimeout")
    assert counted.isStreaming
    assert counted.schema.simpleString() == "struct<n:bigint>"
