"""On request, a trace holds what decided about a row, too: a window's partition, what was looked up."""

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

import bigdebug
from bigdebug.lineage.beside import Beside
from bigdebug.lineage.output import OutputRows
from bigdebug.lineage.questions import trace_rows
from bigdebug.lineage.recipe.archive import Recipe
from bigdebug.lineage.recipe.building import build_recipe, open_recipe
from tests.lineage.origins import Expected, Frames
from tests.thinned import thinned

# SQL, which of its rows, and what is traced besides the record of `orders` itself.
LOOKUPS: dict[str, tuple[str, str, Expected]] = {
    "in": ("select * from orders where k in (select k from customers)", "n = 1", {"customers": {1}}),
    "not in": (
        "select * from orders where k not in (select k from customers where n < 3)",
        "n = 6",
        {},
    ),
    "exists": (
        "select * from orders o where exists (select 1 from customers c where c.n < o.n and c.k = o.k)",
        "n = 3",
        {"customers": {2}},
    ),
    "in, or something else": (
        "select * from orders where k in (select k from customers) or n = 6",
        "n in (2, 6)",
        {"customers": {1}},
    ),
    "a correlated value": (
        "select *, (select max(city) from customers c where c.k = o.k) as m from orders o",
        "n = 3",
        {"customers": {2}},
    ),
    "one value for all": (
        "select * from orders where n >= (select avg(n) from customers where n <> 4)",
        "n = 2",
        {"customers": {1, 2, 3}},
    ),
    "in having": (
        "select k, min(n) as n from orders where k = 'a' group by k having sum(v) > (select min(n) from baskets)",
        "k = 'a'",
        {"baskets": {1, 2, 3, 4}},
    ),
    "left semi join": (
        "select * from orders o left semi join customers c on c.k = o.k and c.n < 2",
        "n = 2",
        {"customers": {1}},
    ),
    "left anti join": ("select * from orders o left anti join customers c on c.k = o.k", "n = 6", {}),
    "correlated within a correlated one": (
        "select * from orders o where exists (select 1 from customers c where c.k = o.k and exists ("
        "select 1 from baskets b where b.n = c.n and b.n > (select min(n) from baskets)))",
        "n = 3",
        {"customers": {2}, "baskets": {2}, "baskets#2": {1, 2, 3, 4}},
    ),
    "within a subquery": (
        "select * from orders where k in (select k from customers where n > (select min(n) from baskets))",
        "n = 3",
        {"customers": {2}, "baskets": {1, 2, 3, 4}},
    ),
}


@pytest.mark.compat
@pytest.mark.usefixtures("frames")
@pytest.mark.parametrize("name", thinned(LOOKUPS, "what was looked up", every=2))
def test_what_was_looked_up(session: bigdebug.Session, spark: SparkSession, name: str) -> None:
    text, where, looked_up = LOOKUPS[name]
    frame = spark.sql(text)
    plain = session.trace(frame, where)
    trace = session.trace(frame, where, influence=True)
    found: Expected = {}
    for record in trace.collect():
        found.setdefault(record.source, set()).add(record.value["n"])
    assert found.pop("orders") == {
        record.value["n"] for record in plain.collect() if record.source == "orders"
    }
    assert found == looked_up
    assert trace.matched == plain.matched
    assert trace.exact
    assert trace.steps[0].count == plain.matched


@pytest.mark.usefixtures("frames")
def test_columns_of_what_was_looked_up_only_decide(session: bigdebug.Session, spark: SparkSession) -> None:
    for name in ("exists", "one value for all", "left semi join"):
        text, where, _ = LOOKUPS[name]
        sources = {
            source.name: source for source in session.trace(spark.sql(text), where, influence=True).sources
        }
        assert sources["customers"].columns == ()
        assert "n" in sources["customers"].deciding_columns


@pytest.mark.compat
@pytest.mark.usefixtures("frames")
def test_the_rest_of_a_windows_partition(session: bigdebug.Session, spark: SparkSession) -> None:
    frame = spark.sql("select n, sum(v) over (partition by k) as total from orders")
    numbers = {record.value["n"] for record in session.trace(frame, "n = 3", windows=True).collect()}
    assert numbers == {3, 5}
    assert {record.value["n"] for record in session.trace(frame, "n = 3").collect()} == {3}
    # The null key is a partition, and so are all rows where none is given.
    assert [record.value["n"] for record in session.trace(frame, "n = 4", windows=True).collect()] == [4]
    ranked = spark.sql("select n, rank() over (order by v) as place from orders")
    trace = session.trace(ranked, "n = 3", windows=True)
    assert trace.sources[0].count == 6
    counts = {step.operator: step.count for step in trace.steps}
    assert counts["Window"] == 1


@pytest.mark.usefixtures("frames")
def test_rows_of_one_partition_are_several_on_the_way(session: bigdebug.Session, spark: SparkSession) -> None:
    ranked = spark.sql(
        "select * from (select n, rank() over (order by n) as place from orders) where place < 4"
    )
    trace = session.trace(ranked, "n > 1", windows=True)
    assert trace.matched == 2
    counts = {step.operator: step.count for step in trace.steps}
    assert (counts["Window"], counts["Filter"]) == (2, 2)
    (window,) = (step for step in trace.steps if step.operator == "Window")
    assert sorted(row.n for row in window.records().collect()) == [2, 3]


def test_they_are_for_backward_traces(session: bigdebug.Session, frames: Frames) -> None:
    with pytest.raises(bigdebug.BigDebugError, match="backward"):
        session.trace(frames["orders"], "n = 1", direction="forward", influence=True)  # type: ignore[call-overload]


@pytest.mark.compat
def test_from_a_recipe(session: bigdebug.Session, spark: SparkSession, tmp_path: Path) -> None:
    spark.range(10).selectExpr("id as n").write.parquet(str(tmp_path / "numbers"))
    spark.read.parquet(str(tmp_path / "numbers")).createOrReplaceTempView("numbers")
    frame = spark.sql(
        "select n, count(*) over (partition by n % 2 < 2) as c from numbers "
        "where n > (select min(n) + 2 from numbers where n > 4)"
    )
    rows = OutputRows(frame._jdf.queryExecution().analyzed(), spark._jsparkSession, None)
    recipe = Recipe.from_bytes(build_recipe(spark, rows, lambda _: None).to_bytes())
    reader = spark.newSession()
    opened = open_recipe(reader, recipe)
    assert opened.names == ["numbers"]
    trace = trace_rows(
        reader,
        opened.rows,
        lambda _: None,
        "n = 9",
        names=opened.all_names,
        beside=Beside(windows=True, influence=True),
    )
    assert [(source.name, source.count) for source in trace.sources] == [("numbers", 2), ("numbers#2", 5)]
