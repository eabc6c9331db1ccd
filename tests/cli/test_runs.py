"""`bigdebug runs`, `rm` and `prune`: what is in a store, and tidying it up."""

import json
import os
import re
import sys
import time
from pathlib import Path

import jsonschema
import pexpect
import pytest

from bigdebug.cli.main import main
from bigdebug.cli.schemas import schema
from bigdebug.lineage.output import Output
from bigdebug.lineage.store import Store
from bigdebug.wording.quantities import duration, moment, size

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BIGDEBUG_STORE", raising=False)
    monkeypatch.delenv("COLUMNS", raising=False)


def a_run(name: str | None = None, status: str | None = "done", failed: int = 0, **head: object) -> str:
    writer = Store(".bigdebug").create_run(name=name, **head)
    for number in range(1, 4):
        state = "failed" if number <= failed else "done"
        writer.output(Output(writer.run_id, number, "collect", None, None, time.time(), status=state))
    if status:
        writer.close(status)
    return writer.run_id


def lines(text: str) -> list[list[str]]:
    return [re.split(r" {2,}", line.strip()) for line in text.splitlines()]


def test_runs_are_listed_newest_first(capsys: pytest.CaptureFixture[str]) -> None:
    ids = [a_run("nightly"), a_run(None, "failed", 1, argv=["/x/etl.py", "--day"]), a_run(None, None)]
    assert main(["runs"]) == 0
    printed = capsys.readouterr()
    head, _, *rows = lines(printed.out)
    assert head == ["run", "name", "when", "took", "status", "outputs", "failed"]
    assert [row[0] for row in rows] == ids[::-1]
    assert [row[-2:] for row in rows] == [["running", "3"], ["3", "1"], ["done", "3"]]
    assert rows[1][1] == "etl.py"
    assert rows[2][1] == "nightly"
    assert printed.err == ""


