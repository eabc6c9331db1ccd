"""Lets these tests import what they share."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

sys.path.append(str(Path(__file__).parent))

# Spark's workers would take whatever python3 comes first in PATH.
os.environ.setdefault("PYSPARK_PYTHON", sys.executable)


@pytest.fixture(scope="session")
def udfs(spark: SparkSession) -> dict[str, Any]:
    """The functions in Python that pipelines call, by name."""
    from python_functions import functions  # found by the path that is set above

    return functions(spark)
