"""Runs the console blocks of our Markdown files, and writes them again as they really print.

A console block is fenced and marked `console`: a line that begins with `$ ` is a command, what follows is
what it prints, up to the next. Spark's own log lines are left out. All blocks of a file run in one folder, in
order, on a terminal of 80 columns.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import bigdebug

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"^\$ ((?:\\\n|[^\n])*)", re.MULTILINE)

# What Spark and Java say of themselves.
_NOISE = re.compile(
    r"\d\d/\d\d/\d\d \d\d:\d\d:\d\d (WARN|INFO) |WARNING: |Using Spark's default log4j |"
    r"Setting default log level |To adjust logging level "
)
_VARYING = (
    (re.compile(r"\b\d{8}-\d{6}-\w{3}\b"), "RUN"),
    (re.compile(r"\b(today|yesterday) \d\d:\d\d\b|\b\d{1,2} [A-Z][a-z]{2} \d\d:\d\d\b"), "TIME"),
    (re.compile(r"\b\d+(\.\d)? s\b|\b\d+ min \d\d s\b"), "DURATION"),
    (re.compile(r"\b(bigdebug|python|spark) (\d[\w.+-]*|unknown)"), r"\1 VERSION"),
    (re.compile(r" {2,}"), " "),
    (re.compile("─+"), "─"),
    (re.compile(r" +$", re.MULTILINE), ""),
)


@dataclass(frozen=True)
class Document:
    """A Markdown file with console blocks.

    Attributes:
        path: of the file.
        folder: the folder that its commands seem to run in.
        prepare: fills the folder that they really run in.
    """

    path: Path
    folder: str
    prepare: Callable[[Path], None]

    def rerun(self, place: Path) -> str:
        """The file's text with the console blocks as they print now.

        Args:
            place: an empty folder to run in.
        """
        self.prepare(place)
        environment = _environment(place.with_name(f"{place.name}-bin"))

        def printed(command: str) -> str:
            ran = subprocess.run(
                ["bash", "-c", command],
                cwd=place,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=300,
            )
            return readable(ran.stdout.decode()).replace(str(place.resolve()), self.folder)

        def block(match: re.Match[str]) -> str:
            commands = _COMMAND.findall(match[1])
            return "```console\n" + "".join(f"$ {each}\n{printed(each)}" for each in commands) + "```"

        return _BLOCK.sub(block, self.path.read_text())


def readable(printed: str) -> str:
    """What stays on a terminal, without Spark's own messages and with a line's end at the end."""
    lines = [line.rpartition("\r")[2].rstrip() for line in printed.rstrip().split("\n")]
    return "".join(f"{line}\n" for line in lines if not _NOISE.match(line))


def steady(text: str) -> str:
    """A text with all that differs from run to run taken out: ids, times, versions, the widths of columns."""
    for varying, steady_form in _VARYING:
        text = varying.sub(steady_form, text)
    return text


def _environment(programs: Path) -> dict[str, str]:
    """The user's, with this very bigdebug on the path, on a terminal of 80 columns."""
    programs.mkdir()
    for name, arguments in (("bigdebug", " -m bigdebug"), ("python", "")):
        command = programs / name
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}"{arguments} "$@"\n')
        command.chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BIGDEBUG_")}
    return kept | {
        "PATH": f"{programs}{os.pathsep}{kept['PATH']}",
        "PYTHONPATH": str(Path(bigdebug.__path__[0]).parent),
        "COLUMNS": "80",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
    }


def _the_demo(place: Path) -> None:
    """The demo, and the README's own program of RDDs."""
    for name in ("flights.py", "flights.csv"):
        shutil.copyfile(Path(bigdebug.__path__[0], "demo", name), place / name)
    programs = re.findall(r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text(), re.M | re.S)
    (nights,) = (program for program in programs if "SparkContext.getOrCreate" in program)
    (place / "nights.py").write_text(nights)


def _the_examples(place: Path) -> None:
    for script in (ROOT / "examples").glob("*.py"):
        shutil.copyfile(script, place / script.name)
    shutil.copytree(ROOT / "examples" / "data", place / "data")


DOCUMENTS = {
    "README.md": Document(ROOT / "README.md", "/home/ann/flights", _the_demo),
    "docs/tutorial.md": Document(ROOT / "docs" / "tutorial.md", "/home/ann/flights", _the_demo),
    "examples/README.md": Document(ROOT / "examples" / "README.md", "/home/ann/examples", _the_examples),
}
