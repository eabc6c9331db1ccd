"""Forward traces in the running program: which outputs, which rows, and what is refused."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

import bigdebug
from bigdebug.lineage.errors import BigDebugError, UnknownNameError


@pytest.fixture
def session(spark: SparkSession, tmp_path: Path) -> Iterator[bigdebug.Session]:
    with bigdebug.attach(spark, store=str(tmp_path / "store")) as attached:
        yield attached


@pytest.fixture
def orders(spark: SparkSession, session: bigdebug.Session, tmp_path: Path) -> DataFrame:
    place = tmp_path / "orders.csv"
    place.write_text("".join(f"{n},{n % 4},{10 * n}\n" for n in range(20)))
    return spark.read.csv(str(place), schema="n int, k int, amount int")


@pytest.mark.compat
def test_every_output_that_read_the_source(
    session: bigdebug.Session, spark: SparkSession, orders: DataFrame, tmp_path: Path
) -> None:
    spark.range(3).collect()
    names = spark.createDataFrame([(0, "zero"), (1, "one")], ["k", "name"])
    orders.join(names, "k", "left").groupBy("name").agg(F.sum("amount").alias("total")).collect()
    orders.filter("n > 10").write.parquet(str(tmp_path / "late"))
    orders.createOrReplaceTempView("orders")
    spark.sql("with x as (select max(n) as last, k from orders group by k) select last from x").collect()
    trace = session.trace(orders, "n in (5, 12)", direction="forward")
    assert trace.matched == 2
    assert [(output.name, output.kind, output.count) for output in trace.sources] == [
        ("output 2", "output", 2),
        ("output 3", "output", 1),
        ("output 4", "output", 2),
    ]
    rows = {(row.source, tuple(row.value.values())) for row in trace.collect()}
    assert rows == {
        ("output 2", ("zero", 400)),
        ("output 2", ("one", 450)),
        ("output 3", (12, 0, 120)),
        ("output 4", (17,)),
        ("output 4", (16,)),
    }
    assert trace.exact
    assert [row.total for row in trace.records("output 2").orderBy("total").collect()] == [400, 450]
    counts = [(step.operator, step.count) for step in trace.steps]
    assert counts[:3] == [("Join", 2), ("Project", 2), ("Aggregate", 2)]
    # The other way round: each of these rows comes from a record asked about.
    back = session.trace(session.outputs[1], "name = 'one'")
    assert 5 in [record.value["n"] for record in back.collect() if record.source.startswith("orders")]


def test_only_outputs_that_can_vary_are_compared_with_the_run(
    session: bigdebug.Session, orders: DataFrame
) -> None:
    orders.groupBy("k").count().collect()
    orders.limit(3).collect()
    trace = session.trace(orders, "n < 2", direction="forward")
    assert not trace.exact
    limited, compared = trace.notes
    assert "GlobalLimit" in limited
    assert compared == "output 2: computed again, the program gives the same rows as the run did"


def test_a_source_that_only_decides_is_not_where_rows_come_from(
    session: bigdebug.Session, spark: SparkSession, orders: DataFrame
) -> None:
    wanted = spark.createDataFrame([(1,), (2,)], ["k"])
    orders.join(wanted, "k", "left_semi").collect()
    trace = session.trace(wanted, "k = 1", direction="forward")
    assert trace.matched == 1
    assert [output.count for output in trace.sources] == [0]
    assert trace.collect() == []


def test_only_the_columns_that_the_run_read_can_be_asked_about(
    session: bigdebug.Session, spark: SparkSession, tmp_path: Path
) -> None:
    place = tmp_path / "odd.csv"
    place.write_text("1,a,1\n2,b,x\n3,c,3\n")
    odd = spark.read.csv(str(place), schema="n int, t string, m int", mode="DROPMALFORMED")
    assert odd.select("n", "t").groupBy("t").count().collect()
    trace = session.trace(odd, "t = 'b'", direction="forward")
    assert [(row.value["t"], row.value["count"]) for row in trace.collect()] == [("b", 1)]
    with pytest.raises(BigDebugError, match="didn't read the column m"):
        session.trace(odd, "m = 3", direction="forward")


def test_what_is_refused(session: bigdebug.Session, spark: SparkSession, orders: DataFrame) -> None:
    grouped = orders.groupBy("k").count()
    with pytest.raises(BigDebugError, match="starts from a source") as no_source:
        session.trace(grouped, "k = 1", direction="forward")
    assert "Aggregate at test_forward.py" in str(no_source.value)
    with pytest.raises(UnknownNameError, match=r"orders\.csv doesn't have"):
        session.trace(orders, "missing = 1", direction="forward")
