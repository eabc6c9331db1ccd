"""One real run of the demo, recorded once."""

import runpy
import shutil
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

import bigdebug


@pytest.fixture(scope="session")
def demo(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the demo's files and a store with one run of it."""
    folder = tmp_path_factory.mktemp("demo")
    demo = Path(bigdebug.__path__[0], "demo")
    shutil.copyfile(demo / "flights.csv", folder / "flights.csv")
    shutil.copyfile(demo / "flights.py", folder / "flights.py")
    # The script names its file as it stands beside it; Java's working directory is that of the tests.
    hadoop = spark._jvm.org.apache.hadoop.fs
    files = hadoop.FileSystem.get(spark._jsc.hadoopConfiguration())
    before = files.getWorkingDirectory()
    files.setWorkingDirectory(hadoop.Path(str(folder)))
    try:
        with bigdebug.attach(spark, name="flights", store=str(folder / "store")):
            runpy.run_path(str(folder / "flights.py"), run_name="__main__")
    finally:
        files.setWorkingDirectory(before)
    return folder


@pytest.fixture(autouse=True)
def plain_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No key map, theme or editor of whoever runs the tests."""
    monkeypatch.setenv("BIGDEBUG_KEYS", str(tmp_path / "no-keys.toml"))
    for name in ("BIGDEBUG_THEME", "BIGDEBUG_STORE", "VISUAL", "EDITOR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
