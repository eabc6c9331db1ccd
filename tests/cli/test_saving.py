"""All records of a trace in one file, in each format, whatever their types and names."""

import csv
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

import bigdebug
from bigdebug.cli.saving import save_records
from bigdebug.lineage.errors import BigDebugError
from tests.settings import settings

ROOT = Path(__file__).parents[2]
COUNTING = """
from pyspark.sql import SparkSession
spark = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").getOrCreate()
spark.range({rows}).selectExpr("id", "id % 1000 k", "concat('record ', id) t").write.csv("numbers")
assert spark.read.csv("numbers", schema="id long, k int, t string").count() == {rows}
"""
MEASURED = """
import sys
from bigdebug.cli.main import main
code = main(sys.argv[1:])
# Not `ru_maxrss`: that counts what the process held that started this one.
(most,) = (line for line in open("/proc/self/status") if line.startswith("VmHWM:"))
print("peak", most.split()[1], file=sys.stderr)
sys.exit(code)
"""

ODD = """
    select n, cast(n / 2 as decimal(10, 2)) d, if(n = 3, double('NaN'), n) f, array(n, null) a, map('k', n) m,
      named_struct('x', n) s, encode(string(n), 'UTF-8') b, concat('a "b", ', n, '\\nc') t, null v, n as N,
      timestamp'2026-01-01 00:00:00' + make_dt_interval(n) at, make_interval(0, n) i, n as `x.y``z`
    from values (3), (1), (2) as t(n)
"""


def test_every_format(spark: SparkSession, tmp_path: Path) -> None:
    with settings(spark, {"spark.sql.caseSensitive": "true"}):
        # Made before anything is recorded: a trace ends here, at all its columns.
        odd = spark.sql(ODD).localCheckpoint().where("n > 1")
    with bigdebug.attach(spark, store=str(tmp_path / "store")) as session:
        trace = session.trace(odd)
        for ending in ("parquet", "csv", "jsonl"):
            target = tmp_path / f"records.{ending}"
            assert save_records(trace.records(), target) == target.stat().st_size
    rows = pq.read_table(tmp_path / "records.parquet").to_pylist()
    assert [row["n"] for row in rows] == [3, 2]
    assert [row["_record"]["position"] for row in rows] == [0, 1]
    assert (math.isnan(rows[0]["f"]), rows[1]["f"]) == (True, 2.0)
    assert (rows[1]["b"], rows[1]["m"], rows[1]["N"], rows[1]["x.y`z"]) == (b"2", [("k", 2)], 2, 2)
    with (tmp_path / "records.csv").open(newline="") as file:
        texts = list(csv.DictReader(file))
    assert (texts[1]["t"], texts[1]["a"], texts[1]["b"]) == ('a "b", 2\nc', "[2,null]", "Mg==")
    assert (texts[1]["_record_position"], texts[1]["_record_partition"]) == ("1", "1")
    lines = [json.loads(line) for line in (tmp_path / "records.jsonl").read_text().splitlines()]
    assert (lines[0]["f"], lines[1]["d"], lines[1]["v"], lines[1]["s"]) == ("NaN", 1.0, None, {"x": 2})
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "records.csv", "records.jsonl", "records.parquet", "store"
    ]  # fmt: skip


def test_two_columns_of_one_name_and_none_at_all(spark: SparkSession, tmp_path: Path) -> None:
    save_records(spark.sql("select 1 a, 2 a"), tmp_path / "records.csv")
    assert (tmp_path / "records.csv").read_text() == "a,a#2\n1,2\n"
    save_records(spark.range(2).where("id > 5"), tmp_path / "records.parquet")
    assert pq.read_table(tmp_path / "records.parquet").num_rows == 0


def test_what_cant_be_written(spark: SparkSession) -> None:
    with pytest.raises(BigDebugError, match=r"/proc/records.csv can't be written: \S+") as told:
        save_records(spark.range(2), Path("/proc/records.csv"))
    assert "-o" in (told.value.hint or "")


@pytest.mark.proof("ten million records of one row, written to a file in a driver of 512 MB")
def test_ten_million_records(tmp_path: Path) -> None:
    peaks = {}
    for rows in (100_000, 10_000_000):
        folder = tmp_path / str(rows)
        folder.mkdir()
        (folder / "counting.py").write_text(COUNTING.format(rows=rows))
        in_process(folder, "-m", "bigdebug", "run", "counting.py")
        asked = ("trace", "last", "last", "--where", "true", "--limit", "3", "-o", "all.parquet")
        told = in_process(folder, "-c", MEASURED, *asked)
        assert f"numbers: {rows:,} records, the first 3 shown" in told.stdout
        assert f"wrote {rows:,} records of numbers to all.parquet" in told.stderr
        peaks[rows] = int(told.stderr.rsplit("peak", 1)[1])
        written = pq.ParquetFile(folder / "all.parquet")
        assert written.metadata.num_rows == rows
        first = next(written.iter_batches(1000)).to_pylist()
        assert [row["_record"]["position"] for row in first] == list(range(1000))
        assert {row["_record"]["file"] for row in first} == {str(min((folder / "numbers").glob("part-*")))}
    assert peaks[10_000_000] < 1.1 * peaks[100_000], peaks


def in_process(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a folder, with a Spark whose one JVM may take 512 MB."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PYSPARK_SUBMIT_ARGS": "--driver-memory 512m pyspark-shell",
        "BIGDEBUG_STORE": str(folder / ".bigdebug"),
    }
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done
