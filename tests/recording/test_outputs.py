"""Every action is one output, in order, with what is known of it."""

import gc
import math
import threading
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

import bigdebug
from bigdebug.lineage.output import Output
from bigdebug.lineage.results import summarize


@pytest.fixture
def numbers(spark: SparkSession) -> DataFrame:
    return spark.range(0, 5, 1, 1)


def last(session: bigdebug.Session) -> Output:
    return session.outputs[-1]


def test_one_output_for_each_action_in_order(
    session: bigdebug.Session, numbers: DataFrame, spark: SparkSession, tmp_path: Path
) -> None:
    numbers.collect()
    numbers.count()
    numbers.show()
    numbers.toPandas()
    numbers.toArrow()
    numbers.take(2)
    numbers.first()
    numbers.head()
    numbers.head(2)
    numbers.tail(2)
    numbers.isEmpty()
    numbers.foreach(print)
    numbers.foreachPartition(print)
    list(numbers.toLocalIterator())
    numbers.write.format("noop").mode("overwrite").save()
    numbers.write.parquet(str(tmp_path / "p"))
    numbers.write.saveAsTable("outputs_table")
    numbers.write.insertInto("outputs_table")
    numbers.writeTo("outputs_v2").using("parquet").create()
    spark.sql("insert into outputs_table select * from range(3)")
    spark.sql("create table outputs_ctas using parquet as select * from range(3)")
    spark.sql("create or replace temp view outputs_view as select * from range(3)")
    spark.sql("show tables")
    spark.sql("set spark.sql.outputs=1")
    spark.conf.unset("spark.sql.outputs")
    assert [(o.number, o.action, o.status) for o in session.outputs] == [
        (number, action, "done")
        for number, action in enumerate(
            [
                "collect", "count", "show", "toPandas", "toArrow", "take", "first", "head", "head", "tail",
                "isEmpty", "foreach", "foreachPartition", "toLocalIterator", "write.save", "write.parquet",
                "write.saveAsTable", "write.insertInto", "writeTo.create", "sql INSERT", "sql CREATE TABLE AS",
            ],
            start=1,
        )
    ]  # fmt: skip
    by_action = {o.action: o for o in session.outputs}
    assert by_action["write.parquet"].target == str(tmp_path / "p")
    assert by_action["write.saveAsTable"].target == "outputs_table"
    assert by_action["writeTo.create"].target == "outputs_v2"
    assert by_action["sql INSERT"].target == "outputs_table"
    assert by_action["sql CREATE TABLE AS"].target == "outputs_ctas"
    assert [by_action[a].rows for a in ("collect", "count", "toPandas", "toArrow", "take", "tail")] == [
        5, 5, 5, 5, 2, 2,
    ]  # fmt: skip
    assert by_action["toLocalIterator"].rows == 5
    assert all(o.seconds is not None and o.seconds > 0 and o.call_site is not None for o in session.outputs)


def test_the_rows_of_an_action_are_kept_for_traces(session: bigdebug.Session, numbers: DataFrame) -> None:
    numbers.take(2)
    numbers.first()
    numbers.show()
    numbers.show(3)
    numbers.head(4)
    numbers.tail(2)
    numbers.collect()
    kept = [(rows.limit, rows.tail) for rows in session._rows.values()]
    assert kept == [(2, None), (1, None), (20, None), (3, None), (4, None), (None, 2), (None, None)]
    plan = session._rows[7].plan
    assert plan.equals(numbers._jdf.queryExecution().analyzed())


def test_what_a_command_returned_is_never_the_command_itself(
    session: bigdebug.Session, spark: SparkSession
) -> None:
    spark.range(2).write.saveAsTable("never_again")
    spark.sql("insert into never_again select 7").collect()
    inserted, collected = session.outputs[-2:]
    assert inserted.action == "sql INSERT"
    assert session._rows[inserted.number].plan.nodeName() == "Project"
    assert collected.action == "collect"
    assert session._rows[collected.number].plan.nodeName() == "CommandResult"


