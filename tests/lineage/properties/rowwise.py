"""Operators that look at one row at a time, and those that change nothing but how it is computed."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any, ClassVar

from expressions import Expr
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from tree import Node, Reference, Renderer, Row, columns_of

from bigdebug.lineage.checkpoints import keep_checkpoint

_names = itertools.count()


@dataclass(frozen=True)
class Project(Node):
    """Expressions over the child's columns."""

    exprs: tuple[Expr, ...] = ()

    @property
    def types(self) -> tuple[str, ...]:
        return tuple(expr.kind for expr in self.exprs)

    def frame(self, renderer: Renderer, *children: DataFrame) -> DataFrame:
        columns = [expr.column(dict(renderer.udfs)).alias(f"c{i}") for i, expr in enumerate(self.exprs)]
        return children[0].select(*columns)

    def sql(self, *tables: str) -> str:
        columns = ", ".join(f"{expr.text} as c{i}" for i, expr in enumerate(self.exprs))
        return f"select {columns} from {tables[0]}"

    def rows(self, reference: Reference, *children: list[Row]) -> list[Row]:
        return [(tuple(expr.value(row) for expr in self.exprs), records) for row, records in children[0]]


@dataclass(frozen=True)
class Filter(Node):
    """Rows for which a condition holds."""

    condition: Expr | None = None

    def frame(self, renderer: Renderer, *children: DataFrame) -> DataFrame:
        return children[0].filter(self._known.column(dict(renderer.udfs)))

    def sql(self, *tables: str) -> str:
        return f"select * from {tables[0]} where {self._known.text}"

    def rows(self, reference: Reference, *children: list[Row]) -> list[Row]:
        return [row for row in children[0] if self._known.value(row[0])]

    @property
    def _known(self) -> Expr:
        assert self.condition is not None
        return self.condition


@dataclass(frozen=True)
class Explode(Node):
    """A row for each element of an array: `explode`, `posexplode`, or `inline` of a struct's columns."""

    index: int = 0
    kind: str = "explode"
    outer: bool = False
    fans_out: ClassVar[bool] = True

    @property
    def types(self) -> tuple[str, ...]:
        new = {"explode": ("int",), "posexplode": ("int", "int"), "inline": ("dbl", "str")}[self.kind]
        return self.child.types + new

    def frame(self, renderer: Renderer, *children: DataFrame) -> DataFrame:
        column = f"array(c{self.index}, c{self.index})" if self.kind == "inline" else f"c{self.index}"
        generated = F.expr(f"{self._function}({column})")
        if self.kind == "posexplode":
            frame = children[0].select("*", generated.alias("p", "e"))
            return frame.withColumn("p", F.col("p").cast("bigint"))
        return children[0].select("*", generated)

    def sql(self, *tables: str) -> str:
        width = len(self.child.types)
        own = ", ".join(f"t.c{i}" for i in range(width))
        outer = "outer " if self.outer else ""
        name = self.kind
        if self.kind == "inline":
            made = f"array(t.c{self.index}, t.c{self.index})"
            return (
                f"select {own}, e.x as c{width}, e.y as c{width + 1} "
                f"from {tables[0]} t lateral view {outer}inline({made}) e as x, y"
            )
        if self.kind == "posexplode":
            return (
                f"select {own}, cast(e.p as bigint) as c{width}, e.v as c{width + 1} "
                f"from {tables[0]} t lateral view {outer}{name}(t.c{self.index}) e as p, v"
            )
        return f"select {own}, e.v as c{width} from {tables[0]} t lateral view {outer}{name}(t.c{self.index}) e as v"

    @property
    def _function(self) -> str:
        return f"{self.kind}_outer" if self.outer else self.kind

    def rows(self, reference: Reference, *children: list[Row]) -> list[Row]:
        found: list[Row] = []
        for row, records in children[0]:
            value = row[self.index]
            if self.kind == "inline":
                new = [(None, None) if value is None else value] * 2
            elif self.kind == "posexplode":
                new = list(enumerate(value or ()))
            else:
                new = [(element,) for element in value or ()]
            if not new and self.outer:
                new = [(None,) * (len(self.types) - len(row))]
            found += [(row + part, records) for part in new]
        return found


@dataclass(frozen=True)
class Unpivot(Node):
    """Columns of one type as rows of name and value, beside the other columns that are kept."""

    kept: tuple[int, ...] = ()
    melted: tuple[int, ...] = ()
    fans_out: ClassVar[bool] = True

    @property
    def types(self) -> tuple[str, ...]:
        types = self.child.types
        return (*(types[i] for i in self.kept), "str", types[self.melted[0]])

    def frame(self, renderer: Renderer, *children: DataFrame) -> DataFrame:
        kept, melted = [f"c{i}" for i in self.kept], [f"c{i}" for i in self.melted]
        return children[0].unpivot(kept, melted, "n", "v")

    def sql(self, *tables: str) -> str:
        columns = ", ".join(f"c{i}" for i in (*self.kept, *self.melted))
        melted = ", ".join(f"c{i}" for i in self.melted)
        named = [*(f"c{i}" for i in self.kept), "n", "v"]
        renamed = ", ".join(f"{name} as c{i}" for i, name in enumerate(named))
        table = f"(select {columns} from {tables[0]})"
        return f"select {renamed} from {table} unpivot include nulls (v for n in ({melted}))"

    def rows(self, reference: Reference, *children: list[Row]) -> list[Row]:
        return [
            ((*(row[i] for i in self.kept), f"c{m}", row[m]), records)
            for row, records in children[0]
            for m in self.melted
        ]


