"""A MERGE is an output: the rows that it merges, whoever writes it and whatever Spark makes of it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parent))
from row_level_table import JAVAC, row_level_jar

from tests.thinned import thinned

pytestmark = pytest.mark.skipif(JAVAC is None, reason="no javac to make a table with that can be merged into")

CONTENT = {
    "both": "0 old, 1 old, 2 old, 3 new, 4 new, 5 new, 6 new, 7 new",
    "update": "0 old, 1 old, 2 old, 3 new, 4 new",
    "delete": "0 old, 1 old, 2 old",
    "insert": "0 old, 1 old, 2 old, 3 old, 4 old, 5 new, 6 new, 7 new",
    "insert twice": "0 old, 1 old, 2 old, 3 old, 4 old, 5 None, 6 None, 7 new",
    "not in the source": "3 new, 4 new",
    "python": "0 old, 1 old, 2 old, 3 new, 4 new",
}
NEWS_6 = [{"id": 6, "v": "new"}]


@pytest.fixture(scope="module")
def answers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What is recorded of each merge that tests ask about, in a Spark that knows the table from its start."""
    items = [item for item in request.session.items if item.path == request.path]
    asked = {item.callspec.params["name"] for item in items if hasattr(item, "callspec")} | {"fails"}
    folder = tmp_path_factory.mktemp("merging")
    script, told = Path(__file__).with_name("merging.py"), folder / "answers.json"
    subprocess.run(
        [sys.executable, script, row_level_jar(folder), folder / "store", told, *asked],
        env={"PYSPARK_PYTHON": sys.executable} | os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        check=True,
        timeout=300,
    )
    content: dict[str, Any] = json.loads(told.read_text())
    return content


@pytest.mark.compat
@pytest.mark.parametrize(
    "name", thinned(CONTENT, "merges with all kinds of clauses", among=["both", "python"])
)
def test_a_merge(answers: dict[str, Any], name: str) -> None:
    action = "mergeInto.merge" if name == "python" else "sql MERGE"
    assert answers[name] == {
        "outputs": [[action, "rows.db.t", "done", "stored"]],
        "traced": NEWS_6,
        "content": CONTENT[name],
        "failed": None,
    }


@pytest.mark.compat
def test_a_merge_that_fails(answers: dict[str, Any]) -> None:
    found = answers["fails"]
    assert found["failed"] == "NumberFormatException"
    assert found["outputs"] == [["sql MERGE", "rows.db.t", "failed", "stored"]]
    assert found["traced"] == NEWS_6


@pytest.mark.parametrize("name", thinned(["update of rows", "delete of rows"], "other changes of rows", 2))
def test_other_changes_of_rows_are_no_outputs(answers: dict[str, Any], name: str) -> None:
    assert (answers[name]["outputs"], answers[name]["failed"]) == ([], None)
