"""Ctrl-C while Spark's Java is just starting ends Java, too."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

import bigdebug
from tests.soon import soon

BIGDEBUG = [sys.executable, "-m", "bigdebug"]
SCRIPT = """
from pyspark.sql import SparkSession

SparkSession.builder.master("local[1]").getOrCreate()
"""
HANDLED = """
import sys
from pyspark.sql import SparkSession

try:
    SparkSession.builder.master("local[1]").getOrCreate()
except KeyboardInterrupt:
    sys.exit(7)
"""
# The very import that recording begins with is interrupted.
SOONER = """
import sys

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == "bigdebug.lineage.wrappers":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupt())
import pyspark
"""


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BIGDEBUG_")}
    return kept | {"PYTHONPATH": str(Path(__file__).parents[2])}


@pytest.fixture
def folder(spark: SparkSession, tmp_path: Path) -> Path:
    """A folder with a store of one run, and with scripts."""
    place = tmp_path / "here"
    place.mkdir()
    with bigdebug.attach(spark, store=place / ".bigdebug"):
        spark.range(3).collect()
    for name, script in (("job", SCRIPT), ("handled", HANDLED), ("sooner", SOONER)):
        (place / f"{name}.py").write_text(script)
    return place


def _processes_in(folder: Path) -> dict[int, str]:
    """The processes that stand in a folder, and their command lines."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if Path(os.readlink(process / "cwd")).is_relative_to(folder):
                found[int(process.name)] = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
    return found


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["trace", "last", "1", "--where", "id = 1"], 130),
        (["run", "job.py"], -signal.SIGINT),  # as Python dies of it; a shell says 130
        (["run", "handled.py"], 7),
        (["doctor"], 130),
    ],
)
def test_no_java_stays_behind(folder: Path, tmp_path: Path, arguments: list[str], code: int) -> None:
    with (tmp_path / "said").open("w+") as said:  # no pipe: what stays behind would hold it open
        command = subprocess.Popen(
            [*BIGDEBUG, *arguments],
            cwd=folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
        try:
            assert soon(lambda: _spark_starts(folder), 60)
            time.sleep(0.3)
            os.killpg(command.pid, signal.SIGINT)  # as a terminal does it
            assert command.wait(60) == code
            assert soon(lambda: not _processes_in(folder), 15), _processes_in(folder)
        finally:
            for process in _processes_in(folder):
                os.kill(process, signal.SIGKILL)
        said.seek(0)
        assert code != 130 or said.read().splitlines()[-1] == "error: interrupted"


def _spark_starts(folder: Path) -> bool:
    return any("org.apache.spark.deploy.SparkSubmit" in line for line in _processes_in(folder).values())


def test_an_interrupt_before_recording_has_begun_is_the_scripts(folder: Path) -> None:
    ended = subprocess.run(
        [*BIGDEBUG, "run", "sooner.py"], cwd=folder, env=environment(), capture_output=True, text=True
    )
    assert ended.returncode == -signal.SIGINT
    assert ended.stderr.splitlines()[-1] == "KeyboardInterrupt"
    assert "Error" not in ended.stderr
