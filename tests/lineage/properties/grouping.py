"""Operators that look at many rows at once: aggregates, distinct, pivot, limits."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from expressions import Expr, order_key
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from tree import Node, Reference, Renderer, Row, grouped, union_of


@dataclass(frozen=True)
class Call:
    """An aggregate function of a column, over the rows for which `where` holds."""

    function: str
    index: int
    kind: str
    where: Expr | None = None

    @property
    def text(self) -> str:
        column = f"c{self.index}"
        text = {
            "count rows": "count(*)",
            "count": f"count({column})",
            "count distinct": f"count(distinct {column})",
            "sum": f"sum({column})",
            "sum distinct": f"sum(distinct {column})",
            "min": f"min({column})",
            "max": f"max({column})",
            "list": f"collect_list({column})",
        }[self.function]
        if self.where is not None:
            text += f" filter (where {self.where.text})"
        return f"array_sort({text})" if self.function == "list" else text

    @property
    def result(self) -> str:
        if self.function == "list":
            return "arr"
        return "int" if self.function.startswith("count") else self.kind

    def of(self, rows: list[Row]) -> Any:
        if self.where is not None:
            rows = [row for row in rows if self.where.value(row[0])]
        if self.function == "count rows":
            return len(rows)
        values = [row[0][self.index] for row in rows if row[0][self.index] is not None]
        if self.function.endswith("distinct"):
            values = list(dict.fromkeys(values))
        if self.function.startswith("count"):
            return len(values)
        if self.function == "list":
            return tuple(sorted(values))
        if not values:
            return None
        if self.function.startswith("sum"):
            return sum(values)
        return (min if self.function == "min" else max)(values, key=order_key)


@dataclass(frozen=True)
class Aggregate(Node):
    """Groups by columns; without any, all rows are one group. `sets`: rollup, cube or grouping sets."""

    keys: tuple[int, ...] = ()
    calls: tuple[Call, ...] = ()
    sets: str = "plain"
    having: int | None = None
    can_invent: ClassVar[bool] = True
    mixes: ClassVar[bool] = True

    @property
    def types(self) -> tuple[str, ...]:
        return (*(self.child.types[k] for k in self.keys), *(call.result for call in self.calls))

    def frame(self, renderer: Renderer, *children: DataFrame) -> DataFrame:
        (frame,) = children
        keys = [F.col(f"c{k}") for k in self.keys]
        data = {"plain": frame.groupBy, "rollup": frame.rollup, "cube": frame.cube}[self.sets](*keys)
        calls = [F.expr(call.text).alias(f"a{i}") for i, call in enumerate(self.calls)]
        if self.having is None:
            return data.agg(*calls)
        return data.agg(*calls, F.count("*").alias("h")).filter(F.col("h") > self.having).drop("h")

    def sql(self, *tables: str) -> str:
        columns = [f"c{k}" for k in self.keys] + [call.text for call in self.calls]
        listed = ", ".join(f"{column} as r{i}" for i, column in enumerate(columns))
        text = f"select {listed} from {tables[0]}"
        if self.keys:
            keys = ", ".join(f"c{k}" for k in self.keys)
            text += f" group by {keys}" if self.sets == "plain" else f" group by {self.sets}({keys})"
            if self.sets == "sets":
                chosen = ", ".join(
                    f"({', '.join(f'c{self.keys[i]}' for i in chosen)})" for chosen in self._sets()
                )
                text = f"select {listed} from {tables[0]} group by grouping sets ({chosen})"
        if self.having is not None:
            text += f" having count(*) > {self.having}"
        renamed = ", ".join(f"r{i} as c{i}" for i in range(len(columns)))
        return f"select {renamed} from ({text})"

    def _sets(self) -> list[tuple[int, ...]]:
        """Which of the keys, by number, each grouping set holds."""
        every = tuple(range(len(self.keys)))
        if self.sets == "rollup":
            return [every[:n] for n in range(len(every), -1, -1)]
        if self.sets == "cube":
            return [chosen for n in range(len(every) + 1) for chosen in itertools.combinations(every, n)]
        if self.sets == "sets":
            return [every, every[:1]]
        return [every]

    def rows(self, reference: Reference, *children: list[Row]) -> list[Row]:
        return list(self._rows(children[0]))

    def _rows(self, rows: list[Row]) -> Iterator[Row]:
        if not self.keys:
            if self.having is None or len(rows) > self.having:
                yield tuple(call.of(rows) for call in self.calls), union_of(rows)
            return
        for chosen in self._sets():
            for key, group in grouped(rows, [self.keys[i] for i in chosen]).items():
                if self.having is None or len(group) > self.having:
                    known = dict(zip(chosen, key, strict=True))
                    values = [known.get(i) for i in range(len(self.keys))]
                    yield (*values, *(call.of(group) for call in self.calls)), union_of(group)


class ExpandedAggregate(Aggregate):
    fans_out = True


@dataclass(frozen=True)
class Distinct(Node):
    """`distinct`, or `dropDuplicates()` over all columns."""

    drop: bool = False
    by_name: ClassVar[bool] = False
    mixes: ClassVar[bool] = True

    def frame(self, renderer: Renderer, *children: DataFrame) -> DataFrame:
        return children[0].dropDuplicates() if self.drop else children[0].distinct()

    def sql(self, *tables: str) -> str:
        return f"select distinct * from {tables[0]}"

    def rows(self, reference: Reference, *children: list[Row]) -> list[Row]:
        return [
            (values, union_of(rows)) for values, rows in grouped(children[0], range(len(self.types))).items()
        ]


@dataclass(frozen=True)
class Pivot(Node):
    """Sums of a column by key, one output column for each listed value of another column."""

    key: int = 0
    by: int = 1
    values: tuple[Any, ...] = ()
    summed: int = 0
    can_invent: ClassVar[bool] = True
    mixes: ClassVar[bool] = True

    @property
    def types(self) -> tuple[str, ...]:
        return (self.child.types[self.key], *(self.child.types[self.summed] for _ in self.values))

    def frame(self, renderer: Renderer, *children: DataFrame) -> DataFrame:
        data = children[0].groupBy(F.col(f"c{self.key}").alias("k"))
        return data.pivot(f"c{self.by}", list(self.values)).agg(F.sum(f"c{self.summed}"))

    def sql(self, *tables: str) -> str:
        values = ", ".join(
            f"'{v}' as p{i}" if isinstance(v, str) else f"{v}L as p{i}" for i, v in enumerate(self.values)
        )
        inner = f"select c{self.key} as k, c{self.by} as b, c{self.summed} as s from {tables[0]}"
        columns = ", ".join(["k as c0", *(f"p{i} as c{i + 1}" for i in range(len(self.values)))])
        return f"select {columns} from ({inner}) pivot (sum(s) for b in ({values}))"

    def rows(self, reference: Reference, *children: list[Row]) -> list[Row]:
        call = Call("sum", self.summed, "int")
        return [
            (
                (
                    key[0],
                    *(call.of([row for row in rows if row[0][self.by] == value]) for value in self.values),
                ),
                union_of(rows),
            )
            for key, rows in grouped(children[0], [self.key]).items()
        ]


@dataclass(frozen=True)
class Limit(Node):
    """The first rows by all columns, and so of known values; which of equal rows is open."""

    count: int = 1
    offset: int = 0
    needs_whole: ClassVar[bool] = True

    def frame(self, renderer: Renderer, *children: DataFrame) -> DataFrame:
        columns = [F.col(f"c{i}") for i in range(len(self.types))]
        frame = children[0].orderBy(*columns)
        if self.offset:
            frame = frame.offset(self.offset)
        return frame.limit(self.count)

    def sql(self, *tables: str) -> str:
        order = ", ".join(f"c{i}" for i in range(len(self.types)))
        offset = f" offset {self.offset}" if self.offset else ""
        return f"select * from {tables[0]} order by {order} limit {self.count}{offset}"

    def rows(self, reference: Reference, *children: list[Row]) -> list[Row]:
        (rows,) = children
        ordered = sorted(rows, key=lambda row: order_key(row[0]))
        taken = ordered[self.offset : self.offset + self.count]
        every = grouped(rows, range(len(self.types)))
        if any(len(every[row[0]]) > 1 for row in taken):
            reference.ambiguous = True
        cut = self.offset + self.count
        tied = 0 < cut < len(ordered) and ordered[cut - 1][0] == ordered[cut][0]
        if self.offset or (tied and self.count):
            reference.open_cut = True
        return [(values, union_of(every[values])) for values, _ in taken]
