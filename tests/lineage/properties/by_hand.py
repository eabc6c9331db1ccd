"""Pipelines over keys and values, with the operator that lost the last row of a key worked out by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from hypothesis import strategies as st
from judging import TAG
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from bigdebug.lineage.catalyst import Catalyst

Pair = tuple[str | None, int | None]
PAIRS = st.lists(st.tuples(st.sampled_from(["a", "b", "c", None]), st.integers(0, 4)), max_size=4)
MOST = st.integers(0, 4)
JOINS = ["inner", "left", "right", "full", "left_semi", "left_anti"]
SETS = ["union", "distinct union", "intersect", "intersect all", "except", "except all"]
OPERATORS = st.lists(
    st.one_of(
        st.tuples(st.just("filter"), MOST),
        st.tuples(st.sampled_from(["rename", "sum", "distinct", "rank", "rollup", "cube"])),
        st.tuples(st.just("explode"), MOST),
        st.tuples(st.just("limit"), st.integers(0, 4), st.integers(0, 2)),
        st.tuples(st.just("dropDuplicates"), st.integers(0, 1)),
        st.tuples(st.sampled_from(JOINS), PAIRS, st.integers(-1, 4)),
        st.tuples(st.sampled_from(SETS), PAIRS, st.integers(-1, 4)),
    ),
    min_size=1,
    max_size=4,
)
AT_SOURCE = ("source", 0)


@dataclass(frozen=True)
class Known:
    """A pipeline, computed by hand.

    Attributes:
        frame: in Spark; its first column is the key, its second the value.
        rows: of the frame.
        key: what is asked about.
        lost: kind of the operator that lost the last row of that key and how many entered it; `AT_SOURCE` where
            there were none to begin with; None where some are left.
    """

    frame: DataFrame
    rows: list[Pair]
    key: str
    lost: tuple[str, int] | None

    @cached_property
    def count(self) -> int:
        """How many rows of the key there are."""
        return sum(key == self.key for key, _ in self.rows)

    def become(self, frame: DataFrame, rows: list[Pair], kind: str, entering: int | None = None) -> Known:
        """After an operator of that kind.

        Args:
            entering: how many rows of the key it takes; None for those of this frame.
        """
        entering = self.count if entering is None else entering
        left = any(key == self.key for key, _ in rows)
        return Known(frame, rows, self.key, None if left else self.lost or (kind, entering))


def source(spark: SparkSession, pairs: list[Pair], key: str) -> Known:
    frame = spark.createDataFrame(pairs, "k string, v long")
    frame._jdf.queryExecution().analyzed().setTagValue(Catalyst(spark).tag, TAG)
    return Known(frame, pairs, key, None if any(name == key for name, _ in pairs) else AT_SOURCE)


def filtered(known: Known, most: int) -> Known:
    kept = [(key, value) for key, value in known.rows if value is not None and value <= most]
    return known.become(known.frame.filter(F.col(known.frame.columns[1]) <= most), kept, "Filter")


def by_key(rows: list[Pair]) -> dict[str | None, list[int | None]]:
    found: dict[str | None, list[int | None]] = {}
    for key, value in rows:
        found.setdefault(key, []).append(value)
    return found


def total(values: list[int | None]) -> int | None:
    numbers = [value for value in values if value is not None]
    return sum(numbers) if numbers else None


def in_order(pair: Pair) -> Any:
    """Sorts as Spark does: nulls first."""
    return tuple((each is not None, each) for each in pair)


def applied(spark: SparkSession, known: Known, operator: tuple[Any, ...]) -> Known:
    kind, *arguments = operator
    if kind in JOINS or kind in SETS:
        pairs, most = arguments
        other = source(spark, pairs, known.key)
        if most >= 0:
            other = filtered(other, most)
        return joined(known, other, kind) if kind in JOINS else combined(known, other, kind)
    return ALONE[kind](known, *known.frame.columns, *arguments)


def renamed(known: Known, name: str, value: str) -> Known:
    frame = known.frame.select(F.col(name).alias(f"{name}x"), (F.col(value) + 1).alias("w"))
    rows = [(key, None if number is None else number + 1) for key, number in known.rows]
    return known.become(frame, rows, "Project")


def summed(known: Known, name: str, value: str) -> Known:
    frame = known.frame.groupBy(name).agg(F.sum(value).alias(value))
    rows = [(key, total(values)) for key, values in by_key(known.rows).items()]
    return known.become(frame, rows, "Aggregate")


def rolled_up(known: Known, name: str, value: str) -> Known:
    frame = known.frame.rollup(name).agg(F.sum(value).alias(value))
    rows = [(key, total(values)) for key, values in by_key(known.rows).items()]
    if rows:
        rows.append((None, total([number for _, number in known.rows])))
    return known.become(frame, rows, "Aggregate")


def cubed(known: Known, name: str, value: str) -> Known:
    frame = known.frame.cube(name, value).count().select(name, value)
    rows = [
        *dict.fromkeys(known.rows),
        *((key, None) for key in dict.fromkeys(key for key, _ in known.rows)),
        *((None, number) for number in dict.fromkeys(number for _, number in known.rows)),
        *([(None, None)] if known.rows else []),
    ]
    return known.become(frame, rows, "Aggregate")


def ranked(known: Known, name: str, value: str) -> Known:
    """The least of each key, all that tie."""
    frame = known.frame.withColumn("r", F.rank().over(Window.partitionBy(name).orderBy(value)))
    least = {key: min(pairs, key=in_order) for key, pairs in _pairs_by_key(known.rows).items()}
    rows = [pair for pair in known.rows if pair == least[pair[0]]]
    return known.become(frame.filter("r = 1").drop("r"), rows, "Filter")


def _pairs_by_key(rows: list[Pair]) -> dict[str | None, list[Pair]]:
    return {key: [(key, value) for value in values] for key, values in by_key(rows).items()}


def exploded(known: Known, name: str, value: str, bound: int) -> Known:
    """Twice those above a bound, the others not at all."""
    twice = F.filter(F.array(value, value), lambda each: each > bound)
    frame = known.frame.select(name, value, F.explode(twice).alias("e")).drop("e")
    rows = [pair for pair in known.rows for _ in range(2) if pair[1] is not None and pair[1] > bound]
    return known.become(frame, rows, "Generate")


def unique(known: Known, name: str, value: str) -> Known:
    return known.become(known.frame.distinct(), list(dict.fromkeys(known.rows)), "Deduplicate")


def cut(known: Known, name: str, value: str, most: int, skipped: int) -> Known:
    """The first of the rows in their order, less some before them: equal rows are as good as each other."""
    ordered = sorted(known.rows, key=in_order)
    known = known.become(known.frame.orderBy(name, value), ordered, "Sort")
    if skipped:
        known = known.become(known.frame.offset(skipped), known.rows[skipped:], "Offset")
    return known.become(known.frame.limit(most), known.rows[:most], "GlobalLimit")


def deduplicated(known: Known, name: str, value: str, place: int) -> Known:
    """The first row of each key, or of each value. In one sorted partition Spark takes no other."""
    frame = known.frame.coalesce(1).sortWithinPartitions(name, value).dropDuplicates([(name, value)[place]])
    first = {pair[place]: pair for pair in sorted(known.rows, key=in_order, reverse=True)}
    return known.become(frame, list(first.values()), "Deduplicate")


ALONE: dict[str, Callable[..., Known]] = {
    "filter": lambda known, _, value, most: filtered(known, most),
    "rename": renamed,
    "sum": summed,
    "rollup": rolled_up,
    "cube": cubed,
    "rank": ranked,
    "explode": exploded,
    "distinct": unique,
    "limit": cut,
    "dropDuplicates": deduplicated,
}


def joined(known: Known, other: Known, how: str) -> Known:
    """By key. Of a right join the other side's key is taken, of a full one either's; the value is this side's."""
    name, value = known.frame.columns
    right = other.frame.select(F.col("k").alias("r_k"), F.col("v").alias("r_v"))
    frame = known.frame.join(right, F.col(name) == F.col("r_k"), how)
    key = {"right": F.col("r_k"), "full": F.coalesce(F.col(name), F.col("r_k"))}.get(how, F.col(name))
    frame = frame.select(key.alias(name), value)
    mine, theirs = by_key(known.rows), by_key(other.rows)
    both = {key for key in mine.keys() & theirs.keys() if key is not None}
    rows: list[Pair] = [(key, each) for key in both for each in mine[key] * len(theirs[key])]
    lone = [pair for pair in known.rows if pair[0] not in both]
    if how == "left_semi":
        rows = [pair for pair in known.rows if pair[0] in both]
    elif how == "left_anti":
        rows = lone
    elif how in ("left", "full"):
        rows += lone
    if how in ("right", "full"):
        rows += [(key, None) for key, _ in other.rows if key not in both]
    if how == "right":
        return Known(frame, rows, known.key, other.lost)
    if how == "full":
        return Known(frame, rows, known.key, either(known, other) if known.lost and other.lost else None)
    if how in ("inner", "left_semi"):
        return needing_both(known, other, frame, rows)
    return known.become(frame, rows, "Join")


