"""A session attached for one test, and a file with records that crash."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.cloudpickle import register_pickle_by_value, unregister_pickle_by_value
from pyspark.sql import SparkSession

import bigdebug

os.environ.setdefault("PYSPARK_PYTHON", sys.executable)


@pytest.fixture(scope="module", autouse=True)
def _by_value(request: pytest.FixtureRequest) -> Iterator[None]:
    """Spark's workers have no way to import a test's module."""
    register_pickle_by_value(request.module)
    yield
    unregister_pickle_by_value(request.module)


@pytest.fixture
def session(spark: SparkSession, tmp_path: Path) -> Iterator[bigdebug.Session]:
    """The shared SparkSession, attached; detached afterwards whatever happens."""
    with bigdebug.attach(spark, store=str(tmp_path / "store")) as attached:
        yield attached


@pytest.fixture(scope="session")
def people(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A CSV of twelve people; the ages of numbers 3 and 10 aren't numbers."""
    file = tmp_path_factory.mktemp("people") / "people.csv"
    ages = {3: "30yr", 10: "old"}
    lines = [f"{n},{ages.get(n, 20 + n)}" for n in range(12)]
    file.write_text("id,age\n" + "\n".join(lines) + "\n")
    return str(file)
