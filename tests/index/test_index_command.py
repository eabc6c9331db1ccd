"""The command indexes, and traces out of an index without Spark and Java."""

import functools
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
from pyspark.sql import SparkSession

import bigdebug
from bigdebug.cli.main import main
from bigdebug.cli.schemas import schema
from bigdebug.lineage import postmortem
from bigdebug.lineage.postmortem import open_output
from bigdebug.lineage.store import Store
from tests.cli.asking import Asking
from tests.index.totals import totals

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def recorded(spark: SparkSession, orders: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a run of one indexed output, and one that isn't, whose rows went through an RDD."""
    store = tmp_path_factory.mktemp("recorded") / "store"
    with bigdebug.attach(spark, store=store) as session:
        frame = totals(spark, orders)
        frame.collect()
        spark.createDataFrame(frame.rdd.map(tuple), frame.schema).collect()
        session.index(session.outputs[0])
    return store


def without_java(store: Path, *arguments: str, path: str) -> subprocess.CompletedProcess[str]:
    with begun(store, *arguments, path=path) as asked:
        out, err = asked.communicate()
    return subprocess.CompletedProcess(arguments, asked.returncode, out, err)


def begun(store: Path, *arguments: str, path: str | None = None) -> subprocess.Popen[str]:
    environment = {**os.environ, "BIGDEBUG_STORE": str(store), "PYTHONPATH": str(ROOT)}
    environment["PATH"] = path or os.environ["PATH"]
    environment.pop("JAVA_HOME", None)
    command = [sys.executable, "-m", "bigdebug", *arguments]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


def test_the_command_traces_without_spark_and_java(recorded: Path, path_without_java: str) -> None:
    code = (
        "import sys; from bigdebug.cli.main import main; main(sys.argv[1:]);"
        "assert not {'pyspark', 'py4j', 'pandas'} & set(sys.modules), 'too much was loaded'"
    )
    environment = {
        **os.environ,
        "BIGDEBUG_STORE": str(recorded),
        "PYTHONPATH": str(ROOT),
        "PATH": path_without_java,
    }
    environment.pop("JAVA_HOME", None)
    asked = subprocess.run(
        [sys.executable, "-c", code, "trace", "last", "1", "--where", "k = 'k1'", "--json"],
        capture_output=True, text=True, env=environment, check=False,
    )  # fmt: skip
    assert asked.returncode == 0, asked.stderr
    content = json.loads(asked.stdout)
    jsonschema.validate(content, schema("trace"))
    assert content["matched"] == 1
    assert [source["count"] for source in content["sources"]] == [7, 1, 1]
    assert content["sources"][0]["records"][0]["value"]["k"] == "k1"
    assert content["sources"][1]["records"][0]["value"] is None, "only Spark reads that"


def test_the_command_says_what_an_index_cant_tell(
    recorded: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BIGDEBUG_STORE", str(recorded))
    assert main(["trace", "last", "1", "--where", "nope = 1"]) == 1
    assert "'nope'" in capsys.readouterr().err
    assert main(["trace", "last", "1", "--where", "k = 'k1'", "--dry-run"]) == 0
    assert "The trace reads" in capsys.readouterr().out
    assert main(["trace", "last", "1", "--where", "k = 'zz'"]) == 0
    assert "No row of output 1 matches" in capsys.readouterr().err
    assert main(["trace", "last", "1", "--where", "k = 'k1'"]) == 0
    shown = capsys.readouterr().out
    assert "orders: 7 records" in shown
    assert "needs Spark" in shown


def test_the_command_indexes_and_asks_spark_where_it_has_to(recorded: Path, spark: SparkSession) -> None:
    run = Store(str(recorded)).find("last")
    with begun(recorded, "index", "last", "2", "--json") as indexing:
        # While it is at it, another process indexes the same output.
        while indexing.poll() is None and not list(recorded.glob("*/lineage/2-*/segment-0")):
            time.sleep(0.01)
        assert open_output(run, run.output("2"), spark=spark).index().trace("k = 'k1'").matched == 1
        printed, said = indexing.communicate()
    assert indexing.returncode == 0, said
    run.tables.tidy()
    assert len(list(recorded.glob("*/lineage/2-*"))) == 1, "one index, whole"
    content = json.loads(printed)
    jsonschema.validate(content, schema("index"))
    assert content["output"] == 2
    assert content["rows"] == 6
    fast = without_java(recorded, "trace", "last", "2", "--where", "k = 'k1'", "--json", path="/nowhere")
    store = ("--store", str(recorded))
    slow = Asking(spark, recorded)("trace", "last", "2", "--where", "upper(k) = 'K1'", "--json", *store)
    assert "Spark is asked" in slow.err
    told, again = json.loads(fast.stdout), json.loads(slow.out)
    for content in (told, again):
        del content["where"], content["notes"]
        for source in content["sources"]:
            if source["kind"] == "json":
                for record in source["records"]:
                    del record["value"]
    assert told == again


@pytest.fixture
def copied(recorded: Path, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that store; the command asks in the session of the tests."""
    shutil.copytree(recorded, tmp_path / "copied")
    monkeypatch.setattr(postmortem, "open_output", functools.partial(open_output, spark=spark))
    monkeypatch.setenv("BIGDEBUG_STORE", str(tmp_path / "copied"))
    return tmp_path / "copied"


def cut(table: Path) -> None:
    table.write_bytes(b"PAR1")


def blank(table: Path) -> None:
    """What its end says of it is whole, and its pages aren't."""
    whole = table.read_bytes()
    table.write_bytes(bytes(len(whole) // 2) + whole[len(whole) // 2 :])


def remove_all(table: Path) -> None:
    shutil.rmtree(table.parent)


def spoil_manifest(table: Path) -> None:
    (table.parents[2] / "1.json").write_text("{")


@pytest.mark.parametrize("spoil", [cut, blank, remove_all, spoil_manifest], ids=lambda each: each.__name__)
def test_a_damaged_index_leaves_it_to_the_recipe(
    spoil: Callable[[Path], None], copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["trace", "last", "1", "--where", "k = 'k1'", "--json"]
    for table in copied.glob("*/lineage/1-*/segment-0/*.parquet"):
        if table.exists():
            spoil(table)
    assert main(asked) == 0
    printed = capsys.readouterr()
    assert [source["count"] for source in json.loads(printed.out)["sources"]] == [7, 1, 1]
    (line,) = printed.err.splitlines()
    assert line.startswith("The index can't tell, Spark is asked: ")
    assert line.endswith(f"bigdebug index {next(copied.glob('2*')).name} 1 makes it anew.")
    (recipe,) = copied.glob("*/recipes/1.zip")
    recipe.unlink()
    assert main(asked) == 1
    said = capsys.readouterr().err.splitlines()
    assert [each.partition(":")[0] for each in said] == [line.partition(":")[0], "error", "hint"]
    assert "its file is missing" in said[1]


def test_the_command_says_why_spark_is_asked(
    copied: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for more, why in (
        (["--source", "orders", "-o", str(tmp_path / "orders.csv")], "Spark reads all of them for a file"),
        (["--windows"], "it doesn't hold the other rows of windows"),
        (["--no-index"], None),
    ):
        assert main(["trace", "last", "1", "--where", "k = 'k1'", *more]) == 0
        first = capsys.readouterr().err.splitlines()[:1]
        assert first == [] if why is None else why in first[0]
    assert len((tmp_path / "orders.csv").read_text().splitlines()) == 8
