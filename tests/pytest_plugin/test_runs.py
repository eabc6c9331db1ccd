"""Whole runs of pytest with the plugin: what is shown, what is stored, and what it does to others."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from bigdebug.lineage.store import Store

CONFTEST = """
import pytest
from pyspark.sql import SparkSession

@pytest.fixture(scope="session")
def spark_session():
    builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    session = builder.config("spark.sql.shuffle.partitions", "2").getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    yield session
    session.stop()
"""

ONE_SPARK = """
import unittest

import pytest
from pyspark.sql import functions as F

ROWS = [(1, 5), (2, -5), (3, None)]

@pytest.fixture(scope="session")
def everything(spark_session):
    return spark_session.createDataFrame(ROWS, "id int, amount int")

@pytest.fixture(scope="module")
def of_module(everything):
    return everything.where("id < 10")

@pytest.fixture(scope="class")
def of_class(of_module):
    return of_module.withColumn("twice", F.col("amount") * 2)

@pytest.fixture
def of_function(of_class):
    return of_class.where("id > 0")

@pytest.fixture
def broken(of_function):
    of_function.collect()
    raise RuntimeError("no luck")

class TestScopes:
    def test_passes(self, of_function, dataflow):
        dataflow.assert_unique(of_function, "id")

    def test_fails(self, of_function, dataflow):
        print("said on the way")
        dataflow.assert_all(of_function, "twice >= 0")

@pytest.mark.parametrize("least", [-10, 0])
def test_parametrised(of_module, dataflow, least):
    dataflow.assert_none(of_module, f"amount < {least}")

