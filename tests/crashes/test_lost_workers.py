"""A worker that dies without a word is narrowed down to the record that it held."""

import os
import sys
from collections.abc import Iterator

import pytest
from pyspark.cloudpickle import register_pickle_by_value, unregister_pickle_by_value
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

import bigdebug
from bigdebug.lineage.location import Location


@pytest.fixture(scope="module", autouse=True)
def _by_value() -> Iterator[None]:
    """Spark's workers have no way to import this module."""
    register_pickle_by_value(sys.modules[__name__])
    yield
    unregister_pickle_by_value(sys.modules[__name__])


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
