"""Each operator on a subset of its records, in this process, gives what Spark gives on it: the same partitions too."""

import random
from collections.abc import Callable
from operator import add
from typing import Any

import pytest
from pyroaring import FrozenBitMap
from pyspark import SparkContext
from pyspark.resultiterable import ResultIterable

import bigdebug
from bigdebug.isolation.rdd import material
from bigdebug.isolation.rdd.candidates import RddCandidates
from bigdebug.isolation.rdd.copies import is_immutable
from bigdebug.isolation.rdd.hashing import HashOfWorkers, hash_of_text
from bigdebug.isolation.rdd.local import LocalContext, LocalRdd
from bigdebug.isolation.rdd.points import Chosen
from bigdebug.isolation.rdd.replays import RddReplays
from bigdebug.lineage.errors import UnsupportedOperatorError
from bigdebug.lineage.rdd.likeness import digest
from bigdebug.lineage.rdd.operator import known_operator
from bigdebug.lineage.rdd.rows import rows_of_rdd
from bigdebug.lineage.rdd.trace import RddTrace, contributing_in_order
from tests.thinned import thinned

WORDS = ["a", "", "beta", "wörld", "日本", "😀", "gamma", "longer than eight"]
PAIRS = [(WORDS[i * 5 % 8], i) for i in range(60)]
OTHERS = [(WORDS[i * 3 % 6], -i) for i in range(7)] + [("only here", 99)]
Made = Callable[[Any, Any], Any]


def second(pair: Any) -> Any:
    return pair[1]


def is_even(pair: Any) -> bool:
    return bool(pair[1] % 2 == 0)


def noting(pairs: Any) -> Any:
    """Of each partition how many there were, and each with the one before it."""
    last = None
    count = 0
    for pair in pairs:
        yield pair[0], (last, pair[1])
        last, count = pair[1], count + 1
    yield "count", count


def appended(gathered: list[Any], value: Any) -> list[Any]:
    gathered.append(value)
    return gathered


def extended(one: list[Any], other: list[Any]) -> list[Any]:
    one.extend(other)
    return one


def changing(pair: tuple[str, list[int]]) -> tuple[str, list[int]]:
    pair[1].append(1)
    return pair


def _read_twice(pairs: Any, _: Any) -> Any:
    lists = pairs.combineByKey(lambda value: [value], appended, extended, 2)
    return lists.map(changing).union(lists)


RULES: dict[str, Made] = {
    "reduceByKey": lambda p, _: p.reduceByKey(add, 3),
    "reduceByKey twice": lambda p, _: (
        p.reduceByKey(add, 3).map(lambda e: (e[1] % 3, e[0])).reduceByKey(min, 2)
    ),
    "foldByKey": lambda p, _: p.foldByKey(1, add, 2),
    "aggregateByKey": lambda p, _: p.aggregateByKey([], appended, extended, 3),
    "combineByKey": lambda p, _: p.combineByKey(lambda value: [value], appended, extended, 2),
    "groupByKey": lambda p, _: p.groupByKey(3).mapValues(list),
    "groupBy": lambda p, _: p.groupBy(lambda pair: pair[1] % 4, 2).mapValues(list),
    "distinct": lambda p, _: p.mapValues(lambda v: v % 2).distinct(3),
    "intersection": lambda p, o: p.keys().intersection(o.keys()),
    "cogroup": lambda p, o: p.cogroup(o, 3).mapValues(lambda both: tuple(map(list, both))),
    "groupWith": lambda p, o: p.groupWith(o, p).mapValues(lambda all_: tuple(map(list, all_))),
    "join": lambda p, o: p.join(o, 3),
    "leftOuterJoin": lambda p, o: p.leftOuterJoin(o, 2),
    "rightOuterJoin": lambda p, o: p.rightOuterJoin(o, 2),
    "fullOuterJoin": lambda p, o: p.fullOuterJoin(o, 3),
    "cartesian": lambda p, o: p.filter(is_even).cartesian(o),
    "union": lambda p, o: p.reduceByKey(add, 2).union(o.reduceByKey(min, 2)),
    "partitionBy": lambda p, _: p.reduceByKey(add, 2).partitionBy(4, len),
    "sortByKey": lambda p, _: p.reduceByKey(add, 3).sortByKey(False, 1),
    "sortBy": lambda p, _: p.reduceByKey(add, 3).sortBy(second, True, 1),
    "repartitionAndSort": lambda p, _: p.reduceByKey(add, 2).repartitionAndSortWithinPartitions(
        3, keyfunc=len
    ),
    "coalesce": lambda p, _: p.mapPartitions(list).coalesce(2),
    "repartition": lambda p, _: p.mapPartitions(list).repartition(4),
    "glom": lambda p, _: p.glom(),
    "mapPartitions": lambda p, _: p.mapPartitions(noting),
    "mapPartitions of keys": lambda p, _: p.partitionBy(3).mapPartitions(noting),
    "mapPartitionsWithIndex": lambda p, _: p.mapPartitionsWithIndex(lambda i, part: [(i, list(part))]),
    "pipe": lambda p, _: p.keys().pipe("sort -u"),
    "record-wise": lambda p, _: p.mapPartitions(bigdebug.record_wise(lambda part: (e for e in part))),
    "zipWithIndex of groups": lambda p, _: p.reduceByKey(add, 3).zipWithIndex(),
    "zipWithUniqueId of groups": lambda p, _: p.reduceByKey(add, 3).zipWithUniqueId(),
    "zip in step": lambda p, _: (lambda sums: sums.keys().zip(sums.mapValues(str)))(p.reduceByKey(add, 3)),
    "elements read twice": _read_twice,
    "record by record": lambda p, _: (
        p.keyBy(is_even).flatMapValues(lambda v: [v, v]).values().filter(second).flatMap(lambda e: e)
    ),
}
"""By operator a program that holds it, of pairs and some more of them."""

