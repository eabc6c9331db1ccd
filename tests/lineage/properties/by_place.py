"""Operators that go by where rows stand: Python functions of whole partitions, and numbers in the rows' order.

They are drawn where each row stands in its record's place: above a source and operators that look at one row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame
from rowwise import BinBy, Explode, Filter, Project, Unchanged, Unpivot
from tree import Node, Reference, Renderer, Row, Source, union_of

# `monotonically_increasing_id` holds the partition's number above this many bits.
_OF_PARTITION = 33


def stands(node: Node) -> bool:
    """Whether each of its rows stands where its record stood."""
    if isinstance(node, Unchanged) and node.how not in Unchanged.STAYING:
        return False
    known = isinstance(node, Source | BinBy | Explode | Filter | Project | Unchanged | Unpivot)
    return known and all(stands(child) for child in node.children)


@dataclass(frozen=True)
class Placed(Node):
    """An operator that goes by where the rows of its input stand."""


@dataclass(frozen=True)
class PartitionFunction(Placed):
    """Of each partition's rows the number, and of those where a column isn't null; twice if many."""

    counted: int = 0
    way: str = "pandas"
    can_invent: ClassVar[bool] = True
    mixes: ClassVar[bool] = True
    fans_out: ClassVar[bool] = True

    WAYS: ClassVar[tuple[str, ...]] = ("pandas", "arrow")

    @property
    def types(self) -> tuple[str, ...]:
        return ("int", "int")

    def frame(self, renderer: Renderer, *children: DataFrame) -> DataFrame:
        name = f"c{self.counted}"

        def of_frames(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
            every = [(len(frame), int(frame[name].notna().sum())) for frame in frames]
            row = {"rows": sum(n for n, _ in every), "known": sum(n for _, n in every)}
            yield pd.DataFrame([row] * min(row["rows"], 2), columns=list(row))

        def of_batches(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            every = [(batch.num_rows, batch.num_rows - batch.column(name).null_count) for batch in batches]
            rows, known = sum(n for n, _ in every), sum(n for _, n in every)
            times = min(rows, 2)
            columns = [pa.array([rows] * times, pa.int64()), pa.array([known] * times, pa.int64())]
            yield pa.RecordBatch.from_arrays(columns, ["rows", "known"])

        schema = "rows bigint, known bigint"
        # NaN is a value in Arrow and missing in pandas.
        if self.way == "arrow" or self.child.types[self.counted] == "dbl":
            return children[0].mapInArrow(of_batches, schema)
        return children[0].mapInPandas(of_frames, schema)

    def rows(self, reference: Reference, *children: list[Row]) -> list[Row]:
        partitions: dict[int, list[Row]] = {}
        for row in children[0]:
            partitions.setdefault(reference.place(row) >> _OF_PARTITION, []).append(row)
        reference.open_cut = True
        found: list[Row] = []
        for rows in partitions.values():
            known = sum(values[self.counted] is not None for values, _ in rows)
            found += [((len(rows), known), union_of(rows))] * min(len(rows), 2)
        return found


@dataclass(frozen=True)
class Numbered(Placed):
    """The rows and their numbers, in the order in which they stand."""

    needs_whole: ClassVar[bool] = True

    @property
    def types(self) -> tuple[str, ...]:
        return (*self.child.types, "int")

    def frame(self, renderer: Renderer, *children: DataFrame) -> DataFrame:
        return children[0].zipWithIndex()

    def rows(self, reference: Reference, *children: list[Row]) -> list[Row]:
        reference.open_cut = True
        standing = sorted(children[0], key=reference.place)
        return [((*values, i), records) for i, (values, records) in enumerate(standing)]
