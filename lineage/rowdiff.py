"""The rows of an output in two runs, side by side: which are equal, differ, or are in one of them only.

Rows are paired by their natural key, or by columns that are named, or else by all that isn't a floating-point number;
of rows that are alike in these the first is paired with the first, and so on, in the order of the other columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from bigdebug.lineage.asking import asking
from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.records import as_dict
from bigdebug.lineage.row_names import value_text
from bigdebug.lineage.rows_again import RowsAgain
from bigdebug.lineage.rundiff import Change, changes
from bigdebug.lineage.sql_names import quoted
from bigdebug.lineage.unlike import is_floating, unlike

DIFFERS, ONLY_FIRST, ONLY_SECOND = "differs", "only in the first", "only in the second"


@dataclass(frozen=True)
class RowPair:
    """A row that isn't the same in both runs.

    Attributes:
        kind: `differs`, `only in the first` or `only in the second`.
        first: its columns by name in the first run; None where it isn't there.
        second: the same in the second run.
        columns: those that differ.
        where_first: a condition that names it among the first run's rows, or would, were it there; None where its
            values can't be written in SQL.
        where_second: the same for the second run's.
    """

    kind: str
    first: dict[str, Any] | None
    second: dict[str, Any] | None
    columns: tuple[str, ...]
    where_first: str | None
    where_second: str | None


@dataclass(frozen=True)
class RowDiff:
    """The rows of an output in two runs.

    Attributes:
        key: the columns that rows were paired by.
        paired_by: `grouping columns`, `named columns` or `whole rows`.
        first: how many rows the first run gave.
        second: how many the second gave.
        equal: how many are the same in both.
        differing: how many have the same key and other values.
        only_first: how many the second run hasn't.
        only_second: how many the first run hasn't.
        columns: of the output that were added, are gone, or are of another type.
        by_column: in how many of the differing rows each column differs.
        rows: the first of each kind.
    """

    key: tuple[str, ...]
    paired_by: str
    first: int
    second: int
    equal: int
    differing: int
    only_first: int
    only_second: int
    columns: tuple[Change, ...]
    by_column: Mapping[str, int]
    rows: tuple[RowPair, ...]

    @property
    def same(self) -> bool:
        """Whether both runs gave the same rows."""
        return not (self.differing or self.only_first or self.only_second or self.columns)


class _Side:
    """One run's rows, computed once, in the session that has its settings.

    Attributes:
        names: of the columns.
        kinds: their types by name.
        plan: JVM plan of the rows, which Spark keeps.
        count: how many they are.
        key: the columns that they are grouped by, as `RowsAgain` has them.
        condition: makes a condition that names a row, as there.
    """

    def __init__(self, rows: RowsAgain, which: str) -> None:
        catalyst = rows.catalyst
        self.names = rows.frame.columns
        self.kinds = {field.name: field.dataType for field in rows.frame.schema.fields}
        self.key = rows.key
        self.condition = rows.condition
        with asking(catalyst, f"the rows of the {which} run"):
            # Not a cached plan: Spark would take that for the other run's, where only a setting differs.
            self.plan = catalyst.analyzed(rows.frame.localCheckpoint(eager=True))
            self.count = catalyst.frame(self.plan).count()

    def release(self) -> None:
        self.plan.rdd().unpersist(False)


def compare_rows(first: RowsAgain, second: RowsAgain, key: Sequence[str], most: int) -> RowDiff:
    """Compute an output's rows in both runs and compare them.

    Args:
        first: the rows of the first run.
        second: those of the second.
        key: columns to pair rows by; empty for those that they are grouped by, or else whole rows.
        most: how many rows of each kind are told.

    Raises:
        BigDebugError: there is no such column, or rows have the same key.
    """
    one, other = _Side(first, "first"), _Side(second, "second")
    try:
        return _Compared(first.catalyst, one, other, key).told(most)
    finally:
        one.release()
        other.release()


class _Compared:
    """Two sides, and how their rows are paired."""

    def __init__(self, catalyst: Catalyst, first: _Side, second: _Side, key: Sequence[str]) -> None:
        self._catalyst, self._first, self._second = catalyst, first, second
        self._common = [name for name in first.names if name in second.kinds]
        self._key, self._by = self._paired_by(key)
        self._whole = self._by == "whole rows"
        # Columns that name a row in a condition.
        self._naming = self._common if self._whole else self._key

    def _paired_by(self, key: Sequence[str]) -> tuple[list[str], str]:
        common = self._common
        if not common:
            raise BigDebugError(
                "the rows have no column in common",
                hint=f"the first run's are {', '.join(self._first.names)}, "
                f"the second's {', '.join(self._second.names)}",
            )
        unknown = [name for name in key if name not in common]
        if unknown:
            raise BigDebugError(
                f"not both runs have the column {', '.join(unknown)}",
                hint=f"they have in common: {', '.join(common)}",
            )
        if key:
            return list(key), "named columns"
        natural = self._first.key or ()
        if self._first.key is None or self._second.key is None:
            # An index doesn't say what its rows are grouped by: the other run does, if they are as unique there.
            natural = self._first.key or self._second.key or ()
        elif sorted(natural) != sorted(self._second.key):
            natural = ()
        if natural and set(natural) <= set(common):
            return list(natural), "grouping columns"
        exact = [name for name in common if not self._is_floating(name)]
        return exact or common, "whole rows"

    def _is_floating(self, name: str) -> bool:
        return is_floating(self._first.kinds[name]) or is_floating(self._second.kinds[name])

    def told(self, most: int) -> RowDiff:
        """Compare, and tell so many rows of each kind."""
        with asking(self._catalyst, "the rows that differ"):
            one, other = self._side(self._first), self._side(self._second)
            if not self._whole and (
                self._by == "named columns" or None in (self._first.key, self._second.key)
            ):
                self._require_unique(one)
                self._require_unique(other)
            found = self._joined(one, other).persist()
            try:
                counts = {row[0]: row[1] for row in found.groupBy("kind").count().collect()}
                each = found.select(F.explode("columns").alias("column")).groupBy("column").count()
                by_column = {row[0]: row[1] for row in each.collect()} if counts.get(DIFFERS) else {}
                rows = [
                    self._pair(row.asDict(recursive=False))
                    for kind in (DIFFERS, ONLY_FIRST, ONLY_SECOND)
                    if counts.get(kind) and most
                    for row in found.where(F.col("kind") == kind).orderBy("key").limit(most).collect()
                ]
            finally:
                found.unpersist()
        differing, only_first, only_second = (
            counts.get(kind, 0) for kind in (DIFFERS, ONLY_FIRST, ONLY_SECOND)
        )
        return RowDiff(
            tuple(self._key),
            self._by,
            self._first.count,
            self._second.count,
            self._first.count - differing - only_first,
            differing,
            only_first,
            only_second,
            tuple(changes("column", _types(self._first), _types(self._second))),
            {name: by_column[name] for name in self._common if name in by_column},
            tuple(rows),
        )

    def _side(self, side: _Side) -> DataFrame:
        """A side's rows: `row` as it is, `as` its common columns comparable, `texts` of those that name it, `nth`."""
        frame = self._catalyst.frame(side.plan)
        columns = {name: F.col(_own(name)) for name in side.names}
        frame = frame.toDF(*map(_own_name, side.names))
        alike = {name: self._comparable(columns[name], name, side) for name in self._common}
        named = [value_text(columns[name], side.kinds[name]) for name in self._naming]
        nth = F.lit(1)
        if self._whole:
            rest = [alike[name] for name in self._common if name not in self._key]
            nth = F.row_number().over(
                Window.partitionBy(*(alike[name] for name in self._key)).orderBy(*(rest or [F.lit(1)]))
            )
        return frame.select(
            F.struct(*(columns[name].alias(name) for name in side.names)).alias("row"),
            F.struct(*(alike[name].alias(f"c{i}") for i, name in enumerate(self._common))).alias("as"),
            F.array(*named).alias("texts"),
            nth.alias("nth"),
        )

    def _comparable(self, column: Column, name: str, side: _Side) -> Column:
        """A value that can be compared: with that of another type, and where Spark has no order of its own."""
        mine, theirs = self._first.kinds[name], self._second.kinds[name]
        if mine != theirs:
            numbers = isinstance(mine, T.NumericType) and isinstance(theirs, T.NumericType)
            return column.cast("double") if numbers else column.cast("string")
        return _orderable(column, side.kinds[name])

    def _require_unique(self, side: DataFrame) -> None:
        key = [F.col("as")[f"c{self._common.index(name)}"].alias(name) for name in self._key]
        if side.select(*key).groupBy(*map(quoted, self._key)).count().where("count > 1").take(1):
            raise BigDebugError(
                f"several rows of one run have the same {', '.join(self._key)}",
                hint="name columns with --key that tell all rows apart, or leave it out to compare whole rows",
            )

    def _joined(self, one: DataFrame, other: DataFrame) -> DataFrame:
        """The pairs that aren't equal: kind, key, both rows, the columns that differ, and what names them."""
        one = one.select(*(F.col(name).alias(f"{name}1") for name in one.columns))
        other = other.select(*(F.col(name).alias(f"{name}2") for name in other.columns))
        fields = {name: f"c{i}" for i, name in enumerate(self._common)}
        same = [F.col("as1")[fields[name]].eqNullSafe(F.col("as2")[fields[name]]) for name in self._key]
        if self._whole:
            same.append(F.col("nth1") == F.col("nth2"))
        both = one.join(other, reduce(Column.__and__, same), "full")
        apart = [
            F.when(
                unlike(F.col("as1")[fields[name]], F.col("as2")[fields[name]], self._compared_kind(name)),
                F.lit(name),
            )
            for name in self._common
            if name not in self._key
        ]
        empty = F.array().cast("array<string>")
        differing = F.array_compact(F.array(*apart)) if apart else empty
        kind = (
            F.when(F.col("row2").isNull(), ONLY_FIRST)
            .when(F.col("row1").isNull(), ONLY_SECOND)
            .otherwise(DIFFERS)
        )
        there = F.coalesce(F.col("as1"), F.col("as2"))
        return both.select(
            kind.alias("kind"),
            F.struct(*(there[fields[name]] for name in self._key)).alias("key"),
            F.col("row1"),
            F.col("row2"),
            F.when(kind == DIFFERS, differing).otherwise(empty).alias("columns"),
            F.col("texts1"),
            F.col("texts2"),
        ).where((F.col("kind") != DIFFERS) | (F.size("columns") > 0))

    def _compared_kind(self, name: str) -> T.DataType:
        mine, theirs = self._first.kinds[name], self._second.kinds[name]
        both_numbers = isinstance(mine, T.NumericType) and isinstance(theirs, T.NumericType)
        return T.DoubleType() if mine != theirs and both_numbers else mine

    def _pair(self, row: dict[str, Any]) -> RowPair:
        first, second = row["row1"], row["row2"]
        return RowPair(
            row["kind"],
            None if first is None else as_dict(first),
            None if second is None else as_dict(second),
            tuple(name for name in self._common if name in row["columns"]),
            self._where(self._first, row["texts1"], row["texts2"]),
            self._where(self._second, row["texts2"], row["texts1"]),
        )

    def _where(self, side: _Side, own: Sequence[str] | None, others: Sequence[str] | None) -> str | None:
        """What names the row on one side; where it isn't there, by the other's values, less those that are rounded."""
        texts = dict(zip(self._naming, own if own is not None else others or (), strict=True))
        names = [
            name for name in self._naming if own is not None or not self._whole or not self._is_floating(name)
        ]
        # Of two columns with one name a condition can't say which it means.
        if any("#" in name and name.rpartition("#")[0] in side.names for name in names):
            return None
        return side.condition(names, side.kinds, [texts[name] for name in names])


def _types(side: _Side) -> dict[str, str]:
    return {name: kind.simpleString() for name, kind in side.kinds.items()}


def _own_name(name: str) -> str:
    """A column's name while it is compared: nothing of ours is called so."""
    return f"own {name}"


def _own(name: str) -> str:
    return quoted(_own_name(name))


def _orderable(column: Column, kind: T.DataType) -> Column:
    if isinstance(kind, T.MapType) and not _holds_unordered(kind.valueType):
        return F.array_sort(F.map_entries(column))
    return F.to_json(F.struct(column.alias("value"))) if _holds_unordered(kind) else column


def _holds_unordered(kind: T.DataType) -> bool:
    """Whether Spark can't tell which of two values comes first."""
    if isinstance(kind, T.ArrayType):
        return _holds_unordered(kind.elementType)
    if isinstance(kind, T.StructType):
        return any(_holds_unordered(field.dataType) for field in kind.fields)
    return isinstance(kind, T.MapType | T.VariantType | T.CalendarIntervalType | T.UserDefinedType)