class TestOfUnittest(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def _dataflow(self, of_module, dataflow):
        self.frame, self.dataflow = of_module, dataflow

    def test_passes(self):
        self.dataflow.assert_all(self.frame, "id > 0")

    def test_fails(self):
        self.dataflow.assert_equal(self.frame.where("id = 1"), self.frame.where("id = 2"))

def test_fixture_fails(broken, dataflow):
    pass

def test_fails_by_itself(of_module, dataflow):
    assert of_module.count() == 4

def test_is_not_about_spark(dataflow):
    assert 1 == 2

def test_by_name(of_module, request):
    request.getfixturevalue("dataflow").assert_all(of_module, "id < 3")

@pytest.mark.bigdebug(capture="full")
def test_full_passes(of_module, dataflow):
    assert of_module.count() == 3

@pytest.mark.bigdebug(capture="full", budget=0)
def test_full_fails(of_module, dataflow):
    assert len(of_module.collect()) == 4

def test_nobody_records(of_module):
    import bigdebug
    from pyspark.sql.classic.dataframe import DataFrame
    assert bigdebug.current() is None
    assert "bigdebug" not in DataFrame.collect.__code__.co_filename

def test_attached_by_itself(of_module, spark_session, dataflow, tmp_path):
    import bigdebug
    assert bigdebug.attach(spark_session).run_id == dataflow.session.run_id

def test_stopped(spark_session, dataflow):
    frame = spark_session.range(3)
    assert frame.count() == 3
    spark_session.stop()
    assert False, "after the stop"
"""


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A folder of tests of somebody else's."""
    monkeypatch.delenv("BIGDEBUG_STORE", raising=False)
    return pytester


def ran(inner: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return inner.runpytest_subprocess("-p", "no:cacheprovider", *arguments, timeout=400)


def test_a_run_with_every_kind_of_test(inner: pytest.Pytester) -> None:
    inner.makeconftest(CONFTEST)
    inner.makepyfile(test_it=ONE_SPARK)
    result = ran(inner, "--junit-xml=junit.xml", "--bigdebug-report=out/report.json", "-rN")
    text = result.stdout.str()
    result.assert_outcomes(passed=6, failed=8, errors=1)

    # What a failing test shows.
    assert "it comes from one record:" in text
    assert "said on the way" in text
    assert "RuntimeError: no luck" in text
    assert "AssertionError: after the stop" in text
    ways = [line for line in text.splitlines() if "on the way" in line and "Filter at test_it.py" in line]
    assert ways
    assert "everything" not in text.partition("bigdebug: culprits")[2]

    # The summary names each test of which something is known, once.
    summary = text.partition("bigdebug: culprits")[2]
    kept = (
        "TestScopes::test_fails", "test_parametrised[0]", "TestOfUnittest::test_fails", "test_fixture_fails",
        "test_fails_by_itself", "test_by_name", "test_full_fails", "test_stopped",
    )  # fmt: skip
    for name in kept:
        assert summary.count(f"test_it.py::{name}: ") == 1, name
    assert "test_is_not_about_spark" not in summary

    # Only these left a run.
    store = Store(str(inner.path / ".bigdebug"))
    runs = {run.name: run for run in store.runs()}
    assert set(runs) == {f"test_it.py::{name}" for name in kept}
    assert {run.status for run in runs.values()} == {"failed"}
    scopes = runs["test_it.py::TestScopes::test_fails"]
    assert [(each.action, each.recipe) for each in scopes.outputs] == [("assert_all", "stored")]
    assert {node.operator for node in scopes.nodes.values()} >= {"createDataFrame", "where", "withColumn"}
    assert [each.recipe for each in runs["test_it.py::test_stopped"].outputs] == ["stored"]
    assert runs["test_it.py::test_full_fails"].indexed(1)

    # JUnit's file and the report say the same.
    cases = {case.get("name"): case for case in ET.parse(inner.path / "junit.xml").iter("testcase")}
    properties = [
        (each.get("name"), each.get("value")) for each in cases["test_parametrised[0]"].iter("property")
    ]
    assert properties[0] == ("bigdebug.run", runs["test_it.py::test_parametrised[0]"].run_id)
    assert ("bigdebug.culprit", "test_it.py:10, record 0 of partition 1: id=2, amount=-5") in properties
    assert not list(cases["test_parametrised[-10]"].iter("property"))
    failures = json.loads((inner.path / "out" / "report.json").read_text())["failures"]
    assert {each["test"] for each in failures} == {f"test_it.py::{name}" for name in kept}
    (fails,) = [each for each in failures if each["test"].endswith("[0]")]
    assert fails["blames"][0]["culprits"][0]["value"] == {"id": "2", "amount": "-5"}
    assert fails["command"] in (f"bigdebug show {fails['run']}", f"bigdebug tui {fails['run']}")


WORKERS = """
import pytest

@pytest.mark.parametrize("number", [1, 3])
def test_it(bigdebug_spark, dataflow, number):
    frame = bigdebug_spark.createDataFrame([(number,)], "n int")
    dataflow.assert_all(frame, "n % 2 = 0")
"""


def test_workers_have_runs_of_their_own_and_one_summary(inner: pytest.Pytester) -> None:
    inner.makepyfile(test_it=WORKERS)
    inner.makeini("[pytest]\nbigdebug_store = kept\nbigdebug_report = report.md\nbigdebug_budget = 20\n")
    result = ran(inner, "-n", "2", "-rN")
    result.assert_outcomes(failed=2)
    summary = result.stdout.str().partition("bigdebug: culprits")[2]
    assert "bigdebug: culprits" not in summary
    assert sorted(run.name for run in Store(str(inner.path / "kept")).runs()) == [
        "test_it.py::test_it[1]",
        "test_it.py::test_it[3]",
    ]
    report = (inner.path / "report.md").read_text()
    for number in (1, 3):
        assert f"test_it.py::test_it[{number}]: 1 of 1 row fails: n % 2 = 0" in summary
        assert f"## `test_it.py::test_it[{number}]`" in report
    assert report.count("--store kept`") == 2


LIGHT = """
import sys

def loaded():
    return sorted(name for name in sys.modules if name.split(".")[0] in ("bigdebug", "pyspark"))

def test_nothing_is_loaded():
    assert loaded() == EXPECTED
"""


def test_it_costs_nothing_where_it_is_not_used(inner: pytest.Pytester) -> None:
    plugin = ["bigdebug", "bigdebug.pytest_plugin", "bigdebug.pytest_plugin.settings"]
    inner.makepyfile(test_here=LIGHT.replace("EXPECTED", str(plugin)))
    inner.makepyfile(test_not_here=LIGHT.replace("EXPECTED", "[]") + "\ndef test_no(dataflow): pass\n")
    ran(inner, "test_here.py").assert_outcomes(passed=1)
    ran(inner, "-p", "no:bigdebug", "test_not_here.py").assert_outcomes(passed=1, errors=1)
    assert not (inner.path / ".bigdebug").exists()


def test_a_test_without_spark_may_ask_for_it(inner: pytest.Pytester) -> None:
    inner.makepyfile(
        "import sys\n"
        "def test_it(dataflow):\n"
        "    assert dataflow.session is None\n"
        "    assert 'pyspark' not in sys.modules\n"
        "def test_fails(dataflow):\n"
        "    assert 1 == 2\n"
    )
    result = ran(inner, "--bigdebug-report=report.json")
    result.assert_outcomes(passed=1, failed=1)
    assert json.loads(Path(inner.path, "report.json").read_text()) == {"failures": []}
    assert not (inner.path / ".bigdebug").exists()


@pytest.mark.parametrize(
    ("ini", "mark", "said"),
    [
        ("bigdebug_capture = all", "", "bigdebug_capture can't be 'all': it is recipe or full"),
        ("bigdebug_budget = long", "", "bigdebug_budget can't be 'long': it is a number of seconds"),
        ("", "capture='all'", "capture can't be 'all'"),
        ("", "speed=3", "the mark is bigdebug(capture="),
    ],
)
def test_wrong_settings_are_said(inner: pytest.Pytester, ini: str, mark: str, said: str) -> None:
    inner.makeini(f"[pytest]\n{ini}\n")
    inner.makepyfile(f"import pytest\n@pytest.mark.bigdebug({mark})\ndef test_it(dataflow): pass\n")
    result = ran(inner)
    assert result.ret != 0
    assert said in result.stdout.str() + result.stderr.str()
