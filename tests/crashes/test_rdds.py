"""A failed action on an RDD says which elements it was."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
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
        ("foreach", "3,30yr"), ("foreach", "10,old"), ("mapPartitions", "3,30yr"),
    ]  # fmt: skip


def test_a_function_of_two_records_is_named_without_one(
    spark: SparkSession, session: bigdebug.Session
) -> None:
    pairs = spark.sparkContext.parallelize([("a", 0), ("a", 1), ("a", 0)], 1)
    error = failed(pairs.reduceByKey(lambda x, y: x // y).collect)
    assert "it was reduceByKey at test_rdds.py" in error.__notes__[0]
    assert session.crashes == []


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
