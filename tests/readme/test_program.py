"""The README's program and its dialogue run as they stand there."""

import doctest
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from documents import ROOT
from pyspark.sql import SparkSession, functions

import bigdebug
from bigdebug.pytest_plugin import DataflowAssertionError
from bigdebug.pytest_plugin.dataflow import Dataflow


@pytest.fixture
def flights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The demo's data, in a folder of their own, which is the current one. At the end nothing is attached."""
    monkeypatch.chdir(tmp_path)
    yield Path(shutil.copy(Path(bigdebug.__path__[0], "demo", "flights.csv"), tmp_path))
    session = bigdebug.current()
    if session is not None:
        session.detach()


def program_with(text: str) -> str:
    """The README's only program that holds a text."""
    programs = re.findall(r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text(), re.M | re.S)
    (program,) = (each for each in programs if text in each)
    return str(program)


def test_the_program_in_the_readme(spark: SparkSession, flights: Path) -> None:
    text = (ROOT / "README.md").read_text()
    program = program_with("attach")
    (dialogue,) = re.findall(r"^```pycon\n(.*?)^```$", text, re.M | re.S)
    # The JVM of our session doesn't stand where the program does.
    program = program.replace('"flights.csv"', repr(str(flights)))
    names: dict[str, Any] = {}
    Path("program.py").write_text(program)
    exec(compile(program, "program.py", "exec"), names)
    told: list[str] = []
    test = doctest.DocTestParser().get_doctest(dialogue, names, "README.md", None, 0)
    failures, tried = doctest.DocTestRunner(verbose=False).run(test, out=told.append)
    assert tried >= 8
    assert not failures, "".join(told)


def test_the_declared_function_in_the_readme(spark: SparkSession, flights: Path) -> None:
    code = program_with("record_wise")
    with bigdebug.attach(spark) as session:
        names: dict[str, Any] = {"bigdebug": bigdebug, "re": re, "session": session}
        names["context"] = spark.sparkContext
        exec(code.replace('"flights.csv"', repr(str(flights))), names)
        trace = names["trace"]
        lines = [record.value for record in trace.collect()]
    assert trace.exact
    assert lines == [line for line in flights.read_text().splitlines() if "EWR,ALB" in line]


def test_the_look_into_a_run_in_the_readme(
    spark: SparkSession, flights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = program_with("breakpoint(")
    with bigdebug.attach(spark) as session:
        exec(code, {"session": session, "spark": spark})
    assert capsys.readouterr().out.splitlines() == [
        "1 [Row(id=2, price=-3)] [Row(sum(price)=10)]",
        "[Row(sum(price)=13)]",
        "2 [{'id': 1, 'price': 5}, {'id': 3, 'price': 8}] False",
    ]


def test_the_skewed_and_slow_program_in_the_readme(
    spark: SparkSession, flights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = program_with("session.skew(")
    with bigdebug.attach(spark) as session:
        exec(code, {"session": session, "spark": spark, "F": functions})
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("customer = 0 333 56% ")
    assert lines[0].endswith(" ['default key', 'combine first', 'salt']")
    most, below = lines[1].split(" ", 1)
    assert int(most) >= 333
    assert below == "[True]"
    assert lines[2] == "{'customer': 0, 'amount': 0} 123 {'customer': 33, 'amount': 123}"


def test_the_records_that_crash_in_the_readme(spark: SparkSession, flights: Path) -> None:
    code = program_with("on_crash")
    with bigdebug.attach(spark) as session:
        names: dict[str, Any] = {"spark": spark, "session": session, "F": functions}
        code = code.replace('"flights.csv"', repr(str(flights)))
        exec(code.replace('"departures.parquet"', repr(str(flights.parent / "departures.parquet"))), names)
        said = int(re.findall(r"# (\d+) of them", code)[0])
        assert len(names["crashed"]) == said == session.outputs[0].missing
        assert names["again"].count() == said
        assert {row.minutes for row in names["again"].collect()} >= {None}


def test_the_test_in_the_readme_says_what_the_readme_shows(spark: SparkSession, dataflow: Dataflow) -> None:
    names: dict[str, Any] = {}
    exec(program_with("def test_revenue"), names)
    with pytest.raises(DataflowAssertionError) as caught:
        names["test_revenue"](spark, dataflow)
    spark.catalog.dropTempView("orders")
    (shown,) = re.findall(r"^```text\n(1 of .*?)^```$", (ROOT / "README.md").read_text(), re.M | re.S)
    assert str(caught.value).startswith(shown)
