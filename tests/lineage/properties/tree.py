"""Random pipelines: a tree of operators, each known three ways: as DataFrame calls, as SQL text, in Python."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from expressions import Values
from pyspark.sql import DataFrame, SparkSession

from tests.settings import settings

# A row's canonical values, and the numbers of the source records it came from.
Row = tuple[Values, frozenset[int]]
NOTHING: frozenset[int] = frozenset()
# Clauses that a version of Spark knows and its users have to ask for.
_ASKED_FOR = {
    "bin by": "spark.sql.binByRelationOperator.enabled",
    "asof join": "spark.sql.join.asofJoin.enabled",
}


@dataclass(frozen=True)
class Node:
    """An operator over others. Its columns are called c0, c1, … wherever another operator names them.

    Attributes:
        children: its inputs.
        dialect: `df` or `sql`.
    """

    children: tuple[Node, ...]
    dialect: str = "df"

    # Whether the DataFrame calls name columns; the others meet duplicate names as they come.
    by_name: ClassVar[bool] = True
    # Inputs that only influence which rows there are.
    influencing: ClassVar[frozenset[int]] = frozenset()
    # Whether all of the input decides about each row, so that a replay needs it whole.
    needs_whole: ClassVar[bool] = False
    # Whether it gives other rows, not just fewer, when part of its input is missing.
    can_invent: ClassVar[bool] = False
    # Whether rows of the input change what becomes of other rows.
    mixes: ClassVar[bool] = False
    # Whether one input row may go into several output rows.
    fans_out: ClassVar[bool] = False

    @property
    def types(self) -> tuple[str, ...]:
        return self.children[0].types

    @property
    def child(self) -> Node:
        return self.children[0]

    def frame(self, renderer: Renderer, *children: DataFrame) -> DataFrame:
        raise NotImplementedError

    def sql(self, *tables: str) -> str:
        raise NotImplementedError

    def rows(self, reference: Reference, *children: list[Row]) -> list[Row]:
        raise NotImplementedError

    def walk(self) -> Iterator[Node]:
        yield self
        for child in self.children:
            yield from child.walk()

    def leaves(self) -> list[str]:
        return [node.name for node in self.walk() if isinstance(node, Source)]


@dataclass(frozen=True)
class Source(Node):
    """Records of the data of that name, less the number that tells them apart."""

    name: str = ""
    columns: tuple[str, ...] = ()

    @property
    def types(self) -> tuple[str, ...]:
        return self.columns


class Reference:
    """Evaluates a pipeline in Python, with the source records behind each row.

    Args:
        data: the records of each source, by name.
        places: by a record's number what `monotonically_increasing_id` numbers it with, where operators ask.
        windows: whether the rows of a window's partition are behind each of its rows.
    """

    def __init__(
        self, data: Mapping[str, list[Row]], places: Mapping[int, int] | None = None, windows: bool = False
    ) -> None:
        self._data = data
        self._places = places or {}
        self.windows = windows
        # Set by operators whose rows come from one record or another, by chance.
        self.ambiguous = False
        # Set by those that could have given other rows than they gave, and where only a function knows of what
        # it made them.
        self.open_cut = False

    def rows(self, node: Node) -> list[Row]:
        if isinstance(node, Source):
            return self._data[node.name]
        return node.rows(self, *(self.rows(child) for child in node.children))

    def place(self, row: Row) -> int:
        """Where a row stands that is made of one record: its partition is in the upper bits."""
        (number,) = row[1]
        return self._places.get(number, number)


def grouped(rows: Iterable[Row], keys: Iterable[int]) -> dict[Values, list[Row]]:
    """Rows by the values of some columns."""
    indexes = list(keys)
    groups: dict[Values, list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[0][i] for i in indexes), []).append(row)
    return groups


def union_of(rows: Iterable[Row]) -> frozenset[int]:
    return frozenset(itertools.chain.from_iterable(records for _, records in rows))


_views = itertools.count(1)


@dataclass
class Renderer:
    """Makes a pipeline a DataFrame.

    Args:
        spark: the session.
        udfs: Python functions by name, registered under these names as well.
        sources: a frame for each source.
    """

    spark: SparkSession
    udfs: Mapping[str, Any]
    sources: Mapping[str, DataFrame]
    views: list[str] = field(default_factory=list)

    def render(self, pipeline: Node) -> DataFrame:
        """The pipeline's frame, its columns called c0, c1, …"""
        frame = named(self._frame(pipeline))
        for view in self.views:
            self.spark.catalog.dropTempView(view)
        return frame

    def _frame(self, node: Node) -> DataFrame:
        if isinstance(node, Source):
            return self.sources[node.name]
        if node.dialect == "sql":
            text = node.sql(*(self._table(child) for child in node.children))
            asked_for = {name: "true" for clause, name in _ASKED_FOR.items() if f" {clause} " in text}
            with settings(self.spark, asked_for):
                return self.spark.sql(text)
        frames = [self._frame(child) for child in node.children]
        return node.frame(self, *(named(frame) if node.by_name else frame for frame in frames))

    def _table(self, node: Node) -> str:
        if node.dialect == "sql" and not isinstance(node, Source):
            return f"({node.sql(*(self._table(child) for child in node.children))})"
        view = f"v{next(_views)}"
        named(self._frame(node)).createOrReplaceTempView(view)
        self.views.append(view)
        return view


def named(frame: DataFrame) -> DataFrame:
    """The frame with its columns called c0, c1, …; the very frame where they are already."""
    names = [f"c{i}" for i in range(len(frame.columns))]
    return frame if frame.columns == names else frame.toDF(*names)


def columns_of(table: str, count: int, start: int = 0) -> str:
    """`t.c0 as c3, t.c1 as c4, …`"""
    return ", ".join(f"{table}.c{i} as c{start + i}" for i in range(count))
