"""The package as people get it: light to import, and set up by the commands that the README gives."""

import importlib.metadata
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import bigdebug

ROOT = Path(__file__).parents[2]
HEAVY = ("pyspark", "py4j", "pandas", "numpy", "pyarrow", "networkx", "rich", "click", "textual", "pytest")


def loaded_after(statement: str) -> list[str]:
    """Which of the heavy packages a new Python holds after a statement."""
    program = f"import sys\n{statement}\nprint(*[name for name in {HEAVY} if name in sys.modules])"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return ended.stdout.split()


def test_importing_bigdebug_loads_nothing_heavy() -> None:
    assert loaded_after("import bigdebug") == []


@pytest.mark.parametrize("module", ["running", "recording", "checkup", "lineage.java", "lineage.store"])
def test_what_a_run_needs_first_loads_nothing_heavy(module: str) -> None:
    assert loaded_after(f"import bigdebug.{module}") == []


def test_the_rooms_are_found_under_one_name_only() -> None:
    program = (
        "import bigdebug.lineage, bigdebug.breakpoints, bigdebug.tui, sys; print('lineage' in sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout == "False\n"


def test_public_names_have_docstrings() -> None:
    for name in bigdebug.__all__:
        assert getattr(bigdebug, name).__doc__


def test_the_package_carries_its_types_and_its_licence() -> None:
    assert Path(bigdebug.__path__[0], "py.typed").exists()
    try:
        about = importlib.metadata.metadata("bigdebug")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("bigdebug isn't installed here: it runs from its source")
    assert about["License-Expression"] == "Apache-2.0"
    assert about["Requires-Python"] == ">=3.11"


def test_the_readme_gives_both_set_up_commands() -> None:
    lines = (ROOT / "README.md").read_text().splitlines()
    assert lines.count("pip install '.[java]' && bigdebug demo") == 1
    assert lines.count("pip install '.[java,test]' && pytest") == 1
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert {"java", "test", "dev"} <= set(extras)
