"""What a second run may do differently: the splits, the time, chance; and what a trace says of it."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

import bigdebug
from bigdebug.lineage.postmortem import open_output
from bigdebug.lineage.store import Store
from tests.settings import settings

SAME = "computed again, the program gives the same rows as the run did"
OTHER = "computed again, the program gives other rows than the run did"


@pytest.fixture
def session(spark: SparkSession, tmp_path: Path) -> Iterator[bigdebug.Session]:
    with bigdebug.attach(spark, store=str(tmp_path / "store")) as attached:
        yield attached


@pytest.fixture
def numbers(tmp_path: Path) -> str:
    """A folder of CSV files that are split into many blocks, or not at all, as the settings say."""
    (tmp_path / "numbers").mkdir()
    for part in range(3):
        lines = [f"{n}\n" for n in range(100 * part, 100 * part + 100)]
        (tmp_path / "numbers" / f"{part}.csv").write_text("".join(lines))
    return str(tmp_path / "numbers")


@pytest.mark.compat
def test_splits_are_those_of_the_run(session: bigdebug.Session, spark: SparkSession, numbers: str) -> None:
    splits = {
        "spark.sql.files.maxPartitionBytes": "150",
        "spark.sql.files.openCostInBytes": "0",
        "spark.sql.files.minPartitionNum": "1",
        "spark.sql.leafNodeDefaultParallelism": "7",
    }
    with settings(spark, splits):
        frame = spark.read.csv(numbers, schema="n int").sample(False, 0.4, 3).withColumn("r", F.rand(1))
        rows = [row.n for row in frame.filter("r < 0.8").limit(40).collect()]
    (output,) = session.outputs
    live = session.trace(output)
    assert sorted(record.value["n"] for record in live.collect()) == sorted(rows)
    assert all(record.value["n"] % 100 == record.location.position for record in live.collect())
    assert not live.exact
    assert SAME in live.notes
    session.detach()
    run = Store(session._recorder.store).find("last")
    with settings(spark, {"spark.sql.leafNodeDefaultParallelism": "3"}):
        again = open_output(run, run.output("1"), spark=spark).trace()
    assert again.collect() == live.collect()
    # Spark writes plans down without what tells their operators' places in the program.
    places = [(step.operator, step.call_site) for step in live.steps]
    assert [(step.operator, step.call_site) for step in again.steps] == places
    assert all(site is not None and site.file == __file__ for _, site in places)
    assert (again.exact, SAME in again.notes) == (False, True)


def test_files_that_are_packed_to_be_few_partitions(
    session: bigdebug.Session, spark: SparkSession, numbers: str
) -> None:
    packed = {"spark.sql.files.maxPartitionNum": "2", "spark.sql.files.maxPartitionBytes": "150"}
    with settings(spark, {**packed, "spark.sql.files.openCostInBytes": "0"}):
        frame = spark.read.csv(numbers, schema="n int").where("n % 50 = 7")
        assert frame.rdd.getNumPartitions() == 3  # of eight blocks
        frame.collect()
    session._recorder.drain()
    run = Store(session._recorder.store).find("last")
    for trace in (
        session.trace(session.outputs[-1]),
        open_output(run, session.outputs[-1], spark=spark.newSession()).trace(),
    ):
        found = [(record.value["n"], record.location.position) for record in trace.collect()]
        assert sorted(found) == [(n, n % 100) for n in range(7, 300, 50)]


def test_sums_of_floats_come_out_as_in_the_run(
    session: bigdebug.Session, spark: SparkSession, numbers: str
) -> None:
    """They hang on the order in which they are added up, which the splits decide."""
    frame = spark.read.csv(numbers, schema="n int").selectExpr("sum(1 / (n + 1D)) as s", "avg(sqrt(n)) as a")
    sums = set()
    for size in ("150", "1000000"):
        split = {"spark.sql.files.maxPartitionBytes": size, "spark.sql.files.openCostInBytes": "0"}
        with settings(spark, {**split, "spark.sql.files.minPartitionNum": "1"}):
            # Made anew: Spark keeps what it made of a frame's plan.
            again = frame.select("*")
            (row,) = again.collect()
        sums.add(row)
        session._recorder.drain()
        run = Store(session._recorder.store).find("last")
        where = f"s = {row.s!r}D and a = {row.a!r}D"
        assert session.trace(session.outputs[-1], where).matched == 1
        assert open_output(run, session.outputs[-1], spark=spark.newSession()).trace(where).matched == 1
    assert len(sums) == 2


def test_the_user_and_the_database_are_those_of_the_run(
    session: bigdebug.Session, spark: SparkSession
) -> None:
    spark.sql("create database elsewhere")
    try:
        spark.sql("use elsewhere")
        frame = spark.range(3).selectExpr("id", "current_database() as d", "current_user() as u")
        frame.where("d = 'elsewhere'").collect()
    finally:
        spark.sql("use default")
        spark.sql("drop database elsewhere")
    session._recorder.drain()
    run = Store(session._recorder.store).find("last")
    for trace in (
        session.trace(session.outputs[-1], "id = 1"),
        open_output(run, session.outputs[-1], spark=spark.newSession()).trace("d = 'elsewhere' and id = 1"),
    ):
        assert (trace.matched, trace.exact) == (1, True)


@pytest.mark.parametrize("way", ["collect", "toPandas", "toArrow"])
def test_chance_is_told(way: str, session: bigdebug.Session, spark: SparkSession) -> None:
    @F.udf("double")
    def noise(_: int) -> float:
        import random

        return random.random()

    chancy = noise.asNondeterministic()
    getattr(spark.range(30).select("id", chancy("id").alias("x"), F.expr("if(id > 3, id, null) z")), way)()
    getattr(spark.range(30).select("id", F.rand(4).alias("x"), F.expr("if(id > 3, id, null) z")), way)()
    getattr(spark.range(30).select(F.expr("if(id > 3, id, null) z")), way)()
    differs, same, sure = (session.trace(output, "z = 7") for output in session.outputs)
    assert OTHER in differs.notes
    assert SAME in same.notes
    assert not differs.exact
    assert not same.exact
    assert (sure.exact, sure.notes) == (True, [])


def test_a_python_function_of_chance_is_found_out(session: bigdebug.Session, spark: SparkSession) -> None:
    @F.udf("double")
    def noise(_: int) -> float:
        import random

        return random.random()

    @F.udf("double")
    def half(number: int) -> float:
        return number / 2

    spark.range(30).select("id", noise("id").alias("x")).collect()
    spark.range(30).select("id", half("id").alias("x")).collect()
    session._recorder.drain()
    of_chance, sure = session.outputs
    run = Store(session._recorder.store).find("last")
    for answer in (
        session.trace(of_chance, "id = 7"),
        session.why_not(of_chance, "id = 77"),
        open_output(run, run.output("1"), spark=spark.newSession()).trace("id = 7"),
    ):
        assert (answer.exact, answer.notes.count(OTHER)) == (False, 1)
    for answer in (session.trace(sure, "id = 7"), session.why_not(sure, "id = 77")):
        assert (answer.exact, answer.notes.count(OTHER), answer.notes.count(SAME)) == (True, 0, 0)


@pytest.mark.compat
def test_the_time_is_that_of_the_run(session: bigdebug.Session, spark: SparkSession) -> None:
    soon = time.time() + 3
    frame = spark.range(10).filter(
        F.timestamp_seconds(F.lit(soon) + (F.col("id") - 5) * 100) <= F.current_timestamp()
    )
    rows = [row.id for row in frame.collect()]
    assert rows == [0, 1, 2, 3, 4]
    session._recorder.drain()
    time.sleep(max(0.0, soon - time.time()) + 0.2)
    (output,) = session.outputs
    live = session.trace(output)
    assert not live.exact
    assert any("current time" in note for note in live.notes)
    assert OTHER in live.notes
    session.detach()
    run = Store(session._recorder.store).find("last")
    again = open_output(run, run.output("1"), spark=spark).trace()
    assert [record.value["id"] for record in again.collect()] == rows
    assert again.exact
