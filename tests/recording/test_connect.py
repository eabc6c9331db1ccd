"""A program that uses Spark Connect runs on unharmed, and is told why it isn't recorded and what to do instead."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("grpc")

SCRIPT = """
from pyspark.sql import SparkSession

spark = SparkSession.builder.remote("local[1]").getOrCreate()
print(spark.range(3).filter("id > 0").count())
"""
ATTACHED = """
import bigdebug

class Mine(type(spark)):
    pass

try:
    spark.__class__ = Mine
    bigdebug.attach(spark)
except bigdebug.BigDebugError as error:
    print(error.message)
    print(error.hint)
print(bigdebug.current())

from bigdebug.lineage.live import live_trace
try:
    live_trace(None, None, spark.range(1))
except bigdebug.BigDebugError as error:
    print(error)
"""


def run(folder: Path, *command: str, script: str) -> subprocess.CompletedProcess[str]:
    (folder / "job.py").write_text(script)
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("SPARK_", "BIGDEBUG_"))
    }
    environment["PYTHONPATH"] = str(Path(__file__).parents[2])
    return subprocess.run(
        [sys.executable, *command, "job.py"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=180,
    )


def test_attach_says_what_to_do_instead(tmp_path: Path) -> None:
    ended = run(tmp_path, script=SCRIPT + ATTACHED)
    assert ended.stdout.splitlines() == [
        "2",
        "a Spark Connect session can't be recorded, for its plans are out of reach",
        "make a classic one, with SparkSession.builder.master(…) or spark-submit, "
        "and without remote(…), SPARK_REMOTE and spark.api.mode=connect",
        "None",
        "a DataFrame of Spark Connect can't be traced, for its plan is out of reach "
        "(make it with the classic session that is attached)",
    ]


def test_under_bigdebug_run_it_is_said_once(tmp_path: Path) -> None:
    ended = run(tmp_path, "-m", "bigdebug", "run", script=SCRIPT)
    assert (ended.returncode, ended.stdout) == (0, "2\n")
    told = [line for line in ended.stderr.splitlines() if "bigdebug" in line]
    assert told == [
        "bigdebug: this Spark Connect session isn't recorded, for its plans are out of reach; make a classic one, "
        "with SparkSession.builder.master(…) or spark-submit, and without remote(…), SPARK_REMOTE and "
        "spark.api.mode=connect"
    ]
    assert os.listdir(tmp_path) == ["job.py"]
