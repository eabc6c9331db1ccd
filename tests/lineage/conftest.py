"""A recording that a file's tests share, and small tables to ask about."""

from collections.abc import Iterator

import pytest
from pyspark.sql import SparkSession
from pyspark.sql.session import _monkey_patch_RDD

import bigdebug
from tests.lineage.origins import TABLES, Frames


@pytest.fixture(scope="module")
def session(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[bigdebug.Session]:
    """The shared SparkSession, attached while a file's tests run."""
    _monkey_patch_RDD(spark)  # `toDF` is the latest session's, and other tests have made some
    with bigdebug.attach(spark, store=str(tmp_path_factory.mktemp("store"))) as attached:
        yield attached


@pytest.fixture(scope="module")
def frames(session: bigdebug.Session, spark: SparkSession) -> Iterator[Frames]:
    """The small tables, also there as temporary views."""
    for name, (schema, rows) in TABLES.items():
        spark.createDataFrame(rows, schema).createOrReplaceTempView(name)
    yield {name: spark.table(name) for name in TABLES}
    for name in TABLES:
        spark.catalog.dropTempView(name)
