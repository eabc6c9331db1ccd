"""`bigdebug advise`: its screen, its JSON, its exit codes, and recorded runs."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from bigdebug.cli.main import main
from bigdebug.cli.schemas import schema
from bigdebug.lineage.store import Store

DATA = Path(__file__).parent / "data"
LOG = str(DATA / "spark-4.0-failed.zstd")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BIGDEBUG_STORE", raising=False)
    monkeypatch.setenv("COLUMNS", "100")


def test_the_screen_tells_what_was_seen_and_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["advise", LOG, "--set", "small-files.count=10"]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("shop (local-")
    assert "critical  failed-tasks" in printed.out
    assert "→ repartition or coalesce before the write" in printed.out
    assert "program.py:" in printed.out
    assert printed.err == ""
    assert max(map(len, printed.out.splitlines())) <= 100


def test_the_json_fits_its_schema(capsys: pytest.CaptureFixture[str]) -> None:
    changes = ["--set", "small-files.count=10,20,30,40", "--set", "skew.longest=1"]
    assert main(["advise", LOG, *changes, "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    jsonschema.validate(content, schema("advise"))
    assert content["application"]["failed_tasks"] == 2
    assert content["thresholds"]["small-files.count"] == [10, 20, 30, 40]
    small = [finding for finding in content["findings"] if finding["rule"] == "small-files"]
    assert {finding["severity"] for finding in small} == {"moderate"}


def test_a_killed_application_is_noted(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["advise", str(DATA / "spark-4.3-killed.zstd")]) == 0
    printed = capsys.readouterr()
    assert "unfinished" in printed.out
    assert "note: the log has no end" in printed.err


def test_thresholds_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["advise", "--thresholds", "--set", "skew.ratio=2,4,8,16"]) == 0
    printed = capsys.readouterr().out
    assert "skew.ratio" in printed
    assert "2, 4, 8, 16" in printed
    assert "Dr. Elephant" in printed


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["/nowhere/log"], 3, "spark.eventLog.enabled=true"),
        ([], 2, "which event log?"),
        ([LOG, "--set", "skew"], 2, "NAME=VALUE"),
        ([LOG, "--set", "skew=much"], 2, "NAME=VALUE"),
        ([LOG, "--set", "skwe.ratio=1"], 1, "no threshold"),
        (["nosuch"], 3, "no event log nosuch"),
    ],
)
def test_what_is_wrong_is_told(
    arguments: list[str], code: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["advise", *arguments]) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert told in printed.err


def test_a_recorded_run_without_a_log_says_how_to_have_one(capsys: pytest.CaptureFixture[str]) -> None:
    Store(".bigdebug").create_run().close("done")
    assert main(["advise", "last"]) == 1
    assert "spark.eventLog.enabled=true" in capsys.readouterr().err


def test_a_name_in_a_log_cannot_steer_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = r'{"Event":"SparkListenerApplicationStart","App Name":"\u001b[2Jevil\u202e","App ID":"x\u0007"}'
    (tmp_path / "log").write_text(f"{line}\n")
    assert main(["advise", str(tmp_path / "log")]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert "\x07" not in out


def test_a_recorded_run_with_a_log_names_lines_that_the_log_lacks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "etl.py"
    script.write_text(
        "import sys\n"
        "from pyspark.sql import SparkSession\n"
        "builder = SparkSession.builder.master('local[2]').config('spark.ui.enabled', 'false')\n"
        "builder = builder.config('spark.eventLog.enabled', 'true').config('spark.eventLog.dir', sys.argv[1])\n"
        "spark = builder.getOrCreate()\n"
        "spark.range(100).repartition(12).write.parquet('numbers.parquet')\n"
    )
    (tmp_path / "log").mkdir()
    command = [sys.executable, "-m", "bigdebug", "run", "etl.py", (tmp_path / "log").as_uri()]
    ran = subprocess.run(command, cwd=tmp_path, env=dict(os.environ), capture_output=True, check=False)
    assert ran.returncode == 0, ran.stderr.decode()
    assert main(["advise", "last", "--set", "small-files.count=10", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    jsonschema.validate(content, schema("advise"))
    (small,) = (finding for finding in content["findings"] if finding["rule"] == "small-files")
    assert small["call_site"] == {"file": str(script), "line": 6}
    shutil.rmtree(tmp_path / "log")
    assert main(["advise", "last"]) == 3
    assert "no event log" in capsys.readouterr().err
