"""A traced record stands where it is said to stand: read by other means, that place gives the same values."""

import csv
import gzip
import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.orc
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

import bigdebug
from bigdebug.lineage.trace import Trace

Record = dict[str, Any]
Reader = Callable[[Path], list[Record]]

# Files split into many blocks, the ends of several packed into one partition.
SPLIT = {
    "spark.sql.files.maxPartitionBytes": "600",
    "spark.sql.files.openCostInBytes": "0",
    "spark.sql.files.minPartitionNum": "1",
}
# Whole files, several to a partition.
PACKED = {"spark.sql.files.openCostInBytes": "0", "spark.sql.files.minPartitionNum": "1"}


@pytest.fixture(scope="module")
def session(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[bigdebug.Session]:
    with bigdebug.attach(spark, store=str(tmp_path_factory.mktemp("store"))) as attached:
        yield attached


@contextmanager
def settings(spark: SparkSession, values: dict[str, str]) -> Iterator[None]:
    for key, value in values.items():
        spark.conf.set(key, value)
    try:
        yield
    finally:
        for key in values:
            spark.conf.unset(key)


def records(count: int, first: int = 0) -> list[Record]:
    """Records that tell themselves apart, every third of a kind, of differing lengths."""
    return [
        {"k": n % 3, "n": n, "text": "é" * (n % 7) + ("x" * 40 if n % 5 == 0 else "") + str(n)}
        for n in range(first, first + count)
    ]


def judge(trace: Trace, files: list[Path], read: Reader, wanted: Callable[[Record], bool]) -> None:
    """Every record on the trace is what stands in its place, and every wanted record is on it."""
    expected = {
        (str(file), position): record
        for file in files
        for position, record in enumerate(read(file))
        if wanted(record)
    }
    collected = trace.collect(limit=10_000)
    found = {(each.location.file, each.location.position): each.value for each in collected}
    assert len(found) == len(collected)
    assert found == expected
    (source,) = trace.sources
    assert source.count == len(expected)
    assert source.files == sorted({file for file, _ in expected})
    assert all(each.location.partition is None for each in collected)


def means(frame: DataFrame) -> DataFrame:
    """Each kind's records, through a boundary."""
    return frame.groupBy("k").agg(F.sum("n").alias("total"))


def of_kind_one(record: Record) -> bool:
    return record["k"] == 1


# -- formats ----------------------------------------------------------------------------------------


def write_csv(
    path: Path, rows: list[Record], *, header: bool = True, end: str = "\n", **options: Any
) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["k", "n", "text"], lineterminator=end, **options)
        if header:
            writer.writeheader()
        writer.writerows(rows)


def read_csv(text: str, *, header: bool = True) -> list[Record]:
    """What the csv module makes of a text."""
    lines = csv.reader(io.StringIO(text, newline=""))
    rows = [row for row in lines if any(field.strip() for field in row)]
    return [{"k": int(k), "n": int(n), "text": t} for k, n, t in rows[1 if header else 0 :]]


def text_of(path: Path) -> str:
    return path.read_bytes().decode("utf-8")


SCHEMA = "k int, n long, text string"


def csv_with_header(folder: Path, spark: SparkSession) -> tuple[DataFrame, Reader]:
    for number, count in enumerate((120, 7, 63)):
        write_csv(folder / f"part {number}.csv", records(count, 1000 * number))
    return spark.read.csv(str(folder), header=True, schema=SCHEMA), lambda path: read_csv(text_of(path))


def csv_with_comments_and_blank_lines(folder: Path, spark: SparkSession) -> tuple[DataFrame, Reader]:
    def clean(path: Path) -> list[Record]:
        lines = text_of(path).split("\n")
        return read_csv(
            "\n".join(line for line in lines if line.strip() and not line.startswith("#")), header=False
        )

    for number in range(2):
        path = folder / f"{number}.csv"
        write_csv(path, records(80, 1000 * number), header=False)
        lines = path.read_text().splitlines()
        for at in range(70, 0, -9):
            lines[at:at] = ["# k,n,text", "", "   "]
        path.write_text("# a comment first\n\n" + "\n".join(lines))
    return spark.read.csv(str(folder), comment="#", schema=SCHEMA), clean


def csv_with_crlf(folder: Path, spark: SparkSession) -> tuple[DataFrame, Reader]:
    for number in range(2):
        write_csv(folder / f"{number}.csv", records(90, 1000 * number), end="\r\n")
    return spark.read.csv(str(folder), header=True, schema=SCHEMA), lambda path: read_csv(text_of(path))


