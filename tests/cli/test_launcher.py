"""Under spark-submit the launcher runs a script as spark-submit itself would, and records it."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pyspark
import pytest

from bigdebug.lineage.java import ensure_java

SPARK = Path(pyspark.__file__).parent
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


def environment() -> dict[str, str]:
    ensure_java()
    pythons = dict.fromkeys(("PYSPARK_PYTHON", "PYSPARK_DRIVER_PYTHON"), sys.executable)
    return {**os.environ, **pythons, "SPARK_LOCAL_IP": "127.0.0.1"}


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


@pytest.mark.compat
def test_spark_submit(folder: Path) -> None:
    assert_recorded(folder, "local[2]")


def test_no_script_given(tmp_path: Path) -> None:
    ended = subprocess.run([sys.executable, launcher()], cwd=tmp_path, capture_output=True, text=True)
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: no script given\nhint: ")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[str]:
    """A standalone cluster of one worker, on the loopback interface."""
    port = _free_port()
    master = f"spark://127.0.0.1:{port}"
    log = (tmp_path / "cluster.log").open("w+")
    package = "org.apache.spark.deploy"
    daemons = []
    for words in (
        [f"{package}.master.Master", "--port", str(port)],
        [f"{package}.worker.Worker", "--cores", "1", "--memory", "1g", "-d", str(tmp_path / "work"), master],
    ):
        command = [
            SPARK / "bin" / "spark-class",
            words[0],
            "--host",
            "127.0.0.1",
            "--webui-port",
            "0",
            *words[1:],
        ]
        daemons.append(subprocess.Popen(command, env=environment(), stdout=log, stderr=log))
    try:
        for _ in range(600):
            if "Successfully registered with master" in (tmp_path / "cluster.log").read_text():
                break
            time.sleep(0.1)
        yield master
    finally:
        for daemon in daemons:
            daemon.terminate()
            daemon.wait()
        log.close()


@pytest.mark.proof("a script under spark-submit, on a standalone cluster of one worker")
def test_a_standalone_cluster(folder: Path, cluster: str) -> None:
    assert_recorded(folder, cluster)
