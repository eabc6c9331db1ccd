"""Lets these tests import what they share, and says how many examples they draw."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from pyspark.sql import SparkSession

sys.path.append(str(Path(__file__).parent))

# Spark's workers would take whatever python3 comes first in PATH.
os.environ.setdefault("PYSPARK_PYTHON", sys.executable)

_SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture]
_KEEP = {"deadline": None, "suppress_health_check": _SLOW, "print_blob": True}

# The same examples on every run, so that a red test means a change of the code, not of the dice; and no search
# for a smaller failure, which with Spark takes many minutes.
_DRAWN = (Phase.explicit, Phase.generate)
settings.register_profile("steady", derandomize=True, database=None, phases=_DRAWN, **_KEEP)
# Other examples on every run; a failure is made smaller, kept, and tried first the next time.
settings.register_profile("search", **_KEEP)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))


@pytest.fixture(scope="session")
def udfs(spark: SparkSession) -> dict[str, Any]:
    """The functions in Python that pipelines call, by name."""
    from python_functions import functions  # found by the path that is set above

    return functions(spark)
