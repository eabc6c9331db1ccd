"""Operators over two inputs: joins, unions, set operations, subqueries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from operator import and_
from typing import Any, ClassVar

from expressions import Values, order_key
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from tree import Node, Reference, Renderer, Row, columns_of, grouped, named, union_of

HOWS = ("inner", "left", "right", "full", "semi", "anti", "cross")
_SQL_HOWS = {"semi": "left semi", "anti": "left anti"}
_COMPARISONS: dict[str, Callable[[Any, Any], bool | None]] = {
    "=": lambda a, b: None if a is None or b is None else a == b,
    "<=>": lambda a, b: a == b,
    "<": lambda a, b: None if a is None or b is None else order_key(a) < order_key(b),
}


@dataclass(frozen=True)
class Join(Node):
    """Any join on comparisons (left column, right column, operator); with `using` the key columns are merged."""

    how: str = "inner"
    on: tuple[tuple[int, int, str], ...] = ()
    using: bool = False
    mixes: ClassVar[bool] = False

    @property
    def types(self) -> tuple[str, ...]:
        left, right = (child.types for child in self.children)
        if self.how in ("semi", "anti"):
            return left
        if self.using:
            return (left[0], *left[1:], *right[1:])
        return left + right

    def frame(self, renderer: Renderer, *children: DataFrame) -> DataFrame:
        left, right = children
        if self.how == "cross":
            return left.crossJoin(right)
        if self.using:
            return left.join(right, ["c0"], self.how)
        left, right = left.alias("l"), right.alias("r")
        conditions = [F.expr(f"l.c{i} {op} r.c{j}") for i, j, op in self.on]
        return left.join(right, reduce(and_, conditions), self.how)

    def sql(self, *tables: str) -> str:
        how = _SQL_HOWS.get(self.how, self.how)
        widths = [len(child.types) for child in self.children]
        if self.using:
            own = ["c0", *(f"l.c{i}" for i in range(1, widths[0]))]
            if self.how not in ("semi", "anti"):
                own += [f"r.c{i}" for i in range(1, widths[1])]
            named_columns = ", ".join(f"{column} as c{i}" for i, column in enumerate(own))
            return f"select {named_columns} from {tables[0]} l {how} join {tables[1]} r using (c0)"
        columns = columns_of("l", widths[0])
        if self.how not in ("semi", "anti"):
            columns += ", " + columns_of("r", widths[1], widths[0])
        text = f"select {columns} from {tables[0]} l {how} join {tables[1]} r"
        if self.how != "cross":
            text += " on " + " and ".join(f"l.c{i} {op} r.c{j}" for i, j, op in self.on)
        return text

    def rows(self, reference: Reference, *children: list[Row]) -> list[Row]:
        left, right = children
        pairs = [[self._holds(a, b) for b, _ in right] for a, _ in left]
        if self.how in ("semi", "anti"):
            wanted = self.how == "semi"
            return [row for row, matches in zip(left, pairs, strict=True) if any(matches) == wanted]
        found = [
            (self._merged(a, b), ra | rb)
            for (a, ra), matches in zip(left, pairs, strict=True)
            for (b, rb), matched in zip(right, matches, strict=True)
            if matched
        ]
        widths = [len(child.types) for child in self.children]
        if self.how in ("left", "full"):
            nulls = (None,) * widths[1]
            found += [
                (self._merged(a, nulls), ra)
                for (a, ra), matches in zip(left, pairs, strict=True)
                if not any(matches)
            ]
        if self.how in ("right", "full"):
            nulls = (None,) * widths[0]
            found += [
                (self._merged(nulls, b), rb)
                for j, (b, rb) in enumerate(right)
                if not any(matches[j] for matches in pairs)
            ]
        return found

    def _holds(self, left: Values, right: Values) -> bool:
        if self.how == "cross":
            return True
        on = ((0, 0, "="),) if self.using else self.on
        return all(_COMPARISONS[op](left[i], right[j]) for i, j, op in on)

    def _merged(self, left: Values, right: Values) -> Values:
        if self.using:
            return (left[0] if left[0] is not None else right[0], *left[1:], *right[1:])
        return left + right


class OneSidedJoin(Join):
    """Semi and anti joins: their right side only influences."""

    influencing = frozenset({1})


class InnerJoin(Join):
    fans_out = True


class OuterJoin(Join):
    fans_out = True
    can_invent = True  # a row without its partner
    mixes = True


def join_of(how: str, **fields: Any) -> Join:
    kind = OneSidedJoin if how in ("semi", "anti") else InnerJoin if how in ("inner", "cross") else OuterJoin
    return kind(how=how, **fields)


@dataclass(frozen=True)
class Twice(Node):
    """The same frame, or the same common table expression, twice: joined with itself, or beside itself."""

    how: str = "join"
    on: tuple[int, int] = (0, 0)
    fans_out: ClassVar[bool] = True

    @property
    def types(self) -> tuple[str, ...]:
        return self.child.types * 2 if self.how == "join" else self.child.types

    def frame(self, renderer: Renderer, *children: DataFrame) -> DataFrame:
        (frame,) = children
        if self.how == "union":
            return frame.unionAll(frame)
        return frame.alias("a").join(frame.alias("b"), F.expr(f"a.c{self.on[0]} = b.c{self.on[1]}"))

    def sql(self, *tables: str) -> str:
        query = f"with q as (select * from {tables[0]}) "
        if self.how == "union":
            return query + "select * from q union all select * from q"
        width = len(self.child.types)
        columns = f"{columns_of('a', width)}, {columns_of('b', width, width)}"
        return query + f"select {columns} from q a join q b on a.c{self.on[0]} = b.c{self.on[1]}"

    def rows(self, reference: Reference, *children: list[Row]) -> list[Row]:
        (rows,) = children
        if self.how == "union":
            return rows + rows
        i, j = self.on
        return [
            (a + b, ra | rb)
            for a, ra in rows
            for b, rb in rows
            if a[i] is not None and b[j] is not None and a[i] == b[j]
        ]


@dataclass(frozen=True)
class Union(Node):
    """Both inputs' rows. By name, the right one lacks the last column, which is null then."""

    distinct: bool = False
    lacking: bool = False
    by_name: ClassVar[bool] = False

    def frame(self, renderer: Renderer, *children: DataFrame) -> DataFrame:
        left, right = children
        if self.lacking:
            left, right = named(left), named(right)
            frame = left.unionByName(right.drop(right.columns[-1]), allowMissingColumns=True)
        else:
            frame = left.union(right)
        return frame.distinct() if self.distinct else frame

    def sql(self, *tables: str) -> str:
        right = f"select * from {tables[1]}"
        if self.lacking:
            width = len(self.types) - 1
            right = f"select {columns_of('r', width)}, null as c{width} from {tables[1]} r"
        word = "union" if self.distinct else "union all"
        return f"select * from {tables[0]} {word} {right}"

    def rows(self, reference: Reference, *children: list[Row]) -> list[Row]:
        left, right = children
        if self.lacking:
            right = [((*row[:-1], None), records) for row, records in right]
        every = left + right
        if not self.distinct:
            return every
        groups = grouped(every, range(len(self.types)))
        return [(values, union_of(rows)) for values, rows in groups.items()]