def csv_with_newlines_in_quotes(folder: Path, spark: SparkSession) -> tuple[DataFrame, Reader]:
    for number in range(2):
        rows = records(60, 1000 * number)
        for row in rows[::4]:
            row["text"] += '\nsecond "line",\n\nfourth'
        write_csv(folder / f"{number}.csv", rows, quoting=csv.QUOTE_NONNUMERIC)
    frame = spark.read.csv(str(folder), header=True, multiLine=True, escape='"', schema=SCHEMA)
    return frame, lambda path: read_csv(text_of(path))


def csv_gzipped(folder: Path, spark: SparkSession) -> tuple[DataFrame, Reader]:
    for number in range(2):
        write_csv(folder / "plain.csv", records(90, 1000 * number))
        (folder / f"{number}.csv.gz").write_bytes(gzip.compress((folder / "plain.csv").read_bytes()))
        (folder / "plain.csv").unlink()
    frame = spark.read.csv(str(folder), header=True, schema=SCHEMA)
    return frame, lambda path: read_csv(gzip.decompress(path.read_bytes()).decode("utf-8"))


def json_lines(folder: Path, spark: SparkSession) -> tuple[DataFrame, Reader]:
    for number in range(2):
        lines = [json.dumps(record, ensure_ascii=False) for record in records(70, 1000 * number)]
        for at in range(60, 0, -7):
            lines[at:at] = ["", "  "]
        (folder / f"{number}.json").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def read(path: Path) -> list[Record]:
        return [json.loads(line) for line in text_of(path).split("\n") if line.strip()]

    return spark.read.json(str(folder), schema=SCHEMA), read


def json_arrays(folder: Path, spark: SparkSession) -> tuple[DataFrame, Reader]:
    for number in range(3):
        (folder / f"{number}.json").write_text(json.dumps(records(40, 1000 * number), indent=1))
    frame = spark.read.json(str(folder), multiLine=True, schema=SCHEMA)
    return frame, lambda path: json.loads(path.read_text())  # type: ignore[no-any-return]


def orc(folder: Path, spark: SparkSession) -> tuple[DataFrame, Reader]:
    for number in range(2):
        pyarrow.orc.write_table(pa.Table.from_pylist(records(90, 1000 * number)), folder / f"{number}.orc")
    return spark.read.orc(str(folder)), lambda path: pyarrow.orc.read_table(path).to_pylist()  # type: ignore[no-any-return]


def parquet(folder: Path, spark: SparkSession) -> tuple[DataFrame, Reader]:
    for number in range(2):
        table = pa.Table.from_pylist(records(120, 1000 * number))
        pyarrow.parquet.write_table(table, folder / f"{number}.parquet", row_group_size=17)

    def read(path: Path) -> list[Record]:
        rows: list[Record] = pyarrow.parquet.ParquetFile(path).read().to_pylist()
        return rows

    return spark.read.parquet(str(folder)), read


FORMATS = [
    csv_with_header,
    csv_with_comments_and_blank_lines,
    csv_with_crlf,
    csv_with_newlines_in_quotes,
    csv_gzipped,
    json_lines,
    json_arrays,
    orc,
    parquet,
]


@pytest.mark.parametrize("layout", [pytest.param(SPLIT, id="split"), pytest.param(PACKED, id="packed")])
@pytest.mark.parametrize("written", FORMATS, ids=lambda written: written.__name__)
def test_records_stand_where_the_trace_says(
    written: Callable[[Path, SparkSession], tuple[DataFrame, Reader]],
    layout: dict[str, str],
    session: bigdebug.Session,
    spark: SparkSession,
    tmp_path: Path,
) -> None:
    with settings(spark, layout):
        frame, read = written(tmp_path, spark)
        judge(session.trace(means(frame), "k = 1"), sorted(tmp_path.iterdir()), read, of_kind_one)


def test_text_lines(session: bigdebug.Session, spark: SparkSession, tmp_path: Path) -> None:
    for number in range(2):
        lines = [f"{number} {n} {'abc'[n % 3] * (n % 11)}" for n in range(80)]
        (tmp_path / f"{number}.txt").write_text("\n".join(lines))
    with settings(spark, SPLIT):
        counted = spark.read.text(str(tmp_path)).groupBy(F.substring("value", -1, 1).alias("end")).count()
        trace = session.trace(counted, "end = 'b'")
        judge(
            trace,
            sorted(tmp_path.iterdir()),
            lambda path: [{"value": line} for line in path.read_text().splitlines()],
            lambda record: str(record["value"]).endswith("b"),
        )


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
    frame = spark.read.csv(str(folder), header=True, schema=SCHEMA)
    trace = session.trace(means(frame), "k = 1")
    judge(trace, sorted(folder.iterdir()), lambda path: read_csv(text_of(path)), of_kind_one)
    (source,) = trace.sources
    assert source.name == "odd %20+ naïve"
    assert {row.file for row in trace.records().select("_record.file").collect()} == set(source.files)


