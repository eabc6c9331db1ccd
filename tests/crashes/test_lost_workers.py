"""A worker that dies without a word is narrowed down to the record that it held."""

import os

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

import bigdebug
from bigdebug.lineage.location import Location


def deadly(text: str) -> int:
    if "old" in text:
        os.kill(os.getpid(), 11)
    return len(text)


def test_an_rdds_worker(spark: SparkSession, session: bigdebug.Session, people: str) -> None:
    with pytest.raises(Exception, match="Python worker"):
        spark.sparkContext.textFile(people, 1).map(deadly).collect()
    (crash,) = session.crashes
    assert (crash.value, crash.location, crash.error.kind) == ("10,old", Location(people, 11), "WorkerLost")


def test_a_dataframes_worker(spark: SparkSession, session: bigdebug.Session, people: str) -> None:
    with pytest.raises(Exception, match="Python worker"):
        spark.read.csv(people, header=True).select(F.udf(deadly, "int")("age")).collect()
    (crash,) = session.crashes
    assert (crash.value, crash.location) == ({"id": "10", "age": "old"}, Location(people, 10))
    assert crash.operator == "select"
