"""What our Markdown files show is what the commands print."""

import re
from pathlib import Path

import pytest
from documents import DOCUMENTS, ROOT, readable, steady

import bigdebug

PROOF = pytest.mark.proof("the commands of the tutorial print what it shows")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=PROOF if name.startswith("docs/") else ()) for name in DOCUMENTS]
)
def test_the_console_blocks_are_as_they_print(name: str, tmp_path: Path) -> None:
    place = tmp_path / "here"
    place.mkdir()
    document = DOCUMENTS[name]
    shown, printed = document.path.read_text(), document.rerun(place)
    # Where this fails: python tests/readme/update.py
    assert steady(printed).splitlines() == steady(shown).splitlines()


def test_the_script_in_the_readme_is_the_demos() -> None:
    script = Path(bigdebug.__path__[0], "demo", "flights.py").read_text()
    assert f"```python\n{script}```" in (ROOT / "README.md").read_text()


def test_each_example_names_the_commands_that_are_shown_for_it() -> None:
    shown = (ROOT / "examples" / "README.md").read_text().replace(" \\\n    ", " ")
    scripts = {script.name: script.read_text() for script in (ROOT / "examples").glob("*.py")}
    del scripts["nycflights.py"]
    assert len(scripts) == 8
    for name, script in scripts.items():
        commands = re.findall(r"^    ((?:bigdebug|python) .*)$", script, re.MULTILINE)
        asks_itself = "import bigdebug" in script
        expected = [f"python {name}"] if asks_itself else [f"bigdebug run {name}", "bigdebug trace last"]
        assert [command[: len(start)] for command, start in zip(commands, expected, strict=True)] == expected
        for command in commands:
            assert f"\n$ {command}\n" in shown


def test_links_in_our_documents_lead_somewhere() -> None:
    for document in DOCUMENTS.values():
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", document.path.read_text()):
            assert (document.path.parent / target).exists(), target


def test_what_spark_says_of_itself_is_left_out() -> None:
    printed = (
        "WARNING: Using incubator modules\n"
        "26/11/22 10:25:06 WARN Utils: x\n"
        "[Stage 0:>             (0 + 1) / 1]\r      \rreport  \n"
    )
    assert readable(printed) == "report\n"


def test_times_and_ids_do_not_matter() -> None:
    one = "20261122-103041-t8h  etl.py  today 10:41   9.8 s\n───────\n"
    other = "20251101-003041-abc  etl.py  14 Nov 00:41  1 min 02 s\n─────────\n"
    assert steady(one) == steady(other)
    assert steady(one) != steady(one.replace("etl", "job"))
