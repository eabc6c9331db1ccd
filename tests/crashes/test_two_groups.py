"""A function of two groups that fails says which rows of which side it fails with."""

from itertools import combinations
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

import bigdebug
from bigdebug.breakpoints.crashes.two_groups_workers import blamed_together


def paid(orders: pd.DataFrame, payments: pd.DataFrame) -> pd.DataFrame:
    if (payments.paid < 0).any():
        raise ValueError("paid less than nothing")
    if orders.price.sum() > 100 and payments.paid.sum() > 50:
        raise ZeroDivisionError("too much of both")
    return pd.DataFrame({"total": [float(orders.price.sum())]})


def paid_of_tables(key: Any, orders: pa.Table, payments: pa.Table) -> pa.Table:
    if pc.any(pc.less(payments["paid"], 0)).as_py():
        raise ValueError(f"paid less than nothing by {key[0].as_py()}")
    return pa.table({"total": [float(orders.num_rows)]})


ORDERS = [(1, 10.0), (1, 20.0), (2, 30.0), (2, 99.0), (2, 1.0), (3, 5.0)]
PAYMENTS = [(1, 10.0), (1, -20.0), (2, 30.0), (2, 45.0), (3, -1.0), (3, 4.0)]


@pytest.mark.compat
@pytest.mark.parametrize("kind", ["pandas", "arrow"])
def test_rows_of_both_sides_are_named(kind: str, spark: SparkSession, session: bigdebug.Session) -> None:
    orders = spark.createDataFrame(ORDERS, "customer int, price double")
    payments = spark.createDataFrame(PAYMENTS, "customer int, paid double")
    pair = orders.groupBy("customer").cogroup(payments.groupBy("customer"))
    if kind == "pandas":
        frame = pair.applyInPandas(paid, "total double")
    else:
        frame = pair.applyInArrow(paid_of_tables, "total double")
    with pytest.raises(PySparkException) as failed:
        frame.collect()
    found = sorted((crash.error.kind, *crash.value.values()) for crash in session.crashes)
    alone = [("ValueError", 1, -20.0), ("ValueError", 3, -1.0)]
    # Of customer 2 the second order and the two payments do it with the first; the third has no part in it.
    together = [("ZeroDivisionError", 2, each) for each in (30.0, 30.0, 45.0, 99.0)]
    assert found == (alone + together if kind == "pandas" else alone)
    assert ("together with others" in failed.value.__notes__[0]) == (kind == "pandas")
    assert [record.value for crash in session.crashes for record in crash.records] == [
        crash.value for crash in session.crashes
    ]


@settings(max_examples=60)
@given(st.integers(1, 12), st.data())
def test_the_least_that_fails_and_then_the_next(size: int, data: st.DataObject) -> None:
    """Against each subset, smallest first."""
    planted = data.draw(st.lists(st.sets(st.integers(0, size - 1), min_size=1, max_size=3), max_size=3))

    def call(numbers: list[int]) -> None:
        assert numbers == sorted(numbers)
        if any(each <= set(numbers) for each in planted):
            raise ValueError("these")

    found = set(blamed_together(call, size))
    for count in range(size + 1):
        for some in combinations(set(range(size)) - found, count):
            call(list(some))  # without what is blamed nothing fails
    # and no one is blamed who has no part in it
    assert found <= set().union(*planted)
    assert bool(found) == bool(planted)


def test_what_fails_whatever_it_is_given_blames_nobody() -> None:
    def call(numbers: list[int]) -> None:
        raise ValueError

    assert blamed_together(call, 5) == {}


def test_what_fails_in_another_way_once_any_is_gone_needs_them_all() -> None:
    def call(numbers: list[int]) -> None:
        raise ValueError if len(numbers) == 5 else KeyError

    assert blamed_together(call, 5).keys() == {0, 1, 2, 3, 4}
