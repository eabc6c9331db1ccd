"""What tests of isolation in RDDs share."""

import pytest
from pyspark import SparkContext
from pyspark.sql import SparkSession

import bigdebug


@pytest.fixture
def context(session: bigdebug.Session, spark: SparkSession) -> SparkContext:
    return spark.sparkContext
