"""Window functions, and which rows of its partition each row's value is made of."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import Any, ClassVar

from expressions import order_key
from pyspark.sql import DataFrame
from pyspark.sql import Window as Over
from pyspark.sql import functions as F
from tree import Node, Reference, Renderer, Row, grouped, union_of


@dataclass(frozen=True)
class Frame:
    """Which rows of the partition a window function sees: from one bound to another, both counted from the row.

    Attributes:
        unit: `rows` or `range`.
        begin, end: negative before the row; None for the partition's first and last row.
    """

    unit: str
    begin: int | None
    end: int | None

    @property
    def text(self) -> str:
        begin, end = _bound(self.begin, "preceding"), _bound(self.end, "following")
        return f"{self.unit} between {begin} and {end}"

    @property
    def is_whole(self) -> bool:
        return self.begin is None and self.end is None

    def of(self, i: int, ordered: list[Any]) -> slice:
        """Which of a partition's rows the i-th sees.

        Args:
            ordered: the values by which the rows are sorted, in their order.
        """
        if self.unit == "rows":
            begin = 0 if self.begin is None else max(0, i + self.begin)
            return slice(begin, len(ordered) if self.end is None else max(0, i + self.end + 1))
        keys = [order_key(value) for value in ordered]
        begin = 0 if self.begin is None else bisect_left(keys, _moved(ordered[i], self.begin))
        return slice(
            begin, len(keys) if self.end is None else bisect_right(keys, _moved(ordered[i], self.end))
        )


def _bound(offset: int | None, open_end: str) -> str:
    if offset is None:
        return f"unbounded {open_end}"
    if offset == 0:
        return "current row"
    return f"{abs(offset)} {'preceding' if offset < 0 else 'following'}"


def _moved(value: Any, offset: int) -> Any:
    """What a value and an offset come to, to be compared: nulls stay among themselves."""
    return order_key(value if value is None or not offset else value + offset)


@dataclass(frozen=True)
class Window(Node):
    """The child's columns and a window function: rank, dense_rank, a sum, or a count.

    Without a frame the sum is a running one, and the count is of the partition. Where a frame counts rows, they
    are sorted by all columns, so that only equal ones tie.
    """

    function: str = "rank"
    partition: int = 0
    order: int = 0
    summed: int = 0
    over: Frame | None = None
    needs_whole: ClassVar[bool] = True

    FUNCTIONS: ClassVar[tuple[str, ...]] = ("rank", "dense_rank", "sum", "count")
    BOUNDS: ClassVar[tuple[tuple[int | None, int | None], ...]] = (
        (None, 0), (None, None), (0, None), (-1, 0), (0, 1), (-1, 1), (0, 0), (1, 2), (-2, -1), (None, -1), (1, None),
    )  # fmt: skip

    @property
    def types(self) -> tuple[str, ...]:
        return (*self.child.types, "int")

    @property
    def _orders(self) -> list[str]:
        if self.function == "count" and self.over is None:
            return []
        rest = range(len(self.child.types)) if self.over is not None and self.over.unit == "rows" else ()
        return [f"c{i}" for i in (self.order, *(i for i in rest if i != self.order))]

    @property
    def _call(self) -> str:
        return {"sum": f"sum(c{self.summed})", "count": "count(*)"}.get(self.function, f"{self.function}()")

    @property
    def _text(self) -> str:
        over = f"partition by c{self.partition}"
        if self._orders:
            over += f" order by {', '.join(self._orders)}"
        if self.over is not None:
            over += f" {self.over.text}"
        return f"cast({self._call} over ({over}) as bigint)"

    def frame(self, renderer: Renderer, *children: DataFrame) -> DataFrame:
        over = Over.partitionBy(f"c{self.partition}")
        if self._orders:
            over = over.orderBy(*self._orders)
        if self.over is not None:
            begin = Over.unboundedPreceding if self.over.begin is None else self.over.begin
            end = Over.unboundedFollowing if self.over.end is None else self.over.end
            over = over.rowsBetween(begin, end) if self.over.unit == "rows" else over.rangeBetween(begin, end)
        return children[0].withColumn("w", F.expr(self._call).over(over).cast("bigint"))

    def sql(self, *tables: str) -> str:
        return f"select *, {self._text} as c{len(self.child.types)} from {tables[0]}"

    def rows(self, reference: Reference, *children: list[Row]) -> list[Row]:
        found: list[Row] = []
        by_rows = self.over is not None and self.over.unit == "rows" and not self.over.is_whole
        if by_rows:
            reference.open_cut = True
        for group in grouped(children[0], [self.partition]).values():
            whole = union_of(group)
            alike = grouped(group, range(len(self.child.types)))
            if by_rows:
                reference.ambiguous |= any(len(rows) > 1 for rows in alike.values())
            values = self._framed(group) if self.over is not None else None
            for i, (row, records) in enumerate(self._sorted(group)):
                value = values[i] if values is not None else self._value(row, group)
                behind = union_of(alike[row]) if by_rows else records
                found.append(((*row, value), whole if reference.windows else behind))
        return found

    def _sorted(self, group: list[Row]) -> list[Row]:
        return sorted(group, key=lambda row: (order_key(row[0][self.order]), order_key(row[0])))

    def _framed(self, group: list[Row]) -> list[int | None]:
        """The values of a partition's rows, in their order."""
        assert self.over is not None
        rows = [row for row, _ in self._sorted(group)]
        ordered = [row[self.order] for row in rows]
        frames = [rows[self.over.of(i, ordered)] for i in range(len(rows))]
        if self.function == "count":
            return [len(frame) for frame in frames]
        known = [[row[self.summed] for row in frame if row[self.summed] is not None] for frame in frames]
        return [sum(values) if values else None for values in known]

    def _value(self, row: tuple[Any, ...], group: list[Row]) -> int | None:
        if self.function == "count":
            return len(group)
        mine = order_key(row[self.order])
        before = [other for other, _ in group if order_key(other[self.order]) < mine]
        if self.function == "rank":
            return len(before) + 1
        if self.function == "dense_rank":
            return len({other[self.order] for other in before}) + 1
        peers = [other for other, _ in group if order_key(other[self.order]) == mine]
        known = [other[self.summed] for other in before + peers if other[self.summed] is not None]
        return sum(known) if known else None
