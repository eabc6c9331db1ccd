"""Recursive common table expressions: all records of their sources, and marked."""

import pyspark
import pytest
from pyspark.sql import DataFrame, SparkSession

import bigdebug
from bigdebug.lineage.output import OutputRows
from bigdebug.lineage.questions import trace_rows
from bigdebug.lineage.recipe.archive import Recipe
from bigdebug.lineage.recipe.building import build_recipe, open_recipe

pytestmark = pytest.mark.skipif(pyspark.__version__ < "4.1", reason="this Spark has no recursion")


@pytest.fixture
def below(session: bigdebug.Session, spark: SparkSession) -> DataFrame:
    """What stands how deep in a tree, and the orders of it."""
    spark.createDataFrame([(1, 0), (2, 1), (3, 2), (9, 8)], "n int, parent int").createOrReplaceTempView(
        "tree"
    )
    spark.createDataFrame([(1, "x"), (3, "y")], "n int, k string").createOrReplaceTempView("orders")
    return spark.sql(
        "with recursive below as (select n, 0 as depth from tree where parent = 0 union all "
        "select tree.n, depth + 1 from tree join below on tree.parent = below.n) "
        "select n, depth, k from below join orders using (n)"
    )


def test_all_records_may_be_behind_a_row(session: bigdebug.Session, below: DataFrame) -> None:
    assert {(row.n, row.depth, row.k) for row in below.collect()} == {(1, 0, "x"), (3, 2, "y")}
    trace = session.trace(below, "n = 3")
    assert [(source.name, source.count) for source in trace.sources] == [
        ("tree", 4),
        ("tree#2", 4),
        ("orders", 1),
    ]
    assert not trace.exact
    assert "is a recursion" in trace.notes[0]
    assert "test_recursion.py" in trace.notes[0]
    assert {step.operator for step in trace.steps} >= {"UnionLoop", "Join"}
    assert trace.sources[0].deciding_columns == ("parent",)


def test_forward_through_a_recursion(
    session: bigdebug.Session, spark: SparkSession, below: DataFrame
) -> None:
    below.collect()
    assert session.trace(spark.table("orders"), "n = 3", direction="forward").sources[-1].count == 1
    assert session.trace(spark.table("tree"), "n = 2", direction="forward").sources[-1].count == 2


@pytest.mark.proof("a record that no recursion reaches")
def test_forward_from_what_a_recursion_does_not_reach(
    session: bigdebug.Session, spark: SparkSession, below: DataFrame
) -> None:
    below.collect()
    assert session.trace(spark.table("tree"), "n = 77", direction="forward").sources[-1].count == 0


def test_from_a_recipe(session: bigdebug.Session, spark: SparkSession, below: DataFrame) -> None:
    rows = OutputRows(below._jdf.queryExecution().analyzed(), spark._jsparkSession, None)
    recipe = Recipe.from_bytes(build_recipe(spark, rows, session._recorder.node_of).to_bytes())
    reader = spark.newSession()
    opened = open_recipe(reader, recipe)
    trace = trace_rows(reader, opened.rows, lambda _: None, "n = 3", names=opened.names)
    assert [source.count for source in trace.sources] == [4, 4, 1]
