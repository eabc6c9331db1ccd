"""As-of joins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pyspark.sql import DataFrame
from tree import Node, Reference, Renderer, Row, columns_of, grouped, union_of


@dataclass(frozen=True)
class AsOfJoin(Node):
    """Each row with the nearest of the second input's numbers that its own compares with.

    Attributes:
        own: the column that is compared.
        comparison: of it with the second input's only column.
    """

    how: str = "inner"
    own: int = 0
    comparison: str = ">="
    fans_out: ClassVar[bool] = True
    can_invent: ClassVar[bool] = True  # a row with a number less near
    mixes: ClassVar[bool] = True

    COMPARISONS: ClassVar[tuple[str, ...]] = (">=", ">", "<=", "<")

    @property
    def types(self) -> tuple[str, ...]:
        return (*self.child.types, "int")

    def frame(self, renderer: Renderer, *children: DataFrame) -> DataFrame:
        left, right = children
        return left._joinAsOf(
            right,
            left[f"c{self.own}"],
            right["c0"],
            how=self.how,
            allowExactMatches=self.comparison.endswith("="),
            direction="backward" if self.comparison.startswith(">") else "forward",
        )

    def sql(self, *tables: str) -> str:
        width = len(self.child.types)
        outer = "left " if self.how == "left" else ""
        return (
            f"select {columns_of('l', width)}, r.c0 as c{width} from {tables[0]} l {outer}asof join {tables[1]} r "
            f"match_condition (l.c{self.own} {self.comparison} r.c0)"
        )

    def rows(self, reference: Reference, *children: list[Row]) -> list[Row]:
        left, right = children
        numbers = grouped(right, [0])
        found: list[Row] = []
        for values, records in left:
            mine = values[self.own]
            among = [other for (other,) in numbers if self._holds(mine, other)]
            if not among:
                found += [((*values, None), records)] if self.how == "left" else []
                continue
            nearest = min(among, key=lambda other: abs(mine - other))
            if len(numbers[nearest,]) > 1:
                reference.ambiguous = reference.open_cut = True
            found.append(((*values, nearest), records | union_of(numbers[nearest,])))
        return found

    def _holds(self, mine: int | None, other: int | None) -> bool:
        if mine is None or other is None:
            return False
        if mine == other:
            return self.comparison.endswith("=")
        return (mine > other) == self.comparison.startswith(">")
