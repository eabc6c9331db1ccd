"""Files come out as paths a person can open, however they were named and reached; other data by its index."""

import csv
import io
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

import bigdebug
from bigdebug.lineage.postmortem import open_output
from bigdebug.lineage.store import Store
from tests.lineage.placed import (
    SCHEMA,
    SPLIT,
    Record,
    judge,
    means,
    of_kind_one,
    plain_parquet,
    read_csv,
    records,
    text_of,
    write_csv,
)
from tests.settings import settings

# -- places -----------------------------------------------------------------------------------------


ODD_NAMES = [
    "plain.csv",
    "with space.csv",
    "100%.csv",
    "a+b=c.csv",
    "%41%20.csv",
    "ünï€.csv",
    "[x]{y}.csv",
    "a#b?.csv",
]


def test_names_come_out_as_they_are(session: bigdebug.Session, spark: SparkSession, tmp_path: Path) -> None:
    folder = tmp_path / "odd %20+ naïve"
    folder.mkdir()
    for number, name in enumerate(ODD_NAMES):
        write_csv(folder / name, records(9, 100 * number))
    frame = means(spark.read.csv(str(folder), header=True, schema=SCHEMA))
    frame.collect()
    trace = session.trace(frame, "k = 1")
    session._recorder.drain()
    run = Store(session._recorder.store).find(session.run_id)
    for asked in (trace, open_output(run, run.output("last"), spark=spark).trace("k = 1")):
        judge(asked, sorted(folder.iterdir()), lambda path: read_csv(text_of(path)), of_kind_one)
        (source,) = asked.sources
        assert source.name == "odd %20+ naïve"
        assert {row.file for row in asked.records().select("_record.file").collect()} == set(source.files)


def test_names_that_look_like_patterns(
    session: bigdebug.Session, spark: SparkSession, tmp_path: Path
) -> None:
    for name in ("a[1]", "a1", "{b}", "b"):
        (tmp_path / name).mkdir()
        write_csv(tmp_path / name / "x.csv", records(9, len(name)))
    # As a pattern `a[1]` means `a1`: what Spark read is to be read again, not what its name means.
    paths = [str(tmp_path / r"a\[1\]"), str(tmp_path / r"\{b\}")]
    means(spark.read.csv(paths, header=True, schema=SCHEMA)).collect()
    session._recorder.drain()
    run = Store(session._recorder.store).find(session.run_id)
    trace = open_output(run, run.output("last"), spark=spark).trace("k = 1")
    files = [tmp_path / "a[1]" / "x.csv", tmp_path / "{b}" / "x.csv"]
    judge(trace, files, lambda path: read_csv(text_of(path)), of_kind_one)


def test_names_of_parquet_files_come_out_as_they_are(
    session: bigdebug.Session, spark: SparkSession, tmp_path: Path
) -> None:
    folder = tmp_path / "odd %20+ naïve"
    folder.mkdir()
    for number, name in enumerate(ODD_NAMES):
        table = pa.Table.from_pylist(records(9, 100 * number))
        pyarrow.parquet.write_table(table, folder / name.replace(".csv", ".parquet"))
    trace = session.trace(means(spark.read.parquet(str(folder))), "k = 1")

    judge(trace, sorted(folder.iterdir()), plain_parquet, of_kind_one)
    (source,) = trace.sources
    assert {row.file for row in trace.records().select("_record.file").collect()} == set(source.files)


@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_partitioned_folders(
    format: str, session: bigdebug.Session, spark: SparkSession, tmp_path: Path
) -> None:
    for day in ("2026-01-01", "2026-01-02", "2026-01-03"):
        folder = tmp_path / "sales" / f"dt={day}"
        folder.mkdir(parents=True)
        for number in range(2):
            rows = records(40, 100 * number)
            if format == "csv":
                write_csv(folder / f"{number}.csv", rows, header=False)
            else:
                pyarrow.parquet.write_table(pa.Table.from_pylist(rows), folder / f"{number}.parquet")

    def read(path: Path) -> list[Record]:
        rows = read_csv(text_of(path), header=False) if format == "csv" else plain_parquet(path)
        return [{**row, "dt": date.fromisoformat(path.parent.name.removeprefix("dt="))} for row in rows]

    with settings(spark, SPLIT):
        reader = spark.read.schema("k int, n long, text string, dt date") if format == "csv" else spark.read
        frame = reader.format(format).load(str(tmp_path / "sales"))
        trace = session.trace(means(frame.filter("dt > '2026-01-01'")), "k = 1")
        judge(
            trace,
            sorted(tmp_path.glob("sales/*/*")),
            read,
            lambda record: record["k"] == 1 and str(record["dt"]) > "2026-01-01",
        )