def test_a_pipe_gets_whole_lines_and_80_columns_hold_the_table(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "a name that is rather too long for the column of a table"
    a_run(name)
    main(["runs"])
    assert name in capsys.readouterr().out
    monkeypatch.setenv("COLUMNS", "80")
    main(["runs"])
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    when = out.index("when")
    column = [line[21:when].strip() for line in out.splitlines()[2:]]
    assert "".join(column).replace(" ", "") == name.replace(" ", "")


def test_runs_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    ids = [a_run("nightly", argv=["etl.py"]), a_run(None, "failed", 2), a_run(None, None)]
    (Path(".bigdebug") / ids[1] / "run.json").write_text("{")
    assert main(["runs", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    jsonschema.validate(content, schema("runs"))
    described = {run["run"]: run for run in content["runs"]}
    done, broken, running = (described[run_id] for run_id in ids)
    assert (running["status"], running["ended"], running["outputs"]) == ("running", None, 3)
    assert broken["problem"] == "run.json is damaged"
    assert (done["run"], done["name"], done["argv"], done["status"]) == (
        ids[0],
        "nightly",
        ["etl.py"],
        "done",
    )
    assert done["seconds"] >= 0


def test_a_broken_run_is_listed_with_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    good, broken = a_run(), a_run()
    (Path(".bigdebug") / broken / "run.json").unlink()
    assert main(["runs"]) == 0
    printed = capsys.readouterr()
    assert good in printed.out
    assert re.search(f"{broken} .* broken ", printed.out)
    assert printed.err == f"{broken} is broken: run.json is missing\n"


def test_an_empty_store(capsys: pytest.CaptureFixture[str]) -> None:
    Path(".bigdebug").mkdir()
    assert main(["runs"]) == 0
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "no runs yet" in printed.err
    assert main(["runs", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    jsonschema.validate(content, schema("runs"))
    assert content == {"store": ".bigdebug", "runs": []}


@pytest.mark.parametrize("command", [["runs"], ["show", "last"], ["rm", "last", "--yes"]])
def test_a_store_that_is_not_there(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command, "--store", "nowhere"]) == 3
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "no store nowhere" in printed.err
    assert "hint: " in printed.err
    assert not Path("nowhere").exists()


def test_the_store_may_come_from_the_environment(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run_id = a_run()
    monkeypatch.setenv("BIGDEBUG_STORE", str(tmp_path / ".bigdebug"))
    monkeypatch.chdir("/")
    assert main(["runs"]) == 0
    assert run_id in capsys.readouterr().out


def test_rm_removes_one_run(capsys: pytest.CaptureFixture[str]) -> None:
    kept, gone = a_run(), a_run()
    assert main(["rm", "last"]) == 1
    assert "add --yes" in capsys.readouterr().err
    assert main(["rm", "last", "--yes", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    jsonschema.validate(content, schema("removed"))
    assert content["removed"] == [gone]
    assert [run.run_id for run in Store(".bigdebug").runs()] == [kept]
    assert main(["rm", kept[:15], "-y"]) == 0
    assert Store(".bigdebug").runs() == []


def test_a_running_run_stays(capsys: pytest.CaptureFixture[str]) -> None:
    run_id = a_run(None, None)
    assert main(["rm", "last", "--yes"]) == 1
    assert "still going" in capsys.readouterr().err
    assert main(["prune", "--older-than", "0d"]) == 0
    assert [run.run_id for run in Store(".bigdebug").runs()] == [run_id]


@pytest.mark.parametrize(("answer", "left"), [("y", 0), ("n", 1)])
def test_rm_asks_on_a_terminal(answer: str, left: int) -> None:
    run_id = a_run("nightly")
    terminal = pexpect.spawn(
        sys.executable,
        ["-m", "bigdebug", "rm", "last"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        encoding="utf-8",
        timeout=30,
    )
    terminal.expect(f"Remove the run {run_id} nightly, .*\\?")
    terminal.sendline(answer)
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == left
    assert len(Store(".bigdebug").runs()) == left


def test_prune_removes_what_ended_long_ago(capsys: pytest.CaptureFixture[str]) -> None:
    old, new = a_run(), a_run()
    log = Path(".bigdebug") / old / "events.jsonl"
    ended = re.sub(r'("end":.*"time":)[\d.]+', r"\g<1>1000.5", log.read_text())
    log.write_text(ended)
    assert main(["prune", "--older-than", "30d"]) == 0
    printed = capsys.readouterr()
    assert printed.out == f"{old}\n"
    assert printed.err == "Removed 1 run.\n"
    assert [run.run_id for run in Store(".bigdebug").runs()] == [new]
    assert main(["prune", "--older-than", "0m", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    jsonschema.validate(content, schema("removed"))
    assert content["removed"] == [new]


@pytest.mark.parametrize("age", ["", "30", "d", "-1d", "1y", "soon"])
def test_an_age_that_is_none_is_wrong_usage(age: str, capsys: pytest.CaptureFixture[str]) -> None:
    a_run()
    assert main(["prune", "--older-than", age]) == 2
    assert "12h, 30d or 4w" in capsys.readouterr().err
    assert len(Store(".bigdebug").runs()) == 1


def test_a_name_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    a_run("\x1b[2J[red]evil\u202e\nrow")
    main(["runs"])
    assert r"\x1b[2J[red]evil\u202e\nrow" in capsys.readouterr().out


def test_durations_moments_and_sizes() -> None:
    assert [duration(seconds) for seconds in (None, 0.04, 9.96, 59.6, 185, 7500, 273600)] == [
        "-",
        "0.0 s",
        "10 s",
        "1 min 00 s",
        "3 min 05 s",
        "2 h 05 min",
        "3 d 4 h",
    ]
    noon = time.mktime((2026, 11, 22, 12, 0, 0, 0, 0, -1))
    assert [moment(noon - hours * 3600, noon) for hours in (1, 24, 48, 24 * 365)] == [
        "today 11:00",
        "yesterday 12:00",
        "20 Nov 12:00",
        "2025-11-22",
    ]
    assert [size(count) for count in (0, 999, 999_999, 1_500_000, 24.3e9, 3e15)] == [
        "0 bytes",
        "999 bytes",
        "1.0 MB",
        "1.5 MB",
        "24 GB",
        "3.0 PB",
    ]