FIXED: dict[str, Made] = {
    "sample": lambda p, _: p.sample(False, 0.5, 3),
    "sampleByKey": lambda p, _: p.sampleByKey(False, dict.fromkeys(WORDS, 0.5), 3),
    "randomSplit": lambda p, _: p.randomSplit([1, 1], 3)[0],
    "zipWithIndex": lambda p, _: p.zipWithIndex(),
    "zipWithUniqueId": lambda p, _: p.zipWithUniqueId(),
    "zip": lambda p, _: p.zip(p.map(str)),
    "sortBy in ranges": lambda p, _: p.sortBy(second, False, 3),
    "repartition of records": lambda p, _: p.repartition(4),
}
"""The same where each record keeps what it got when all were there."""


def same(left: list[list[Any]], right: list[list[Any]]) -> bool:
    return [[digest(each) for each in part] for part in left] == [
        [digest(each) for each in part] for part in right
    ]


class Programs:
    """Programs on pairs, and on some more of them, in one: each a part of a union, with what replays of it give."""

    def __init__(self, context: SparkContext, rules: dict[str, Made]) -> None:
        self.context = context
        self.rules = rules
        sources = [context.parallelize(PAIRS, 3), context.parallelize(OTHERS, 2)]
        rows = rows_of_rdd(known_operator(self.joined(*sources)))
        self.top = rows.operator, rows.frozen
        self.sources = [
            each for each in sources if known_operator(each) in contributing_in_order(rows.operator)
        ]
        # All their records are candidates: a trace of all elements would tell no more.
        self.candidates = RddCandidates.traced(
            RddTrace(rows_of_rdd(known_operator(context.union(self.sources))))
        )
        self.replays = RddReplays(RddTrace(rows), rows, bool, self.candidates)
        parts = context.union([source.glom() for source in self.sources]).collect()
        self.parts = [parts[:3], parts[3:]][: len(self.sources)]

    def joined(self, pairs: Any, others: Any) -> Any:
        return self.context.union([_named(name, made(pairs, others)) for name, made in self.rules.items()])

    def here(self, subset: FrozenBitMap) -> dict[str, list[list[Any]]]:
        """By partition what a replay gives, of each program."""
        return by_name(self.replays._annotator(subset).plain(*self.top).parts)

    def in_spark(self, subset: FrozenBitMap) -> dict[str, list[list[Any]]]:
        """The same of Spark, where the sources have no other records than a subset's, in the same partitions."""
        given: list[Any] = []
        for stand, parts in zip(self.candidates.stands, self.parts, strict=True):
            kept = set(stand.places_of(subset))
            left = [[each for i, each in enumerate(part) if (n, i) in kept] for n, part in enumerate(parts)]
            given.append(self.context.parallelize(left, len(left)).flatMap(lambda part: part))
        others = given[1] if given[1:] else self.context.parallelize(OTHERS, 2)
        return by_name(self.joined(given[0], others).glom().collect())

    def some(self) -> FrozenBitMap:
        drawn = random.Random(5)
        return FrozenBitMap(number for number in range(self.candidates.count) if drawn.random() < 0.6)