@pytest.mark.parametrize(
    ("text", "action", "target"),
    [
        ("insert into {t} select * from range(3)", "sql INSERT", "{t}"),
        ("INSERT OVERWRITE TABLE {t} SELECT * FROM range(3)", "sql INSERT", "{t}"),
        ("-- a word\nwith r as (select * from range(3)) insert into {t} select * from r", "sql INSERT", "{t}"),
        ("from range(3) insert into {t} select id", "sql INSERT", "{t}"),
        ("insert into {t} values (1)", "sql INSERT", "{t}"),
        ("create table {t}_2 using json as (select * from range(3))", "sql CREATE TABLE AS", "{t}_2"),
        ("create table if not exists `{t}_3` as select 1 as id", "sql CREATE TABLE AS", "{t}_3"),
        ("insert overwrite directory '{folder}/out' using csv select * from range(3)", "sql INSERT", "{folder}/out"),
    ],
)  # fmt: skip
def test_sql_that_writes(
    session: bigdebug.Session, spark: SparkSession, tmp_path: Path, text: str, action: str, target: str
) -> None:
    table = f"writes_{abs(hash(text))}"
    spark.sql(f"create table {table} (id bigint) using parquet")
    assert session.outputs == []
    spark.sql(text.replace("{t}", table).replace("{folder}", str(tmp_path)))
    assert [(o.action, o.target) for o in session.outputs] == [
        (action, target.replace("{t}", table).replace("{folder}", str(tmp_path)))
    ]
    assert session._rows[1].plan.resolved()


@pytest.mark.parametrize(
    "text",
    [
        "cache table noted as select 1",
        "create view noted_view as select 1",
        "create table noted_empty (id int) using parquet",
        "explain insert into nothing select 1",
        "describe table extended noted_described",
        "values ('insert into x')",
        "drop view if exists noted_view",
    ],
)
def test_sql_that_writes_nothing(session: bigdebug.Session, spark: SparkSession, text: str) -> None:
    spark.sql("create table if not exists noted_described (id int) using parquet")
    spark.sql(text)
    assert session.outputs == []
    spark.sql("uncache table if exists noted")


def test_a_failed_action(session: bigdebug.Session, numbers: DataFrame) -> None:
    with pytest.raises(Exception, match="DIVIDE_BY_ZERO"):
        numbers.selectExpr("1 / id").collect()
    output = last(session)
    assert (output.status, output.rows) == ("failed", None)
    assert output.error is not None
    assert output.error.startswith("ArithmeticException: [DIVIDE_BY_ZERO]")
    assert "\n" not in output.error


def test_a_failed_function_says_its_own_error(session: bigdebug.Session, numbers: DataFrame) -> None:
    @F.udf("int")
    def picky(value: int) -> int:
        raise ValueError(f"no {value}")

    with pytest.raises(Exception, match="ValueError"):
        numbers.select(picky("id")).collect()
    assert last(session).error == "PythonException: ValueError: no 0"


def test_a_failed_write_and_failed_sql(
    session: bigdebug.Session, spark: SparkSession, tmp_path: Path
) -> None:
    spark.range(2).write.parquet(str(tmp_path / "p"))
    with pytest.raises(Exception, match="PATH_ALREADY_EXISTS"):
        spark.range(2).write.parquet(str(tmp_path / "p"))
    assert (last(session).status, last(session).target) == ("failed", str(tmp_path / "p"))
    with pytest.raises(Exception, match="TABLE_OR_VIEW_NOT_FOUND"):
        spark.sql("insert into nowhere_at_all select 1")
    output = last(session)
    assert (output.action, output.status, output.target) == ("sql INSERT", "failed", "nowhere_at_all")
    number = output.number
    with pytest.raises(Exception, match="TABLE_OR_VIEW_NOT_FOUND"):
        spark.sql("select * from nowhere_at_all")
    assert last(session).number == number


def test_an_interrupted_action_has_failed(session: bigdebug.Session, numbers: DataFrame) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    # Where PySpark waits for the JVM; what py4j makes of a real signal there differs from version to version.
    numbers._jdf = SimpleNamespace(logicalPlan=numbers._jdf.logicalPlan, count=interrupted)
    with pytest.raises(KeyboardInterrupt):
        numbers.count()
    assert (last(session).status, last(session).error) == ("failed", "KeyboardInterrupt")


