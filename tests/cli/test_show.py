"""`bigdebug show`: outputs, operators, the graph, and the next command to type."""

import json
import os
import time
from pathlib import Path

import jsonschema
import pytest

from bigdebug.cli.graph_view import draw_graph
from bigdebug.cli.main import main
from bigdebug.cli.schemas import schema
from bigdebug.lineage.callsite import CallSite
from bigdebug.lineage.dataflow import Node
from bigdebug.lineage.output import Output
from bigdebug.lineage.store import RunWriter, Store


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BIGDEBUG_STORE", raising=False)
    monkeypatch.delenv("COLUMNS", raising=False)


def at(line: int, text: str = "") -> CallSite:
    return CallSite("/home/me/report.py", line, text)


NODES = [
    Node(1, "read.csv", at(10, 'spark.read.csv("in/flights.csv")'), paths=("in/flights.csv",)),
    Node(2, "withColumn", at(11), (1,)),
    Node(3, "read.parquet", at(12), paths=("in/airlines.parquet",)),
    Node(4, "join", at(13), (2, 3)),
    Node(5, "groupBy.agg", at(14, "joined\n.groupBy('dest')"), (4,)),
    Node(6, "union", at(15), (5, 5)),
]


def record(store: str = ".bigdebug") -> RunWriter:
    writer = Store(store).create_run(
        name="nightly", argv=["report.py", "--to", "a b"], redact=["ssn"], versions={"pyspark": "4.3.0"}
    )
    for node in NODES:
        writer.node(node)
    first = Output(writer.run_id, 1, "collect", 5, at(30), time.time(), status="done", seconds=3.2)
    writer.output(first.updated(rows=1113, recipe="stored"))
    writer.output(first.updated(number=2, action="write.parquet", target="out/x", recipe="stored"))
    writer.output(
        first.updated(
            number=3,
            action="count",
            node=6,
            status="failed",
            error="ValueError: bad",
            recipe="unavailable",
            recipe_problem="a reason",
        )
    )
    return writer


