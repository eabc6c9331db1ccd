"""What the pytest plugin costs a test that passes.

One run of pytest with three kinds of tests in turn: one that counts by hand, one that also has the fixture, and one
that asserts by it. What is taken is the whole of a test, with its fixtures and what is done about its outcome.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measures import Row, row_of
from benchmarks.pairs import compared

CONFTEST = """
import json, time
import pytest

TAKEN = {}

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item):
    began = time.perf_counter()
    found = yield
    TAKEN.setdefault(item.originalname, []).append(time.perf_counter() - began)
    return found

def pytest_sessionfinish():
    with open("taken.json", "w") as file:
        json.dump(TAKEN, file)
"""
TESTS = """
import pytest
from pyspark.sql import functions as F

FAILING = "not (revenue >= 0)"

@pytest.fixture(scope="module")
def orders(bigdebug_spark, tmp_path_factory):
    path = str(tmp_path_factory.mktemp("data") / "orders")
    columns = ["id", "id % 50 as region", "id % 7 as kind", "id * 0.5 as amount"]
    bigdebug_spark.range(20_000).selectExpr(*columns).write.csv(path, header=True)
    return bigdebug_spark.read.csv(path, header=True, inferSchema=True)

def build(orders):
    kept = orders.where("kind <> 3").withColumn("taxed", F.col("amount") * 1.2)
    named = kept.join(orders.select("region").distinct(), "region")
    return named.groupBy("region").agg(F.sum("taxed").alias("revenue")).orderBy("region")
"""
KINDS = {
    "by_hand": """
def test_by_hand_{n}(orders):
    assert build(orders).where(FAILING).count() == 0
""",
    "recorded": """
def test_recorded_{n}(orders, dataflow):
    assert build(orders).where(FAILING).count() == 0
""",
    "asserted": """
def test_asserted_{n}(orders, dataflow):
    dataflow.assert_all(build(orders), "revenue >= 0")
""",
}
_WARM = 3
_TESTS = 30


def measured() -> Iterator[Row]:
    """Tests with the fixture, and tests that assert by it, ÷ tests that count by hand."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "conftest.py").write_text(CONFTEST)
        (place / "test_it.py").write_text(TESTS + "".join(_tests(n) for n in range(_TESTS + _WARM)))
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
        subprocess.run(command, cwd=place, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        taken = json.loads((place / "taken.json").read_text())
    by_kind = {kind: [taken[f"test_{kind}_{n}"][0] for n in range(_WARM, _TESTS + _WARM)] for kind in KINDS}
    plain = by_kind.pop("by_hand")
    for kind, seconds in by_kind.items():
        found = compared(list(zip(seconds, plain, strict=True)))
        yield row_of("a passing test with the plugin ÷ by hand", kind, 20_000, "csv", found)


def _tests(n: int) -> str:
    """One of each kind; each time another one comes first, for the second of two alike is the faster."""
    kinds = list(KINDS.values())
    return "".join(kind.format(n=n) for kind in kinds[n % 3 :] + kinds[: n % 3])
