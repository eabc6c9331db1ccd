"""`bigdebug isolate` on a recorded run: the screen, the JSON, and what is refused."""

import functools
import json
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

import bigdebug
from bigdebug.cli import isolate
from bigdebug.cli.main import main
from bigdebug.cli.schemas import schema
from bigdebug.isolation import isolating
from bigdebug.isolation.isolating import Progress
from bigdebug.lineage import postmortem
from bigdebug.lineage.errors import BigDebugError

FLIGHTS = [("AA", "BOS", 60), ("B6", "BOS", -900), ("B6", "PSE", -5), ("AA", "PSE", 30), ("B6", "PSE", -50)]


@pytest.fixture(scope="module")
def folder(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of three outputs: means of a file's records by destination, an RDD, and a count."""
    folder = tmp_path_factory.mktemp("recorded")
    lines = ["carrier,dest,minutes", *(",".join(map(str, flight)) for flight in FLIGHTS), "AA,LEX,90", ""]
    (folder / "flights.csv").write_text("\n".join(lines))
    with bigdebug.attach(spark, store=str(folder / "store")):
        flights = spark.read.csv(str(folder / "flights.csv"), header=True, inferSchema=True)
        flights.groupBy("dest").agg(F.avg("minutes").alias("mean")).collect()
        spark.sparkContext.parallelize([1, 2], 1).map(str).collect()
        flights.agg(F.count("*").alias("n")).collect()
        late = F.when(F.col("minutes") < 0, F.col("minutes") * 100).otherwise(F.col("minutes"))
        flights.agg(F.sum(late).alias("total")).collect()
    return folder


@pytest.fixture(autouse=True)
def in_the_same_spark(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command asks in the session of the tests: a second one in a process would stop that at its end."""
    monkeypatch.setattr(postmortem, "open_output", functools.partial(postmortem.open_output, spark=spark))
    monkeypatch.setenv("COLUMNS", "80")


def asked(folder: Path, capsys: pytest.CaptureFixture[str], output: str, failing: str, *more: str) -> Any:
    code = main(["isolate", "last", output, "--failing", failing, "--store", str(folder / "store"), *more])
    printed = capsys.readouterr()
    return int(code), printed.out, printed.err


def positions(records: dict[str, Any]) -> list[int]:
    return [each["position"] for each in records["records"]]


@pytest.mark.compat
def test_the_screen_names_the_row_the_culprits_and_what_is_known_of_them(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = asked(folder, capsys, "1", "dest = 'PSE' and mean < 0")
    assert code == 0
    lines = [line.rstrip() for line in out.splitlines()]
    assert lines[0].startswith("1 row of output 1 (collect, test_isolate.py:")
    assert lines[0].endswith(") fails: dest = 'PSE' and mean < 0")
    assert lines[2].split() == ["dest", "mean"]
    assert lines[4].split()[0] == "PSE"
    place = lines.index("1 culprit of 3 candidates")
    assert lines[place + 1] == "without it the row passes; put it back and it fails again"
    assert lines[place + 3 : place + 5] == ["flights.csv: 1 record", str(folder / "flights.csv")]
    assert lines[place + 5].split() == ["position", "carrier", "dest", "minutes"]
    assert lines[place + 7].split() == ["4", "B6", "PSE", "-50"]
    place = lines.index("reproduction with the same record")
    assert lines[place + 1] == "it alone makes the row fail"
    assert " replays in " in lines[-1]
    assert err.splitlines()[-2] == "all records behind the failing row:"
    assert err.splitlines()[-1].endswith(f" --store {folder / 'store'} --where \"dest = 'PSE' and mean < 0\"")


def test_the_json_has_an_answer_for_each_failing_row(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = asked(folder, capsys, "1", "mean < 0", "--json")
    content = json.loads(out)
    jsonschema.validate(content, schema("isolate"))
    assert (code, content["output"], content["matched"], content["exact"]) == (0, 1, 2, True)
    assert (content["notes"], err) == ([], "")
    rows = {row["value"]["dest"]: row for row in content["rows"]}
    found = {
        dest: (row["candidates"], positions(row["culprits"]), positions(row["reproduction"]))
        for dest, row in rows.items()
    }
    assert found == {"BOS": (2, [1], [1]), "PSE": (3, [4], [4])}
    assert content["culprits"]["proof"] == content["reproduction"]["proof"] == "1-minimal"
    assert positions(content["culprits"]) == [1, 4]
    assert content["culprits"]["records"][0] == {
        "source": "flights.csv",
        "file": str(folder / "flights.csv"),
        "position": 1,
        "partition": None,
        "value": {"carrier": "B6", "dest": "BOS", "minutes": -900},
        "influence": -480.0,
    }
    assert (
        content["replays"] == 2
    )  # of the rows together: with all culprits gone, and of the reproduction alone
    assert content["jobs"] >= 2


def test_out_of_time_there_is_what_is_known_by_then(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = asked(folder, capsys, "1", "dest = 'PSE' and mean < 0", "--budget", "0", "--limit", "1")
    assert code == 0
    assert "note: the search was stopped before its end: fewer records may do" in out
    assert "no culprits of 3 candidates\nno removal that makes the row pass was found\n" in out
    assert "reproduction with 3 records\nthese alone make the row fail; fewer may do\n" in out
    assert "flights.csv: 3 records, the first 1 shown (more with --limit)" in out


def test_the_screen_and_the_json_tell_what_the_culprits_share(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, _ = asked(folder, capsys, "1", "mean < 0")
    lines = out.splitlines()
    place = lines.index("what the culprits share")
    assert lines[place + 1] == "minutes <= -50: 2 of 2 culprits, 0 of 3 others"
    _, out, _ = asked(folder, capsys, "1", "mean < 0", "--json")
    content = json.loads(out)
    jsonschema.validate(content, schema("isolate"))
    assert content["explanation"][0] == {
        "pattern": "minutes <= -50",
        "source": "flights.csv",
        "condition": "minutes <= -50",
        "culprits": 2,
        "of_culprits": 2,
        "others": 0,
        "of_others": 3,
    }


def test_the_screen_and_the_json_tell_which_branches_to_suspect(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, _ = asked(folder, capsys, "4", "total < -50000")
    lines = out.splitlines()
    place = lines.index("operators to suspect, by score")
    assert lines[place + 1].startswith("0.58  agg at test_isolate.py:")
    assert lines[place + 1].endswith(": WHEN minutes < 0 THEN minutes * 100")
    assert lines[place + 2] == "      taken by 1 of 1 culprit, 2 of 5 others"
    _, out, _ = asked(folder, capsys, "4", "total < -50000", "--json")
    content = json.loads(out)
    jsonschema.validate(content, schema("isolate"))
    (suspect,) = content["operators"]
    assert (suspect["score"], suspect["culprits"], suspect["others"]) == (0.5774, 1, 2)
    assert suspect["call_site"]["file"] == __file__


def test_an_answer_is_kept_where_its_explanation_fails(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: Any) -> None:
        raise BigDebugError("a file has gone")

    monkeypatch.setattr(isolating, "explain", failing)
    code, out, err = asked(folder, capsys, "1", "dest = 'BOS' and mean < 0")
    assert code == 0
    assert "1 culprit of 2 candidates" in out
    assert err.startswith("What the culprits share can't be told: a file has gone")


def test_a_test_is_written_on_request(
    folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "test_flights.py"
    code, _, err = asked(folder, capsys, "1", "dest = 'BOS' and mean < 0", "--pytest", str(file))
    assert code == 0
    assert err.splitlines()[-2:] == ["a test of the smallest failing input:", f"  pytest {file}"]
    text = file.read_text()
    assert '("B6", "BOS", -900)' in text
    assert json.dumps(str(folder / "store")) in text
    file.unlink()
    code, _, err = asked(folder, capsys, "1", "mean < -5000", "--pytest", str(file))
    assert (code, err) == (0, "No row of output 1 fails: mean < -5000\n")
    assert not file.exists()


@pytest.mark.proof("a reproduction that is not listed a second time")
def test_a_reproduction_of_the_culprits_is_not_listed_again(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, _ = asked(folder, capsys, "1", "dest = 'BOS' and mean < 0")
    assert "\nreproduction with the same record\nit alone makes the row fail\n" in out
    assert out.count("flights.csv: 1 record") == 1


def test_a_reproduction_has_records_of_its_own(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = asked(folder, capsys, "3", "n > 4")
    assert "\n2 culprits of 6 candidates\n" in out
    assert "\nreproduction with 5 records\nthese alone make the row fail" in out


def test_a_row_that_never_passes_is_said_to_vanish(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = asked(folder, capsys, "1", "dest = 'LEX'")
    assert "\nwithout it the row isn't there; put it back and it fails again\n" in out
    assert (
        "\nnote: no removal that was tried makes the row pass; without the culprits it isn't there\n" in out
    )


def test_a_row_that_needs_no_records_has_no_culprits(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, _ = asked(folder, capsys, "3", "n < 50")
    assert "\nno culprits of 6 candidates\nnote: the row fails without any of the records it comes" in out
    assert "reproduction" not in out


def test_no_row_fails(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert asked(folder, capsys, "1", "mean < -5000") == (0, "", "No row of output 1 fails: mean < -5000\n")
    code, out, _ = asked(folder, capsys, "1", "mean < -5000", "--json")
    content = json.loads(out)
    jsonschema.validate(content, schema("isolate"))
    nothing = {"proof": "none", "count": 0, "records": []}
    assert (code, content["matched"], content["rows"]) == (0, 0, [])
    assert content["culprits"] == content["reproduction"] == nothing


@pytest.mark.parametrize(
    ("output", "failing", "message"),
    [
        ("1", "mean <", "failing='mean <' is not valid SQL"),
        ("1", "median < 0", "the columns are: dest, mean"),
        ("1", "mean", "is not a boolean"),
        ("2", "x = '1'", "is no expression in Python (invalid syntax"),
    ],
)
def test_what_is_refused(
    output: str, failing: str, message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = asked(folder, capsys, output, failing)
    assert (code, out) == (1, "")
    assert message in err


def test_a_source_that_changed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, kept = folder / "flights.csv", folder / "kept"
    shutil.copy2(file, kept)
    try:
        with file.open("a") as flights:
            flights.write("B6,LEX,-999\n")
        code, out, err = asked(folder, capsys, "1", "dest = 'LEX' and mean < 0")
        assert (code, out) == (1, "")
        assert "--allow-changed" in err
        code, out, _ = asked(folder, capsys, "1", "dest = 'LEX' and mean < 0", "--allow-changed", "--json")
        content = json.loads(out)
        jsonschema.validate(content, schema("isolate"))
        assert (code, content["exact"], positions(content["culprits"])) == (0, False, [6])
        assert content["notes"]
    finally:
        shutil.move(kept, file)


def test_a_budget_is_a_number_of_seconds_or_of_replays(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for wrong in ("-1", "2.5 replays", "soon"):
        code, _, err = asked(folder, capsys, "1", "mean < 0", "--budget", wrong)
        assert code == 2
        assert "--budget" in err
    code, out, _ = asked(folder, capsys, "1", "dest = 'PSE' and mean < 0", "--budget", "0 replays")
    assert code == 0
    assert "note: the search was stopped before its end: fewer records may do" in out


def test_it_says_how_far_it_is() -> None:
    told = isolate._told(Progress(rows=1, candidates=2_757, left=1, replays=1, seconds=29.0))
    assert told == "Trying parts of 2,757 candidates: 1 left after 1 replay, 29 s"


def test_groups_that_hold_too_much_are_named_with_the_threshold(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ["--skew", "--factor", "1.2", "--store", str(folder / "store")]
    assert main(["isolate", "last", "1", *more, "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    jsonschema.validate(content, schema("isolate"))
    assert content["failing"] == "more than 1.2 times the median of records"
    assert [row["value"]["dest"] for row in content["rows"]] == ["PSE"]
    assert content["culprits"]["count"] == 1
    assert content["notes"] == ["2.4 records are too much for a group: 1.2 times the median of 3 groups, 2"]


@pytest.mark.proof("the screen that names groups that hold too much")
def test_the_screen_names_groups_that_hold_too_much(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    more = ["--skew", "--factor", "1.2", "--store", str(folder / "store")]
    assert main(["isolate", "last", "1", *more]) == 0
    printed = capsys.readouterr()
    assert "it holds 3 records, 50.0 % of all; without the culprits 2 records" in printed.out
    assert "--where" not in printed.err
    assert main(["isolate", "last", "1", "--skew", "--store", str(folder / "store")]) == 0
    assert "No row of output 1 fails: more than 5 times the median of records" in capsys.readouterr().err


def test_what_is_wrong_has_to_be_said_in_one_way(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = ["--store", str(folder / "store")]
    assert main(["isolate", "last", "1", *store]) == 2
    assert main(["isolate", "last", "1", "--skew", "--failing", "mean < 0", *store]) == 2
    assert main(["isolate", "last", "1", "--failing", "mean < 0", "--by", "bytes", *store]) == 2
    assert main(["isolate", "last", "2", "--skew", *store]) == 1
    assert "doesn't give the groups of one grouping operator" in capsys.readouterr().err