def test_globs_and_several_paths_in_any_order(
    session: bigdebug.Session, spark: SparkSession, tmp_path: Path
) -> None:
    for number in range(4):
        (tmp_path / f"{'ab'[number % 2]}{number}").mkdir()
        write_csv(tmp_path / f"{'ab'[number % 2]}{number}" / "x.csv", records(60, 1000 * number))
    files = sorted(tmp_path.glob("*/*.csv"))
    reader = spark.read.option("header", True).schema(SCHEMA)
    with settings(spark, SPLIT):
        for paths, read_files in [
            ([str(tmp_path / "a*" / "*.csv")], [f for f in files if f.parent.name.startswith("a")]),
            ([str(f) for f in reversed(files)], files),
        ]:
            trace = session.trace(means(reader.csv(paths)), "k = 1")
            judge(trace, read_files, lambda path: read_csv(text_of(path)), of_kind_one)


@pytest.mark.parametrize("partitioned", [False, True])
@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_catalog_tables(
    format: str, partitioned: bool, session: bigdebug.Session, spark: SparkSession
) -> None:
    name = f"positions_{format}_{partitioned}".lower()
    frame = spark.createDataFrame(
        [(r["n"], r["text"], r["k"]) for r in records(90)], "n long, text string, k int"
    )
    writer = frame.repartition(2).write.format(format)
    (writer.partitionBy("k") if partitioned else writer).saveAsTable(name)
    try:
        folder = Path(spark.conf.get("spark.sql.warehouse.dir").removeprefix("file:"), name)

        def read(path: Path) -> list[Record]:
            kind = {"k": int(path.parent.name.removeprefix("k="))} if partitioned else {}
            if format == "parquet":
                return [{**row, **kind} for row in plain_parquet(path)]
            names = ["n", "text"] if partitioned else ["n", "text", "k"]
            rows = list(csv.DictReader(io.StringIO(text_of(path)), names))
            return [{name: int(v) if name in "nk" else v for name, v in row.items()} | kind for row in rows]

        with settings(spark, SPLIT):
            trace = session.trace(means(spark.table(name)), "k = 1")
            judge(trace, sorted(folder.glob("**/part-*")), read, of_kind_one)
        assert trace.sources[0].name == name
    finally:
        spark.sql(f"drop table {name}")


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_cached_source(kind: str, session: bigdebug.Session, spark: SparkSession, tmp_path: Path) -> None:
    schema = "n int, k string"
    rows = [(1, "a"), (2, "a"), (3, "b"), (4, None), (5, "b"), (6, "c")]
    spark.createDataFrame(rows, schema).repartition(2, "n").write.format(kind).save(str(tmp_path / "data"))
    cached = spark.read.format(kind).schema(schema).load(str(tmp_path / "data")).cache()
    try:
        assert cached.count() == 6
        trace = session.trace(cached.groupBy("k").count(), "k = 'a'")
        records = trace.collect()
        assert {record.value["n"] for record in records} == {1, 2}
        for record in records:
            file = record.location.file
            assert file is not None
            again = spark.read.format(kind).schema(schema).load(file).collect()
            assert again[record.location.position or 0].n == record.value["n"]
    finally:
        spark.catalog.clearCache()


def test_in_memory_data_by_partition_and_index(session: bigdebug.Session, spark: SparkSession) -> None:
    rows = [(n % 3, n) for n in range(20)]
    frame = spark.createDataFrame(rows, "k int, n int")
    partitions = frame.rdd.glom().collect()
    collected = session.trace(means(frame), "k = 1").collect()
    assert sorted(each.value["n"] for each in collected) == [n for k, n in rows if k == 1]
    for each in collected:
        assert each.location.file is None
        assert tuple(partitions[each.location.partition][each.location.position]) == tuple(
            each.value.values()
        )


def test_pandas_and_arrow_data_by_index(session: bigdebug.Session, spark: SparkSession) -> None:
    table = pa.table({"k": [n % 3 for n in range(20)], "n": list(range(20))})
    for frame in (spark.createDataFrame(table), spark.createDataFrame(table.to_pandas())):
        local = frame._jdf.queryExecution().analyzed().nodeName() == "LocalRelation"
        partitions = [frame.collect()] if local else frame.rdd.glom().collect()
        collected = session.trace(means(frame), "k = 1").collect()
        assert len(collected) == 7
        for each in collected:
            row = partitions[each.location.partition][each.location.position]
            assert tuple(row) == tuple(each.value.values())


def test_a_range_by_its_index(session: bigdebug.Session, spark: SparkSession) -> None:
    frame = spark.range(100, 10, -3).withColumn("k", F.col("id") % 5)
    trace = session.trace(frame.groupBy("k").count(), "k = 2")
    expected = {(index, value) for index, value in enumerate(range(100, 10, -3)) if value % 5 == 2}
    assert {(each.location.position, each.value["id"]) for each in trace.collect()} == expected
    rows = trace.records().select("_record.position", "id").collect()
    assert {(row.position, row.id) for row in rows} == expected
