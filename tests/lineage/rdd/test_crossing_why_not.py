"""Why rows are missing of DataFrames that were made of RDDs: the question goes on below."""

from __future__ import annotations

from operator import add
from typing import Any

import pytest
from pyspark import SparkContext
from pyspark.sql import Row, SparkSession

import bigdebug
from bigdebug.lineage.postmortem import open_output
from bigdebug.lineage.store import Store
from tests.lineage.rdd.missing import counted, told
from tests.thinned import thinned

LINES = ["to be or not to be", "ab is a word", "words to be or not"]


@pytest.mark.compat
def test_words_that_a_filter_of_the_rdd_dropped(
    spark: SparkSession, session: bigdebug.Session, context: SparkContext
) -> None:
    words = context.parallelize(LINES, 2).flatMap(str.split).filter(lambda word: word != "ab")
    sums = words.map(lambda word: (word, 1)).reduceByKey(add)
    counts = spark.createDataFrame(sums, ["word", "n"]).where("n < 9")
    counts.collect()
    missing = session.why_not(counts, "word = 'ab'")
    assert told(missing) == ("filter", [("ab", "its function is false of it")])
    assert missing.culprit is not None
    assert missing.culprit.call_site is not None
    assert missing.culprit.call_site.text.startswith("words = context.parallelize(LINES, 2)")
    source, *operators = counted(missing)
    assert source[0].startswith("test_crossing_why_not.py:")
    assert [source[1:], *operators] == [
        (1, 1), ("flatMap", 1, 1), ("filter", 1, 0), ("map", 0, 0), ("reduceByKey", 0, 0), *operators[4:]
    ]  # fmt: skip
    assert [(rows_in, rows_out) for _, rows_in, rows_out in operators[4:]] == [(0, 0), (0, 0)]
    assert (missing.not_carried, missing.notes, missing.exact) == ([], [], True)
    assert session.why_not(counts, "word = 'to'").notes == ["nothing is missing: 1 of the rows match"]
    # How often a word is there, what enters the sum doesn't tell.
    missing = session.why_not(counts, "word = 'to' and n = 4")
    assert told(missing)[0] == "reduceByKey"
    assert missing.not_carried == [f"n = 4 isn't told by the elements that enter {_reduced(missing)}"]
    # A function of a column is Spark's own.
    missing = session.why_not(counts, "upper(word) = 'AB'")
    assert missing.culprit is not None
    assert missing.not_carried[0].startswith(
        "upper(word) = 'AB' isn't asked of the elements of reduceByKey at "
    )
    session._recorder.drain()
    run = Store(session._recorder.store).find(session.run_id)
    later = open_output(run, session.outputs[0], spark=spark).why_not("word = 'ab'")
    assert told(later) == ("filter", [("ab", "its function is false of it")])
    assert counted(later) == counted(session.why_not(counts, "word = 'ab'"))


def _reduced(missing: Any) -> str:
    (step,) = [each for each in missing.steps if each.operator == "reduceByKey"]
    return f"reduceByKey at {step.call_site.label} ({step.call_site.text})"


@pytest.mark.parametrize(
    "where",
    thinned([
        "a = 3 or b = 'nine'", "not (a <> 3)", "a > 2.0 and b is null", "a <=> 3", "a in (3, 33)", "3 = a",
        "b is null and a is not null", "day = date'2024-05-03'", "moment > timestamp'2024-05-03 00:00:00'",
        "x >= double('NaN')", "a between 3 and 3 and not flag",
    ], "conditions, judged as Spark judges them", 4),
)  # fmt: skip
def test_conditions_are_judged_as_spark_judges_them(
    where: str, spark: SparkSession, session: bigdebug.Session, context: SparkContext
) -> None:
    import datetime

    def record(number: int) -> dict[str, Any]:
        return {
            "a": None if number == 5 else number,
            "b": None if number == 3 else str(number),
            "x": float("nan") if number == 3 else float(number),
            "day": datetime.date(2024, 5, number),
            "moment": datetime.datetime(2024, 5, 3 if number == 3 else 1, number),
            "flag": number != 3,
        }

    schema = "a bigint, b string, x double, day date, moment timestamp, flag boolean"
    for made in (record, lambda number: tuple(record(number).values())):
        rows = context.parallelize(range(1, 7), 2).filter(lambda number: number != 3).map(made)
        missing = session.why_not(spark.createDataFrame(rows, schema), where)
        assert told(missing) == ("filter", [(3, "its function is false of it")]), missing.notes
        assert [step.rows_out for step in missing.steps] == [1, 0, 0, 0]


