"""A failed action on an RDD says which elements it was."""

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

import bigdebug
from bigdebug.lineage.location import Location


def parsed(line: str) -> tuple[int, int]:
    number, age = line.split(",")
    return int(number), int(age)


def failed(action: Any) -> BaseException:
    with pytest.raises(Exception, match="Traceback") as caught:
        action()
    return caught.value


def lines_of(spark: SparkSession, people: str) -> Any:
    return spark.sparkContext.textFile(people).filter(lambda line: not line.startswith("id"))


@pytest.mark.compat
def test_a_record_wise_function_names_its_elements(
    spark: SparkSession, session: bigdebug.Session, people: str, capsys: pytest.CaptureFixture[str]
) -> None:
    error = failed(lines_of(spark, people).map(parsed).values().sum)
    assert [crash.value for crash in session.crashes] == ["3,30yr", "10,old"]
    first = session.crashes[0]
    assert first.location == Location(people, 4)  # the header is a line, too
    assert (first.operator, first.policy) == ("map", "raise")
    assert first.call_site is not None
    assert ".map(parsed)" in first.call_site.text
    assert str(first.error) == "ValueError: invalid literal for int() with base 10: '30yr'"
    assert "in parsed" in first.error.traceback
    assert [each.value for each in first.neighbours] == ["2,22", "4,24"]
    (note,) = error.__notes__
    assert note.startswith("bigdebug: 2 records crashed map at test_rdds.py:")
    assert note in capsys.readouterr().err


def test_a_culprit_behind_a_shuffle_is_traced(spark: SparkSession, session: bigdebug.Session) -> None:
    pairs = spark.sparkContext.parallelize([("a", 2), ("b", 1), ("a", 3), ("b", -1), ("c", 5)], 2)
    sums = pairs.reduceByKey(lambda x, y: x + y)
    failed(sums.mapValues(lambda total: 1 / total).collect)
    (crash,) = session.crashes
    assert crash.value == ("b", 0)
    assert crash.location is None
    assert [record.value for record in crash.records] == [("b", 1), ("b", -1)]


def test_rows_of_a_dataframe_are_found_in_their_file(
    spark: SparkSession, session: bigdebug.Session, people: str
) -> None:
    failed(spark.read.csv(people, header=True).rdd.map(lambda row: int(row.age)).collect)
    assert [crash.location for crash in session.crashes] == [Location(people, 3), Location(people, 10)]


def test_actions_and_partitions_are_functions_too(
    spark: SparkSession, session: bigdebug.Session, people: str
) -> None:
    def each_parsed(lines: Iterator[str]) -> Iterator[Any]:
        for line in lines:
            yield parsed(line)

    lines = lines_of(spark, people).coalesce(1)
    failed(lambda: lines.foreach(parsed))
    failed(lines.mapPartitions(each_parsed).count)
    assert [(crash.operator, crash.value) for crash in session.crashes] == [
        ("foreach", "3,30yr"), ("foreach", "10,old"),
        ("mapPartitions", "3,30yr"), ("mapPartitions", "10,old"),
    ]  # fmt: skip


@pytest.mark.compat
def test_of_a_function_of_two_records_those_are_named_that_dont_go_with_the_others(
    spark: SparkSession, session: bigdebug.Session, tmp_path: Path
) -> None:
    file = tmp_path / "sales.txt"
    # The first of a key is a bad one, and one key has none but bad ones.
    file.write_text("eu x\neu 1\neu 2\nus 3\nus y\nus 4\nus z\nus 6\nme a\nme b\nru 5\n")

    def number(text: str) -> Any:
        return int(text) if text.isdigit() else text

    pairs = spark.sparkContext.textFile(str(file), 1).map(str.split).map(lambda two: (two[0], number(two[1])))
    error = failed(pairs.reduceByKey(lambda x, y: x + y).collect)
    found = {(crash.value, crash.location.position) for crash in session.crashes if crash.location}
    assert found == {
        (("eu", "x"), 0), (("us", "y"), 4), (("us", "z"), 6),
    }  # fmt: skip
    assert {crash.operator for crash in session.crashes} == {"reduceByKey"}
    assert all(crash.error.kind == "TypeError" for crash in session.crashes)
    assert "of their key" in error.__notes__[0]


