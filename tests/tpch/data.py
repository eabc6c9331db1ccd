"""TPC-H: its eight tables and 22 queries, made by DuckDB's extension without a network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import duckdb

TABLES = ("customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier")


@contextmanager
def _tpch() -> Iterator[duckdb.DuckDBPyConnection]:
    package = find_spec("duckdb_extension_tpch")
    assert package is not None
    assert package.origin is not None
    (extension,) = Path(package.origin).parent.rglob("tpch.duckdb_extension")
    with duckdb.connect(config={"allow_unsigned_extensions": True}) as connection:
        connection.execute(f"load '{extension}'")
        yield connection


def make_tables(folder: Path, scale: float) -> None:
    """Write the tables as Parquet files, one each; a scale of 1 makes some 6,000,000 line items."""
    folder.mkdir(parents=True, exist_ok=True)
    with _tpch() as connection:
        connection.execute(f"call dbgen(sf={scale})")
        for table in TABLES:
            connection.execute(f"copy {table} to '{folder / table}.parquet' (format parquet)")


def queries() -> dict[int, str]:
    """The texts of the queries, by number."""
    with _tpch() as connection:
        rows = connection.execute("select query_nr, query from tpch_queries()").fetchall()
    return {number: text.rstrip().rstrip(";") for number, text in rows}
