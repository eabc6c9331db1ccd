"""Questions that can't be answered get one clear message and the right exit code, and do no harm."""

import functools
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F

import bigdebug
from bigdebug.cli.main import main
from bigdebug.lineage import postmortem
from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.errors import (
    BigDebugError,
    ExitCode,
    RecipeError,
    SourceChangedError,
    UnknownNameError,
)
from bigdebug.lineage.postmortem import open_output
from bigdebug.lineage.recipe.codec import Pieces
from bigdebug.lineage.store import Store
from bigdebug.lineage.trace import Trace

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def recorded(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data, and a store with a run of two outputs over it."""
    folder = tmp_path_factory.mktemp("recorded")
    write_data(folder)
    with bigdebug.attach(spark, store=str(folder / "store")):
        frame = spark.read.csv(str(folder / "data"), header=True, schema="k int, n int")
        frame.groupBy("k").agg(F.sum("n").alias("total")).collect()
        frame.filter("n > 3").write.parquet(str(folder / "out"))
    return folder


def write_data(folder: Path) -> None:
    (folder / "data").mkdir(exist_ok=True)
    for part in range(2):
        lines = [f"{n % 3},{n}\n" for n in range(10 * part, 10 * part + 10)]
        (folder / "data" / f"{part}.csv").write_text("k,n\n" + "".join(lines))


@pytest.fixture
def copied(recorded: Path, tmp_path: Path) -> Path:
    """A copy of the store to be spoilt."""
    shutil.copytree(recorded / "store", tmp_path / "store")
    return tmp_path / "store"


def recipe_file(store: Path) -> Path:
    (file,) = store.glob("*/recipes/1.zip")
    return file


def trace(store: Path, spark: SparkSession, where: object = "k = 1", **options: bool) -> Trace:
    run = Store(str(store)).find("last")
    return open_output(run, run.output("1"), spark=spark, **options).trace(where)  # type: ignore[arg-type]


def traced(trace: Trace) -> list[int]:
    return sorted(record.value["n"] for record in trace.collect())


COMMANDS = {"trace": ["--where", "k = 1"], "why-not": ["--where", "k = 1"], "index": []}
"""What each asks of an output."""


def refused(code: int, message: str, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The command says in one line what is wrong, and what to do."""
    assert main(arguments) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert message in printed.err
    assert [line.partition(":")[0] for line in printed.err.splitlines()] == ["error", "hint"]


# -- names ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["19990101-000000-zzz", "1"], "no run"),
        (["last", "3"], "has no output '3'"),
        (["last", "out/no.parquet"], "there are: 1 (collect), 2"),
        (["last", "0"], "has no output '0'"),
    ],
)
def test_no_such_run_or_output(
    arguments: list[str], message: str, command: str, recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = [command, *arguments, *COMMANDS[command], "--store", str(recorded / "store")]
    refused(ExitCode.FAILED, message, asked, capsys)


@pytest.mark.parametrize("command", COMMANDS)
def test_no_such_store_and_no_such_use(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = [command, "last", "1", *COMMANDS[command], "--store", str(tmp_path / "none")]
    refused(ExitCode.UNREACHABLE, "there is no store", asked, capsys)
    refused(ExitCode.USAGE, "Missing", [command, "last"], capsys)


@pytest.mark.compat
@pytest.mark.parametrize(
    ("where", "error", "message"),
    [
        ("k =", BigDebugError, "not valid SQL"),
        ("nothing > 1", UnknownNameError, "names a column that the output doesn't have"),
        ("k + 1", BigDebugError, "can't be evaluated"),
        ("sum(total) > 1", BigDebugError, "can't be evaluated"),
        ("k = 1; drop table x", BigDebugError, "not valid SQL"),
        ("", BigDebugError, "not valid SQL"),
        (5, BigDebugError, "where can't be int"),
        (lambda: F.col("nothing") > 1, UnknownNameError, "names a column that the output doesn't have"),
    ],
    ids=["no SQL", "no such column", "no boolean", "an aggregate", "two", "nothing", "no text", "a Column"],
)
def test_a_where_that_is_no_condition(
    where: object, error: type[BigDebugError], message: str, spark: SparkSession, recorded: Path
) -> None:
    with pytest.raises(error, match=message) as told:
        trace(recorded / "store", spark, where() if callable(where) else where).matched  # noqa: B018
    assert told.value.exit_code == ExitCode.FAILED
    assert told.value.hint


def test_a_where_that_fails_on_a_row(spark: SparkSession, recorded: Path) -> None:
    with pytest.raises(BigDebugError, match="DIVIDE_BY_ZERO") as told:
        trace(recorded / "store", spark, "1 / k > 0").matched  # noqa: B018
    assert told.value.exit_code == ExitCode.FAILED
    assert traced(trace(recorded / "store", spark)) == [1, 4, 7, 10, 13, 16, 19]


# -- recipes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kept", [0, 1, 100, 0.5, 0.9, -1])
def test_a_recipe_cut_short(kept: float, copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = recipe_file(copied).read_bytes()
    length = int(kept * len(data)) if isinstance(kept, float) else kept % len(data)
    recipe_file(copied).write_bytes(data[:length])
    for command, asked in COMMANDS.items():
        line = [command, "last", "1", *asked, "--store", str(copied)]
        refused(ExitCode.FAILED, "damaged or cut short", line, capsys)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("name", "message"), [("run.json", "run.json is damaged"), ("events.jsonl", "damaged line")]
)
def test_a_damaged_run(
    name: str, message: str, command: str, copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (file,) = copied.glob(f"*/{name}")
    file.write_bytes(b"\0" * 100 + b"\n")
    asked = [command, "last", "1", *COMMANDS[command], "--store", str(copied)]
    refused(ExitCode.FAILED, message, asked, capsys)


def rewritten(store: Path, **changes: object) -> None:
    """Change what the recipe says of itself."""
    file = recipe_file(store)
    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["recipe.json"] = json.dumps(json.loads(parts["recipe.json"]) | changes).encode()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 99}, "another version of bigdebug"),
        ({"spark": "3.5.1"}, "recorded with Spark 3.5.1, this is Spark"),
        ({"python": "2.7.18", "uses_python": True}, "pickled by Python 2.7.18"),
        ({"skeleton": {"class": "org.apache.spark.sql.NoSuchPlan", "fields": 0}}, "ClassNotFound"),
        ({"unforeseen": 1}, "another version of bigdebug"),
    ],
)
def test_a_recipe_of_another_version(
    changes: dict[str, object], message: str, copied: Path, spark: SparkSession
) -> None:
    rewritten(copied, **changes)
    with pytest.raises(RecipeError, match=message) as told:
        trace(copied, spark)
    assert told.value.hint


