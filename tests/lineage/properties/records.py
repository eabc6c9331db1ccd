"""Source data of random pipelines: records with a number each, in memory and in files."""

from __future__ import annotations

import csv
import math
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from expressions import SPARK_TYPES, canonical
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from tree import Row

_ARROW: dict[str, pa.DataType] = {
    "int": pa.int64(),
    "str": pa.string(),
    "dbl": pa.float64(),
    "arr": pa.list_(pa.int64()),
    "st": pa.struct([("x", pa.float64()), ("y", pa.string())]),
}
# Column types a kind of source can hold; the others hold them all.
HELD = {"csv": ("int", "str", "dbl"), "pandas": ("int", "str"), "range": ("int",)}
KINDS = ("list", "slices", "pandas", "range", "parquet", "csv")
_SLICES = 5


@dataclass(frozen=True)
class Data:
    """The records of one source.

    Attributes:
        kind: how Spark gets them.
        types: of their columns.
        first: number of the first record; unique among all sources of a pipeline.
        values: a tuple a record. For `range` they follow from the numbers.
        parts: number of files or partitions.
    """

    kind: str
    types: tuple[str, ...]
    first: int
    values: tuple[tuple[Any, ...], ...]
    parts: int = 2

    @property
    def rows(self) -> list[Row]:
        """What the reference knows of them."""
        return [
            (
                tuple(canonical(v, kind) for v, kind in zip(record, self.types, strict=True)),
                frozenset({self.first + i}),
            )
            for i, record in enumerate(self.values)
        ]

    @property
    def number_column(self) -> str:
        return "id" if self.kind == "range" else "p"

    def stored(self, spark: SparkSession, folder: Path) -> DataFrame:
        """A frame of the number `p` and the columns, read from where it now stands."""
        names = ["p", *(f"c{i}" for i in range(len(self.types)))]
        schema = ", ".join(f"{n} {SPARK_TYPES[t]}" for n, t in zip(names, ("int", *self.types), strict=True))
        records = [(self.first + i, *record) for i, record in enumerate(self.values)]
        if self.kind == "range":
            return spark.range(self.first, self.first + len(records), 1, self.parts)
        if self.kind == "list":
            return spark.createDataFrame(records, schema)
        if self.kind == "slices":  # some of them empty
            return spark.createDataFrame(spark.sparkContext.parallelize(records, _SLICES), schema)
        if self.kind == "pandas":
            columns = zip(names, zip(*records, strict=True) if records else [[] for _ in names], strict=True)
            frame = pd.DataFrame({name: pd.Series(list(column), dtype=object) for name, column in columns})
            return spark.createDataFrame(frame, schema)
        place = folder / f"{self.first}.{self.kind}"
        place.mkdir()
        for part in range(self.parts):
            own = records[self._begin(part) : self._begin(part + 1)]
            if self.kind == "parquet":
                self._write_parquet(place / f"part-{part}.parquet", names, own)
            else:
                self._write_csv(place / f"part-{part}.csv", names, own)
        if self.kind == "parquet":
            return spark.read.schema(schema).parquet(str(place))
        return spark.read.schema(schema).csv(str(place), header=True, nullValue="NULL")

    def place(self, number: int) -> tuple[str | None, int]:
        """In which file, and where in it, the record of that number stands."""
        index = number - self.first
        part = max(p for p in range(self.parts) if self._begin(p) <= index)
        while self._begin(part + 1) <= index:
            part += 1
        return f"part-{part}.{self.kind}", index - self._begin(part)

    def _begin(self, part: int) -> int:
        return len(self.values) * part // self.parts

    def _write_parquet(self, path: Path, names: list[str], records: list[tuple[Any, ...]]) -> None:
        types = [pa.int64(), *(_ARROW[kind] for kind in self.types)]
        columns = [
            pa.array(
                [_as_struct(record[i]) if pa.types.is_struct(kind) else record[i] for record in records], kind
            )
            for i, kind in enumerate(types)
        ]
        pq.write_table(pa.table(columns, names=names), path)

    def _write_csv(self, path: Path, names: list[str], records: list[tuple[Any, ...]]) -> None:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(names)
            writer.writerows([_as_text(value) for value in record] for record in records)


def leaf(data: Data, stored: DataFrame, kept: Collection[int] | None = None) -> DataFrame:
    """The stored records without their numbers; of them only those that are kept, in the same partitions."""
    if kept is not None:
        number = F.col(data.number_column)
        stored = stored.filter(number.isin(list(kept)) if kept else F.lit(False))
    if data.kind == "range":
        return stored.selectExpr(*(f"{text} as c{i}" for i, text in enumerate(range_columns(data))))
    return stored.drop("p")


def range_columns(data: Data) -> list[str]:
    return [f"(id - {data.first}) % {i + 2}" for i in range(len(data.types))]


def range_values(count: int, width: int) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(n % (i + 2) for i in range(width)) for n in range(count))


def _as_struct(value: tuple[Any, Any] | None) -> dict[str, Any] | None:
    return None if value is None else {"x": value[0], "y": value[1]}


def _as_text(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, float) and math.isnan(value):
        return "NaN"
    return str(value)