class DistinctUnion(Union):
    mixes = True


@dataclass(frozen=True)
class SetOperation(Node):
    """INTERSECT and EXCEPT; the plain ones have a right side that only influences."""

    kind: str = "intersect"
    all: bool = False
    by_name: ClassVar[bool] = False
    mixes: ClassVar[bool] = True

    def frame(self, renderer: Renderer, *children: DataFrame) -> DataFrame:
        left, right = children
        if self.kind == "intersect":
            return left.intersectAll(right) if self.all else left.intersect(right)
        return left.exceptAll(right) if self.all else left.subtract(right)

    def sql(self, *tables: str) -> str:
        word = f"{self.kind} all" if self.all else self.kind
        return f"select * from {tables[0]} {word} select * from {tables[1]}"

    def rows(self, reference: Reference, *children: list[Row]) -> list[Row]:
        left, right = (grouped(rows, range(len(self.types))) for rows in children)
        found: list[Row] = []
        for values, rows in left.items():
            others = right.get(values, [])
            if self.all:
                times = min(len(rows), len(others)) if self.kind == "intersect" else len(rows) - len(others)
                found += [(values, union_of(rows + others))] * max(times, 0)
            elif bool(others) == (self.kind == "intersect"):
                found.append((values, union_of(rows)))
        return found


class PlainSetOperation(SetOperation):
    influencing = frozenset({1})


class CountingSetOperation(SetOperation):
    fans_out = True
    can_invent = True


