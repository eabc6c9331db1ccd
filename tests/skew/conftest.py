"""A recording that a file's tests share."""

from collections.abc import Iterator

import pytest
from pyspark.sql import SparkSession

import bigdebug


@pytest.fixture(scope="module")
def session(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[bigdebug.Session]:
    """The shared SparkSession, attached while a file's tests run."""
    with bigdebug.attach(spark, store=str(tmp_path_factory.mktemp("store"))) as attached:
        yield attached
