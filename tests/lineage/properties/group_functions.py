"""Python functions of whole groups: `applyInPandas`, `applyInArrow`, cogrouped ones and aggregates in pandas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from tree import Node, Reference, Renderer, Row, grouped, union_of


@dataclass(frozen=True)
class GroupFunction(Node):
    """By a column's values, the number of rows and of those where another column isn't null; twice if many."""

    key: int = 0
    counted: int = 0
    way: str = "pandas"
    can_invent: ClassVar[bool] = True
    mixes: ClassVar[bool] = True
    fans_out: ClassVar[bool] = True

    WAYS: ClassVar[tuple[str, ...]] = ("pandas", "pandas with key", "arrow")

    @property
    def types(self) -> tuple[str, ...]:
        return ("int", "int")

    def frame(self, renderer: Renderer, *children: DataFrame) -> DataFrame:
        name = f"c{self.counted}"

        def of_frame(group: pd.DataFrame) -> pd.DataFrame:
            row = {"rows": len(group), "known": int(group[name].notna().sum())}
            return pd.DataFrame([row] * min(len(group), 2))

        def of_frame_and_key(key: tuple[object, ...], group: pd.DataFrame) -> pd.DataFrame:
            return of_frame(group).set_axis(range(2), axis=1)

        def of_table(group: pa.Table) -> pa.Table:
            times = min(group.num_rows, 2)
            known = group.num_rows - group[name].null_count
            return pa.table({"rows": [group.num_rows] * times, "known": [known] * times})

        # NaN is a value in Arrow and missing in pandas.
        groups = children[0].groupBy(f"c{self.key}")
        schema = "rows bigint, known bigint"
        if self.way == "arrow":
            return groups.applyInArrow(of_table, schema)
        return groups.applyInPandas(of_frame if self.way == "pandas" else of_frame_and_key, schema)

    def rows(self, reference: Reference, *children: list[Row]) -> list[Row]:
        found: list[Row] = []
        for group in grouped(children[0], [self.key]).values():
            known = sum(values[self.counted] is not None for values, _ in group)
            found += [((len(group), known), union_of(group))] * min(len(group), 2)
        return found


@dataclass(frozen=True)
class CogroupFunction(Node):
    """By the values of a column of each side, how many rows either side has."""

    keys: tuple[int, int] = (0, 0)
    can_invent: ClassVar[bool] = True
    mixes: ClassVar[bool] = True

    @property
    def types(self) -> tuple[str, ...]:
        return ("int", "int")

    def frame(self, renderer: Renderer, *children: DataFrame) -> DataFrame:
        def of_both(left: pd.DataFrame, right: pd.DataFrame) -> pd.DataFrame:
            return pd.DataFrame({"left": [len(left)], "right": [len(right)]})

        left, right = (child.groupBy(f"c{key}") for child, key in zip(children, self.keys, strict=True))
        return left.cogroup(right).applyInPandas(of_both, "left bigint, right bigint")

    def rows(self, reference: Reference, *children: list[Row]) -> list[Row]:
        left, right = (grouped(child, [key]) for child, key in zip(children, self.keys, strict=True))
        return [
            ((len(left.get(key, [])), len(right.get(key, []))), union_of([*left.get(key, []), *right.get(key, [])]))
            for key in {**left, **right}
        ]  # fmt: skip


@dataclass(frozen=True)
class PandasAggregate(Node):
    """A column's values and how many rows have each, counted by an aggregate function in pandas."""

    key: int = 0
    counted: int = 0
    can_invent: ClassVar[bool] = True
    mixes: ClassVar[bool] = True

    @property
    def types(self) -> tuple[str, ...]:
        return (self.child.types[self.key], "int")

    def frame(self, renderer: Renderer, *children: DataFrame) -> DataFrame:
        @F.pandas_udf("bigint")
        def size(values: pd.Series) -> int:
            return len(values)

        return children[0].groupBy(f"c{self.key}").agg(size(f"c{self.counted}"))

    def rows(self, reference: Reference, *children: list[Row]) -> list[Row]:
        return [
            ((*key, len(group)), union_of(group)) for key, group in grouped(children[0], [self.key]).items()
        ]
