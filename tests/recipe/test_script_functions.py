"""A script's Python functions work again the next morning, also those in a module beside it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.postmortem import open_output
from bigdebug.lineage.store import Store

ROOT = Path(__file__).parents[2]

MODULE = """
FEES = {"b": 5}


def with_fee(kind, amount):
    return amount + FEES.get(kind, 0)
"""

SCRIPT = """
from pyspark.sql import SparkSession, functions as F

import fees

spark = (
    SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    .config("spark.sql.shuffle.partitions", "2").getOrCreate()
)


class Scale:
    by = 2

    def __call__(self, amount):
        return amount * self.by


with_fee = F.udf(fees.with_fee, "long")
scaled = F.udf(Scale(), "long")
bills = spark.read.json("bills.json")
bills.select("kind", scaled(with_fee("kind", "amount")).alias("due")).groupBy("kind").agg(
    F.max("due").alias("due")
).orderBy("kind").collect()
"""


def bigdebug(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name != "BIGDEBUG_STORE"}
    return subprocess.run(
        [sys.executable, "-m", "bigdebug", *arguments],
        cwd=folder,
        env={**kept, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


def test_functions_of_a_module_beside_the_script(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "job").mkdir()
    (tmp_path / "job" / "fees.py").write_text(MODULE)
    (tmp_path / "job" / "bills.py").write_text(SCRIPT)
    bills = [{"kind": "ab"[n % 2], "amount": n} for n in range(10)]
    (tmp_path / "job" / "bills.json").write_text("".join(json.dumps(bill) + "\n" for bill in bills))
    ran = bigdebug(tmp_path / "job", "run", "bills.py")
    assert ran.returncode == 0, ran.stderr
    # Spark's workers look in the working directory; the question is asked in another one.
    question = ("trace", "last", "1", "--where", "due = 28", "--store", "job/.bigdebug")
    asked = bigdebug(tmp_path, *question, "--json")
    assert asked.returncode == 0, asked.stderr
    answer: dict[str, Any] = json.loads(asked.stdout)
    assert answer["matched"] == 1
    (source,) = answer["sources"]
    assert [record["value"]["amount"] for record in source["records"]] == [1, 3, 5, 7, 9]
    # Without the module the reason is told.
    (tmp_path / "job" / "fees.py").unlink()
    run = Store(str(tmp_path / "job" / ".bigdebug")).find("last")
    with pytest.raises(BigDebugError, match="fees") as told:
        open_output(run, run.output("1"), spark=spark).trace("due = 28").collect()
    assert "Traceback" not in told.value.message
