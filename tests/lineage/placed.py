"""Data in files, and the judgement whether traced records stand where the trace says."""

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

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


def plain_parquet(path: Path) -> list[Record]:
    rows: list[Record] = pyarrow.parquet.ParquetFile(path).read().to_pylist()
    return rows
