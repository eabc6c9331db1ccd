"""A SQL command that fails is an output that can be asked about, as a write that fails is."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.logger import PySparkLogger
from pyspark.sql import SparkSession

import bigdebug
from bigdebug.lineage.output import Output
from bigdebug.lineage.postmortem import open_output
from bigdebug.lineage.store import Store
from tests.thinned import thinned


@pytest.fixture
def names(spark: SparkSession) -> Iterator[None]:
    """The view `words`, of which one is no number, and the table `numbers` with one column and one row."""
    spark.createDataFrame([(1, "10"), (2, "2o"), (3, "30")], "k int, word string").createOrReplaceTempView(
        "words"
    )
    spark.sql("drop table if exists numbers")
    spark.sql("create table numbers (n bigint) using parquet")
    spark.sql("insert into numbers values (0)")
    yield
    spark.sql("drop table numbers")
    spark.catalog.dropTempView("words")


def failed(session: bigdebug.Session, spark: SparkSession, *given: Any, **named: Any) -> Output:
    with pytest.raises((PySparkException, Py4JJavaError)):
        spark.sql(*given, **named)
    session._recorder.drain()
    output = session.outputs[-1]
    assert output.status == "failed"
    return output


FAILING: dict[str, tuple[Any, ...]] = {
    "in a row": ("insert into numbers select cast(word as bigint) from words",),
    "below a with": (
        "with w as (select * from words) insert into numbers select cast(word as bigint) from w",
    ),
    "inside of a with": (
        "insert into numbers with w as (select * from words) select cast(word as bigint) from w",
    ),
    "from first": ("from words insert into numbers select cast(word as bigint)",),
    "with names for values": (
        "insert into numbers select cast(word as bigint) + :more from words where k < :top",
        {"more": 5, "top": 9},
    ),
    "with a list of values": ("insert into numbers select cast(word as bigint) + ? from words", [5]),
    "in a new table": (
        "create table never_made using parquet as select cast(word as bigint) as n from words",
    ),
    "a table that is there": ("create table numbers using parquet as select k from words",),
    "in a folder": ("insert overwrite directory '{folder}' using csv select cast(word as int) from words",),
    "no such table": ("insert into nowhere_at_all select k from words",),
    "no such table, with a name for a value": (
        "with w as (select * from words) insert into nowhere_at_all select k from w where k > :low",
        {"low": 0},
    ),
    "too many columns": ("insert into numbers select k, word from words",),
    "into a view": ("insert into words select k, word from words",),
    "no such format": ("create table never_made using nonsense as select k from words",),
}


@pytest.mark.compat
@pytest.mark.parametrize("case", thinned(FAILING, "recipes of the queries of failed commands"))
def test_its_query_has_a_recipe(
    session: bigdebug.Session, spark: SparkSession, names: None, tmp_path: Path, case: str
) -> None:
    text, *values = FAILING[case]
    output = failed(session, spark, text.replace("{folder}", str(tmp_path / "out")), *values)
    assert (output.recipe, output.recipe_problem) == ("stored", None)
    assert session._rows[output.number].plan.resolved()
    # Nothing was carried out a second time.
    assert spark.table("numbers").collect() == [(0,)]
    assert not spark.catalog.tableExists("never_made")


@pytest.mark.compat
def test_it_is_traced_while_the_program_runs_and_later(
    session: bigdebug.Session, spark: SparkSession, tmp_path: Path
) -> None:
    file = tmp_path / "words.csv"
    file.write_text("k,word\n1,10\n2,2o\n3,30\n")
    words = spark.read.csv(str(file), header=True, schema="k int, word string")
    spark.sql("drop table if exists two_columns")
    spark.sql("create table two_columns (k int, n bigint) using parquet")
    output = failed(
        session, spark, "insert into two_columns select k, cast(word as bigint) from {words}", words=words
    )
    replay = open_output(Store(str(tmp_path / "store")).find(session.run_id), output, spark=spark)
    for trace in (session.trace(output, "k = 2"), replay.trace("k = 2")):
        assert trace.matched == 1
        (record,) = trace.collect()
        assert (record.location.position, record.value) == (1, {"k": 2, "word": "2o"})
        assert all(step.call_site == output.call_site for step in trace.steps)
    spark.sql("drop table two_columns")


def test_its_operator_is_recorded_with_what_it_reads(
    session: bigdebug.Session, spark: SparkSession, names: None
) -> None:
    spark.range(3).filter("id > 0").createOrReplaceTempView("recorded")
    output = failed(session, spark, "insert into numbers select 1 div (id - 1) from recorded")
    graph = session.graph
    assert output.node is not None
    assert graph.nodes[output.node]["operator"] == "sql"
    assert [graph.nodes[each]["operator"] for each in graph.predecessors(output.node)] == ["filter"]
    spark.catalog.dropTempView("recorded")


def test_a_query_that_makes_no_sense_has_none(session: bigdebug.Session, spark: SparkSession) -> None:
    for text in ("insert into nowhere_at_all select nope", "insert into nowhere_at_all selec t"):
        output = failed(session, spark, text)
        assert (output.recipe, output.node) == ("unavailable", None)
        assert output.recipe_problem == "the command failed, and Spark can't analyze its query"
    assert session.graph.number_of_nodes() == 0


def test_nobody_hears_of_our_own_attempts(
    session: bigdebug.Session, spark: SparkSession, names: None
) -> None:
    """PySpark logs errors that have a place in the SQL text: the user's own, and no more."""
    heard: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: heard.append(record.getMessage())  # type: ignore[method-assign]
    logger = PySparkLogger.getLogger("SQLQueryContextLogger")
    logger.addHandler(handler)
    texts = (
        "insert into words select k, word from words",
        "insert into nowhere_at_all select nope",
        "insert into numbers select k, word from words",
    )
    try:
        for text in texts:
            failed(session, spark, text)
        with_us = heard.copy()
        heard.clear()
        session.detach()
        for text in texts:
            with pytest.raises((PySparkException, Py4JJavaError)):
                spark.sql(text)
    finally:
        logger.removeHandler(handler)
    assert with_us == heard
    assert any("nowhere_at_all" in message for message in heard)
