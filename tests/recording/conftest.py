"""A session attached for one test."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

import bigdebug

sys.path.append(str(Path(__file__).parent))  # for the cases of test_same_as_plain
os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
os.environ.setdefault("PYARROW_IGNORE_TIMEZONE", "1")  # pandas-on-Spark asks for it with a warning


@pytest.fixture
def session(spark: SparkSession, tmp_path: Path) -> Iterator[bigdebug.Session]:
    """The shared SparkSession, attached; detached afterwards whatever happens."""
    attached = bigdebug.attach(spark, store=str(tmp_path / "store"))
    yield attached
    attached.detach()
