"""Hits are exact where tasks run again: in a Spark of its own, for the tests' one never tries a task twice."""

import json
import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import json, os, sys
from pathlib import Path
from pyspark import TaskContext
from pyspark.sql import SparkSession, functions as F
import bigdebug

spark = SparkSession.builder.master("local[2,4]").config("spark.ui.enabled", "false").getOrCreate()
spark.sparkContext.setLogLevel("OFF")
context = spark.sparkContext
session = bigdebug.attach(spark, store="store")
place = os.getcwd()
found = {}

def once(name, n):
    # The first attempt of each partition ends in the middle, by an error or by the end of its worker.
    file = Path(place, f"{name}-{TaskContext.get().partitionId()}")
    if n % 50 == 30 and not file.exists():
        file.touch()
        if name == "killed":
            os._exit(1)
        raise ValueError("the first attempt")
    return n

for name in ("raised", "killed"):
    numbers = context.parallelize(range(200), 4)
    wp = session.watch(numbers, lambda n: n % 10 == 0)
    assert numbers.map(lambda n, name=name: once(name, n)).sum() == 19900
    found[name] = [wp.hits, sorted(each.value for each in wp.records)]
    wp.remove()

rows = spark.range(0, 200, 1, 4)
in_sql, in_python = session.watch(rows, "id % 10 = 0"), session.watch(rows, lambda row: row.id % 10 == 0)
tried = F.udf(lambda n: once("frame", n), "long")
assert rows.select(tried("id").alias("n")).groupBy().sum("n").collect()[0][0] == 19900
found["frame"] = [in_sql.hits, in_python.hits]
found["attempts"] = len(list(Path(place).glob("raised-*"))), len(list(Path(place).glob("killed-*")))
print(json.dumps(found))
spark.stop()
"""


def test_a_partition_counts_once_however_often_its_task_ran(tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    ran = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        env={**os.environ, "PYSPARK_PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=180,
    )
    found = json.loads(ran.stdout or "{}")
    hits = [20, list(range(0, 200, 10))]
    assert found == {"raised": hits, "killed": hits, "frame": [20, 20], "attempts": [4, 4]}, ran.stderr[
        -3000:
    ]