def test_pieces_that_are_no_pieces(copied: Path, spark: SparkSession) -> None:
    file = recipe_file(copied)
    with zipfile.ZipFile(file) as archive:
        description = archive.read("recipe.json")
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("recipe.json", description)
        archive.writestr("pieces.bin", b"no java here")
    with pytest.raises(RecipeError, match="damaged"):
        trace(copied, spark)


def test_pieces_of_classes_that_no_plan_holds(copied: Path, spark: SparkSession) -> None:
    catalyst = Catalyst(spark)
    foreign = Pieces(catalyst)
    foreign.add(catalyst.jvm.java.net.URI("file:///etc/passwd"))
    file = recipe_file(copied)
    with zipfile.ZipFile(file) as archive:
        description = archive.read("recipe.json")
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("recipe.json", description)
        archive.writestr("pieces.bin", foreign.to_bytes())
    with pytest.raises(RecipeError, match="REJECTED"):
        trace(copied, spark)


def _by_somebody_else(store: Path) -> None:
    os.chown(recipe_file(store), 12345, -1)


def _writable_by_others(store: Path) -> None:
    recipe_file(store).chmod(0o666)


def _in_a_folder_writable_by_others(store: Path) -> None:
    recipe_file(store).parent.chmod(0o777)


@pytest.mark.parametrize(
    "spoil",
    [_by_somebody_else, _writable_by_others, _in_a_folder_writable_by_others],
    ids=lambda s: s.__name__,
)
def test_a_recipe_that_others_could_have_written(
    spoil: Callable[[Path], None], copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if spoil is _by_somebody_else and os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    spoil(copied)
    assert main(["trace", "last", "1", "--where", "k = 1", "--store", str(copied)]) == ExitCode.FAILED
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "recipe" in printed.err
    assert "hint: " in printed.err


def test_what_a_recipe_cannot_hold_is_said_and_does_no_harm(spark: SparkSession, tmp_path: Path) -> None:
    rates = spark.sparkContext.broadcast({1: 10})
    with bigdebug.attach(spark, store=str(tmp_path)) as session:

        @F.udf("long")
        def rated(n: int) -> int:
            return rates.value.get(n, 0)

        assert spark.range(3).select(rated("id").alias("r")).collect() == [Row(r=0), Row(r=10), Row(r=0)]
        barrier = spark.sparkContext.parallelize([(1,)], 1).barrier().mapPartitions(lambda part: part)
        assert spark.createDataFrame(barrier.map(tuple), "x long").count() == 1
        assert spark.createDataFrame([(n,) for n in range(100_001)], "n int").count() == 100_001
        session._recorder.drain()
        problems = [output.recipe_problem or "" for output in session.outputs]
        assert [output.recipe for output in session.outputs] == ["unavailable"] * 3
        assert session.trace(session.outputs[0], "r = 10").collect()[0].value == {"id": 1}
    assert "rated uses a Spark broadcast variable" in problems[0]
    assert "an RDD that wasn't recorded" in problems[1]
    assert "more than 100,000 rows" in problems[2]
    run = Store(str(tmp_path)).find("last")
    with pytest.raises(RecipeError, match="rated uses a Spark broadcast variable") as told:
        open_output(run, run.output("1"), spark=spark)
    assert "session.trace" in (told.value.hint or "")


# -- sources ----------------------------------------------------------------------------------------


def change(data: Path) -> str:
    with (data / "1.csv").open("a") as file:
        file.write("1,99\n")
    return "1.csv changed from 54 to 59 bytes"


def rewrite(data: Path) -> str:
    (data / "0.csv").write_text((data / "0.csv").read_text().replace("9", "8"))
    os.utime(data / "0.csv", (1, 1))
    return "0.csv was written again"


def add(data: Path) -> str:
    (data / "2.csv").write_text("k,n\n1,99\n")
    return "2.csv was added"


def remove(data: Path) -> str:
    (data / "1.csv").unlink()
    return "1.csv is gone"


@pytest.mark.parametrize("happens", [change, rewrite, add, remove], ids=lambda happens: happens.__name__)
def test_sources_that_changed(happens: Callable[[Path], str], recorded: Path, spark: SparkSession) -> None:
    try:
        said = happens(recorded / "data")
        with pytest.raises(SourceChangedError, match=said) as told:
            trace(recorded / "store", spark)
        assert str(recorded / "data") in told.value.message
        assert told.value.exit_code == ExitCode.FAILED
        assert "--allow-changed" in (told.value.hint or "")
        allowed = trace(recorded / "store", spark, allow_changed=True)
        assert allowed.matched == 1
        assert allowed.exact is False
        assert any(said in note for note in allowed.notes)
        assert len(allowed.collect()) == {"change": 8, "rewrite": 7, "add": 8, "remove": 3}[happens.__name__]
    finally:
        shutil.rmtree(recorded / "data")
        times = {}
        with zipfile.ZipFile(recipe_file(recorded / "store")) as archive:
            for path, _, time in json.loads(archive.read("recipe.json"))["leaves"][0]["files"]:
                times[path.removeprefix("file:")] = time
        write_data(recorded)
        for path, time in times.items():
            os.utime(path, ns=(time * 1_000_000, time * 1_000_000))
    assert traced(trace(recorded / "store", spark)) == [1, 4, 7, 10, 13, 16, 19]


def test_a_source_that_is_gone(
    recorded: Path,
    spark: SparkSession,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # A second session of the command's own would stop that of the tests at its end.
    monkeypatch.setattr(postmortem, "open_output", functools.partial(open_output, spark=spark))
    (recorded / "data").rename(recorded / "elsewhere")
    try:
        for command, asked in COMMANDS.items():
            line = [command, "last", "1", *asked, "--store", str(recorded / "store")]
            refused(ExitCode.FAILED, "data is gone since the run read it", line, capsys)
        for allowed in (False, True):
            with pytest.raises(SourceChangedError, match="data is gone") as told:
                trace(recorded / "store", spark, allow_changed=allowed)
            assert "put it back" in (told.value.hint or "")
    finally:
        (recorded / "elsewhere").rename(recorded / "data")


# -- runs and sessions ------------------------------------------------------------------------------


def test_a_run_that_is_still_going(spark: SparkSession, tmp_path: Path) -> None:
    write_data(tmp_path)
    with bigdebug.attach(spark, store=str(tmp_path / "store")) as session:
        frame = spark.read.csv(str(tmp_path / "data"), header=True, schema="k int, n int")
        frame.groupBy("k").count().collect()
        session._recorder.drain()
        rows = frame.toLocalIterator()
        next(rows)
        run = Store(str(tmp_path / "store")).find("last")
        assert run.status == "running"
        assert [output.status for output in run.outputs] == ["done", "running"]
        assert traced(trace(tmp_path / "store", spark)) == [1, 4, 7, 10, 13, 16, 19]
        assert len(list(rows)) == 19
    assert Store(str(tmp_path / "store")).find("last").status == "done"


STOPPED = """
import sys
import bigdebug
from bigdebug.lineage.errors import BigDebugError
from pyspark.sql import SparkSession

spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
session = bigdebug.attach(spark, store="store")
frame = spark.range(5)
frame.collect()
begun = session.trace(frame, "id = 3")
outputs = session.outputs
spark.stop()
for question in (
    lambda: begun.matched,
    lambda: session.trace(frame, "id = 3").matched,
    lambda: session.trace(outputs[0], "id = 3").matched,
):
    try:
        question()
    except BigDebugError as error:
        print(type(error).__name__, int(error.exit_code), error.message, "|", error.hint)
"""


def test_a_session_that_was_stopped(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", STOPPED],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    said = done.stdout.splitlines()
    assert len(said) == 3, done.stdout
    for line in said:
        assert line.startswith("UnreachableError 3 ")
        assert "was stopped" in line
        assert "ask from the store: bigdebug trace" in line
    assert "Traceback" not in done.stderr