def test_an_iterator_ends_its_output(session: bigdebug.Session, numbers: DataFrame) -> None:
    rows = numbers.toLocalIterator()
    assert last(session).status == "running"
    assert next(rows) == Row(id=0)
    assert last(session).status == "running"
    rows.close()
    assert (last(session).status, last(session).rows) == ("done", 1)

    unused = numbers.toLocalIterator()
    assert last(session).status == "running"
    del unused
    gc.collect()
    assert (last(session).status, last(session).rows) == ("done", 0)

    with pytest.raises(Exception, match="DIVIDE_BY_ZERO"):
        list(numbers.selectExpr("1 / id").toLocalIterator())
    assert last(session).status == "failed"


def test_threads_get_a_number_each(session: bigdebug.Session, spark: SparkSession) -> None:
    def work(size: int) -> None:
        for _ in range(3):
            assert spark.range(size).filter("id >= 0").count() == size

    threads = [threading.Thread(target=work, args=(size,)) for size in (1, 2, 3, 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [o.number for o in session.outputs] == list(range(1, 13))
    assert sorted(o.rows or 0 for o in session.outputs) == sorted([1, 2, 3, 4] * 3)
    graph = session.graph
    operators = {id: data["operator"] for id, data in graph.nodes(data=True)}
    assert len(operators) == 24
    for output in session.outputs:
        assert output.node is not None
        assert operators[output.node] == "filter"
        assert [operators[parent] for parent in graph.predecessors(output.node)] == ["range"]


def test_the_recipes_are_stored(session: bigdebug.Session, numbers: DataFrame) -> None:
    numbers.filter("id > 1").collect()
    session._recorder.drain()
    assert (last(session).recipe, last(session).recipe_problem) == ("stored", None)


ROWS = [
    Row(a=1, b="x", c=1.5, d=Decimal("1.10"), e=datetime(2024, 1, 1), f=[1, None], g={"k": 1, "l": 2}),
    Row(a=None, b=None, c=math.nan, d=None, e=None, f=None, g=None),
]


def hash_of(result: Any) -> str | None:
    return summarize(result, most_seconds=None).content_hash


def test_the_hash_has_no_order_but_counts() -> None:
    assert hash_of(ROWS) == hash_of(ROWS[::-1])
    assert hash_of(ROWS) != hash_of([*ROWS, ROWS[0]])
    assert hash_of(ROWS) != hash_of(ROWS[:1])
    assert hash_of([Row(g={"k": 1, "l": 2})]) == hash_of([Row(g={"l": 2, "k": 1})])
    assert hash_of([Row(a=0.1 + 0.2)]) == hash_of([Row(a=0.3)])
    assert hash_of([Row(a=0.0)]) == hash_of([Row(a=-0.0)])
    assert hash_of([Row(a="1")]) != hash_of([Row(a=1)])
    assert hash_of([Row(a=None)]) != hash_of([Row(a="~")])
    assert hash_of([Row(a="x", b="y")]) != hash_of([Row(a="x\x1esy", b="")])


def test_the_hash_of_a_result_is_that_of_the_same_frame_again(
    session: bigdebug.Session, spark: SparkSession
) -> None:
    frame = spark.createDataFrame(ROWS).unionAll(spark.createDataFrame(ROWS)).repartition(3)
    for action in ("collect", "toPandas", "toArrow"):
        first, second = getattr(frame, action)(), getattr(frame.orderBy("a"), action)()
        assert summarize(first) == summarize(second)
        assert summarize(first).rows == 4
        assert last(session).content_hash == summarize(second).content_hash is not None


def test_large_results_are_counted_only() -> None:
    assert summarize([Row(a=1)] * 2001).content_hash is None
    assert summarize(pd.DataFrame({"a": range(3000)})).rows == 3000
    assert summarize(pa.table({"a": list(range(3000))})) == summarize([Row(a=1)] * 3000)
    assert summarize(7).rows is None
