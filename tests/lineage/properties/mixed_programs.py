"""Random programs that go from RDDs to DataFrames and back, and a reference in plain Python.

All elements are pairs (k, v), all rows have the columns k and v. The reference works on lists: each pair with the
set of the numbers of its records. It knows nothing of Spark, nor of where the joints are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from pyspark.sql import functions as F

Pair = tuple[int | None, int]
Element = tuple[Pair, frozenset[int]]
SCHEMA = "k int, v bigint"


# -- the functions that programs call: also run by Spark's workers ----------------------------------


def as_pair(row: Any) -> Pair:
    return row[0], row[1]


def as_row(pair: Pair) -> dict[str, Any]:
    return {"v": pair[1], "k": pair[0]}


def rekeyed(pair: Pair) -> Pair:
    return pair[1] % 2, pair[1] + 1


def is_kept(pair: Pair) -> bool:
    return pair[1] % 3 != 1


def copies(pair: Pair) -> list[Pair]:
    return [pair] * (pair[1] % 3)


def added(left: int, right: int) -> int:
    return left + right


def key_of(pair: Pair) -> int | None:
    return pair[0]


def total(pair: Any) -> Pair:
    return pair[0], sum(value for _, value in pair[1])


def joined(pair: Any) -> Pair:
    return pair[0], pair[1][0] + pair[1][1]


# -- operators --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Operation:
    """An operator: called on the RDD or DataFrame so far, and on another one; the same of the reference."""

    name: str
    spark: Callable[[Any, Any], Any]
    model: Callable[[list[Element], list[Element]], Iterable[Element]]


def each(function: Callable[[Pair], Iterable[Pair]]) -> Callable[..., Iterable[Element]]:
    return lambda given, _: [(made, ids) for pair, ids in given for made in function(pair)]


def grouped(key: Callable[[Pair], Any], made: Callable[[Any, list[Pair]], Pair]) -> Callable[..., Any]:
    def model(given: list[Element], _: list[Element]) -> list[Element]:
        groups: dict[Any, list[Element]] = defaultdict(list)
        for element in given:
            groups[key(element[0])].append(element)
        return [
            (made(k, [pair for pair, _ in members]), frozenset().union(*(ids for _, ids in members)))
            for k, members in groups.items()
        ]

    return model


def joined_model(nulls: bool) -> Callable[..., Iterable[Element]]:
    return lambda left, right: [
        ((a[0], a[1] + b[1]), mine | theirs)
        for a, mine in left
        for b, theirs in right
        if a[0] == b[0] and (nulls or a[0] is not None)
    ]


def summed(key: Any, pairs: list[Pair]) -> Pair:
    return key, sum(value for _, value in pairs)


def same(given: list[Element], _: list[Element]) -> list[Element]:
    return given


ON_RDDS = [
    Operation("map", lambda r, _: r.map(rekeyed), each(lambda p: [rekeyed(p)])),
    Operation("filter", lambda r, _: r.filter(is_kept), each(lambda p: [p] if is_kept(p) else [])),
    Operation("flatMap", lambda r, _: r.flatMap(copies), each(copies)),
    Operation("reduceByKey", lambda r, _: r.reduceByKey(added), grouped(key_of, summed)),
    Operation("groupBy", lambda r, _: r.groupBy(key_of).map(total), grouped(key_of, summed)),
    Operation("distinct", lambda r, _: r.distinct(), grouped(lambda p: p, lambda p, _: p)),
    Operation("repartition", lambda r, _: r.repartition(3), same),
    Operation("union", lambda r, other: r.union(other), lambda left, right: [*left, *right]),
    Operation("join", lambda r, other: r.join(other).map(joined), joined_model(nulls=True)),
]
ON_FRAMES = [
    Operation(
        "select",
        lambda f, _: f.selectExpr("cast(v % 2 as int) k", "v + 1 v"),
        each(lambda p: [rekeyed(p)]),
    ),
    Operation("where", lambda f, _: f.where("v % 3 != 1"), each(lambda p: [p] if is_kept(p) else [])),
    Operation(
        "explode",
        lambda f, _: f.select("k", "v", F.expr("explode(array_repeat(0, cast(v % 3 as int)))")).drop("col"),
        each(copies),
    ),
    Operation("groupBy", lambda f, _: f.groupBy("k").agg(F.sum("v").alias("v")), grouped(key_of, summed)),
    Operation("distinct", lambda f, _: f.distinct(), grouped(lambda p: p, lambda p, _: p)),
    Operation("orderBy", lambda f, _: f.orderBy("v"), same),
    Operation("union", lambda f, other: f.union(other), lambda left, right: [*left, *right]),
    Operation(
        "join",
        lambda f, other: f.alias("a").join(other.alias("b"), "k").selectExpr("k", "a.v + b.v v"),
        joined_model(nulls=False),
    ),
]


@dataclass(frozen=True)
class Step:
    """An operation on an RDD or a DataFrame, and which source is its other input."""

    on_frames: bool
    operation: Operation
    other: int


def steps(on_frames: bool) -> st.SearchStrategy[Step]:
    operations = st.sampled_from(ON_FRAMES if on_frames else ON_RDDS)
    return st.builds(Step, st.just(on_frames), operations, st.integers(0, 1))


programs = st.lists(st.booleans().flatmap(steps), min_size=1, max_size=4)
data = st.lists(st.tuples(st.sampled_from([None, 0, 1, 2]), st.integers(0, 5)), min_size=1, max_size=6)


def rdd_of(given: Any) -> Any:
    return given.rdd.map(as_pair) if hasattr(given, "rdd") else given


def frame_of(given: Any, way: int) -> Any:
    """By names inferred from dicts, or by a schema."""
    if hasattr(given, "rdd"):
        return given
    return given.map(as_row).toDF(SCHEMA) if way % 2 else given.toDF(SCHEMA)


def without(given: Any, pair: Pair) -> Any:
    """An RDD or a DataFrame, and a filter that drops what is like a pair."""
    if hasattr(given, "rdd"):
        return given.where(~(F.col("k").eqNullSafe(pair[0]) & (F.col("v") == pair[1])))
    return given.filter(lambda each: each != pair)


def run(program: list[Step], sources: list[Any], way: int) -> Any:
    """The RDD or DataFrame of a program, begun with the first source."""
    made = sources[0]
    for step in program:
        if step.on_frames:
            made = step.operation.spark(frame_of(made, way), frame_of(sources[step.other], way))
        else:
            made = step.operation.spark(rdd_of(made), rdd_of(sources[step.other]))
    return made


def reference(program: list[Step], sources: list[list[Element]]) -> list[Element]:
    made = sources[0]
    for step in program:
        made = list(step.operation.model(made, sources[step.other]))
    return made
