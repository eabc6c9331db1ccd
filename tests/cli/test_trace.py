"""`bigdebug trace`: what is refused before Spark starts, and a whole trace in a process of its own."""

import csv
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import pexpect
import pytest
from pyspark.sql import SparkSession

from bigdebug.cli.main import main
from bigdebug.cli.schemas import schema
from bigdebug.lineage.output import Output
from bigdebug.lineage.store import Store
from tests.cli.asking import Answer, Asking

ROOT = Path(__file__).parents[2]


@pytest.fixture
def empty_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A run with one output that has no recipe."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BIGDEBUG_STORE", raising=False)
    writer = Store(".bigdebug").create_run()
    writer.output(Output(writer.run_id, 1, "collect", None, None, time.time(), status="done"))
    writer.close("done")
    return writer.run_id


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["last", "1"], 2, "--where"),
        (["last", "1", "--where", "true", "--limit", "-1"], 2, "--limit"),
        (["last", "1", "--where", "true", "--forward", "--windows"], 2, "backward traces"),
        (["last", "1", "--where", "true", "--forward", "--column", "k"], 2, "backward traces"),
        (["last", "1", "--where", "true", "-o", "records.txt"], 2, "must end in .parquet, .csv, .jsonl"),
        (["last", "1", "--where", "true", "-o", "no/such/records.csv"], 2, "there is no folder"),
        (["none", "1", "--where", "true"], 1, "no run 'none'"),
        (["last", "7", "--where", "true"], 1, "has no output '7'"),
        (["last", "1", "--where", "true", "--store", "nowhere"], 3, "no store nowhere"),
    ],
)
def test_what_is_refused_at_once(
    arguments: list[str], code: int, message: str, empty_output: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["trace", *arguments]) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert message in printed.err
    assert "hint: " in printed.err


SLOW = """
import sys, time
from bigdebug.cli.rendering import stage
with stage("Thinking hard"):
    time.sleep(float(sys.argv[1]))
print("over")
"""

ASK = """
from bigdebug.cli.replaying import ask_if_large
from bigdebug.lineage.postmortem import Estimate
ask_if_large("The trace", Estimate(24_000_000_000, 185.0))
print("going on")
"""


