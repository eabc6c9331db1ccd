"""What tests of isolation in RDDs share."""

import pytest
from hypothesis import Phase, settings
from pyspark import SparkContext
from pyspark.sql import SparkSession

import bigdebug

# An example runs Spark jobs, which take as long as they take: no search for a smaller failure either.
_DRAWN = (Phase.explicit, Phase.generate)
settings.register_profile("spark", deadline=None, derandomize=True, database=None, phases=_DRAWN)
settings.load_profile("spark")


@pytest.fixture
def context(session: bigdebug.Session, spark: SparkSession) -> SparkContext:
    return spark.sparkContext
