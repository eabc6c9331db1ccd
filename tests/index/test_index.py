"""Indexes: written by a session, by the command and right after each action; read without Spark, Java or sources."""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.classic.dataframe import DataFrame as ClassicDataFrame

import bigdebug
from bigdebug.lineage.errors import BigDebugError, DamagedIndexError, UnsupportedOperatorError
from bigdebug.lineage.index.reading import Index, open_index
from bigdebug.lineage.store import Store
from tests.index.totals import totals
from tests.thinned import thinned


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
    thinned(
        ["k = 'k1'", "k is null", "total > 100", "price <= 10 or name = 'two'", None],
        "conditions asked of an index and of a live trace",
        5,
    ),
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


CREATE = "create table full_capture using parquet as select * from parquet.`{}/orders`"
ACTIONS: dict[str, Callable[[DataFrame, Path, Path], Any]] = {
    "collect": lambda frame, *_: frame.collect(),
    "show": lambda frame, *_: frame.show(2),
    "write.parquet": lambda frame, folder, _: frame.write.parquet(str(folder / "written")),
    "sql CREATE TABLE AS": lambda frame, _, orders: frame.sparkSession.sql(CREATE.format(orders)),
    "toLocalIterator": lambda frame, *_: list(frame.toLocalIterator()),
}


@pytest.mark.parametrize(
    "some",
    thinned(
        [["collect"], ["write.parquet", "show", "sql CREATE TABLE AS", "toLocalIterator"]],
        "outputs of all kinds of actions under full capture",
        2,
    ),
    ids=" and ".join,
)
def test_full_capture_indexes_each_output_right_after_its_action(
    some: list[str], spark: SparkSession, orders: Path, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    with bigdebug.attach(spark, store=store, capture="full") as session:
        frame = totals(spark, orders)
        given = [ACTIONS[each](frame, tmp_path, orders) for each in some]
        live = [told(session.trace(output, "k = 'k1'")) for output in session.outputs]
    spark.sql("drop table if exists full_capture")
    run = Store(str(store)).find("last")
    assert [output.action for output in run.outputs] == some
    for output, expected in zip(run.outputs, live, strict=True):
        index = open_index(run.tables, output.number)
        assert index is not None, output.action
        assert told(index.trace("k = 'k1'")) == expected
    if some[0] == "collect":
        assert len(given[0]) == open_index(run.tables, 1).rows  # type: ignore[union-attr]


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


@pytest.mark.parametrize(
    ("zone", "kind"),
    thinned(
        [
            ("timestamp", "by user"),
            ("timestamp", "alone"),
            ("timestamp", "above another group"),
            ("timestamp_ntz", "by user"),
        ],
        "sessions of each kind, found by their rows in an index",
        among=[("timestamp", "by user")],
    ),
)
def test_sessions_are_found_by_their_rows(
    session: bigdebug.Session, spark: SparkSession, zone: str, kind: str
) -> None:
    rows = [(n, "ab"[n % 2] if n % 5 else None, (n * n * 37) % 1800) for n in range(60)]
    events = spark.createDataFrame(rows, "id int, user string, second int").select(
        "id", "user", F.timestamp_seconds("second").cast(zone).alias("at")
    )
    window = F.session_window("at", "20 seconds")
    by_user = events.groupBy(window, "user").agg(F.count("*").alias("n"), F.min("id").alias("least"))
    alone = events.groupBy(window).agg(F.count("*").alias("n"), F.min("id").alias("least"))
    above = by_user.groupBy("n").agg(F.min("least").alias("least"))
    frame = {"by user": by_user, "alone": alone, "above another group": above}[kind]
    given = frame.collect()
    output = session.outputs[-1]
    index = session.index(output)
    assert index.rows == len(given)
    assert told(index.trace()) == told(session.trace(output))
    counts = {row.least: index.trace(f"least = {row.least}").sources[0].count for row in given}
    if frame is not above:
        assert counts == {row.least: row.n for row in given}
    where = f"least = {given[0].least} and n = {given[0].n}"
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