@pytest.mark.proof("missing rows of joins with files, and of programs that go to and fro")
def test_joins_with_files_and_programs_that_go_to_and_fro(
    spark: SparkSession, session: bigdebug.Session, context: SparkContext, tmp_path: Any
) -> None:
    prices = tmp_path / "prices.csv"
    prices.write_text("name,price\napple,3\nplum,5\n")
    known = spark.read.csv(str(prices), header=True, inferSchema=True)
    sold = context.parallelize(["apple 2", "pear 1", "plum 4"], 2).map(str.split)
    first = sold.filter(lambda pair: pair[0] != "plum").map(lambda pair: (pair[0], int(pair[1])))
    joined = spark.createDataFrame(first, ["name", "count"]).join(known, "name")
    missing = session.why_not(joined, "name = 'plum'")
    assert told(missing) == ("filter", [(["plum", "4"], "its function is false of it")])
    worth = joined.rdd.map(lambda row: (row["name"], row["count"] * row["price"]))
    again = spark.createDataFrame(worth, ["name", "worth"])
    for name in ("plum", "pear"):
        missing = session.why_not(again.where("worth > 0"), f"name = '{name}'")
        # Only the function of the map tells which of the rows that it takes are asked about.
        assert missing.culprit is not None
        assert missing.culprit.operator == "Join"
        assert "isn't told by the rows that enter" in " ".join(missing.not_carried)


def test_elements_are_asked_as_the_joint_makes_rows_of_them(
    spark: SparkSession, session: bigdebug.Session, context: SparkContext
) -> None:
    """Whatever kinds they are of, if none is left to look at, and where Spark makes other values of theirs."""
    mixed: Any = context.parallelize([("a", 1), {"k": "b", "n": 2}, Row(k="c", n=3)], 1)
    for few in (mixed.filter(lambda each: isinstance(each, tuple)), mixed.filter(lambda each: False)):
        missing = session.why_not(spark.createDataFrame(few, "k string, n int").where("n < 5"), "k = 'b'")
        assert told(missing) == ("filter", [({"k": "b", "n": 2}, "its function is false of it")])
    missing = session.why_not(spark.createDataFrame(mixed, "k string, n int").where("n > 5"), "k = 'b'")
    assert [step[1:] for step in counted(missing)] == [(1, 1), (1, 1), (1, 0)]
    # Of a number that isn't whole, Spark makes null in a column of whole ones; of a long one its last bits.
    numbers = context.parallelize([("a", 1), ("b", 2.5), ("c", 2**33 + 7)], 1)
    small = numbers.filter(lambda pair: pair[0] == "a").toDF(["k", "n"])
    missing = session.why_not(small, "n > 2 and n < 3")
    assert (missing.culprit, missing.dropped) == (missing.steps[0], [])
    assert told(session.why_not(small, "n is null"))[1] == [(("b", 2.5), "its function is false of it")]
    large = numbers.filter(lambda pair: pair[0] == "a")
    missing = session.why_not(spark.createDataFrame(large, "k string, n int", verifySchema=False), "n = 7")
    assert told(missing)[1] == [(("c", 2**33 + 7), "its function is false of it")]


@pytest.mark.parametrize("first", thinned([True, False], "missing rows of unions, the other way round", 2))
def test_an_operator_below_is_to_blame_before_a_branch_that_never_had_it(
    first: bool, spark: SparkSession, session: bigdebug.Session, context: SparkContext
) -> None:
    numbers = context.parallelize([("a", 1), ("b", 2)], 1)
    other = spark.range(3).selectExpr("'c' k", "id n")
    made = spark.createDataFrame(numbers.filter(lambda pair: pair[1] < 2), "k string, n long")
    frame = made.union(other) if first else other.union(made)
    missing = session.why_not(frame, "k = 'b'")
    assert told(missing) == ("filter", [(("b", 2), "its function is false of it")])
    assert missing.notes == []
    pairs = frame.where("n > 5").rdd.map(tuple).union(numbers.mapValues(lambda n: n + 9))
    missing = session.why_not(pairs, "key == 'c' and value == 2")
    assert missing.culprit is not None
    assert (missing.culprit.operator, missing.culprit.rows_in) == ("Filter", 1)


@pytest.mark.proof("missing rows where nothing is left to be asked for")
def test_where_nothing_is_left_to_be_asked_for_nothing_at_all_is(
    spark: SparkSession, session: bigdebug.Session, context: SparkContext
) -> None:
    numbers = context.parallelize([("a", 1), ("b", 2)], 1)
    made = spark.createDataFrame(numbers.filter(lambda pair: pair[1] < 2), "k string, n long")
    # Where nothing is left to be asked for, nothing at all is: it goes on with whatever was there.
    none = made.where("n < 0").rdd.groupBy(lambda row: 0).map(lambda group: (group[0], len(group[1])))
    for missing in (
        session.why_not(none, "value == 2"),
        session.why_not(spark.createDataFrame(none, "k int, n int"), "n = 2"),
    ):
        assert missing.culprit is not None
        assert (missing.culprit.operator, missing.culprit.rows_in) == ("Filter", 1)
    empty = spark.createDataFrame(numbers.filter(lambda pair: False), "k string, n long").groupBy("k")
    assert told(session.why_not(empty.count(), "count = 2"))[0] == "filter"


def test_what_joins_give_is_told_apart(
    spark: SparkSession, session: bigdebug.Session, context: SparkContext
) -> None:
    left = context.parallelize([("a", 1), ("b", 2)], 1).filter(lambda pair: pair[1] < 2)
    both = left.join(context.parallelize([("a", "x"), ("b", "y")], 1))
    missing = session.why_not(both.values().toDF(["n", "t"]), "n = 2 and t = 'y'")
    assert told(missing) == ("filter", [(("b", 2), "its function is false of it")])
    assert missing.not_carried == []
