"""What tests of RDDs share."""

from pathlib import Path

import pytest
from pyspark import SparkContext
from pyspark.sql import SparkSession

import bigdebug


@pytest.fixture
def context(session: bigdebug.Session, spark: SparkSession) -> SparkContext:
    return spark.sparkContext


@pytest.fixture
def text(tmp_path: Path) -> str:
    path = tmp_path / "text.txt"
    path.write_text("".join(f"w{i % 7} w{i % 3} x{i}\n" for i in range(60)))
    return str(path)
