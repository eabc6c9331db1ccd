"""Records of Parquet files read without Spark, against what Spark reads."""

import datetime
import decimal
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from bigdebug.lineage.parquet_records import Column, UnreadableError, read_records

NAMES = ("n", "word", "comment", "raw", "price", "day", "flag")


def read(path: Path, positions: Iterable[int], columns: list[Column]) -> dict[int, list[Any]]:
    with ThreadPoolExecutor(2) as pool:
        return read_records(pool, str(path), positions, columns)()


@pytest.fixture(scope="module")
def table() -> pa.Table:
    """1,000 rows: texts that repeat, texts that don't, binary values, nulls in all but the first column."""
    rows = [
        {
            "n": n,
            "word": None if n % 7 == 0 else f"word {n % 5}",
            "comment": f"only here: {n}",
            "raw": None if n % 11 == 0 else bytes([n % 3, 255]),
            "price": decimal.Decimal(n) / 100,
            "day": datetime.date(2013, 1, 1) + datetime.timedelta(days=n),
            "flag": None if n % 13 == 0 else n % 2 == 0,
        }
        for n in range(1_000)
    ]
    kinds = [pa.int64(), pa.string(), pa.string(), pa.binary(), pa.decimal128(9, 2), pa.date32(), pa.bool_()]
    return pa.Table.from_pylist(rows, pa.schema(list(zip(NAMES, kinds, strict=True))))


@pytest.mark.parametrize("dictionary", [True, False, ["word"]])
def test_rows_of_several_row_groups_are_those_that_spark_reads(
    table: pa.Table, spark: SparkSession, tmp_path: Path, dictionary: bool | list[str]
) -> None:
    path = tmp_path / "table.parquet"
    pq.write_table(table, path, row_group_size=300, use_dictionary=dictionary)
    frame = spark.read.parquet(str(path))
    expected = {row.n: [row[name] for name in NAMES] for row in frame.collect()}
    wanted = [0, 7, 299, 300, 301, 899, 900, 999]
    found = read(path, reversed(wanted), frame.dtypes)
    assert found == {position: expected[position] for position in wanted}


def test_a_position_behind_the_last_record(table: pa.Table, tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    pq.write_table(table, path, row_group_size=300)
    with pytest.raises(UnreadableError, match="fewer records"):
        read(path, [3, 1_000], [("n", "bigint")])


def test_a_row_group_that_is_damaged_is_for_spark_to_tell_of(table: pa.Table, tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    pq.write_table(table, path, row_group_size=300, compression="snappy")
    data = bytearray(path.read_bytes())
    start = pq.ParquetFile(path).metadata.row_group(1).column(2).data_page_offset
    data[start : start + 200] = bytes(200)
    path.write_bytes(bytes(data))
    columns = [("n", "bigint"), ("comment", "string")]
    assert read(path, [5], columns) == {5: [5, "only here: 5"]}
    with pytest.raises(UnreadableError):
        read(path, [5, 400], columns)