@dataclass(frozen=True)
class Subquery(Node):
    """Rows judged, or widened, by a subquery over the second input: SQL only."""

    kind: str = "in"
    on: tuple[int, int] = (0, 0)
    influencing: ClassVar[frozenset[int]] = frozenset({1})

    KINDS: ClassVar[tuple[str, ...]] = (
        "in",
        "not in",
        "exists",
        "not exists",
        "scalar",
        "correlated",
        "in or",
    )

    @property
    def types(self) -> tuple[str, ...]:
        own = self.child.types
        return (*own, self.children[1].types[self.on[1]]) if self.kind == "correlated" else own

    def sql(self, *tables: str) -> str:
        left, right = tables
        mine, its = f"t.c{self.on[0]}", f"s.c{self.on[1]}"
        width = len(self.child.types)
        own = columns_of("t", width)
        if self.kind == "correlated":
            query = f"(select max({its}) from {right} s where {its} = {mine})"
            return f"select {own}, {query} as c{width} from {left} t"
        condition = {
            "in": f"{mine} in (select {its} from {right} s)",
            "not in": f"{mine} not in (select {its} from {right} s)",
            "in or": f"({mine} in (select {its} from {right} s) or {mine} is null)",
            "exists": f"exists (select 1 from {right} s where {its} = {mine})",
            "not exists": f"not exists (select 1 from {right} s where {its} = {mine})",
            "scalar": f"{mine} >= (select max({its}) from {right} s)",
        }[self.kind]
        return f"select {own} from {left} t where {condition}"

    def rows(self, reference: Reference, *children: list[Row]) -> list[Row]:
        left, right = children
        values = [row[self.on[1]] for row, _ in right]
        known = Counter(value for value in values if value is not None)
        greatest = max(known, key=order_key, default=None)
        found: list[Row] = []
        for row, records in left:
            mine = row[self.on[0]]
            there = mine is not None and mine in known
            unknown = bool(values) and (mine is None or None in values)
            if self.kind == "correlated":
                found.append(((*row, mine if there else None), records))
                continue
            stays = {
                "in": there,
                "not in": not there and not unknown,
                "in or": there or mine is None,
                "exists": there,
                "not exists": not there,
                "scalar": mine is not None
                and greatest is not None
                and order_key(mine) >= order_key(greatest),
            }[self.kind]
            if stays:
                found.append((row, records))
        return found


@dataclass(frozen=True)
class Lateral(Node):
    """Rows joined with what a subquery over the second input makes of each: SQL only.

    The subquery's rows go with the left row; of a record in none of them, nothing comes.
    """

    kind: str = "greatest"
    on: tuple[int, int] = (0, 0)
    fans_out: ClassVar[bool] = True
    can_invent: ClassVar[bool] = True  # another count, a row without its partner
    mixes: ClassVar[bool] = True

    KINDS: ClassVar[tuple[str, ...]] = ("equal", "less", "greatest", "count", "count of less")

    @property
    def types(self) -> tuple[str, ...]:
        counted = self.kind.startswith("count")
        return (*self.child.types, "int" if counted else self.children[1].types[self.on[1]])

    def sql(self, *tables: str) -> str:
        left, right = tables
        mine, its = f"l.c{self.on[0]}", f"r.c{self.on[1]}"
        made = {"greatest": f"max({its})", "count": "count(*)", "count of less": "count(*)"}.get(
            self.kind, its
        )
        comparison = "<" if "less" in self.kind else "="
        join = "left join" if self.kind == "less" else "join"
        width = len(self.child.types)
        return (
            f"select {columns_of('l', width)}, s.made as c{width} from {left} l {join} "
            f"lateral (select {made} as made from {right} r where {its} {comparison} {mine}) s"
        )

    def rows(self, reference: Reference, *children: list[Row]) -> list[Row]:
        left, right = children
        i, j = self.on
        holds = _COMPARISONS["<" if "less" in self.kind else "="]
        found: list[Row] = []
        for row, records in left:
            matching = [(b[j], rb) for b, rb in right if holds(b[j], row[i])]
            every = records | union_of(matching)
            if self.kind.startswith("count"):
                found.append(((*row, len(matching)), every))
            elif self.kind == "greatest":
                value = max((value for value, _ in matching), key=order_key, default=None)
                found.append(((*row, value), every))
            else:
                found += [((*row, value), records | behind) for value, behind in matching]
                if not matching and self.kind == "less":
                    found.append(((*row, None), records))
        return found
