"""Tables in formats of Hive's: by Spark's own readers where it has one, else by the values of their records."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """
import json, pathlib
from pyspark.sql import SparkSession, functions as F
import bigdebug
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.java import ensure_java
from bigdebug.lineage.postmortem import open_output
from bigdebug.lineage.store import Store

ensure_java()
metastore = f"jdbc:derby:;databaseName={pathlib.Path.cwd()}/metastore;create=true"
spark = (
    SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    .config("spark.sql.shuffle.partitions", "2").config("spark.sql.warehouse.dir", f"{pathlib.Path.cwd()}/warehouse")
    .config("spark.hadoop.javax.jdo.option.ConnectionURL", metastore).enableHiveSupport().getOrCreate()
)
told = {}


def found(trace):
    records = trace.collect()
    placed = all(record.location.position is not None for record in records)
    return sorted(record.value["n"] for record in records), placed, trace.exact, trace.sources[0].kind


with bigdebug.attach(spark, store="store") as session:
    for format in ("textfile", "sequencefile", "parquet", "orc"):
        spark.sql(f"create table as_{format} (n bigint) partitioned by (k bigint) stored as {format}")
        spark.sql("set hive.exec.dynamic.partition.mode=nonstrict")
        spark.sql(f"insert into as_{format} select id, id % 3 from range(9)")
        spark.table(f"as_{format}").where("n > 1").groupBy("k").agg(F.sum("n").alias("s")).collect()
        output = session.outputs[-1]
        session._recorder.drain()
        run = Store("store").find(session.run_id)
        try:
            replayed = found(open_output(run, run.output("last"), spark=spark).trace("k = 1"))
        except BigDebugError as error:
            replayed = str(error)
        told[format] = (
            session.trace(output, "k = 1").sources[0].name,
            found(session.trace(output, "k = 1")),
            found(session.index(output).trace("k = 1")) if format.endswith("file") else None,
            replayed,
        )
print(json.dumps(told))
"""


@pytest.mark.proof("tables in formats of Hive's, in a process with its classes and a metastore of its own")
def test_tables_in_formats_of_hives(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYSPARK_PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    for format in ("textfile", "sequencefile"):
        name, live, indexed, replayed = told[format]
        assert (name, live) == (f"as_{format}", [[4, 7], False, False, "hive"])
        assert indexed == live
        assert f"the Hive table spark_catalog.default.as_{format} can't be read again" in replayed
    for format in ("parquet", "orc"):
        name, live, _, replayed = told[format]
        assert (name, live, replayed) == (f"as_{format}", [[4, 7], True, True, format], live)