@dataclass(frozen=True)
class BinBy(Node):
    """For each hour of a span of none or two, which begins at a number's hour, a row with it and its share: SQL only.

    Of a null it makes one row without either.
    """

    begin: int = 0
    length: int = 0
    fans_out: ClassVar[bool] = True

    @property
    def types(self) -> tuple[str, ...]:
        return (*self.child.types, "int", "dbl")

    def sql(self, *tables: str) -> str:
        width = len(self.child.types)
        hours = f"c{self.begin} + least(greatest(c{self.length}, 0L), 1L) * 2"
        span = f"timestamp_seconds(c{self.begin} * 3600) as a, timestamp_seconds(({hours}) * 3600) as b"
        return (
            f"select {columns_of('t', width)}, unix_seconds(t.bin_start) div 3600 as c{width}, "
            f"t.share as c{width + 1} from (select *, {span}, 1D as share from {tables[0]}) "
            "bin by (range a to b bin width interval '1' hour distribute uniform (share)) t"
        )

    def rows(self, reference: Reference, *children: list[Row]) -> list[Row]:
        found: list[Row] = []
        for row, records in children[0]:
            begin, is_long = row[self.begin], (row[self.length] or 0) > 0
            if begin is None:
                made: list[tuple[Any, ...]] = [(None, None)]
            else:
                made = [(begin, 0.5), (begin + 1, 0.5)] if is_long else [(begin, 1.0)]
            found += [(row + part, records) for part in made]
        return found


@dataclass(frozen=True)
class Unchanged(Node):
    """The same rows: an alias, a hint, another partitioning or order, a cache or checkpoint, observed."""

    how: str = "alias"
    by_name: ClassVar[bool] = False

    CALLS: ClassVar[tuple[str, ...]] = ("cache", "view", "checkpoint", "localCheckpoint", "observe")
    """Those that SQL has no words for."""
    STAYING: ClassVar[tuple[str, ...]] = ("alias", "hint", "cache", "view", "checkpoint", "observe")
    """Those whose rows stand where they stood."""
    HOWS: ClassVar[tuple[str, ...]] = (
        *CALLS, "alias", "hint", "repartition", "repartition by", "coalesce", "sort", "sort within",
    )  # fmt: skip

    def frame(self, renderer: Renderer, *children: DataFrame) -> DataFrame:
        (frame,) = children
        first = frame[f"`{frame.columns[0]}`"] if frame.columns.count(frame.columns[0]) == 1 else F.lit(1)
        if self.how == "repartition by":
            return frame.repartition(3, first)
        if self.how == "sort":
            return frame.sort(first.desc())
        if self.how == "sort within":
            return frame.sortWithinPartitions(first)
        made = {
            "alias": lambda: frame.alias("other"),
            "hint": lambda: frame.hint("broadcast"),
            "repartition": lambda: frame.repartition(3),
            "coalesce": lambda: frame.coalesce(1),
            "cache": lambda: frame.cache(),
            "view": lambda: frame,
            "checkpoint": lambda: _checkpointed(frame, frame.checkpoint(eager=False)),
            "localCheckpoint": lambda: _checkpointed(frame, frame.localCheckpoint(eager=False)),
            "observe": lambda: frame.observe(f"seen {next(_names)}", F.count(F.lit(1)).alias("n")),
        }
        result: DataFrame = made[self.how]()
        return result

    def sql(self, *tables: str) -> str:
        hints = {
            "hint": "/*+ broadcast(t) */ ",
            "repartition": "/*+ repartition(3) */ ",
            "repartition by": "/*+ repartition(3, c0) */ ",
            "coalesce": "/*+ coalesce(1) */ ",
        }
        text = f"select {hints.get(self.how, '')}* from {tables[0]} t"
        if self.how == "sort":
            text += " order by c0 desc"
        if self.how == "sort within":
            text += " sort by c0"
        return text

    def rows(self, reference: Reference, *children: list[Row]) -> list[Row]:
        return children[0]


def _checkpointed(frame: DataFrame, made: DataFrame) -> DataFrame:
    """A checkpoint on which what it was made of is kept, as the recorder does."""
    keep_checkpoint(frame.sparkSession, frame._jdf.queryExecution().analyzed(), made._jdf.logicalPlan())
    return made