def on_a_terminal(program: str, *arguments: str) -> pexpect.spawn:
    return pexpect.spawn(
        sys.executable,
        ["-c", program, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm"},
        encoding="utf-8",
        timeout=30,
    )


def test_a_terminal_is_told_what_takes_over_a_second() -> None:
    slow = on_a_terminal(SLOW, "2.5")
    slow.expect("Thinking hard")
    slow.expect("over")
    quick = on_a_terminal(SLOW, "0.1")
    quick.expect(pexpect.EOF)
    assert "Thinking" not in quick.before
    piped = subprocess.run(
        [sys.executable, "-c", SLOW, "1.5"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (piped.stdout, piped.stderr) == ("over\n", "")


@pytest.mark.parametrize(
    ("answer", "follows"), [("y", "going on"), ("", "going on"), ("n", "nothing was asked")]
)
def test_a_terminal_is_asked_before_a_large_question(answer: str, follows: str) -> None:
    terminal = on_a_terminal(ASK)
    terminal.expect("reads 24 GB and takes about 3 min 05 s")
    terminal.expect("Go on")
    terminal.sendline(answer)
    terminal.expect(follows)


SCRIPT = """
import os, time
from pyspark.sql import SparkSession, functions as F

spark = (
    SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    .config("spark.sql.shuffle.partitions", "2").getOrCreate()
)
flights = spark.read.csv("flights.csv", header=True, inferSchema=True)
airlines = spark.read.json("airlines.json")
means = (
    flights.join(airlines, "carrier")
    .groupBy("dest")
    .agg(F.avg("minutes").alias("mean"), F.count("*").alias("flights"))
)
means.orderBy("dest").collect()
means.write.parquet("out/means.parquet")

hindrance = os.path.abspath("slow")

@F.udf("boolean")
def plausible(minutes):
    if os.path.exists(hindrance):
        open(hindrance + "-begun", "w").close()
        time.sleep(120)
    return minutes >= 0

flights.filter(plausible("minutes")).count()
flights.join(airlines, "carrier", "left_semi").filter("minutes < 3").collect()
"""

PSE = ("--where", "dest = 'PSE'")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data, a script, and the run it left in the store."""
    folder = tmp_path_factory.mktemp("recorded")
    with (folder / "flights.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["carrier", "dest", "minutes", "tail"])
        for number in range(60):
            writer.writerow(
                [["AA", "B6"][number % 2], ["PSE", "BOS", "SFO"][number % 3], number, f"N{number}"]
            )
    airlines = [{"carrier": carrier, "name": f"{carrier} Inc."} for carrier in ("AA", "B6", "XX")]
    (folder / "airlines.json").write_text("".join(json.dumps(airline) + "\n" for airline in airlines))
    (folder / "means.py").write_text(SCRIPT)
    ran = python(folder, "-m", "bigdebug", "run", "means.py")
    assert ran.returncode == 0, ran.stderr
    return folder


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("BIGDEBUG_STORE", "COLUMNS")}
    return {**kept, "PYTHONPATH": str(ROOT)}


@pytest.fixture(scope="module")
def answers(spark: SparkSession, recorded: Path) -> dict[str, Answer]:
    """What several command lines gave."""
    lines = {
        "person": ["last", "out/means.parquet", *PSE, "--source", "flights", "--limit", "3"],
        "nothing": ["last", "2", "--where", "dest = 'nowhere'"],
        "nothing as json": ["last", "2", "--where", "dest = 'nowhere'", "--json"],
        "no sql": ["last", "1", "--where", "dest ="],
        "no column": ["last", "1", "--where", "destination = 'PSE'"],
        "no source": ["last", "1", *PSE, "--source", "planes"],
        "dry run": ["last", "1", *PSE, "--dry-run", "--json"],
        "counts": ["last", "1", *PSE, "--json", "--limit", "0"],
        "to a file": ["last", "1", *PSE, "--source", "flights", "--limit", "2", "-o", "flights.jsonl"],
        "to one file": ["last", "1", *PSE, "--json", "-o", "all.csv"],
        "nothing to a file": ["last", "2", "--where", "dest = 'nowhere'", "-o", "nothing.csv"],
        "rows of operators": ["show", "last", "--rows"],
        "rows of operators as json": ["show", "last", "--rows", "--json"],
        "looked up": ["last", "4", "--where", "minutes = 1", "--influence", "--windows", "--json"],
        "forward": ["last", "1", "--forward", "--where", "tail = 'N4'"],
        "forward as json": ["last", "2", "--forward", "--source", "airlines", "--where", "true", "--json"],
        "forward from nothing": ["last", "1", "--forward", "--where", "name = 'ZZ Inc.'"],
        "forward from where": ["last", "1", "--forward", "--where", "carrier = 'AA'"],
        "of a column": ["last", "1", *PSE, "--column", "FLIGHTS", "--json"],
        "of a column, shown": ["last", "1", *PSE, "--column", "mean"],
        "of no column": ["last", "1", *PSE, "--column", "flight"],
        "changed": ["last", "1", *PSE],
        "allowed": ["last", "1", *PSE, "--json", "--allow-changed"],
    }
    flights = recorded / "flights.csv"
    before, stood = flights.read_bytes(), flights.stat()
    asking, found = Asking(spark, recorded), {}
    try:
        for name, line in lines.items():
            if name == "changed":
                with flights.open("a") as file:
                    file.write("AA,PSE,100,N100\n")
            found[name] = asking(*line) if line[0] == "show" else asking("trace", *line)
    finally:
        flights.write_bytes(before)
        os.utime(flights, ns=(stood.st_atime_ns, stood.st_mtime_ns))
    return found


def test_a_trace_the_next_morning(recorded: Path) -> None:
    asked = python(recorded, "-m", "bigdebug", "trace", "last", "1", *PSE, "--json")
    assert (asked.returncode, asked.stderr) == (0, "")
    content = json.loads(asked.stdout)
    jsonschema.validate(content, schema("trace"))
    assert (content["output"], content["where"], content["matched"]) == (1, "dest = 'PSE'", 1)
    sources = {source["name"]: source for source in content["sources"]}
    flights = sources["flights.csv"]
    assert flights["count"] == 20
    assert flights["kind"] == "csv"
    assert flights["files"] == [str(recorded / "flights.csv")]
    with (recorded / "flights.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [record["position"] for record in flights["records"]] == list(range(0, 60, 3))
    for record in flights["records"]:
        expected = rows[record["position"]]
        assert record["file"] == str(recorded / "flights.csv")
        assert {name: str(value) for name, value in record["value"].items()} == expected
    assert [record["position"] for record in sources["airlines.json"]["records"]] == [0, 1]
    used = {name: (source["columns"], source["deciding_columns"]) for name, source in sources.items()}
    assert used == {"flights.csv": (["dest", "minutes"], ["carrier"]), "airlines.json": ([], ["carrier"])}


def test_what_one_column_rests_on(answers: dict[str, Answer]) -> None:
    content = json.loads(answers["of a column"].out)
    jsonschema.validate(content, schema("trace"))
    used = {one["name"]: (one["columns"], one["deciding_columns"]) for one in content["sources"]}
    assert used == {"flights.csv": ([], ["carrier", "dest"]), "airlines.json": ([], ["carrier"])}
    shown = answers["of a column, shown"].out.splitlines()
    assert shown[-1] == "● its values reached mean   ○ it only decided which records took part"


def test_what_was_looked_up(answers: dict[str, Answer]) -> None:
    content = json.loads(answers["looked up"].out)
    jsonschema.validate(content, schema("trace"))
    flights, airlines = content["sources"]
    assert [record["value"]["minutes"] for record in flights["records"]] == [1]
    assert [record["value"]["carrier"] for record in airlines["records"]] == ["B6"]


def test_a_trace_for_a_person(answers: dict[str, Answer]) -> None:
    answer = answers["person"]
    assert (answer.code, answer.err) == (0, "")
    lines = answer.out.splitlines()
    assert lines[0].startswith("1 row of output 2 (out/means.parquet, means.py:")
    assert "flights.csv: 20 records, the first 3 shown (more with --limit)" in lines
    assert "airlines.json" not in answer.out
    assert [line.split() for line in lines[-7:-2]] == [
        ["○", "●", "●"],
        [lines[-6]],
        ["0", "AA", "PSE", "0", "N0"],
        ["3", "B6", "PSE", "3", "N3"],
        ["6", "AA", "PSE", "6", "N6"],
    ]
    assert lines[-1] == "● its values reached the row   ○ it only decided which records took part"


def test_nothing_matches(answers: dict[str, Answer]) -> None:
    answer = answers["nothing"]
    assert (answer.code, answer.out) == (0, "")
    assert answer.err == "No row of output 2 matches: dest = 'nowhere'\n"
    content = json.loads(answers["nothing as json"].out)
    jsonschema.validate(content, schema("trace"))
    assert content["matched"] == 0
    assert sum(source["count"] for source in content["sources"]) == 0


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ("no sql", "dest ="),
        ("no column", "destination"),
        ("of no column", "did you mean flights?"),
        ("no source", "flights.csv, airlines.json"),
    ],
)
def test_a_question_that_cannot_be_answered(question: str, message: str, answers: dict[str, Answer]) -> None:
    answer = answers[question]
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.startswith("error: ")
    assert message in answer.err
    assert "Traceback" not in answer.err


def test_a_dry_run_says_what_it_would_read(recorded: Path, answers: dict[str, Answer]) -> None:
    content = json.loads(answers["dry run"].out)
    jsonschema.validate(content, schema("trace-dry-run"))
    files = [recorded / "flights.csv", recorded / "airlines.json"]
    assert content["bytes"] == sum(file.stat().st_size for file in files)


def test_counts_alone(answers: dict[str, Answer]) -> None:
    content = json.loads(answers["counts"].out)
    assert [(source["count"], source["records"]) for source in content["sources"]] == [(20, []), (2, [])]


def test_all_records_go_to_a_file(answers: dict[str, Answer], recorded: Path) -> None:
    answer = answers["to a file"]
    assert answer.code == 0
    assert "flights.csv: 20 records, the first 2 shown" in answer.out
    assert answer.err.startswith("\nwrote 20 records of flights.csv to flights.jsonl: ")
    written = [json.loads(line) for line in (recorded / "flights.jsonl").read_text().splitlines()]
    assert [row["minutes"] for row in written] == list(range(0, 60, 3))
    place = {"file": str(recorded / "flights.csv"), "position": 3, "partition": None}
    assert written[1] == {"carrier": "B6", "dest": "PSE", "minutes": 3, "tail": "N3", "_record": place}
    refused = answers["to one file"]
    assert (refused.code, refused.out) == (1, "")
    assert "--source: flights.csv, airlines.json" in refused.err
    assert answers["nothing to a file"].code == 0
    assert not {path.name for path in recorded.iterdir()} & {"all.csv", "nothing.csv"}
    assert not list(recorded.glob(".flights*"))


def test_rows_of_each_operator(answers: dict[str, Answer]) -> None:
    answer = answers["rows of operators"]
    assert (answer.code, "counted" in answer.err) == (0, False), answer.err
    drawn = [line.split() for line in answer.out.splitlines()]
    for operator, rows in (("groupBy.agg", "3"), ("orderBy", "3"), ("join", "60"), ("read.csv", "60")):
        assert any(
            operator in line and line[line.index("rows") - 1] == rows for line in drawn if "rows" in line
        )
    assert answers["rows of operators as json"].err == ""
    content = json.loads(answers["rows of operators as json"].out)
    jsonschema.validate(content, schema("show"))
    names = {node["id"]: node["operator"] for node in content["operators"]}
    counted = [
        {names[int(n)]: c for n, c in output["operator_rows"].items()} for output in content["outputs"]
    ]
    assert counted[0] == {"read.csv": 60, "read.json": 3, "join": 60, "groupBy.agg": 3, "orderBy": 3}
    assert (counted[2], counted[3]["filter"]) == ({"read.csv": 60, "filter": 60}, 3)


def test_forward(answers: dict[str, Answer]) -> None:
    answer = answers["forward"]
    assert (answer.code, answer.err) == (0, "")
    lines = answer.out.splitlines()
    assert lines[0] == "1 record of flights.csv where tail = 'N4'"
    assert "output 1: 1 row" in lines
    assert lines[-1].split() == ["BOS", "29.5", "20"]
    content = json.loads(answers["forward as json"].out)
    jsonschema.validate(content, schema("trace"))
    assert content["matched"] == 3
    (reached,) = content["sources"]
    assert (reached["name"], reached["kind"], reached["count"]) == ("output 2", "output", 3)
    assert (reached["columns"], reached["deciding_columns"]) == ([], [])
    assert sorted(row["value"]["dest"] for row in reached["records"]) == ["BOS", "PSE", "SFO"]


def test_forward_from_what_is_not_told(answers: dict[str, Answer]) -> None:
    assert answers["forward from nothing"].err == "No record of airlines.json matches: name = 'ZZ Inc.'\n"
    answer = answers["forward from where"]
    assert (answer.code, answer.out) == (1, "")
    assert "--source: flights.csv, airlines.json" in answer.err


def test_a_source_that_changed_is_told_and_can_be_allowed(answers: dict[str, Answer]) -> None:
    changed = answers["changed"]
    assert (changed.code, changed.out) == (1, "")
    assert "flights.csv" in changed.err
    assert "--allow-changed" in changed.err
    assert answers["allowed"].code == 0, answers["allowed"].err
    content = json.loads(answers["allowed"].out)
    assert content["exact"] is False
    assert "flights.csv" in " ".join(content["notes"])


def test_an_output_without_a_recipe(empty_output: str, tmp_path: Path) -> None:
    asked = python(tmp_path, "-m", "bigdebug", "trace", "last", "1", "--where", "true")
    assert asked.returncode == 1
    assert f"output 1 of the run {empty_output} has no recipe" in asked.stderr
    assert "hint: " in asked.stderr


def test_an_interrupt_cancels_its_jobs(recorded: Path) -> None:
    (recorded / "slow").touch()
    terminal = pexpect.spawn(
        sys.executable,
        ["-m", "bigdebug", "trace", "last", "3", "--where", "true"],
        cwd=str(recorded),
        env={**environment(), "TERM": "xterm"},
        encoding="utf-8",
        timeout=120,
    )
    try:
        terminal.expect("Finding the rows|Tracing them back")
        until = time.monotonic() + 60
        while not (recorded / "slow-begun").exists() and time.monotonic() < until:
            time.sleep(0.05)
        interrupted = time.monotonic()
        terminal.sendintr()
        terminal.expect(pexpect.EOF)
        terminal.close()
    finally:
        (recorded / "slow").unlink()
    assert terminal.exitstatus == 130, terminal.before
    assert time.monotonic() - interrupted < 60