def test_which_outputs_are_indexed(capsys: pytest.CaptureFixture[str]) -> None:
    writer = record()
    writer.close("done")
    Path(".bigdebug", writer.run_id, "lineage").mkdir()
    Path(".bigdebug", writer.run_id, "lineage", "2.json").write_text("{}")
    assert main(["show", "last"]) == 0
    lines = capsys.readouterr().out.splitlines()
    (head,) = [line for line in lines if line.startswith("output  action")]
    rows = {
        line.split()[0]: line[head.index("index") :].strip()
        for line in lines
        if line[:6].strip() in ("1", "2", "3")
    }
    assert {number: rows[number] for number in "123"} == {"1": "", "2": "yes", "3": ""}
    assert main(["show", "last", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    jsonschema.validate(content, schema("show"))
    assert [output["indexed"] for output in content["outputs"]] == [False, True, False]


def test_show(capsys: pytest.CaptureFixture[str]) -> None:
    writer = record()
    writer.close("failed")
    assert main(["show", "last"]) == 0
    printed = capsys.readouterr()
    for part in (
        f"run      {writer.run_id}",
        "script   report.py --to 'a b'",
        "status   failed",
        "with     pyspark 4.3.0",
        "redacted ssn",
        "output 3 failed: ValueError: bad",
        "output 3 has no recipe: a reason",
    ):
        assert part in printed.out.splitlines()
    table = [line.split() for line in printed.out.splitlines()]
    assert ["1", "collect", "report.py:30", "1,113", "3.2", "s", "done", "yes"] in table
    assert ["2", "write.parquet", "out/x", "report.py:30", "3.2", "s", "done", "yes"] in table
    assert ["3", "count", "report.py:30", "3.2", "s", "failed", "none"] in table
    assert ["4", "join", "2,", "3", "report.py:13"] in table
    assert "spark.read.csv" in printed.out
    assert printed.err.splitlines()[-1] == f"  bigdebug trace {writer.run_id} 2 --where '…'"


def test_80_columns_hold_it_and_cut_nothing_but_the_code(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    record().close("done")
    monkeypatch.setenv("COLUMNS", "80")
    main(["show", "last"])
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    assert "…" not in out
    for word in ("in/airlines.parquet", "groupBy.agg", "report.py:15", "write.parquet", "out/x"):
        assert word in out


def test_the_next_command_reaches_the_same_store(capsys: pytest.CaptureFixture[str]) -> None:
    writer = record("my runs")
    writer.close("done")
    main(["show", "last", "--store", "my runs"])
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == f"  bigdebug trace {writer.run_id} 2 --store 'my runs' --where '…'"


def test_show_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    writer = record()
    writer.close("done")
    assert main(["show", "last", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    jsonschema.validate(content, schema("show"))
    assert [output["number"] for output in content["outputs"]] == [1, 2, 3]
    assert content["outputs"][0]["call_site"] == {
        "file": "/home/me/report.py",
        "line": 30,
        "text": "",
        "function": "<module>",
    }
    assert [operator["parents"] for operator in content["operators"]] == [[], [1], [], [2, 3], [4], [5, 5]]
    assert content["versions"] == {"pyspark": "4.3.0"}


def test_the_graph_goes_from_the_output_down_to_its_sources(capsys: pytest.CaptureFixture[str]) -> None:
    record().close("done")
    assert main(["show", "last", "--graph"]) == 0
    out = capsys.readouterr().out
    assert (
        """
output 1: collect  report.py:30
○ 5 groupBy.agg                         report.py:14
○ 4 join                                report.py:13
├─● 3 read.parquet in/airlines.parquet  report.py:12
○ 2 withColumn                          report.py:11
● 1 read.csv in/flights.csv             report.py:10
"""
        in out
    )
    assert "├─○ 5 groupBy.agg" in out
    assert "↑ 5 groupBy.agg (above)" in out


def test_a_deep_dataflow_stays_at_the_margin() -> None:
    nodes = {0: Node(0, "range", None)}
    nodes |= {depth: Node(depth, "join", None, (depth - 1, 0)) for depth in range(1, 5000)}
    drawn = draw_graph(nodes, 4999)
    assert max(len(line.rails) for line in drawn) == 4
    assert len(drawn) == 2 * 5000 - 1


def test_an_operator_that_was_forgotten() -> None:
    drawn = draw_graph({2: Node(2, "filter", None, (1,))}, 2)
    assert [line.text for line in drawn] == ["2 filter", "1 (not recorded)"]


def test_a_run_that_is_still_going_or_was_killed(capsys: pytest.CaptureFixture[str]) -> None:
    writer = Store(".bigdebug").create_run()
    writer.output(Output(writer.run_id, 1, "collect", None, None, time.time()))
    main(["show", "last"])
    printed = capsys.readouterr()
    assert "still running" in printed.out
    assert printed.err.splitlines()[-1] == f"  bigdebug show {writer.run_id}"
    head = Path(".bigdebug") / writer.run_id / "run.json"
    head.write_text(head.read_text().replace(f'"pid": {os.getpid()}', '"pid": 4194304'))
    main(["show", "last"])
    printed = capsys.readouterr()
    assert "lost: its process was killed" in printed.out
    assert ["1", "collect", "-", "lost", "none"] in [line.split() for line in printed.out.splitlines()]
    assert printed.err.splitlines()[-1] == "  bigdebug run script.py"


def test_a_broken_run_is_shown_as_such(capsys: pytest.CaptureFixture[str]) -> None:
    writer = record()
    writer.close("done")
    (Path(".bigdebug") / writer.run_id / "events.jsonl").unlink()
    assert main(["show", "last"]) == 0
    printed = capsys.readouterr()
    assert f"{writer.run_id} is broken: the event log is missing" in printed.err
    (Path(".bigdebug") / writer.run_id / "run.json").write_text("{")
    assert main(["show", "last"]) == 0
    printed = capsys.readouterr()
    assert ["status", "broken"] in [line.split() for line in printed.out.splitlines()]


def test_an_unknown_run(capsys: pytest.CaptureFixture[str]) -> None:
    writer = record()
    writer.close("done")
    assert main(["show", "2025"]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.splitlines() == [
        "error: no run '2025' in .bigdebug",
        f"hint: there are: {writer.run_id}, or last",
    ]
