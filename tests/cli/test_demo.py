"""`bigdebug demo`: all of it, as a process, and how it ends where it can't go on."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from bigdebug.cli.main import main

ROOT = Path(__file__).parents[2]
DEMO = [sys.executable, "-m", "bigdebug", "demo"]


def environment(**settings: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BIGDEBUG_")}
    return {**kept, "PYTHONPATH": str(ROOT), "COLUMNS": "80", **settings}


def test_the_demo_shows_the_main_job(tmp_path: Path) -> None:
    folder = tmp_path / "my demo"
    ran = subprocess.run(
        [*DEMO, "--folder", str(folder)],
        # What the user has set must not lead it astray.
        env=environment(BIGDEBUG_STORE=str(tmp_path / "elsewhere"), BIGDEBUG_REDACT="dest"),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stderr
    lines = ran.stdout.splitlines()
    prose = [line for line in lines if str(tmp_path) not in line and "bigdebug trace" not in line]
    assert max(map(len, prose)) <= 80
    assert "$ bigdebug run --store .bigdebug flights.py" in lines
    assert "PSE      10   -1,023       31" in lines
    where = "--where \"dest = 'PSE' and month = 10\""
    assert f"$ bigdebug trace last last --store .bigdebug {where} --limit 8" in lines
    assert "flights.csv: 31 records, the first 8 shown (more with --limit)" in lines
    assert any(line.split()[-2:] == ["2349", "335"] for line in lines)
    assert f"  cd '{folder}'" in lines
    assert sorted(path.name for path in folder.iterdir()) == [".bigdebug", "flights.csv", "flights.py"]
    assert not (tmp_path / "elsewhere").exists()
    assert "WARN" not in ran.stderr
    assert "recorded 1 output" in ran.stderr


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "flights.py").write_text("mine")
    assert main(["demo", "--folder", str(tmp_path)]) == 1
    assert "isn't empty" in capsys.readouterr().err
    assert (tmp_path / "flights.py").read_text() == "mine"


def test_a_script_that_fails_is_told(tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "spark-defaults.conf").write_text("spark.driver.memory nonsense\n")
    ran = subprocess.run(
        [*DEMO, "--folder", "here"],
        env=environment(SPARK_CONF_DIR=str(tmp_path / "conf")),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ran.returncode == 1
    assert "error: the script ended with exit code 1" in ran.stderr
    assert "hint: " in ran.stderr
    assert "Error" in ran.stderr.partition("error: the script")[0]
    assert "$ bigdebug trace" not in ran.stdout


def test_ctrl_c_ends_it_and_what_it_started(tmp_path: Path) -> None:
    demo = subprocess.Popen(
        [*DEMO, "--folder", "here"],
        env=environment(),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Where the tests run in the background of a script, their children would ignore it.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    assert demo.stdout
    for line in demo.stdout:
        if line.startswith("$ bigdebug run"):
            break
    until = time.monotonic() + 60
    while not _java_in(tmp_path) and time.monotonic() < until:
        time.sleep(0.05)
    demo.send_signal(signal.SIGINT)
    _, told = demo.communicate(timeout=60)
    assert demo.returncode == 130
    assert told.strip() == "error: interrupted"
    deadline = time.monotonic() + 60  # Java takes its time to find out that it is alone
    while _processes_in(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not _processes_in(tmp_path)


def _java_in(folder: Path) -> bool:
    """Whether Spark's Java runs in a folder."""
    lines = (Path("/proc", process, "cmdline") for process in _processes_in(folder))
    return any(b"SparkSubmit" in line.read_bytes() for line in lines if line.exists())


def _processes_in(folder: Path) -> list[str]:
    """The processes that stand in a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            where = os.readlink(process / "cwd")
        except OSError:
            continue
        if Path(where).is_relative_to(folder):
            found.append(process.name)
    return found
