"""The installed command in a real terminal, driven by tmux as a person would, without a Spark of its own."""

import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

import bigdebug

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux isn't installed")


class Terminal:
    """A terminal of 80 by 24 with a command in it."""

    def __init__(self, command: str) -> None:
        self._name = f"bigdebug-{uuid.uuid4().hex[:8]}"
        size = ["-x", "80", "-y", "24"]
        self._tmux("new-session", "-d", "-s", self._name, *size, f"{command}; echo ended with $?; sleep 60")

    def _tmux(self, *words: str) -> str:
        return subprocess.run(["tmux", *words], check=True, capture_output=True, text=True).stdout

    def press(self, *keys: str) -> None:
        self._tmux("send-keys", "-t", self._name, *keys)

    def screen(self) -> str:
        return self._tmux("capture-pane", "-p", "-t", self._name)

    def until(self, text: str, seconds: float = 60.0) -> str:
        end = time.monotonic() + seconds
        while text not in (screen := self.screen()):
            assert time.monotonic() < end, screen
            time.sleep(0.1)
        return screen

    def close(self) -> None:
        self._tmux("kill-session", "-t", self._name)


@pytest.fixture
def terminal(demo: Path, spark: SparkSession, tmp_path: Path) -> Iterator[Terminal]:
    """The app over a copy of the demo's store, with an index of its output."""
    from bigdebug.lineage.postmortem import open_output
    from bigdebug.lineage.store import Store

    shutil.copytree(demo / "store", tmp_path / "store")
    run = Store(str(tmp_path / "store")).find("last")
    open_output(run, run.output("last"), spark=spark).index()
    folder = Path(bigdebug.__path__[0]).parent
    command = (
        f"cd {folder} && env BIGDEBUG_KEYS=none {sys.executable} -m bigdebug tui --store {tmp_path / 'store'}"
    )
    found = Terminal(command)
    yield found
    found.close()


def test_from_the_runs_to_the_line_of_the_file_and_back_to_the_shell(terminal: Terminal) -> None:
    terminal.until("flights")
    terminal.press("Enter")
    terminal.until("▣ output 1: collect")
    terminal.until("▶ report = means.orderBy")
    terminal.press("n", "n")
    terminal.until("▶ means = timed.groupBy")
    terminal.press("?")
    terminal.until("Set a breakpoint at the operator")
    terminal.press("Escape")
    terminal.until("1 output, 4 operators")
    terminal.press("t")
    terminal.until("Trace which rows back?")
    terminal.press("-l", "dest = 'PSE' and month = 10")
    terminal.press("Enter")
    terminal.until("└─● flights.csv")
    terminal.press("c")
    terminal.until("flights.csv: 31 records")
    terminal.press("Enter")
    terminal.until("2013,10,1,B6,745,JFK,PSE,2349,335")
    terminal.press("C-q")
    screen = terminal.until("ended with 0")
    assert "Traceback" not in screen
