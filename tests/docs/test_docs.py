"""The documentation's links lead somewhere, its commands are ones that there are, and its programs run."""

import contextlib
import importlib
import importlib.util
import io
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import rich_click as click
from pyspark.sql import SparkSession

import bigdebug
from bigdebug.cli.main import COMMANDS, module_of
from bigdebug.lineage import errors
from bigdebug.pytest_plugin import DataflowAssertionError
from bigdebug.pytest_plugin.dataflow import Dataflow

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
LINKED = [
    *PAGES,
    ROOT / "README.md",
    ROOT / "ARCHITECTURE.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "examples/README.md",
]
NOT_RUN = "# not run by our tests: "

FENCED = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[[^\]]+\]\((?!https?:)([^)\s]*)\)")


def blocks(page: Path, *kinds: str) -> list[str]:
    return [text for kind, text in FENCED.findall(page.read_text()) if kind in kinds]


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


# -- links --------------------------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    """Of headings, as mkdocs and GitHub make them, and those that are written down."""
    text = FENCED.sub("", page.read_text())
    found = set(re.findall(r"\{ #([\w-]+) \}", text))
    for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE):
        bare = re.sub(r"[^\w\s-]", "", re.sub(r"\{ #.*\}", "", heading)).strip().lower()
        found.add(re.sub(r"[\s-]+", "-", bare))
    return found | (set(COMMANDS) if page.name == "cli.md" else set())


@pytest.mark.parametrize("page", LINKED, ids=named)
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(FENCED.sub("", page.read_text())):
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), target


def test_every_page_is_in_the_navigation() -> None:
    text = (ROOT / "mkdocs.yml").read_text()
    assert sorted(re.findall(r"[\w/-]+\.md", text)) == sorted(str(each.relative_to(DOCS)) for each in PAGES)


def test_every_error_has_its_section() -> None:
    raised = [
        each
        for each in vars(errors).values()
        if isinstance(each, type) and issubclass(each, errors.BigDebugError)
    ]
    from bigdebug.isolation.found import NotFailingError
    from bigdebug.session import WrongValueError

    for kind in (*raised, NotFailingError, WrongValueError):
        path, _, anchor = kind("what happened").page.partition("/#")
        assert anchor in anchors(DOCS / f"{path}.md")


def test_errors_link_to_their_section_where_the_site_is_known(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from bigdebug.cli.main import main

    monkeypatch.setenv("BIGDEBUG_DOCS", "https://docs.example.com/")
    assert main(["show", "last", "--store", str(tmp_path / "none")]) == 3
    assert "\nmore: https://docs.example.com/reference/errors/#unreachableerror\n" in capsys.readouterr().err


# -- commands -----------------------------------------------------------------------------------------


def command_lines() -> Iterator[tuple[Path, str]]:
    for page in LINKED:
        for text in blocks(page, "sh", "console"):
            for line in text.replace("\\\n", " ").splitlines():
                for part in line.removeprefix("$ ").split(" && "):
                    if part.startswith("bigdebug "):
                        yield page, part


def test_the_commands_are_ones_that_there_are() -> None:
    lines = list(command_lines())
    assert len(lines) > 20
    for page, line in lines:
        name, *arguments = shlex.split(line, comments=True)[1:]
        assert name in COMMANDS, f"{named(page)}: {line}"
        command: click.Command = importlib.import_module(module_of(name)).command
        context = click.Context(command, **command.context_settings)
        command.make_parser(context).parse_args(list(arguments))  # raises where an option isn't there


def test_the_page_of_commands_is_written_from_their_help() -> None:
    spec = importlib.util.spec_from_file_location("commands", DOCS / "commands.py")
    assert spec is not None
    assert spec.loader is not None
    hook = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hook)
    page = hook.on_page_markdown((DOCS / "reference" / "cli.md").read_text())
    for name in COMMANDS:
        assert f"## bigdebug {name} {{ #{name} }}" in page
    assert "bigdebug trace [OPTIONS] RUN OUTPUT" in page
    assert "| `--budget` SECONDS |" in page


# -- programs -----------------------------------------------------------------------------------------

OF_TESTS = ("pytest.md", "tutorial.md")
PROGRAMS = [page for page in PAGES if blocks(page, "python") and page.name not in OF_TESTS]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with the demo's flights, which is the current one. At the end nothing of the page's is attached."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    shutil.copy(Path(bigdebug.__path__[0], "demo", "flights.csv"), tmp_path)
    yield tmp_path
    sys.modules.pop("lengths", None)
    session = bigdebug.current()
    if session is not None:
        session.detach()


def run_block(code: str, name: str, names: dict[str, Any], place: Path) -> None:
    """Run a block as a file of its own; the JVM of our session doesn't stand where the program does."""
    file = place / name
    file.write_text(code)
    for path in ("flights.csv", "departures.parquet"):
        code = code.replace(f'"{path}"', repr(str(place / path)))
    exec(compile(code, str(file), "exec"), names)


@pytest.mark.parametrize("page", PROGRAMS, ids=named)
def test_the_programs_run(page: Path, spark: SparkSession, place: Path) -> None:
    names: dict[str, Any] = {"spark": spark, "__name__": "program"}
    said = io.StringIO()
    for number, code in enumerate(blocks(page, "python")):
        if code.startswith(NOT_RUN):
            compile(code, page.name, "exec")
            continue
        with contextlib.redirect_stdout(said):
            run_block(code, f"block_{number}.py", names, place)
    expected = {
        "script.md": "1 [('flights.csv', 221)]",
        "lost-row.md": "['dep_time > 2330 is false']",
        "hot-key.md": "{'key': 0, 'count': 1525} 1525 1400",
        "hanging-job.md": "so far\n700 6 s\n700\n",
        "crashing-udf.md": "427 records crashed select at block_0.py:7",
    }
    assert expected.get(page.name, "") in said.getvalue()


def names_in(page: Path, name: str, place: Path) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": name.removesuffix(".py")}
    for number, code in enumerate(blocks(page, "python")):
        run_block(code, name if not number else f"{number}_{name}", names, place)
    return names


def test_the_page_about_pytest_shows_what_a_failing_test_says(
    spark: SparkSession, dataflow: Dataflow, place: Path
) -> None:
    page = DOCS / "how-to" / "pytest.md"
    names = names_in(page, "test_report.py", place)
    with pytest.raises(DataflowAssertionError) as caught:
        names["test_revenue"](spark, dataflow)
    (shown,) = blocks(page, "text")
    told = f"DataflowAssertionError: {caught.value}"
    run = re.compile(r"^open the run: .*$", re.MULTILINE)
    assert run.sub("", told).strip() == run.sub("", shown).strip()
    names["test_europe"](spark, dataflow)
    spark.catalog.dropTempView("orders")


def test_the_test_of_the_tutorial_passes(spark: SparkSession, dataflow: Dataflow, place: Path) -> None:
    lengths, test = blocks(DOCS / "tutorial.md", "python")
    (place / "lengths.py").write_text(lengths)
    names: dict[str, Any] = {}
    run_block(test, "test_lengths.py", names, place)
    names["test_no_flight_ends_before_it_begins"](spark, dataflow)
    assert isinstance(sys.modules["lengths"], ModuleType)
