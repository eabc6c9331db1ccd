"""A traced record stands where it is said to stand: read by other means, that place gives the same values."""

import csv
import gzip
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import pyarrow as pa
import pyarrow.orc
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

import bigdebug
from bigdebug.lineage import block_sizes
from tests.lineage.placed import (
    PACKED,
    SCHEMA,
    SPLIT,
    Reader,
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
from tests.thinned import thinned

# -- formats ----------------------------------------------------------------------------------------


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

    return spark.read.parquet(str(folder)), plain_parquet


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


@pytest.mark.parametrize(
    ("layout", "written"),
    thinned(itertools.product(["split", "packed"], FORMATS), "records of files in every format", 2),
    ids=lambda each: getattr(each, "__name__", each),
)
def test_records_stand_where_the_trace_says(
    written: Callable[[Path, SparkSession], tuple[DataFrame, Reader]],
    layout: str,
    session: bigdebug.Session,
    spark: SparkSession,
    tmp_path: Path,
) -> None:
    with settings(spark, {"split": SPLIT, "packed": PACKED}[layout]):
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


# -- however many -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "written",
    thinned([csv_with_header, parquet, json_lines], "more records than are fetched"),
    ids=lambda written: written.__name__,
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


@pytest.mark.parametrize("few", [0, 1000], ids=["by a query", "each for itself"])
def test_a_file_that_is_named_twice(
    few: int, session: bigdebug.Session, spark: SparkSession, tmp_path: Path
) -> None:
    for name, first in (("a", 0), ("b", 100)):
        (tmp_path / f"{name}.csv").write_text("".join(f"{first + n}\n" for n in range(10)))
    a, b = (str(tmp_path / f"{name}.csv") for name in "ab")
    together = {"spark.sql.files.openCostInBytes": "0", "spark.sql.files.maxPartitionBytes": "1000"}
    together["spark.sql.files.minPartitionNum"] = "1"
    with settings(spark, together), patch.object(block_sizes, "_FEW", few):
        frame = spark.read.schema("n int").csv([a, b, a])
        assert frame.rdd.getNumPartitions() == 1
        found = session.trace(frame, "n % 100 = 7").collect()
    assert sorted((each.location.file, each.location.position, each.value["n"]) for each in found) == [
        (a, 7, 7),
        (a, 7, 7),
        (b, 7, 107),
    ]


# -- all at once ------------------------------------------------------------------------------------

texts = st.text(
    st.characters(codec="utf-8", exclude_characters="\0\r", exclude_categories=("Cs",)), max_size=12
)


@settings_of_hypothesis(max_examples=12)
@given(
    files=st.lists(st.lists(texts, max_size=40), min_size=1, max_size=4),
    block=st.integers(20, 400),
    cost=st.sampled_from(["0", "100"]),
    written=st.sampled_from(["csv", "json", "orc"]),
    few=st.sampled_from([0, 1000]),
)
def test_any_texts_in_any_blocks(
    files: list[list[str]],
    block: int,
    cost: str,
    written: str,
    few: int,
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
    # Few blocks are counted each for itself, many by a query.
    with settings(spark, pinned), patch.object(block_sizes, "_FEW", few):
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
