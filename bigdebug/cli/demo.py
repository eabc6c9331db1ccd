"""`bigdebug demo`: the main job on real flights, from a wrong row to the records behind it."""

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import rich_click as click
from rich.console import Console
from rich.syntax import Syntax
from rich.text import Text

import bigdebug
from bigdebug.cli.rendering import message_console, output_console, show_line, stage
from bigdebug.lineage.errors import BigDebugError, ExitCode
from bigdebug.lineage.java import ensure_java
from bigdebug.wording.commands import DEFAULT_STORE, store_hint

_SCRIPT, _DATA = "flights.py", "flights.csv"
_WRONG_ROW = "dest = 'PSE' and month = 10"
_ANOTHER_ROW = "dest = 'BQN' and month = 5"

_LAST_LINES = 20
_PATIENCE_SECONDS = 20.0

# With these set, the demo's commands would do something else than they do for everybody.
_LEFT_OUT = ("BIGDEBUG_CAPTURE", "BIGDEBUG_REDACT", "BIGDEBUG_NAME", "SPARK_REMOTE", "PYSPARK_SUBMIT_ARGS")


@click.command("demo")
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="A folder for the demo's files, empty or not there yet; a new temporary one if left out.",
)
def command(folder: Path | None) -> int:
    """See it all on real flight data, in a minute.

    Runs a script with a fault under bigdebug, shows a wrong row of its result, and, when the script's
    process is gone, traces that row back to the source records it came from.

        bigdebug demo --folder flights
    """
    ensure_java()
    console, place = output_console(), _copied_to(folder)
    _introduce(console, place)
    _run(console, place)
    _say(
        console,
        "",
        "To PSE they take -1,023 minutes in October: they land before they leave. Which",
        "records is that row made of? The script's process is gone; the store remembers.",
    )
    code = _trace(console, place)
    if code == ExitCode.DONE:
        _conclude(console, place)
    return code


def _copied_to(folder: Path | None) -> Path:
    place = Path(tempfile.mkdtemp(prefix="bigdebug-demo-")) if folder is None else folder.absolute()
    try:
        place.mkdir(parents=True, exist_ok=True)
        if any(place.iterdir()):
            raise BigDebugError(
                f"the folder {place} isn't empty", hint="name one that is empty or isn't there yet"
            )
        for name in (_SCRIPT, _DATA):
            shutil.copyfile(Path(bigdebug.__path__[0], "demo", name), place / name)
    except OSError as error:
        raise BigDebugError(
            f"can't write to {place}: {error.strerror}", hint="name another folder with --folder"
        ) from error
    return place


def _introduce(console: Console, place: Path) -> None:
    flights = sum(1 for _ in (place / _DATA).open()) - 1
    _say(
        console,
        f"{_DATA} holds {flights:,} flights from New York in 2013. How long did they take?",
        f"{_SCRIPT} gives the mean by destination and month:",
        "",
    )
    lines = (place / _SCRIPT).read_text().splitlines()
    code = Syntax("", "python", theme="ansi_dark")
    first, last = (
        next(number for number, line in enumerate(lines) if line.startswith(start))
        for start in ("reader = ", "report = ")
    )
    for number in range(first, last + 1):
        line = code.highlight(lines[number])
        line.rstrip()
        show_line(console, Text(f"{number + 1:4}", style="dim"), "  " if line else "", line)


def _run(console: Console, place: Path) -> None:
    """Run the script and show what it prints, but not what Spark says of itself."""
    arguments = ["run", *_store(), _SCRIPT]
    _show_command(console, arguments)
    with tempfile.TemporaryFile() as printed, tempfile.TemporaryFile() as said:
        with stage("Spark starts and runs the script"):
            code = _child(place, arguments, printed, said)
        for line in _lines(printed):
            show_line(console, line)
        messages = _lines(said)
    if code:
        for line in messages[-_LAST_LINES:]:
            show_line(message_console(), line)
        raise BigDebugError(
            f"the script ended with exit code {code}", hint="`bigdebug doctor` finds out what is amiss"
        )
    for line in messages:
        if line.startswith(("bigdebug: ", "  bigdebug ")):
            show_line(message_console(), line)


def _trace(console: Console, place: Path) -> int:
    arguments = ["trace", "last", "last", *_store(), "--where", _WRONG_ROW, "--limit", "8"]
    _show_command(console, arguments)
    try:
        return _child(place, arguments)
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED  # the trace has said so


def _conclude(console: Console, place: Path) -> None:
    _say(
        console,
        "",
        "They leave shortly before midnight and land after it. From 2349 to 335 it is",
        "3 h 46 min, not -20 h 14 min: the script must add a day to such a flight.",
        "",
        "To go on from here:",
        "",
    )
    for command in (
        ["cd", str(place)],
        ["bigdebug", "show", "last", *_store(), "--graph"],
        ["bigdebug", "trace", "last", "last", *_store(), "--where", _ANOTHER_ROW, "--json"],
        ["bigdebug", "run", *_store(), _SCRIPT],
    ):
        show_line(console, f"  {_typed(command)}")


def _say(console: Console, *lines: str) -> None:
    for line in lines:
        show_line(console, line)


def _show_command(console: Console, arguments: Sequence[str]) -> None:
    _say(console, "")
    show_line(console, Text("$ ", style="dim"), Text(_typed(["bigdebug", *arguments]), style="bold cyan"))
    console.file.flush()


def _typed(command: Sequence[str]) -> str:
    """As a person would type it: in double quotes where there are single ones inside."""
    return " ".join(f'"{part}"' if "'" in part else shlex.quote(part) for part in command)


def _store() -> list[str]:
    """What names the demo's own store, where the user's environment names another."""
    return shlex.split(store_hint(DEFAULT_STORE))


def _child(
    place: Path, arguments: Sequence[str], stdout: IO[bytes] | None = None, stderr: IO[bytes] | None = None
) -> int:
    """Run a command of ours in a process of its own, and end it with us where we are interrupted."""
    environment = {name: value for name, value in os.environ.items() if name not in _LEFT_OUT}
    process = subprocess.Popen(
        [sys.executable, "-m", "bigdebug", *arguments],
        cwd=place,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,  # so that Ctrl-C reaches it once, and through us
    )
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_PATIENCE_SECONDS)
        # A Java that was just starting outlives the Python it starts for.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise


def _lines(file: IO[bytes]) -> list[str]:
    """What was written; a progress bar, which returns to the line's beginning, is as many lines."""
    file.seek(0)
    return re.split(r"\r?\n|\r", file.read().decode("utf-8", "replace").rstrip())