def test_names_of_parquet_files_come_out_as_they_are(
    session: bigdebug.Session, spark: SparkSession, tmp_path: Path
) -> None:
    folder = tmp_path / "odd %20+ naïve"
    folder.mkdir()
    for number, name in enumerate(ODD_NAMES):
        table = pa.Table.from_pylist(records(9, 100 * number))
        pyarrow.parquet.write_table(table, folder / name.replace(".csv", ".parquet"))
    trace = session.trace(means(spark.read.parquet(str(folder))), "k = 1")

    def read(path: Path) -> list[Record]:
        rows: list[Record] = pyarrow.parquet.ParquetFile(path).read().to_pylist()
        return rows

    judge(trace, sorted(folder.iterdir()), read, of_kind_one)
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
        from datetime import date

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


def plain_parquet(path: Path) -> list[Record]:
    rows: list[Record] = pyarrow.parquet.ParquetFile(path).read().to_pylist()
    return rows


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


# -- however many -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "written", [csv_with_header, parquet, json_lines], ids=lambda written: written.__name__
)
def test_more_records_than_are_fetched(
    written: Callable[[Path, SparkSession], tuple[DataFrame, Reader]],
    session: bigdebug.Session,
    spark: SparkSession,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bigdebug.lineage.segments.FETCHED", 10)
    with settings(spark, SPLIT):
        frame, read = written(tmp_path, spark)
        trace = session.trace(means(frame), "k = 1")
        judge(trace, sorted(tmp_path.iterdir()), read, of_kind_one)
        rows = trace.records().collect()
        found = {(row._record.file, row._record.position): row.n for row in rows}
    everything = {(str(f), p): r for f in tmp_path.iterdir() for p, r in enumerate(read(f))}
    assert found == {place: r["n"] for place, r in everything.items() if r["k"] == 1}


def test_every_row_of_a_frame_without_a_boundary(
    session: bigdebug.Session, spark: SparkSession, tmp_path: Path
) -> None:
    with settings(spark, SPLIT):
        frame, read = csv_with_header(tmp_path, spark)
        judge(session.trace(frame), sorted(tmp_path.iterdir()), read, lambda _: True)


# -- all at once ------------------------------------------------------------------------------------

texts = st.text(
    st.characters(codec="utf-8", exclude_characters="\0\r", exclude_categories=("Cs",)), max_size=12
)


@settings_of_hypothesis(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    files=st.lists(st.lists(texts, max_size=40), min_size=1, max_size=4),
    block=st.integers(20, 400),
    cost=st.sampled_from(["0", "100"]),
    written=st.sampled_from(["csv", "json", "orc"]),
)
def test_any_texts_in_any_blocks(
    files: list[list[str]],
    block: int,
    cost: str,
    written: str,
    session: bigdebug.Session,
    spark: SparkSession,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("any")
    contents: dict[str, list[Record]] = {}
    for number, values in enumerate(files):
        rows = [{"n": n, "text": text} for n, text in enumerate(values)]
        path = folder / f"{number}.{written}"
        contents[str(path)] = rows
        if written == "csv":
            # A quoted newline needs multiLine, which reads a file in one block.
            for row in rows:
                row["text"] = str(row["text"]).translate({ord(c): " " for c in "\n\\"}).strip() or None
            with path.open("w", newline="", encoding="utf-8") as file:
                lines = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n")
                lines.writerows((row["n"], row["text"] or "") for row in rows)
        elif written == "json":
            path.write_text("".join(json.dumps(row) + "\n\n" for row in rows))
        else:
            schema = pa.schema({"n": pa.int64(), "text": pa.string()})
            pyarrow.orc.write_table(pa.Table.from_pylist(rows, schema), path)
    pinned = {
        "spark.sql.files.maxPartitionBytes": str(block),
        "spark.sql.files.openCostInBytes": cost,
        "spark.sql.files.minPartitionNum": "1",
    }
    with settings(spark, pinned):
        reader = spark.read.schema("n long, text string").format(written)
        frame = (reader.option("escape", '"') if written == "csv" else reader).load(str(folder))
        collected = session.trace(frame.groupBy("n").count(), "n % 3 = 1").collect(100_000)
    found = {(each.location.file, each.location.position): each.value["n"] for each in collected}
    assert found == {
        (path, position): row["n"]
        for path, rows in contents.items()
        for position, row in enumerate(rows)
        if row["n"] % 3 == 1
    }
    for each in collected:
        assert each.value == contents[each.location.file or ""][each.location.position or 0]