_MERGED: dict[str, Callable[[Any], Any]] = {
    "reduce": lambda numbers: numbers.reduce(lambda x, y: x + y),
    "treeReduce": lambda numbers: numbers.treeReduce(lambda x, y: x + y),
    "fold": lambda numbers: numbers.fold(0, lambda x, y: x + y),
    "aggregate": lambda numbers: numbers.aggregate(0, lambda x, y: x + y, lambda x, y: x + y),
    "sum": lambda numbers: numbers.sum(),
    "max": lambda numbers: numbers.max(),
    "foldByKey": lambda numbers: numbers.keyBy(bool).foldByKey(0, lambda x, y: x + y).collect(),
    "aggregateByKey": lambda numbers: (
        numbers.keyBy(bool).aggregateByKey(0, lambda x, y: x + y, lambda x, y: x + y).count()
    ),
    "combineByKey": lambda numbers: (
        numbers.keyBy(bool)
        .combineByKey(lambda x: [x + 0], lambda x, y: [*x, y + 0], lambda x, y: x + y)
        .count()
    ),
    "reduceByKeyLocally": lambda numbers: numbers.keyBy(bool).reduceByKeyLocally(lambda x, y: x + y),
}


@pytest.mark.parametrize("kind", _MERGED)
def test_each_way_to_merge_names_the_odd_ones_out(
    spark: SparkSession, session: bigdebug.Session, kind: str
) -> None:
    numbers = spark.sparkContext.parallelize([1, "bad", 2, 3, 4, "worse", 5], 3)
    failed(lambda: _MERGED[kind](numbers))
    found = [crash.value for crash in session.crashes]
    assert [each[1] if "Key" in kind else each for each in found] == ["bad", "worse"]
    assert {crash.operator for crash in session.crashes} == {kind}


@settings(max_examples=20)
@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.one_of(st.integers(0, 9), st.just("x"))), min_size=1, max_size=12
    )
)
def test_without_the_odd_ones_out_all_can_be_merged(
    spark: SparkSession, pairs: list[tuple[int, Any]]
) -> None:
    def total(rdd: Any) -> Any:
        return rdd.reduceByKey(lambda x, y: x - y).collect()

    with bigdebug.attach(spark) as session:
        rdd = spark.sparkContext.parallelize(pairs, 2)
        with suppress(Exception):
            total(rdd)
        odd = [crash.value for crash in session.crashes]
    left = list(pairs)
    for each in odd:
        left.remove(each)
    total(spark.sparkContext.parallelize(left, 2))
    for key in {key for key, _ in odd}:
        of_key = [value for each, value in pairs if each == key]
        assert len(of_key) > 1


def test_a_tie_names_both_sides(spark: SparkSession, session: bigdebug.Session) -> None:
    error = failed(lambda: spark.sparkContext.parallelize([1, "one"], 1).reduce(lambda x, y: x + y))
    assert [crash.value for crash in session.crashes] == [1, "one"]
    assert "as many records" in error.__notes__[0]


class Unprintable:
    def __init__(self) -> None:
        self.lock = threading.Lock()

    def __repr__(self) -> str:
        raise RuntimeError("not to be shown")


def test_what_cant_be_pickled_or_printed_is_named_all_the_same(
    spark: SparkSession, session: bigdebug.Session
) -> None:
    numbers = spark.sparkContext.parallelize([7], 1)
    failed(numbers.map(lambda _: Unprintable()).map(lambda each: each.nothing).collect)
    (crash,) = session.crashes
    assert "can't be pickled" in crash.value
    assert [record.value for record in crash.records] == [7]