def _named(name: str, rdd: Any) -> Any:
    return rdd.mapPartitionsWithIndex(
        bigdebug.record_wise(lambda number, part: ((name, number, each) for each in part))
    )


def by_name(parts: list[list[Any]]) -> dict[str, list[list[Any]]]:
    """Elements by program and partition, without empty partitions."""
    found: dict[str, list[list[Any]]] = {}
    for part in parts:
        if part:
            found.setdefault(part[0][0], []).append([digest(each[1:]) for each in part])
    return found


@pytest.fixture(scope="module")
def programs(request: pytest.FixtureRequest, spark: Any, session: bigdebug.Session) -> Programs:
    """Those that tests ask about."""
    asked = {
        item.callspec.params.get("name")
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.path == request.path and hasattr(item, "callspec")
    }
    rules = {name: rule for name, rule in RULES.items() if name in asked}
    return Programs(spark.sparkContext, rules or RULES)


@pytest.fixture(scope="module")
def given(programs: Programs) -> tuple[Any, Any]:
    """What they give on a subset, here and in Spark."""
    subset = programs.some()
    assert 30 < len(subset) < programs.candidates.count
    return programs.here(subset), programs.in_spark(subset)


@pytest.mark.parametrize("name", thinned(RULES, "each operator on a subset of its records", 2))
def test_a_subset_gives_here_what_it_gives_in_spark(name: str, given: tuple[Any, Any]) -> None:
    here, spark = (each[name] for each in given)
    if name == "cartesian":  # in Spark the order in a partition hangs on how elements were pickled together
        here, spark = (sorted(map(sorted, each)) for each in (here, spark))
    assert here == spark


def test_elements_that_carry_ids_are_the_same(programs: Programs, given: tuple[Any, Any]) -> None:
    annotated = programs.replays._annotator(programs.some()).annotated(*programs.top)
    assert by_name([[element for element, _ in part] for part in annotated.parts]) == given[0]


def test_nothing_that_is_held_was_changed(programs: Programs, given: tuple[Any, Any]) -> None:
    assert programs.here(programs.some()) == given[0]


def test_each_record_keeps_what_it_got_when_all_were_there(context: SparkContext) -> None:
    programs = Programs(context, FIXED)
    (stand, *_), parts = programs.candidates.stands, programs.parts[0]
    everything = programs.replays._annotator(programs.candidates.everything).plain(*programs.top).parts
    spark = programs.joined(context.parallelize(PAIRS, 3), None).glom().collect()
    assert by_name(everything) == by_name(spark)
    subset = programs.some()
    kept = {parts[partition][place] for partition, place in stand.places_of(subset)}
    left = [[each for each in part if record_of(each) in kept] for part in spark]
    assert by_name(left).keys() == FIXED.keys()
    assert by_name(left) != by_name(spark)
    assert programs.here(subset) == by_name(left)


def record_of(element: Any) -> Any:
    _, _, given = element
    return given if given in PAIRS else given[0]


@pytest.mark.parametrize("left", thinned(["some", "all"], "what is subtracted, of all records", 2))
def test_what_is_subtracted_stays_whole(left: str, context: SparkContext) -> None:
    programs = Programs(
        context,
        {
            "subtractByKey": lambda p, o: p.reduceByKey(add, 3).subtractByKey(o, 2),
            "subtract": lambda p, o: p.groupByKey(3).mapValues(len).subtract(o.map(_eight), 2),
            "of the same": lambda p, o: (lambda sums: sums.subtract(sums.filter(is_even), 2))(
                p.reduceByKey(add, 3)
            ),
        },
    )
    assert len(programs.candidates.stands) == 1  # the others only decide
    subset = programs.some() if left == "some" else programs.candidates.everything
    here, spark = programs.here(subset), programs.in_spark(subset)
    assert here["subtractByKey"] == spark["subtractByKey"]
    assert here["subtract"] == spark["subtract"]
    if left == "all":
        assert here["of the same"] == spark["of the same"]