def combined(known: Known, other: Known, kind: str) -> Known:
    mine, theirs = Counter(known.rows), Counter(other.rows)
    frames = known.frame, other.frame
    if kind.endswith("union"):
        rows = [*known.rows, *other.rows]
        lost = either(known, other) if known.lost and other.lost else None
        if kind == "union":
            return Known(frames[0].union(frames[1]), rows, known.key, lost)
        return Known(frames[0].union(frames[1]).distinct(), list(dict.fromkeys(rows)), known.key, lost)
    if kind == "intersect":
        return needing_both(known, other, frames[0].intersect(frames[1]), list(mine.keys() & theirs.keys()))
    if kind == "except":
        return known.become(frames[0].subtract(frames[1]), list(mine.keys() - theirs.keys()), "Join")
    if kind == "intersect all":
        rows = list((mine & theirs).elements())
        return needing_both(known, other, frames[0].intersectAll(frames[1]), rows, "IntersectAll")
    return known.become(frames[0].exceptAll(frames[1]), list((mine - theirs).elements()), "ExceptAll")


def needing_both(known: Known, other: Known, frame: DataFrame, rows: list[Pair], kind: str = "Join") -> Known:
    """Of an operator whose rows take one of each side: where the other side lost its own, that is to blame."""
    if known.lost is None and other.lost not in (None, AT_SOURCE):
        return Known(frame, rows, known.key, other.lost)
    return known.become(frame, rows, kind, known.count + other.count)


def either(known: Known, other: Known) -> tuple[str, int] | None:
    """Of an operator that takes rows of either side, none of which has any."""
    return known.lost if known.lost != AT_SOURCE else other.lost
