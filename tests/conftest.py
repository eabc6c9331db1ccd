"""One real Spark session for each process that runs tests."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from pyspark.sql import SparkSession

from tests.proofs import Proofs
from tests.quick_java import QuickJava

pytest_plugins = "pytester"  # for the tests of our own plugin; others don't notice

# An example runs Spark jobs, which take as long as they take.
_SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture]
_KEEP = {"deadline": None, "suppress_health_check": _SLOW, "print_blob": True}
# The same examples on every run, so that a red test means a change of the code, not of the dice; and no search
# for a smaller failure, which with Spark takes many minutes.
_DRAWN = (Phase.explicit, Phase.generate)
settings.register_profile("steady", derandomize=True, database=None, phases=_DRAWN, **_KEEP)
# Other examples on every run; a failure is made smaller, kept, and tried first the next time.
settings.register_profile("search", **_KEEP)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Proofs(config))
    config.pluginmanager.register(QuickJava(config))


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Two processes for all the tests; one for some that are named, and for the long proofs.

    More would only wait for one another: each has a Spark and a Java of its own.
    """
    everything = config.args == config.getini("testpaths")
    return 2 if everything and config.option.markexpr != "proof" else 0


# Folders of few tests that take long each: begun last, they would keep one process alone at the end.
LONG = ("tests/lineage/properties", "tests/readme", "tests/recipe", "tests/tpch")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """A local session with two cores, small shuffles, a warehouse and a folder of checkpoints of its own."""
    from bigdebug.lineage.java import ensure_java

    ensure_java()
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    warehouse: Path = tmp_path_factory.mktemp("warehouse")
    session = (
        SparkSession.builder.master("local[2]")
        .appName("bigdebug tests")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "4")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.warehouse.dir", str(warehouse))
        .config("spark.driver.extraJavaOptions", f"-Dderby.system.home={warehouse}")
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("ERROR")
    session.sparkContext.setCheckpointDir(str(tmp_path_factory.mktemp("checkpoints")))
    yield session
    session.stop()


_BETWEEN = "\0"


@pytest.fixture(autouse=True)
def settings_as_before(request: pytest.FixtureRequest) -> Iterator[None]:
    """No test leaves a setting behind in the one session that others have, too."""
    if "spark" not in request.fixturenames:
        yield
        return
    spark = request.getfixturevalue("spark")
    before = _sql_settings(spark)
    yield
    now = _sql_settings(spark)
    assert {name for name in before.keys() | now.keys() if before.get(name) != now.get(name)} == set()


def _sql_settings(spark: SparkSession) -> dict[str, str]:
    """Without those of catalogs, which tests name each for itself."""
    # As one string: one by one they took fifty milliseconds, before and after each test.
    every = spark._jsparkSession.conf().getAll().mkString(_BETWEEN)
    told = (setting.split(" -> ", 1) for setting in every.split(_BETWEEN))
    return {
        name: value
        for name, value in told
        if name.startswith("spark.sql.") and not name.startswith("spark.sql.catalog.")
    }


@pytest.fixture(scope="session")
def path_without_java(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The PATH, with every folder that holds a Java replaced by links to all else in it."""
    folders = []
    for folder in os.environ["PATH"].split(os.pathsep):
        if Path(folder, "java").exists():
            shadow = tmp_path_factory.mktemp("path")
            for program in Path(folder).iterdir():
                if program.name != "java":
                    (shadow / program.name).symlink_to(program)
            folder = str(shadow)
        folders.append(folder)
    return os.pathsep.join(folders)