def _eight(pair: Any) -> Any:
    return pair[0], 8


@pytest.mark.parametrize(
    ("made", "named"),
    [
        (lambda p, o: p.reduceByKey(add).sample(False, 0.5, 1), "sample"),
        (lambda p, o: p.reduceByKey(add).randomSplit([1, 1], 1)[0].reduceByKey(add), "randomSplit"),
        (lambda p, o: p.reduceByKey(add, 2).zip(p.groupByKey(2)), "zip"),
    ],
)
def test_what_goes_by_place_above_a_shuffle_is_refused_by_name_and_line(
    made: Made, named: str, context: SparkContext, session: bigdebug.Session
) -> None:
    rdd = made(context.parallelize(PAIRS, 2), None)
    with pytest.raises(UnsupportedOperatorError, match=rf"^{named} at test_operators.py:\d+ .*run on some"):
        session.isolate(rdd, lambda _: True)


def test_texts_hash_as_they_do_in_the_workers(context: SparkContext) -> None:
    keys: list[Any] = [*WORDS, "x" * 300, b"raw", None, ("a", ("b", None), 1), 1.5, -1, 10**30]
    in_spark = context.parallelize(keys, 1).map(_hashed).collect()
    assert list(map(HashOfWorkers("0"), keys)) == in_spark
    assert hash_of_text("") == 0


def _hashed(key: Any) -> int:
    from pyspark.core.rdd import portable_hash

    return portable_hash(key)


def test_in_very_many_partitions_those_that_hold_nothing_are_left_out(
    context: SparkContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(material, "_MANY", 3)
    rdd = context.parallelize(PAIRS, 4).reduceByKey(add, 3).sortBy(second, numPartitions=2)
    rows = rows_of_rdd(known_operator(rdd))
    trace = RddTrace(rows, lambda pair: pair[0] == "beta")
    found = RddReplays(trace, rows, bool, RddCandidates.traced(trace))
    here = found._annotator(found._candidates.everything)
    total = sum(value for key, value in PAIRS if key == "beta")
    assert here.plain(rows.operator, rows.frozen).parts == [[("beta", total)]]
    (point,) = found._material.points.values()
    assert len(point.plain(here.context, Chosen(FrozenBitMap([0]), 8)).parts) == 1


def test_a_zero_value_that_is_changed_serves_one_partition_only(context: SparkContext) -> None:
    local = LocalRdd(LocalContext(context), [[1, 2], [], [3]])
    spark = context.parallelize([1, 2, 3], 3)
    for method in ("aggregate", "treeAggregate"):
        assert getattr(local, method)([], appended, extended) == getattr(spark, method)(
            [], appended, extended
        )
    lists = LocalRdd(LocalContext(context), [[[1], [2]], [[3]]])
    assert lists.fold([], extended) == [1, 2, 3]
    zero: list[int] = []
    lists.fold(zero, extended)
    assert zero == []


@pytest.mark.parametrize("action", ["sum", "max", "min", "mean", "stdev", "sumApprox", "meanApprox"])
def test_actions_of_all_elements_give_the_same(action: str, context: SparkContext) -> None:
    arguments = [2_000] if action.endswith("Approx") else []
    local = LocalRdd(LocalContext(context), [[1, 2], [], [3, 8]])
    spark = context.parallelize([1, 2, 3, 8], 3)
    assert getattr(local, action)(*arguments) == pytest.approx(getattr(spark, action)(*arguments))


def test_what_can_be_changed_is_told_from_what_cannot() -> None:
    from pyspark.sql import Row

    for fixed in (1, "a", None, (1, ("b", b"c")), frozenset({1}), Row(a=1, b="x")):
        assert is_immutable(fixed), fixed
    for changing in ([1], {}, (1, [2]), {1}, Row(a=[1]), ResultIterable([1]), object()):
        assert not is_immutable(changing), changing
