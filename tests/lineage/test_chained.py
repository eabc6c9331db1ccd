"""Traces go on through files that an earlier run wrote, to the records these were made of."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

import bigdebug
from bigdebug.cli.main import main
from bigdebug.cli.schemas import schema
from bigdebug.cli.trace_view import TraceAnswer, TracedSource, trace_json
from bigdebug.lineage.index.reading import open_index
from bigdebug.lineage.links import writings
from bigdebug.lineage.postmortem import open_output
from bigdebug.lineage.store import Store
from bigdebug.lineage.trace import Trace
from tests.thinned import thinned

LINES = ["id,name,price,day", "1,ann,1.5,2024-01-01", "2, bob ,2.5,2024-01-02", "3,,3.5,2024-01-03"]
LINES += ["4,ann,-4.0,2024-01-04", "5,eve,,2024-01-05"]
SCHEMA = "id int, name string, price decimal(8,2), day timestamp"

Read = Callable[[SparkSession, str], DataFrame]
Write = Callable[[DataFrame, str], None]


def place_of_table(spark: SparkSession) -> str:
    described = spark.sql("describe extended kept").where("col_name = 'Location'")
    return str(described.first()["data_type"])


def inserted(frame: DataFrame) -> None:
    frame.limit(0).write.saveAsTable("kept")
    frame.createOrReplaceTempView("rows")
    frame.sparkSession.sql("insert into kept select * from rows")


WAYS: dict[str, tuple[Write, Read]] = {
    "parquet": (lambda f, p: f.write.parquet(p), lambda s, p: s.read.parquet(p)),
    "orc": (lambda f, p: f.write.orc(p), lambda s, p: s.read.orc(p)),
    "json": (lambda f, p: f.write.json(p), lambda s, p: s.read.json(p)),
    "csv of text": (
        lambda f, p: f.write.csv(p, header=True),
        lambda s, p: s.read.csv(p, header=True),
    ),
    "csv inferred": (
        lambda f, p: f.write.csv(p, header=True),
        lambda s, p: s.read.csv(p, header=True, inferSchema=True),
    ),
    "csv without header": (
        lambda f, p: f.write.csv(p),
        lambda s, p: s.read.csv(p).toDF("id", "name", "price", "day"),
    ),
    "partitioned": (
        lambda f, p: f.write.partitionBy("name").parquet(p),
        lambda s, p: s.read.parquet(p),
    ),
    "a table": (
        lambda f, _: f.write.bucketBy(2, "id").sortBy("id").saveAsTable("kept"),
        lambda s, _: s.table("kept"),
    ),
    "a table of the second kind of writers": (
        lambda f, _: f.writeTo("default.kept").using("orc").create(),
        lambda s, _: s.table("kept"),
    ),
    "a table, read by its path": (
        lambda f, _: f.write.saveAsTable("kept"),
        lambda s, _: s.read.parquet(place_of_table(s)),
    ),
    "a table that is inserted into, read by its path": (
        lambda f, _: inserted(f),
        lambda s, _: s.read.parquet(place_of_table(s)),
    ),
    "a table of the second kind of writers, read by its path": (
        lambda f, _: f.writeTo("spark_catalog.default.kept").using("json").create(),
        lambda s, _: s.read.json(place_of_table(s)),
    ),
    "with a map": (
        lambda f, p: f.withColumn("all", F.create_map("id", "price")).write.parquet(p),
        lambda s, p: s.read.parquet(p),
    ),
}


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    file = tmp_path / "people.csv"
    file.write_text("\n".join(LINES) + "\n")
    return file


def first_run(spark: SparkSession, lines: Path, write: Write, store: Path) -> str:
    """Keeps the records with a price but the first, and writes them."""
    other = spark.newSession()
    with bigdebug.attach(other, store=store) as session:
        read = other.read.csv(str(lines), header=True, schema=SCHEMA)
        write(read.where("id > 1"), str(lines.parent / "kept"))
        return session.run_id


def answered(trace: Trace) -> dict[str, list[tuple[Any, ...]]]:
    """By source, the file and position of its records."""
    found: dict[str, list[tuple[Any, ...]]] = {source.name: [] for source in trace.sources}
    for record in trace.collect():
        found[record.source].append((Path(record.location.file or "").name, record.location.position))
    return found


@pytest.fixture
def no_table_stays(spark: SparkSession) -> Iterator[None]:
    yield
    spark.sql("drop table if exists kept")


KINDS = ("csv inferred", "a table that is inserted into, read by its path")
"""What a reader has to know: the types, and the table."""


@pytest.mark.usefixtures("no_table_stays")
@pytest.mark.parametrize("way", thinned(WAYS, "traces through files of earlier runs", among=KINDS))
def test_through_a_file_of_an_earlier_run(spark: SparkSession, lines: Path, tmp_path: Path, way: str) -> None:
    write, read = WAYS[way]
    store = tmp_path / "store"
    earlier = first_run(spark, lines, write, store)
    other = spark.newSession()
    with bigdebug.attach(other, store=store) as session:
        counted = read(other, str(tmp_path / "kept")).groupBy((F.col("id") % 2).alias("odd")).count()
        counted.collect()
        live = session.trace(session.outputs[-1], "odd = 0")
        assert live.matched == 1
        there = answered(live)
        of_count = session.trace(session.outputs[-1], "odd = 0", column="count").sources[-1]
        run_id = session.run_id
        session.index(session.outputs[-1])
    assert list(there) == ["kept", "people.csv"]
    assert len(there["kept"]) == 2
    assert there["people.csv"] == [("people.csv", 1), ("people.csv", 3)]
    assert live.exact, live.notes
    last = live.sources[-1]
    # The later run read the id alone, for its key, which it gives.
    assert (last.columns, last.deciding_columns) == (("id",), ())
    wrote = Store(str(store)).find(earlier).outputs[-1].number
    assert (last.run, last.output, last.count) == (earlier, wrote, 2)
    assert (of_count.columns, of_count.deciding_columns) == ((), ("id",))
    assert live.records("people.csv").count() == 2
    assert [step.operator for step in live.steps][-1] != "Aggregate"
    run = Store(str(store)).find(run_id)
    replay = open_output(run, run.output("last"), spark=spark)
    assert answered(replay.trace("odd = 0")) == there
    index = open_index(run.tables, run.output("last").number)
    assert index is not None
    found = list(index.written_by(writings(Store(str(store)), run_id, time.time())))
    assert f"output {wrote} of the run {earlier}" in [str(writing) for _, writing in found]
    assert {writing.run.run_id for _, writing in found} == {earlier}


def test_rows_that_are_alike_are_all_traced_and_that_is_told(spark: SparkSession, tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text("a,1\na,2\nb,3\n")
    store, kept = tmp_path / "store", str(tmp_path / "kept.parquet")
    other = spark.newSession()
    with bigdebug.attach(other, store=store):
        read = other.read.csv(str(source), schema="name string, number int").coalesce(1)
        read.select("name").write.parquet(kept)
    with bigdebug.attach(other, store=store) as session:
        first = other.read.parquet(kept).limit(1)
        first.collect()
        trace = session.trace(session.outputs[-1])
        assert answered(trace)["in.csv"] == [("in.csv", 0), ("in.csv", 1)]
        assert not trace.exact
        assert any("can't be told apart" in note for note in trace.notes)


def test_three_runs_and_two_outputs_appended_to_one_place(spark: SparkSession, tmp_path: Path) -> None:
    store, places = tmp_path / "store", {}
    other = spark.newSession()
    for name, first in (("one", 0), ("two", 100)):
        places[name] = tmp_path / f"{name}.csv"
        places[name].write_text("\n".join(str(first + n) for n in range(5)) + "\n")
    with bigdebug.attach(other, store=store):
        for place in places.values():
            other.read.csv(str(place), schema="n long").write.mode("append").parquet(str(tmp_path / "all"))
    with bigdebug.attach(other, store=store):
        everything = other.read.parquet(str(tmp_path / "all"))
        everything.groupBy((F.col("n") % 5).alias("rest")).agg(F.sum("n").alias("total")).write.json(
            str(tmp_path / "totals")
        )
    with bigdebug.attach(other, store=store) as session:
        other.read.json(str(tmp_path / "totals")).where("rest > 2").collect()
        trace = session.trace(session.outputs[-1], "rest = 3")
        found = answered(trace)
    assert found["one.csv"] == [("one.csv", 3)]
    assert found["two.csv"] == [("two.csv", 3)]
    assert len(found["totals"]) == 1
    assert len(found["all"]) == 2
    assert trace.exact, trace.notes


def test_files_written_again_since_are_no_link(spark: SparkSession, lines: Path, tmp_path: Path) -> None:
    write, read = WAYS["parquet"]
    store = tmp_path / "store"
    first_run(spark, lines, write, store)
    for file in (tmp_path / "kept").glob("*.parquet"):
        os.utime(file, (time.time() + 100, time.time() + 100))
    other = spark.newSession()
    with bigdebug.attach(other, store=store) as session:
        read(other, str(tmp_path / "kept")).collect()
        assert list(answered(session.trace(session.outputs[-1]))) == ["kept"]


def test_a_source_of_the_earlier_run_that_is_gone_ends_the_trace_before_it(
    spark: SparkSession, lines: Path, tmp_path: Path
) -> None:
    write, read = WAYS["parquet"]
    store = tmp_path / "store"
    first_run(spark, lines, write, store)
    lines.unlink()
    other = spark.newSession()
    with bigdebug.attach(other, store=store) as session:
        read(other, str(tmp_path / "kept")).collect()
        trace = session.trace(session.outputs[-1], "id = 4")
        found = answered(trace)
        assert list(found) == ["kept"]
        assert len(found["kept"]) == 1
        assert not trace.exact
        (note,) = trace.notes
        assert "through which the trace can't go on" in note
        assert "people.csv" in note


def test_the_json_names_the_earlier_run(spark: SparkSession, lines: Path, tmp_path: Path) -> None:
    write, read = WAYS["parquet"]
    store = tmp_path / "store"
    earlier = first_run(spark, lines, write, store)
    other = spark.newSession()
    with bigdebug.attach(other, store=store) as session:
        read(other, str(tmp_path / "kept")).collect()
        output = session.outputs[-1]
        trace = session.trace(output, "id = 4")
        sources = [
            TracedSource(
                one.name,
                one.kind,
                one.call_site,
                one.count,
                one.files,
                trace.collect_source(one.name),
                one.columns,
                one.deciding_columns,
                one.run,
                one.output,
            )
            for one in trace.sources
        ]
        run_id = session.run_id
    run = Store(str(store)).find(run_id)
    answer = TraceAnswer(run, output, "id = 4", 1, trace.exact, trace.notes, sources, ())
    told = json.loads(json.dumps(trace_json(answer)))
    jsonschema.validate(told, schema("trace"))
    assert [source.get("run") for source in told["sources"]] == [None, earlier]
    assert told["sources"][1]["records"][0]["value"]["id"] == 4


def test_an_index_says_that_a_trace_in_spark_goes_on(
    spark: SparkSession, lines: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write, read = WAYS["parquet"]
    store = tmp_path / "store"
    earlier = first_run(spark, lines, write, store)
    other = spark.newSession()
    with bigdebug.attach(other, store=store) as session:
        read(other, str(tmp_path / "kept")).collect()
        session.index(session.outputs[-1])
        run_id = session.run_id
    assert main(["trace", run_id, "1", "--where", "id = 4", "--store", str(store), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    (note,) = [note for note in told["notes"] if "was written" in note]
    assert f"kept was written by output 1 of the run {earlier}" in note
    assert "--no-index" in note
