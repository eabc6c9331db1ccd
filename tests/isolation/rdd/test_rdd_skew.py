"""Groups of RDDs that hold too much, and the records that must go so that they don't."""

from collections import Counter, defaultdict
from operator import add
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark import SparkContext
from pyspark.sql import SparkSession

import bigdebug
from bigdebug.lineage.errors import BigDebugError


@pytest.fixture(scope="module")
def sales() -> list[tuple[str, int]]:
    rows = [(f"c{n % 6}", n) for n in range(24)]  # four of each
    return [*rows, *(("c1", n) for n in range(100, 140)), ("c2", 5_000), ("c2", 4_000)]


def test_a_group_of_too_many_records(
    session: bigdebug.Session, context: SparkContext, sales: list[tuple[str, int]]
) -> None:
    before = len(session.outputs)
    sums = context.parallelize(sales, 3).reduceByKey(add).mapValues(str)
    found = session.isolate(sums, bigdebug.Skew())
    assert found.matched == 1
    (row,) = found.rows
    assert row.value == ("c1", str(sum(n for key, n in sales if key == "c1")))
    assert row.candidates == 44
    assert (row.culprits.total, row.culprits.proof) == (44 - 20, "1-minimal")
    assert {record.value[0] for record in row.culprits} == {"c1"}
    assert row.notes == ("it holds 44 records, 66.7 % of all; without the culprits 20 records",)
    assert found.notes == ("20 records are too much for a group: 5 times the median of 6 groups, 4",)
    assert len(session.outputs) == before


def test_what_the_records_of_a_heavy_group_share(session: bigdebug.Session, context: SparkContext) -> None:
    lines = [f"{'ad' if n % 8 else 'bot'},c{n % 6},{n % 50}" for n in range(240)]
    lines += [f"{'bot' if n % 20 else 'ad'},c1,{n % 50}" for n in range(300)]
    counts = context.parallelize(lines, 3).map(lambda line: (line.split(",")[1], 1)).reduceByKey(add)
    found = session.isolate(counts, bigdebug.Skew())
    assert [row.value for row in found.rows] == [("c1", 340)]
    first = found.explanation[0]
    # That they are of the group itself says nothing.
    assert (first.text, first.culprits) == ("field 1 = 'bot'", (285, 340))
    assert first.others == (30, 200)
    assert all("c1" not in each.text for each in found.explanation)


@pytest.mark.proof("heavy groups by sums of Python objects")
def test_what_is_added_up_is_python(
    session: bigdebug.Session, context: SparkContext, sales: list[tuple[str, int]]
) -> None:
    sums = context.parallelize(sales, 3).groupByKey().mapValues(list)
    found = session.isolate(sums, bigdebug.Skew(by="value", factor=80))
    rows = {row.value[0]: row for row in found.rows}
    assert set(rows) == {"c1", "c2"}
    assert [record.value for record in rows["c2"].culprits] == [("c2", 5_000)]
    with pytest.raises(BigDebugError, match="no expression in Python"):
        session.isolate(sums, bigdebug.Skew(by="value +"))
    with pytest.raises(BigDebugError, match="nothing_of_that_name"):
        session.isolate(sums, bigdebug.Skew(by="nothing_of_that_name"))


def test_bytes_of_lines_in_groups_of_two_inputs(session: bigdebug.Session, context: SparkContext) -> None:
    left = context.parallelize([(n % 5, "x") for n in range(20)] + [(3, "x" * 9_000)], 2)
    right = context.parallelize([(n % 5, "y") for n in range(10)], 2)
    found = session.isolate(left.cogroup(right), bigdebug.Skew(by="bytes"))
    assert [row.value[0] for row in found.rows] == [3]
    assert [len(record.value[1]) for record in found.culprits] == [9_000]


def test_nothing_is_too_heavy(session: bigdebug.Session, context: SparkContext) -> None:
    found = session.isolate(context.parallelize(range(30), 3).groupBy(lambda n: n % 3), bigdebug.Skew())
    assert (found.matched, found.rows, found.culprits.total) == (0, (), 0)


def test_what_has_no_groups_of_records_is_refused(session: bigdebug.Session, context: SparkContext) -> None:
    pairs = context.parallelize([(n % 3, n) for n in range(9)], 2)
    with pytest.raises(BigDebugError, match="doesn't give the groups of one grouping operator"):
        session.isolate(pairs.mapValues(str), bigdebug.Skew())
    twice = pairs.reduceByKey(add).map(lambda pair: (pair[0] // 2, pair[1])).reduceByKey(add)
    with pytest.raises(BigDebugError, match="aren't single records"):
        session.isolate(twice, bigdebug.Skew(factor=1))


@settings(max_examples=4)
@given(
    st.lists(st.tuples(st.sampled_from([None, "a", ("b", 1), float("nan")]), st.integers(0, 9)), max_size=40)
)
def test_as_counted_by_hand(
    session: bigdebug.Session, spark: SparkSession, pairs: list[tuple[Any, int]]
) -> None:
    counts = Counter("nan" if key != key else key for key, _ in pairs)
    held: defaultdict[Any, int] = defaultdict(int)
    for key, value in pairs:
        held["nan" if key != key else key] += value
    found = session.isolate(
        spark.sparkContext.parallelize(pairs, 3).filter(lambda pair: pair[0] == pair[0]).groupByKey(),
        bigdebug.Skew("value", 1.5),
    )
    known = sorted(value for key, value in held.items() if key != "nan")
    middle = len(known) // 2
    median = 0.0 if not known else (known[middle] + known[~middle]) / 2
    heavy = {key for key, value in held.items() if key != "nan" and value > 1.5 * median}
    assert {row.value[0] for row in found.rows} == heavy
    for row in found.rows:
        key = row.value[0]
        assert row.candidates == counts[key]
        left = held[key] - sum(record.value[1] for record in row.culprits)
        assert left <= 1.5 * median
        assert all(left + record.value[1] > 1.5 * median for record in row.culprits)
