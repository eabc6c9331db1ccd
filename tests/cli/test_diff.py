"""`bigdebug diff` on recorded runs of one program: what it says of settings, sources, operators, rows and records."""

import ast
import contextlib
import functools
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

import bigdebug
from bigdebug.cli.main import main
from bigdebug.cli.schemas import schema
from bigdebug.lineage import postmortem
from bigdebug.lineage.rdd import tabled
from bigdebug.lineage.rdd.literals import is_literal, literal
from tests.settings import settings

PROGRAM = """
def double(number):
    return number * 2

double = F.udf(double, "long")
sane = read(folder).where("minutes > 0")
means = sane.groupBy("dest").agg(F.avg("minutes").alias("mean"), F.sum(double("flight")).alias("flights"))
means.orderBy("dest").collect()
sane.select("dest", "flight").dropDuplicates(["flight"]).collect()
"""
ELEMENTS = """
from operator import add
lines = lines_of(folder)
counts = lines.map(lambda line: (line.split(",")[1], 1)).reduceByKey(add)
counts.collect()
"""
ONE_MORE = 'sane.where("dest is null").count()\n'
SHUFFLES = "spark.sql.shuffle.partitions"


@dataclass(frozen=True)
class Recorded:
    """A store with runs, by name: `before`, and of what changed since `again`, `later`, `grown`; `old` and `new`."""

    store: Path
    runs: dict[str, str]


