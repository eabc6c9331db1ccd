"""What an indexer that was killed leaves behind is known for that, and tidied; what may still be made is left alone."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from bigdebug.checkup import looks
from bigdebug.cli.main import main
from bigdebug.cli.schemas import schema
from bigdebug.lineage.store import Store
from bigdebug.lineage.store.tables import TableStore

ROOT = Path(__file__).parents[2]
KILLED = """
import os, pathlib, signal, sys
from bigdebug.lineage.store import Store

store, finished = sys.argv[1:]
tables = Store(store).find("last").tables
with tables.making(1, "1-0123abcd"):
    folder = pathlib.Path(store, Store(store).find("last").run_id, "lineage", "1-0123abcd", "segment-0")
    folder.mkdir(parents=True)
    (folder / "part-0.parquet").write_bytes(b"half of it")
    if finished == "finished":
        tables.publish(1, "1-0123abcd", b'{"folder": "1-0123abcd"}')
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with one run."""
    Store(str(tmp_path / "store")).create_run(name="a run").close("done")
    return tmp_path / "store"


def killed(store: Path, how: str = "") -> TableStore:
    """Kill a process that makes an index of output 1."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", KILLED, str(store), how], env=environment, check=False)
    assert done.returncode == -9
    return Store(str(store)).find("last").tables


def left(store: Path) -> list[str]:
    return sorted(path.name for path in store.glob("*/lineage/*"))


def test_the_next_index_of_the_output_tidies(store: Path) -> None:
    tables = killed(store)
    assert left(store) == ["1-0123abcd", "1-0123abcd.making"]
    with tables.making(2, "2-00000000"):
        pass
    assert len(left(store)) == 2, "that of another output"
    with tables.making(1, "1-00000000"):
        assert left(store) == ["1-00000000.making"]
    assert left(store) == []


def test_doctor_says_so_and_prune_tidies(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    killed(store)
    checks = {name: look() for name, look in looks(str(store), with_spark=False) if name == "store"}
    assert checks["store"].ok
    assert "1 unfinished index of 0.0 MB, which `bigdebug prune` removes" in checks["store"].found
    assert main(["prune", "--older-than", "30d", "--store", str(store)]) == 0
    assert "Removed 0 runs and what was left of 1 unfinished index." in capsys.readouterr().err
    assert left(store) == []
    assert main(["prune", "--older-than", "30d", "--store", str(store), "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    jsonschema.validate(content, schema("removed"))
    assert content["unfinished_indexes"] == 0


def test_what_may_still_be_made_is_left_alone(store: Path) -> None:
    tables = Store(str(store)).find("last").tables
    with tables.making(1, "1-0123abcd"):
        (next(store.glob("*/lineage")) / "1-0123abcd").mkdir()
        assert tables.tidy() == 0
        marker = next(store.glob("*/lineage/*.making"))
        # Whoever makes it on another machine can't be asked.
        marker.write_text(json.dumps({**json.loads(marker.read_text()), "machine": "elsewhere"}))
        assert tables.tidy() == 0
        assert left(store) == ["1-0123abcd", "1-0123abcd.making"]


def test_an_index_that_was_whole_stays(store: Path) -> None:
    tables = killed(store, "finished")
    assert left(store) == ["1-0123abcd", "1-0123abcd.making", "1.json"]
    assert tables.tidy() == 0
    assert left(store) == ["1-0123abcd", "1.json"]


def test_a_former_index_that_wasnt_removed_any_more(store: Path) -> None:
    tables = killed(store, "finished")
    (next(store.glob("*/lineage")) / "1-ffffffff").mkdir()
    assert tables.tidy() == 1
    assert left(store) == ["1-0123abcd", "1.json"]
