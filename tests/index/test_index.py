"""Indexes: written by a session, by the command and right after each action; read without Spark, Java or sources."""

import functools
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.classic.dataframe import DataFrame as ClassicDataFrame

import bigdebug
from bigdebug.cli.main import main
from bigdebug.cli.schemas import schema
from bigdebug.lineage import postmortem
from bigdebug.lineage.errors import BigDebugError, DamagedIndexError, UnsupportedOperatorError
from bigdebug.lineage.index.reading import Index, open_index
from bigdebug.lineage.postmortem import open_output
from bigdebug.lineage.store import Store

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def orders(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Orders as Parquet in two files; prices as CSV."""
    folder = tmp_path_factory.mktemp("index")
    frame = spark.range(40).select(
        F.col("id").cast("int").alias("n"),
        F.when(F.col("id") % 7 != 0, F.concat(F.lit("k"), F.col("id") % 5)).alias("k"),
        (F.col("id") * 1.5).alias("v"),
    )
    frame.repartition(2, "n").write.parquet(str(folder / "orders"))
    (folder / "prices.json").write_text("".join(f'{{"k": "k{i}", "price": {i * 10}}}\n' for i in range(5)))
    return folder


@pytest.fixture
def session(spark: SparkSession, tmp_path: Path) -> Iterator[bigdebug.Session]:
    with bigdebug.attach(spark, store=str(tmp_path / "store")) as attached:
        yield attached


def totals(spark: SparkSession, folder: Path) -> DataFrame:
    orders = spark.read.parquet(str(folder / "orders"))
    prices = spark.read.json(str(folder / "prices.json"), schema="k string, price int")
    names = spark.createDataFrame([("k1", "one"), ("k2", "two"), ("k3", None)], "k string, name string")
    joined = orders.join(prices, "k", "left").join(names, "k", "left")
    return joined.groupBy("k", "name").agg(F.sum("v").alias("total"), F.max("price").alias("price"))


def told(trace: Any) -> Any:
    """All that a trace says, but for the values that only Spark can read."""
    return (
        trace.matched,
        trace.exact,
        [(s.name, s.kind, s.count, s.files, s.columns, s.deciding_columns) for s in trace.sources],
        [(s.operator, s.call_site, s.count) for s in trace.steps],
        [(r.source, r.location, r.value) for r in trace.collect() if r.source != "prices.json"],
        [(r.source, r.location) for r in trace.collect()],
    )


@pytest.mark.parametrize(
    "where",
    [
        pytest.param("k = 'k1'", marks=pytest.mark.compat),
        "k is null",
        "total > 100",
        "price <= 10 or name = 'two'",
        None,
    ],
)
def test_an_index_says_what_a_live_trace_says(
    session: bigdebug.Session, spark: SparkSession, orders: Path, where: str | None
) -> None:
    totals(spark, orders).collect()
    (output,) = session.outputs
    index = session.index(output)
    indexed, live = index.trace(where), session.trace(output, where)
    assert told(indexed) == told(live)
    assert index.rows == output.rows
    assert index.bytes > 0
    assert index.seconds > 0


def test_values_that_only_spark_can_read_are_left_out_with_a_note(
    session: bigdebug.Session, spark: SparkSession, orders: Path
) -> None:
    totals(spark, orders).collect()
    trace = session.index(session.outputs[-1]).trace("k = 'k2'")
    records = {record.source: record for record in trace.collect(1)}
    assert records["orders"].value["k"] == "k2"
    assert (records["prices.json"].value, records["prices.json"].known) == (None, False)
    assert records["prices.json"].location.position == 2
    assert any("prices.json" in note and "needs Spark" in note for note in trace.notes)


@pytest.mark.compat
def test_full_capture_indexes_each_output_right_after_its_action(
    spark: SparkSession, orders: Path, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    with bigdebug.attach(spark, store=store, capture="full") as session:
        frame = totals(spark, orders)
        rows = frame.collect()
        frame.show(2)
        frame.write.parquet(str(tmp_path / "written"))
        spark.sql(f"create table full_capture using parquet as select * from parquet.`{orders}/orders`")
        for _ in frame.toLocalIterator():
            pass
        live = [told(session.trace(output, "k = 'k1'")) for output in session.outputs]
    spark.sql("drop table full_capture")
    run = Store(str(store)).find("last")
    assert [output.action for output in run.outputs] == [
        "collect", "show", "write.parquet", "sql CREATE TABLE AS", "toLocalIterator"
    ]  # fmt: skip
    for output, expected in zip(run.outputs, live, strict=True):
        index = open_index(run.tables, output.number)
        assert index is not None, output.action
        assert told(index.trace("k = 'k1'")) == expected
    assert len(rows) == open_index(run.tables, 1).rows  # type: ignore[union-attr]


def test_groups_of_a_user_defined_type(session: bigdebug.Session, spark: SparkSession) -> None:
    from pyspark.ml.linalg import Vectors

    rows = [(n, Vectors.dense([n % 2, 1.5])) for n in range(3)]
    frame = spark.createDataFrame(rows, ["m", "vector"]).groupBy("vector").agg(F.count("*").alias("n"))
    frame.collect()
    (output,) = session.outputs
    assert told(session.index(output).trace("n = 2"))[:4] == told(session.trace(output, "n = 2"))[:4]


def test_what_cant_be_indexed_is_logged_and_the_program_goes_on(
    spark: SparkSession, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with bigdebug.attach(spark, store=tmp_path / "store", capture="full") as session:
        pairs = spark.createDataFrame([("a", 1), ("b", 2)], "k string, v int")
        turned = ClassicDataFrame(pairs._jdf.transpose(), spark)  # as before the program was attached
        for _ in range(2):
            assert len(turned.collect()) == 1
        with pytest.raises(UnsupportedOperatorError, match="Transpose"):
            session.index(session.outputs[0])
    logged = [record.getMessage() for record in caplog.records if "indexed" in record.getMessage()]
    assert len(logged) == 1, "once is enough"
    assert "output 1 isn't indexed" in logged[0]
    assert not (tmp_path / "store" / session.run_id / "lineage" / "1.json").exists()


@pytest.mark.parametrize("zone", ["timestamp", "timestamp_ntz"])
def test_sessions_are_found_by_their_rows(session: bigdebug.Session, spark: SparkSession, zone: str) -> None:
    rows = [(n, "ab"[n % 2] if n % 5 else None, (n * n * 37) % 1800) for n in range(60)]
    events = spark.createDataFrame(rows, "id int, user string, second int").select(
        "id", "user", F.timestamp_seconds("second").cast(zone).alias("at")
    )
    window = F.session_window("at", "20 seconds")
    by_user = events.groupBy(window, "user").agg(F.count("*").alias("n"), F.min("id").alias("least"))
    alone = events.groupBy(window).agg(F.count("*").alias("n"), F.min("id").alias("least"))
    above = by_user.groupBy("n").agg(F.min("least").alias("least"))
    for frame in (by_user, alone, above) if zone == "timestamp" else (by_user,):
        given = frame.collect()
        output = session.outputs[-1]
        index = session.index(output)
        assert index.rows == len(given)
        assert told(index.trace()) == told(session.trace(output))
        counts = {row.least: index.trace(f"least = {row.least}").sources[0].count for row in given}
        if frame is not above:
            assert counts == {row.least: row.n for row in given}
        for row in given[:1]:
            where = f"least = {row.least} and n = {row.n}"
            assert told(index.trace(where)) == told(session.trace(output, where))


def test_a_program_that_overwrites_its_source_is_indexed_or_told(
    spark: SparkSession, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = str(tmp_path / "data")
    spark.range(5).write.parquet(place)
    with bigdebug.attach(spark, store=tmp_path / "store", capture="full"):
        frame = spark.read.parquet(place).where("id > 2")
        assert frame.count() == 2
        rows = spark.createDataFrame(frame.collect(), "id long")
        rows.write.mode("overwrite").parquet(place)
        assert spark.read.parquet(place).count() == 2
    run = Store(str(tmp_path / "store")).find("last")
    index = open_index(run.tables, 1)
    assert index is not None
    trace = index.trace("id = 3")
    assert (trace.matched, trace.sources[0].count) == (1, 1)
    (record,) = trace.collect()
    assert record.location.file is not None
    assert record.value is None
    assert any("is gone" in note for note in trace.notes)


def test_a_new_index_takes_the_old_ones_place(
    session: bigdebug.Session, spark: SparkSession, orders: Path, tmp_path: Path
) -> None:
    totals(spark, orders).collect()
    (output,) = session.outputs
    session.index(output)
    index = session.index(output)
    assert index.trace("k = 'k1'").matched == 1
    folder = tmp_path / "store" / session.run_id / "lineage"
    assert sorted(path.suffix for path in folder.iterdir()) == ["", ".json"]


def test_two_indexers_at_once_leave_one_whole_index(
    session: bigdebug.Session, spark: SparkSession, orders: Path
) -> None:
    totals(spark, orders).collect()
    (output,) = session.outputs
    found: list[Index | Exception] = []

    def index() -> None:
        try:
            found.append(session.index(output))
        except Exception as error:
            found.append(error)

    threads = [threading.Thread(target=index) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(isinstance(each, Index) for each in found), found
    run = session._recorder.tables
    whole = open_index(run, output.number)
    assert whole is not None
    assert told(whole.trace("k = 'k1'")) == told(session.trace(output, "k = 'k1'"))


def test_an_index_that_cant_be_written_is_absent_and_the_former_one_stands(
    session: bigdebug.Session,
    spark: SparkSession,
    orders: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    totals(spark, orders).collect()
    (output,) = session.outputs
    session.index(output)
    tables = session._recorder.tables
    uri = type(tables).hadoop_uri

    def full_disk(self: Any, name: str) -> str:
        # /dev/full takes nothing; below a file no folder can be made.
        return "file:///dev/full/index" if name.endswith("segment-1") else uri(self, name)

    monkeypatch.setattr(type(tables), "hadoop_uri", full_disk)
    with pytest.raises(BigDebugError):
        session.index(output)
    monkeypatch.undo()
    index = open_index(tables, output.number)
    assert index is not None
    assert index.trace("k = 'k1'").matched == 1
    folder = tmp_path / "store" / session.run_id / "lineage"
    assert len([path for path in folder.iterdir() if path.is_dir()]) == 1, "the half of one is gone"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 400 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=400k", "none", str(folder)]
    try:
        made = subprocess.run(mount, capture_output=True, check=False)
    except OSError as error:
        pytest.skip(f"no file system of its own can be mounted here: {error}")
    if made.returncode:
        pytest.skip(f"no file system of its own can be mounted here: {made.stderr.decode()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_disk_that_is_full(small_disk: Path, spark: SparkSession) -> None:
    with bigdebug.attach(spark, store=small_disk / "store") as session:
        numbers = spark.range(300_000)
        numbers.where("id < 9").collect()
        large = numbers.selectExpr("id", "sha2(string(id), 256) s").where("id < 250000")
        large.write.format("noop").mode("overwrite").save()
        small, written = session.outputs
        session.index(small)
        with pytest.raises(BigDebugError, match=r"can't be written.*No space left") as told:
            session.index(written)
        assert "\n" not in told.value.message
        assert "make room" in (told.value.hint or "")
        tables = session._recorder.tables
        assert tables is not None
        assert open_index(tables, written.number) is None
        lineage = small_disk / "store" / session.run_id / "lineage"
        assert len(list(lineage.iterdir())) == 2, "the small one's folder and file"
        index = open_index(tables, small.number)
        assert index is not None
        assert index.trace("id = 3").matched == 1


def test_a_recipe_waits_for_room(small_disk: Path, spark: SparkSession) -> None:
    with bigdebug.attach(spark, store=small_disk / "store") as session:
        other = small_disk / "other"
        with suppress(OSError), other.open("wb", buffering=0) as file:
            while file.write(b"x" * 4096):
                pass
        assert spark.range(9).where("id < 5").count() == 5
        session._recorder.drain()
        assert "No space left" in (session.outputs[0].recipe_problem or "")
        other.unlink()
    (output,) = Store(str(small_disk / "store")).find("last").outputs
    assert (output.recipe, output.recipe_problem) == ("stored", None)


def test_a_disk_that_is_full_under_full_capture(
    small_disk: Path, spark: SparkSession, caplog: pytest.LogCaptureFixture
) -> None:
    with bigdebug.attach(spark, store=small_disk / "store", capture="full"):
        numbers = spark.range(300_000)
        large = numbers.selectExpr("id", "sha2(string(id), 256) s").where("id < 250000")
        large.write.format("noop").mode("overwrite").save()
        warned = [record.getMessage() for record in caplog.records if record.name == "bigdebug"]
        # Spark keeps the file open that it couldn't write, removed as it is: till then the disk stays full.
        for _ in range(50):
            spark._jvm.System.gc()
            if os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_bsize > 300_000:
                break
            time.sleep(0.1)
        assert len(numbers.where("id < 9").collect()) == 9
    assert len(warned) == 1
    assert warned[0].startswith("output 1 isn't indexed: the index can't be written to")
    run = Store(str(small_disk / "store")).find("last")
    assert [open_index(run.tables, number) is None for number in (1, 2)] == [True, False]
    assert open_output(run, run.output("1"), spark=spark).trace("id = 3").matched == 1


def test_what_fails_while_it_is_computed_is_no_fault_of_the_store(
    session: bigdebug.Session, spark: SparkSession, tmp_path: Path
) -> None:
    spark.range(30).repartition(2).write.parquet(str(tmp_path / "data"))
    spark.read.parquet(str(tmp_path / "data")).where("id > 3").collect()
    damaged = next((tmp_path / "data").glob("part-*"))
    before = damaged.stat()
    damaged.write_bytes(b"\0" * before.st_size)
    os.utime(damaged, ns=(before.st_atime_ns, before.st_mtime_ns))
    (damaged.parent / f".{damaged.name}.crc").unlink()
    with pytest.raises(BigDebugError, match=f"{damaged.name} can't be read") as told:
        session.index(session.outputs[-1])
    assert "\n" not in told.value.message


def test_files_of_an_index_are_closed_to_others(
    session: bigdebug.Session, spark: SparkSession, orders: Path, tmp_path: Path
) -> None:
    totals(spark, orders).collect()
    session.index(session.outputs[0])
    for path in (tmp_path / "store").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_redacted_values_arent_in_an_index(spark: SparkSession, tmp_path: Path) -> None:
    with bigdebug.attach(spark, store=tmp_path / "store", redact=["name"]) as session:
        people = spark.createDataFrame([(1, "Wilhelmina"), (2, "Cornelius")], "n int, name string")
        people.groupBy("name").agg(F.sum("n").alias("s")).collect()
        index = session.index(session.outputs[0])
        assert index.trace("s = 2").sources[0].count == 1
        with pytest.raises(BigDebugError, match="aren't in the index"):
            index.trace("name = 'Cornelius'")
        spark.createDataFrame(people.rdd.map(tuple), people.schema).collect()
        with pytest.raises(
            BigDebugError, match=r"can be redacted \(createDataFrame of an RDD at test_index\.py"
        ):
            session.index(session.outputs[1])
        for path in (tmp_path / "store").rglob("*"):
            if path.is_file():
                assert b"Cornelius" not in path.read_bytes(), path


@pytest.mark.parametrize("content", [b"", b"{", b'{"format": 99}', b'{"format": 1}', b"[]"])
def test_a_damaged_manifest_is_told(
    session: bigdebug.Session, spark: SparkSession, tmp_path: Path, content: bytes
) -> None:
    spark.range(3).collect()
    session.index(session.outputs[0])
    (tmp_path / "store" / session.run_id / "lineage" / "1.json").write_bytes(content)
    with pytest.raises(DamagedIndexError, match="the index") as error:
        open_index(session._recorder.tables, 1)
    assert "bigdebug index" in (error.value.hint or "")


def test_missing_tables_are_told(session: bigdebug.Session, spark: SparkSession, tmp_path: Path) -> None:
    spark.range(3).collect()
    index = session.index(session.outputs[0])
    for path in (tmp_path / "store").rglob("*.parquet"):
        path.write_bytes(b"PAR1")
    with pytest.raises(DamagedIndexError, match="can't be read"):
        _ = index.trace("id = 1").matched


def test_only_outputs_can_be_indexed(session: bigdebug.Session, spark: SparkSession) -> None:
    with pytest.raises(BigDebugError, match="an Output"):
        session.index(spark.range(3))  # type: ignore[arg-type]


# -- the command ------------------------------------------------------------------------------------


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
    slow = without_java(
        recorded, "trace", "last", "2", "--where", "upper(k) = 'K1'", "--json", path=os.environ["PATH"]
    )
    assert "Spark is asked" in slow.stderr
    told, again = json.loads(fast.stdout), json.loads(slow.stdout)
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
