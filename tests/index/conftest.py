"""What tests of indexes share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

import bigdebug


@pytest.fixture(scope="module")
def orders(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Orders as Parquet in two files; prices as CSV."""
    folder = tmp_path_factory.mktemp("index")
    frame = spark.range(40).select(
        F.col("id").cast("int").alias("n"),
        F.when(F.col("id") % 7 != 0, F.concat(F.lit("k"), F.col("id") % 5)).alias("k"),
        (F.col("id") * 1.5).alias("v"),
    )
    frame.repartition(2, "n").write.parquet(str(folder / "orders"))
    (folder / "prices.json").write_text("".join(f'{{"k": "k{i}", "price": {i * 10}}}\n' for i in range(5)))
    return folder


@pytest.fixture
def session(spark: SparkSession, tmp_path: Path) -> Iterator[bigdebug.Session]:
    with bigdebug.attach(spark, store=str(tmp_path / "store")) as attached:
        yield attached
