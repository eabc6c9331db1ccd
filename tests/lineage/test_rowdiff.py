"""How rows of two outputs are paired and compared, whatever is in them."""

import itertools
import math
from collections import Counter
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.rowdiff import RowDiff, compare_rows
from bigdebug.lineage.rows_again import RowsAgain
from tests.thinned import thinned


def compared(
    first: DataFrame, second: DataFrame, *key: str, natural: tuple[str, ...] = (), most: int = 9
) -> RowDiff:
    sides = [RowsAgain(Catalyst(frame.sparkSession), frame, natural) for frame in (first, second)]
    return compare_rows(sides[0], sides[1], key, most)


def counts(found: RowDiff) -> tuple[int, int, int, int]:
    return found.equal, found.differing, found.only_first, found.only_second


def test_whole_rows_are_compared_as_often_as_they_are_there(spark: SparkSession) -> None:
    values = [("a", 1), ("a", 1), (None, 1), ("b", None), ("c", 3)]
    others = [("a", 1), (None, 1), (None, 1), ("b", None), ("d", 3)]
    frames = [spark.createDataFrame(rows, "k string, n int") for rows in (values, others)]
    found = compared(*frames)
    both = Counter(values) & Counter(others)
    assert counts(found) == (both.total(), 0, 5 - both.total(), 5 - both.total())
    assert [row.where_first for row in found.rows] == [
        *("k = 'a' and n = 1", "k = 'c' and n = 3", "k is null and n = 1", "k = 'd' and n = 3"),
    ]


def test_floating_point_numbers_may_be_rounded_otherwise(spark: SparkSession) -> None:
    nan = math.nan
    first = [("a", 1.0, 0.0), ("b", 1e9, nan), ("c", 1.0, 2.0), ("d", None, 1.0)]
    second = [("a", 1.000001, -0.0), ("b", 1e9 + 1, nan), ("c", 1.1, 2.0), ("d", 1.0, 1.0)]
    frames = [spark.createDataFrame(rows, "k string, x double, y double") for rows in (first, second)]
    for natural in (("k",), ()):
        found = compared(*frames, natural=natural)
        assert counts(found) == (2, 2, 0, 0)
        assert [(row.columns, (row.first or {})["k"]) for row in found.rows] == [(("x",), "c"), (("x",), "d")]
        assert found.by_column == {"x": 2}


@pytest.mark.proof("values that have no order, compared")
def test_values_that_have_no_order(spark: SparkSession) -> None:
    select = "select 1 k, {m} m, array(map('a', 1)) s, X'00ff' b, timestamp'2020-02-03 04:05:06' t, {d} d"
    first, second, third = (
        spark.sql(select.format(m=m, d=d))
        for m, d in (
            ("map('a', 1, 'b', 2)", "cast(1.5 as decimal(5,2))"),
            ("map('b', 2, 'a', 1)", "cast(1.5 as decimal(5,2))"),
            ("map('b', 3, 'a', 1)", "cast(2.5 as decimal(5,2))"),
        )
    )
    assert compared(first, second, natural=("b", "t")).same
    found = compared(first, third, natural=("b", "t"))
    (row,) = found.rows
    assert row.columns == ("m", "d")
    where = row.where_second or ""
    assert where == "b = X'00FF' and t = cast('2020-02-03 04:05:06.000000Z' as timestamp)"
    assert third.where(where).count() == 1


@pytest.mark.proof("rows of other columns, compared")
def test_columns_that_are_others(spark: SparkSession) -> None:
    first = spark.createDataFrame([("a", 1, 1), ("b", 2, 2)], "k string, n int, gone int")
    second = spark.createDataFrame([("a", 1, "x"), ("b", 3, "y")], "k string, n bigint, added string")
    found = compared(first, second, "k")
    assert [(one.name, one.first, one.second) for one in found.columns] == [
        *(("added", None, "string"), ("gone", "int", None), ("n", "int", "bigint")),
    ]
    assert counts(found) == (1, 1, 0, 0)
    assert not found.same
    with pytest.raises(BigDebugError, match="not both runs have the column gone"):
        compared(first, second, "gone")
    with pytest.raises(BigDebugError, match="no column in common"):
        compared(first.select("gone"), second.select("added"))


@pytest.mark.parametrize(
    "value",
    thinned(
        ["it's", "back\\slash", "new\nline", "", "ünï", '"double"'], "conditions that name odd values", 2
    ),
)
def test_a_condition_names_the_row_it_was_made_of(spark: SparkSession, value: str) -> None:
    first = spark.createDataFrame([(value, 1), ("other", 1)], "`a column` string, n int")
    (row,) = compared(first, first.where("`a column` = 'other'"), natural=("a column",)).rows
    assert [found[0] for found in first.where(row.where_first or "").collect()] == [value]


def test_a_key_must_be_unique(spark: SparkSession) -> None:
    frame = spark.createDataFrame([("a", 1), ("a", 2)], "k string, n int")
    with pytest.raises(BigDebugError, match="the same k"):
        compared(frame, frame, "k")
    assert compared(frame, frame, "k", "n").same


def test_any_rows_against_a_brute_force_reference(spark: SparkSession) -> None:
    rows: list[Any] = list(itertools.product(["a", None], [1, None], [True, False]))
    first, second = rows[:6] + rows[:2], rows[3:] + rows[4:5] * 2
    frames = [spark.createDataFrame(some, "k string, n int, t boolean") for some in (first, second)]
    one, other = Counter(first), Counter(second)
    expected = ((one & other).total(), 0, (one - other).total(), (other - one).total())
    assert counts(compared(*frames)) == expected