@pytest.fixture(scope="module")
def recorded(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    folder = tmp_path_factory.mktemp("recorded")
    store, runs = folder / "store", {}
    (folder / "in").mkdir()
    (folder / "lone").mkdir()
    first = "carrier,dest,minutes,flight\nAA,BOS,60,1\nB6,PSE,5,2\nB6,LEX,90,3\nAA,BOS,20,4\n"
    (folder / "in" / "a.csv").write_text(first)
    (folder / "lone" / "a.csv").write_text(first)

    def read(path: Path) -> Any:
        schema = "carrier string, dest string, minutes int, flight int"
        return spark.read.csv(str(path), schema=schema, header=True)

    def run(name: str, program: str, source: str = "in", *, indexed: bool = False) -> None:
        script = folder / name / "report.py"
        script.parent.mkdir()
        script.write_text(program)
        with bigdebug.attach(spark, name="report", store=str(store)) as session:
            names = {"F": F, "read": read, "folder": folder / source, "__name__": "__main__"}
            names["lines_of"] = lambda path: spark.sparkContext.textFile(str(path), 1)
            exec(compile(program, str(script), "exec"), names)
            runs[name] = session.run_id
            if indexed:
                session.index(session.outputs[0])

    run("before", PROGRAM)
    run("again", PROGRAM)
    changed = PROGRAM.replace("> 0", "> 10").replace("number * 2", "number * 3") + ONE_MORE
    with settings(spark, {SHUFFLES: "3"}):
        run("later", f"# A line more.\n{changed}")
    (folder / "in" / "b.csv").write_text("carrier,dest,minutes,flight\nAA,BOS,70,5\n")
    run("grown", PROGRAM)
    run("counted", ELEMENTS)
    run("recounted", ELEMENTS.replace("[1], 1)", "[1].replace('LEX', 'LUX'), 2)"))
    run("old", PROGRAM, "lone", indexed=True)
    (folder / "lone" / "a.csv").write_text("carrier,dest,minutes,flight\nAA,BOS,60,1\n")
    run("new", PROGRAM, "lone")
    return Recorded(store, runs)


@pytest.fixture(autouse=True)
def in_the_same_spark(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command asks in the session of the tests: a second one in a process would stop that at its end."""

    def open_output(*given: Any, **named: Any) -> Any:
        return opened(*given, **{**named, "spark": spark})

    opened: Callable[..., Any] = postmortem.open_output
    monkeypatch.setattr(postmortem, "open_output", functools.wraps(opened)(open_output))
    monkeypatch.setenv("COLUMNS", "120")


@pytest.fixture(scope="module")
def diff(recorded: Recorded) -> Callable[..., str]:
    """What the command prints; a question that was asked before isn't computed again."""

    @functools.cache
    def diff(first: str, second: str, *more: str) -> str:
        names = [recorded.runs.get(name, name) for name in (first, second)]
        with contextlib.redirect_stdout(io.StringIO()) as out:
            assert main(["diff", *names, "--store", str(recorded.store), *more]) == 0
        return out.getvalue()

    return diff


def as_json(printed: str) -> Any:
    content = json.loads(printed)
    jsonschema.validate(content, schema("diff"))
    return content


def test_two_runs_of_the_same(diff: Callable[..., str]) -> None:
    out = diff("before", "again").splitlines()
    assert "settings, versions and arguments: no difference" in out
    assert [line for line in out if line.startswith("source ")] == ["source in: the same files"] * 2
    assert out.count("operators: no difference") == 2
    assert "rows: no difference in 3 rows, compared by dest" in out
    assert "rows: no difference in 4 rows, compared as a whole" in out


@pytest.mark.compat
def test_a_changed_condition_function_and_setting(diff: Callable[..., str]) -> None:
    content = as_json(diff("before", "later", "--json"))
    assert content["same_program"]
    assert content["differences"] == [
        {"what": "setting", "name": SHUFFLES, "first": "4", "second": "3", "outputs": [1, 2]}
    ]
    first, second = content["outputs"]
    # That each line stands a line further down is no difference.
    assert [(one["change"], one["first"]["operator"]) for one in first["operators"]] == [
        ("changed", "where"),
        ("changed", "groupBy.agg"),
    ]
    where, aggregate = first["operators"]
    assert (where["first"]["expressions"], where["second"]["expressions"]) == (
        ["(minutes > 0)"],
        ["(minutes > 10)"],
    )
    code = [side["expressions"][-1] for side in (aggregate["first"], aggregate["second"])]
    assert all(text.startswith("function double ") for text in code)
    assert code[0] != code[1]
    assert [one["first"]["operator"] for one in second["operators"]] == ["where"]
    assert [(one["output"], one["action"]) for one in content["only_second"]] == [(3, "count")]
    assert content["only_first"] == []


@pytest.mark.compat
def test_rows_that_differ_or_are_missing(diff: Callable[..., str]) -> None:
    first, second = as_json(diff("before", "later", "--json"))["outputs"]
    rows = first["rows"]
    assert (rows["paired_by"], rows["key"]) == ("grouping columns", ["dest"])
    assert [
        rows[name] for name in ("first", "second", "equal", "differing", "only_first", "only_second")
    ] == [*(3, 2, 0, 2, 1, 0)]
    assert rows["by_column"] == {"flights": 2}
    boston, lexington, ponce = rows["examples"]
    assert (boston["first"], boston["second"], boston["columns"]) == (
        {"dest": "BOS", "mean": 40.0, "flights": 10},
        {"dest": "BOS", "mean": 40.0, "flights": 15},
        ["flights"],
    )
    assert boston["where_first"] == boston["where_second"] == "dest = 'BOS'"
    assert [(one["first"], one["second"], one["only_first"]["count"]) for one in boston["sources"]] == [
        (2, 2, 0)
    ]
    assert lexington["first"]["dest"] == "LEX"
    assert (ponce["kind"], ponce["second"]) == ("only in the first", None)
    assert [one["first"] for one in ponce["sources"]] == [1]
    assert ponce["missing"]["run"] == "second"
    assert ponce["missing"]["culprit"]["operator"] == "Filter"
    assert ponce["missing"]["dropped"][0]["reasons"] == ["minutes > 10 is false"]
    # Rows that no group tells apart are compared as a whole.
    assert second["rows"]["paired_by"] == "whole rows"
    # What may come out otherwise each time is said.
    assert [note for note in second["notes"] if "keeps whichever duplicate" in note] == second["notes"][::2]
    assert second["notes"][1] == (
        "the first run: computed again, the program gives the same rows as the run did"
    )
    assert (second["rows"]["equal"], second["rows"]["only_first"], second["rows"]["only_second"]) == (3, 1, 0)
    assert second["rows"]["examples"][0]["where_first"] == "dest = 'PSE' and flight = 2"


def test_a_file_that_was_added(diff: Callable[..., str]) -> None:
    content = as_json(diff("before", "grown", "--output", "1", "--json"))
    (output,) = content["outputs"]
    (source,) = output["sources"]
    assert (source["same"], source["kept"], source["gone"], source["rewritten"]) == (False, 1, [], [])
    assert [Path(file).name for file in source["added"]] == ["b.csv"]
    assert output["operators"] == []
    # The earlier run is computed of the files that it read.
    (row,) = output["rows"]["examples"]
    assert (row["first"]["mean"], row["second"]["mean"]) == (40.0, 50.0)
    (traced,) = row["sources"]
    assert (traced["first"], traced["second"], traced["moved"]) == (2, 3, 0)
    (record,) = traced["only_second"]["records"]
    assert (Path(record["file"]).name, record["position"], record["value"]["flight"]) == ("b.csv", 0, 5)


def test_what_people_read(diff: Callable[..., str]) -> None:
    out = diff("before", "grown", "--output", "1")
    assert "source in: files: 1 the same, 1 added" in out
    assert "rows: 3 rows in both, compared by dest: 2 equal, 1 differ" in out
    assert "in: 2 records, then 3: 1 only in the second" in out


@pytest.mark.proof("what people read of a changed condition, and of an output that only one run has")
def test_what_people_read_of_a_changed_program(diff: Callable[..., str]) -> None:
    out = diff("before", "later", "--output", "1")
    assert "    - where" not in out
    assert '    - sane = read(folder).where("minutes > 0")' in out
    assert "not in the second run: Filter at report.py:7 dropped 1 row" in out
    assert "only the second run has output 3 (count, report.py:11)" in diff("before", "later", "--no-rows")


def test_rows_paired_by_columns_that_are_named(diff: Callable[..., str]) -> None:
    content = as_json(diff("before", "later", "--output", "2", "--key", "flight", "--json"))
    rows = content["outputs"][0]["rows"]
    assert (rows["paired_by"], rows["key"], rows["equal"], rows["only_first"]) == (
        *("named columns", ["flight"], 3, 1),
    )


@pytest.mark.proof("rows that can not be paired by columns that are named")
def test_rows_that_cannot_be_paired(diff: Callable[..., str]) -> None:
    for key, said in (("dest", "have the same dest"), ("mean", "not both runs have the column mean")):
        content = as_json(diff("before", "again", "--output", "2", "--key", key, "--json"))
        assert content["outputs"][0]["rows"] is None
        assert said in content["outputs"][0]["notes"][-1]


def test_a_source_that_was_overwritten(diff: Callable[..., str]) -> None:
    indexed, output = as_json(diff("old", "new", "--json"))["outputs"]
    (changed,) = output["sources"][0]["rewritten"]
    assert (changed["first"]["bytes"], changed["second"]["bytes"]) == (75, 40)
    assert output["operators"] == []
    assert output["rows"] is None
    note, *_ = output["notes"]
    assert note.startswith("the rows of the first run can't be computed again: ")
    assert "changed from 75 to 40 bytes since the run read it" in note
    # The first output has an index: that knows its rows, and which records they came from.
    assert indexed["notes"][0].endswith("; they are taken from its index")
    rows = indexed["rows"]
    assert (rows["paired_by"], rows["key"], rows["differing"], rows["only_first"]) == (
        *("grouping columns", ["dest"], 1, 2),
    )
    boston, lexington, _ = rows["examples"]
    assert (boston["first"]["mean"], boston["second"]["mean"]) == (40.0, 60.0)
    assert [(one["first"], one["second"], one["compared"]) for one in boston["sources"]] == [(2, 1, False)]
    assert [one["first"] for one in lexington["sources"]] == [1]
    assert lexington["missing"]["culprit"]["rows_in"] == 0


def test_what_the_earlier_program_makes_of_an_overwritten_source(diff: Callable[..., str]) -> None:
    (output,) = as_json(diff("old", "new", "--output", "1", "--allow-changed", "--json"))["outputs"]
    assert (output["rows"]["equal"], output["rows"]["first"]) == (1, 1)
    assert any("changed from 75 to 40 bytes" in note for note in output["notes"])


def test_functions_of_rdds(diff: Callable[..., str]) -> None:
    (output,) = as_json(diff("counted", "recounted", "--json"))["outputs"]
    assert [(one["change"], one["first"]["operator"]) for one in output["operators"]] == [("changed", "map")]
    assert output["operators_by"] == "plan"
    assert [(one["name"], one["same"]) for one in output["sources"]] == [("in", True)]
    rows = output["rows"]
    assert (rows["key"], rows["paired_by"], rows["by_column"]) == (["key"], "grouping columns", {"value": 3})
    assert [rows[name] for name in ("first", "second", "equal", "differing", "only_first", "only_second")] == [
        4, 4, 0, 3, 1, 1,
    ]  # fmt: skip
    boston, *_, lexington, luxemburg = rows["examples"]
    assert (boston["first"], boston["second"]) == ({"key": "'BOS'", "value": 3}, {"key": "'BOS'", "value": 6})
    (source,) = boston["sources"]
    assert (source["first"], source["second"], source["only_first"]["count"]) == (3, 3, 0)
    assert [one["first"] for one in lexington["sources"]] == [1]
    assert lexington["missing"]["culprit"]["operator"] == "in"
    assert (luxemburg["first"], luxemburg["second"]) == (None, {"key": "'LUX'", "value": 2})
    assert output["notes"] == []


def test_elements_of_all_kinds_as_text_that_can_be_asked_for() -> None:
    values = [None, True, -3, 2.5, "it's", b"x", (), (1,), [1, (2, "a")], {"b": 1, "a": {3, 1}}]
    for value in values:
        assert is_literal(literal(value))
        assert ast.literal_eval(literal(value)) == value
    assert literal({"a": 1, "b": 2}) == literal({"b": 2, "a": 1})
    for odd in (float("nan"), set(), frozenset([1]), Path("x"), [Path("x")], "long" * 1000):
        assert not is_literal(literal(odd))
        assert literal(odd) == literal(odd)
    _, take, merge = tabled.kinds_of_all()
    kinds = [take((), element) for element in [(1, 2), (3, 2.5), 4, 2.5, "a", (1, "a"), (True, 1 << 70)]]
    assert kinds == [(0, 0), (0, 1), (0,), (1,), (2,), (0, 2), (2, 2)]
    assert (merge((0, 0), (0, 1)), merge((), (1,)), merge((0, 0), (0,))) == ((0, 1), (1,), (2,))
    assert tabled.row_of((1, 2))((3, None)) == (3.0, "None")


def test_without_spark_only_what_was_recorded(
    diff: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postmortem, "open_output", None)
    output = as_json(diff("before", "later", "--no-rows", "--json"))["outputs"][0]
    assert (output["operators_by"], output["rows"]) == ("code", None)
    assert [one["first"]["operator"] for one in output["operators"]] == ["where"]
    out = diff("old", "new", "--no-rows")
    assert "collect, report.py:8): 3 rows, then 1, other values" in out
    assert "operators: no difference, by their code" in out


def test_a_run_that_is_not_there(recorded: Recorded, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", "1999", "last", "--store", str(recorded.store)]) == 1
    assert "no run '1999'" in capsys.readouterr().err
    assert main(["diff", "last", "--store", str(recorded.store)]) == 2
    assert main(["diff", "last", "last", "--output", "9", "--store", str(recorded.store)]) == 1
    assert "has no output '9'" in capsys.readouterr().err
