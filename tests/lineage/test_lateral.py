"""Lateral joins: a row came from the left row and from what the subquery made of it."""

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

import bigdebug
from tests.lineage.origins import TABLES, Expected, Frames, came_from
from tests.thinned import thinned

CASES: dict[str, tuple[str, str, Expected]] = {
    "beside a subquery of one value": (
        "select * from (select o.*, (select max(city) from customers c where c.k = o.k) as m from orders o) o, "
        "lateral (select count(*) as number from baskets b where b.n <= o.n and o.m is not null)",
        "n = 2",
        {"orders": {2}, "baskets": {1, 2}},
    ),
    "beside EXISTS": (
        "select o.n, s.city from (select * from orders o where exists "
        "(select 1 from baskets b where b.n = o.n and b.n + o.n > 1)) o, "
        "lateral (select city from customers c where c.n < o.n) s",
        "n = 3",
        {"orders": {3}, "customers": {1, 2}},
    ),
    "beside IN": (
        "select o.n, s.number from "
        "(select * from orders o where o.k in (select k from customers c where c.n <= o.n)) o, "
        "lateral (select count(*) as number from baskets b where b.n < o.n) s",
        "n = 2",
        {"orders": {2}, "baskets": {1}},
    ),
    "an aggregate of equal keys": (
        "select * from orders o, lateral (select max(city) as m from customers c where c.k = o.k)",
        "n = 2",
        {"orders": {2}, "customers": {1}},
    ),
    "another comparison": (
        "select o.n, s.city from orders o, lateral (select city from customers c where c.n < o.n) s",
        "n = 3",
        {"orders": {3}, "customers": {1, 2}},
    ),
    "values of the left side within": (
        "select o.n, s.x from orders o, lateral (select o.v + c.n as x from customers c where c.n <> o.n) s",
        "n = 1 and x = 12",
        {"orders": {1}, "customers": {2}},
    ),
    "nothing on the right": (
        "select * from orders o left join lateral (select city from customers c where c.k = o.k) s",
        "n = 6",
        {"orders": {6}},
    ),
    "a count of nothing": (
        "select * from orders o, lateral (select count(*) as number from customers c where c.k = o.k)",
        "number = 0",
        {"orders": {4, 6}},
    ),
    "distinct rows within": (
        "select * from orders o, lateral (select distinct k as its from customers c where c.n <= o.n) s",
        "n = 2 and its = 'a'",
        {"orders": {2}, "customers": {1}},
    ),
    "one within another": (
        "select o.n, a.city, b.number from orders o, lateral (select city, n from customers c where c.k = o.k) a, "
        "lateral (select count(*) as number from baskets b where b.n < a.n + o.n) b",
        "n = 3",
        {"orders": {3}, "customers": {2}, "baskets": {1, 2, 3, 4}},
    ),
    "a generator": (
        "select n, item from baskets, lateral explode(items) as t(item)",
        "n = 1 and item = 'y'",
        {"baskets": {1}},
    ),
    "no table within": (
        "select n, s.twice from orders o, lateral (select o.v * 2 as twice) s",
        "twice = 40",
        {"orders": {2}},
    ),
    "aggregated above": (
        "select s.city, count(*) as number from orders o, lateral (select city from customers c where c.k = o.k) s "
        "group by all",
        "city = 'Rome'",
        {"orders": {1, 2}, "customers": {1}},
    ),
}


@pytest.mark.compat
@pytest.mark.usefixtures("frames")
@pytest.mark.parametrize("name", thinned(CASES, "records behind lateral joins", every=2))
def test_records_behind_a_lateral_join(session: bigdebug.Session, spark: SparkSession, name: str) -> None:
    text, where, expected = CASES[name]
    frame = spark.sql(text)
    assert came_from(session, frame, where) == expected
    assert session.trace(frame, where).exact


def test_files_within(session: bigdebug.Session, spark: SparkSession, tmp_path: Path) -> None:
    """Records of text files are numbered, and Spark refuses to join laterally with what is numbered."""
    for name, (schema, rows) in TABLES.items():
        if name != "baskets":
            spark.createDataFrame(rows, schema).coalesce(1).write.csv(str(tmp_path / name))
            spark.read.csv(str(tmp_path / name), schema=schema).createOrReplaceTempView(f"{name}_file")
    for case in ("another comparison", "aggregated above"):
        text, where, expected = CASES[case]
        for name in ("orders", "customers"):
            text = text.replace(f"{name} ", f"{name}_file ")
        assert came_from(session, spark.sql(text), where) == {
            f"{name}_file": numbers for name, numbers in expected.items()
        }


@pytest.mark.compat
@pytest.mark.usefixtures("frames")
def test_a_limit_within_is_traced_and_marked(session: bigdebug.Session, spark: SparkSession) -> None:
    frame = spark.sql(
        "select o.n, s.city from orders o, "
        "lateral (select city from customers c where c.n < o.n order by c.n desc limit 1) s"
    )
    assert {row.n: row.city for row in frame.collect()}[3] == "Oslo"
    trace = session.trace(frame, "n = 3")
    assert came_from(session, frame, "n = 3") == {"orders": {3}, "customers": {2}}
    assert not trace.exact
    assert "row_number" in trace.notes[0]


@pytest.mark.usefixtures("frames")
def test_a_domain_is_no_source(session: bigdebug.Session, spark: SparkSession) -> None:
    frame = spark.sql(CASES["values of the left side within"][0])
    trace = session.trace(frame, "n = 1")
    orders, customers = trace.sources
    assert (orders.columns, orders.deciding_columns) == (("n", "v"), ())
    assert (customers.columns, customers.deciding_columns) == (("n",), ())
    assert "Domain" not in {step.operator for step in trace.steps}


def test_why_not_through_a_lateral_join(
    session: bigdebug.Session, spark: SparkSession, frames: Frames
) -> None:
    frame = spark.sql(CASES["another comparison"][0])
    why = session.why_not(frame, "n = 1")
    assert why.culprit is not None
    assert why.culprit.operator == "Join"
    assert "no record matches in orders" in session.why_not(frame, "n = 77").notes[0]
