"""Indexes and recipes on a disk that is full."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

import bigdebug
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.index.reading import open_index
from bigdebug.lineage.postmortem import open_output
from bigdebug.lineage.store import Store


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 400 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=400k", "none", str(folder)]
    try:
        made = subprocess.run(mount, capture_output=True, check=False)
    except OSError as error:
        pytest.skip(f"no file system of its own can be mounted here: {error}")
    if made.returncode:
        pytest.skip(f"no file system of its own can be mounted here: {made.stderr.decode()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_disk_that_is_full(small_disk: Path, spark: SparkSession) -> None:
    with bigdebug.attach(spark, store=small_disk / "store") as session:
        numbers = spark.range(300_000)
        numbers.where("id < 9").collect()
        large = numbers.selectExpr("id", "sha2(string(id), 256) s").where("id < 250000")
        large.write.format("noop").mode("overwrite").save()
        small, written = session.outputs
        session.index(small)
        with pytest.raises(BigDebugError, match=r"can't be written.*No space left") as told:
            session.index(written)
        assert "\n" not in told.value.message
        assert "make room" in (told.value.hint or "")
        tables = session._recorder.tables
        assert tables is not None
        assert open_index(tables, written.number) is None
        lineage = small_disk / "store" / session.run_id / "lineage"
        assert len(list(lineage.iterdir())) == 2, "the small one's folder and file"
        index = open_index(tables, small.number)
        assert index is not None
        assert index.trace("id = 3").matched == 1


def test_a_recipe_waits_for_room(small_disk: Path, spark: SparkSession) -> None:
    with bigdebug.attach(spark, store=small_disk / "store") as session:
        other = small_disk / "other"
        with suppress(OSError), other.open("wb", buffering=0) as file:
            while file.write(b"x" * 4096):
                pass
        assert spark.range(9).where("id < 5").count() == 5
        session._recorder.drain()
        assert "No space left" in (session.outputs[0].recipe_problem or "")
        other.unlink()
    (output,) = Store(str(small_disk / "store")).find("last").outputs
    assert (output.recipe, output.recipe_problem) == ("stored", None)


def test_a_disk_that_is_full_under_full_capture(
    small_disk: Path, spark: SparkSession, caplog: pytest.LogCaptureFixture
) -> None:
    with bigdebug.attach(spark, store=small_disk / "store", capture="full"):
        numbers = spark.range(300_000)
        large = numbers.selectExpr("id", "sha2(string(id), 256) s").where("id < 250000")
        large.write.format("noop").mode("overwrite").save()
        warned = [record.getMessage() for record in caplog.records if record.name == "bigdebug"]
        # Spark keeps the file open that it couldn't write, removed as it is: till then the disk stays full.
        for _ in range(50):
            spark._jvm.System.gc()
            if os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_bsize > 300_000:
                break
            time.sleep(0.1)
        assert len(numbers.where("id < 9").collect()) == 9
    assert len(warned) == 1
    assert warned[0].startswith("output 1 isn't indexed: the index can't be written to")
    run = Store(str(small_disk / "store")).find("last")
    assert [open_index(run.tables, number) is None for number in (1, 2)] == [True, False]
    assert open_output(run, run.output("1"), spark=spark).trace("id = 3").matched == 1
