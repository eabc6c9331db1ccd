"""Under spark-submit the launcher runs a script as spark-submit itself would, and records it."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.standalone import SPARK, environment, standalone

SCRIPT = """
import os, sys
from pyspark.sql import SparkSession
import beside
spark = SparkSession.builder.getOrCreate()
print("sees", sys.argv, sys.path[0], __name__, __file__, os.getcwd(), spark.sparkContext.appName)
print("rows", spark.range(6).filter("id % 2 = 0").collect())
sys.exit(4)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "job.py").write_text(SCRIPT)
    (tmp_path / "beside.py").write_text("")
    return tmp_path


def submit(folder: Path, master: str, *arguments: str, **more: str) -> tuple[list[str], int]:
    """What the script printed, and the exit code."""
    ended = subprocess.run(
        [
            *(SPARK / "bin" / "spark-submit", "--master", master),
            *("--conf", "spark.ui.enabled=false", "--conf", "spark.executor.memory=512m"),
            *arguments,
        ],
        cwd=folder,
        env={**environment(), **more},
        capture_output=True,
        text=True,
        timeout=300,
    )
    lines = ended.stdout.splitlines()
    return [
        line for line in lines if line.startswith(("sees", "rows", "bigdebug:", "error"))
    ], ended.returncode


def launcher() -> str:
    told = subprocess.run([sys.executable, "-m", "bigdebug", "launcher"], capture_output=True, text=True)
    return told.stdout.strip()


def assert_recorded(folder: Path, master: str) -> None:
    plain, code = submit(folder, master, "job.py", "a b", "--name")
    ours, our_code = submit(folder, master, launcher(), "job.py", "a b", "--name", BIGDEBUG_STORE="kept")
    assert ours[:2] == plain
    assert code == our_code == 4
    told = re.fullmatch(r"bigdebug: run (\S+) recorded 1 output; next:", ours[2])
    assert told
    assert (folder / "kept" / told[1] / "run.json").exists()


def test_spark_submit(folder: Path) -> None:
    assert_recorded(folder, "local[2]")


def test_no_script_given(tmp_path: Path) -> None:
    ended = subprocess.run([sys.executable, launcher()], cwd=tmp_path, capture_output=True, text=True)
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: no script given\nhint: ")


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[str]:
    """A standalone cluster of one worker, on the loopback interface."""
    with standalone(tmp_path) as master:
        yield master


@pytest.mark.proof("a script under spark-submit, on a standalone cluster of one worker")
def test_a_standalone_cluster(folder: Path, cluster: str) -> None:
    assert_recorded(folder, cluster)
