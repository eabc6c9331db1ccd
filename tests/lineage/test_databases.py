"""Tables and queries of a database: their records by value, from what was read once."""

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

import bigdebug
from bigdebug.lineage.location import Location
from tests.derby import READS, Database, by_customer, ids, orders


@pytest.fixture
def shop(spark: SparkSession, request: pytest.FixtureRequest) -> Database:
    return Database(spark, f"live{abs(hash(request.node.name))}")


@pytest.mark.compat
@pytest.mark.parametrize("way", READS)
def test_records_of_a_database(
    way: str, session: bigdebug.Session, spark: SparkSession, shop: Database
) -> None:
    frame = by_customer(orders(spark, shop, **READS[way]))
    trace = session.trace(frame, "customer = 'c1'")
    assert trace.matched == 1
    assert ids(trace) == [4, 7, 10]
    (source,) = trace.sources
    assert (source.kind, source.count) == ("jdbc", 3)
    assert source.name == "orders" if way != "a query" else source.name.startswith("derby.py:")
    assert {record.location for record in trace.collect()} == {Location(None, None)}
    assert [(step.operator, step.count) for step in trace.steps] == [("Aggregate", 1), ("Filter", 3)]
    assert not trace.exact
    assert f"{source.name} was read anew" in trace.notes[0]
    # The records alone give the row again.
    again = by_customer(trace.records().drop("_record")).collect()
    assert again == frame.where("customer = 'c1'").collect()


@pytest.mark.compat
def test_all_answers_come_from_one_reading(
    session: bigdebug.Session, spark: SparkSession, shop: Database
) -> None:
    frame = orders(spark, shop).withColumn("part", F.explode(F.array(F.lit(1), F.lit(2))))
    trace = session.trace(frame.where("part = 2"), "id >= 9")
    assert trace.sources[0].count == 3
    shop.run("delete from orders where id > 4", "insert into orders values (99, 'new', 1)")
    assert ids(trace) == [9, 10, 11]
    assert [step.count for step in trace.steps] == [3, 3, 3]
    (found,) = [step.records() for step in trace.steps if step.operator == "Generate"]
    assert sorted(row.ID for row in found.collect()) == [9, 10, 11]
    assert ids(session.trace(frame, "id >= 9")) == [99], "another trace reads what there is now"


def test_forward_and_why_not(session: bigdebug.Session, spark: SparkSession, shop: Database) -> None:
    source = orders(spark, shop)
    frame = by_customer(source)
    frame.collect()
    forward = session.trace(source, "id = 7", direction="forward")
    assert [record.value["customer"] for record in forward.collect()] == ["c1"]
    answer = session.why_not(frame.where("sum > 1000"), "customer = 'c2'")
    assert answer.culprit is not None
    assert answer.culprit.operator == "Filter"
