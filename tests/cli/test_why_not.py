"""`bigdebug why-not` on a recorded run: the table with the culprit, what it dropped, and the JSON."""

import functools
import json
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


@pytest.fixture(scope="module")
def store(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a run of two outputs over two files."""
    folder = tmp_path_factory.mktemp("recorded")
    (folder / "flights.csv").write_text("carrier,dest,minutes\nAA,BOS,60\nB6,PSE,-5\nb6 ,LEX,90\nZZ,LEX,80\n")
    (folder / "airlines.csv").write_text("carrier,name\nAA,American\nB6,JetBlue\n")
    with bigdebug.attach(spark, store=str(folder / "store")):
        reader = spark.read.options(header=True, inferSchema=True)
        flights = reader.csv(str(folder / "flights.csv"))
        airlines = reader.csv(str(folder / "airlines.csv"))
        sane = flights.filter("minutes > 0")
        sane.groupBy("dest").agg(F.avg("minutes").alias("mean")).orderBy("dest").collect()
        sane.join(airlines, "carrier").select("dest", "name").collect()
    return folder / "store"


@pytest.fixture(autouse=True)
def in_the_same_spark(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command asks in the session of the tests: a second one in a process would stop that at its end."""
    monkeypatch.setattr(postmortem, "open_output", functools.partial(postmortem.open_output, spark=spark))
    monkeypatch.setenv("COLUMNS", "100")


def line_of(code: str) -> str:
    """Where some code stands in this file, as a label."""
    lines = Path(__file__).read_text().splitlines()
    return f"test_why_not.py:{next(i for i, line in enumerate(lines, 1) if line.strip().startswith(code))}"


def asked(store: Path, capsys: pytest.CaptureFixture[str], output: str, where: str, *more: str) -> Any:
    code = main(["why-not", "last", output, "--where", where, "--store", str(store), *more])
    printed = capsys.readouterr()
    return int(code), printed.out, printed.err


@pytest.mark.compat
def test_a_filter(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = asked(store, capsys, "1", "dest = 'PSE'")
    assert code == 0
    lines = out.splitlines()
    assert lines[0].startswith("no row of output 1 (collect, test_why_not.py:")
    assert lines[0].endswith(") where dest = 'PSE'")
    assert [line.split()[:1] + line.split()[2:4] for line in lines[4:6]] == [
        ["flights.csv", "1", "1"],
        ["→", line_of("sane ="), "1"],
    ]
    place = lines.index(f"Filter at {line_of('sane =')} dropped 1 row")
    assert [lines[place + i].split() for i in (1, 3)] == [
        ["dest", "minutes", "why"],
        ["PSE", "-5", "minutes", ">", "0", "is", "false"],
    ]
    assert err.splitlines()[-1].startswith("  bigdebug show ")
    assert err.splitlines()[-1].endswith("--graph")


def test_near_misses_of_a_key(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = asked(store, capsys, "2", "dest = 'LEX'")
    assert code == 0
    assert "no partner with carrier = 'b6 '; near: carrier = 'B6'" in out
    assert any(line.rstrip().endswith("no partner with carrier = 'ZZ'") for line in out.splitlines())


def test_no_such_record(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = asked(store, capsys, "1", "dest = 'pse'")
    assert "note: no record matches in flights.csv" in out
    place = out.splitlines().index(f"flights.csv at {line_of('flights =')} has no such record")
    near = "PSE dest = 'pse' but for case, blanks or type"
    assert out.splitlines()[place + 3].split() == near.split()


def test_nothing_is_missing(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, err = asked(store, capsys, "1", "dest = 'BOS'")
    assert out.startswith("1 row of output 1")
    assert "→" not in out
    assert err.splitlines()[-2] == "nothing is missing; where do these rows come from?"
    assert err.splitlines()[-1].endswith(f" 1 --store {store} --where \"dest = 'BOS'\"")


@pytest.mark.compat
def test_json(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, err = asked(store, capsys, "2", "dest = 'LEX' and name = 'x'", "--json")
    content = json.loads(out)
    jsonschema.validate(content, schema("why-not"))
    assert (content["output"], content["matched"], content["exact"], err) == (2, 0, True, "")
    # No airline is called x: that is why, whatever becomes of the flights.
    assert content["steps"][content["culprit"]]["operator"] == "airlines.csv"
    _, out, _ = asked(store, capsys, "1", "dest = 'BOS' and mean < 0", "--json")
    content = json.loads(out)
    jsonschema.validate(content, schema("why-not"))
    assert content["steps"][content["culprit"]]["operator"] == "Aggregate"
    assert [dropped["reasons"] for dropped in content["dropped"]] == [["mean < 0 is false"]]
    assert content["not_carried"][0].startswith("mean < 0 isn't told by the rows that enter Aggregate at ")


@pytest.mark.parametrize(
    ("where", "message"), [("dest =", "is not valid SQL"), ("city = 'PSE'", "the columns are: dest, mean")]
)
def test_what_is_refused(where: str, message: str, store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = asked(store, capsys, "1", where)
    assert (code, out) == (1, "")
    assert message in err
