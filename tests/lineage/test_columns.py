"""Column lineage, operator by operator: which columns reach the values, and which only decide."""

import json
from typing import Any, NamedTuple

import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import LongType, StructField, StructType

import bigdebug
from bigdebug.lineage.columns import ColumnLineage
from bigdebug.lineage.errors import BigDebugError, UnknownNameError
from bigdebug.lineage.index.conditions import NeedsSparkError
from bigdebug.lineage.index.manifest import Manifest
from bigdebug.lineage.index.reading import Index
from bigdebug.lineage.output import OutputRows
from bigdebug.lineage.questions import Question, question_about
from tests.lineage.origins import Frames

Found = dict[str, tuple[str, str]]
"""For each source the columns that reach the values, and those that only decide, with blanks between."""


class Query(NamedTuple):
    """A query over `orders (n, k, v)`, `customers (n, k, city)` and `baskets (n, items)`."""

    text: str
    expected: Found
    compat: bool = False


QUERIES = {
    "project": Query("select v + n as w from orders", {"orders": ("n v", "")}, compat=True),
    "a column made and dropped": Query(
        "select v from (select v, upper(k) as u from orders)", {"orders": ("v", "")}
    ),
    "constants": Query("select 1 as one from orders", {"orders": ("", "")}),
    "both branches of a case": Query(
        "select case when k = 'a' then v else n end as w from orders", {"orders": ("n k v", "")}
    ),
    "filter": Query("select n from orders where v > 5 and k = 'a'", {"orders": ("n", "k v")}, compat=True),
    "filter on what is made below": Query(
        "select n from (select n, v * 2 as w from orders) where w > 5", {"orders": ("n", "v")}
    ),
    "a column that does both": Query("select v from orders where v > 5", {"orders": ("v", "")}),
    "sort": Query("select n from orders order by v", {"orders": ("n", "")}, compat=True),
    "sort and limit": Query("select n from orders order by v limit 2", {"orders": ("n", "v")}, compat=True),
    "sort and offset": Query("select n from orders order by v offset 2", {"orders": ("n", "v")}),
    "sort, then filter, then limit": Query(
        "select n from (select n, k from orders order by v) where k = 'a' limit 2", {"orders": ("n", "k v")}
    ),
    "sort above a limit": Query(
        "select n from (select * from orders limit 2) order by v", {"orders": ("n", "")}
    ),
    "sort, then numbers by position": Query(
        "select n, monotonically_increasing_id() as i from (select * from orders order by v)",
        {"orders": ("n", "v")},
    ),
    "inner join": Query(
        "select o.v, c.city from orders o join customers c on o.k = c.k",
        {"orders": ("v", "k"), "customers": ("city", "k")},
        compat=True,
    ),
    "full join using": Query(
        "select k, city from orders full join customers using (k)",
        {"orders": ("k", ""), "customers": ("k city", "")},
    ),
    "semi join": Query(
        "select n from orders left semi join customers using (k)",
        {"orders": ("n", "k"), "customers": ("", "k")},
    ),
    "self join": Query(
        "select a.n as x, b.v as y from orders a join orders b on a.k = b.k",
        {"orders": ("n", "k"), "orders#2": ("v", "k")},
        compat=True,
    ),
    "cross join": Query(
        "select o.v from orders o cross join customers c", {"orders": ("v", ""), "customers": ("", "")}
    ),
    "union by position": Query(
        "select k, v from orders union all select city, n from customers",
        {"orders": ("k v", ""), "customers": ("n city", "")},
    ),
    "union of which a column is wanted": Query(
        "select v from (select k, v from orders union all select city, n from customers) where k > 'b'",
        {"orders": ("v", "k"), "customers": ("n", "city")},
        compat=True,
    ),
    "union with itself, the other way round": Query(
        "with q as (select n, v from orders) select n from (select n, v from q union all select v, n from q)",
        {"orders": ("n", ""), "orders#2": ("v", "")},
    ),
    "aggregate with its key": Query(
        "select k, sum(v) s from orders group by k", {"orders": ("k v", "")}, compat=True
    ),
    "aggregate without its key": Query(
        "select sum(v) s from orders group by k", {"orders": ("v", "k")}, compat=True
    ),
    "count of rows": Query("select count(*) c from orders", {"orders": ("", "")}),
    "having": Query("select k from orders group by k having max(v) > 5", {"orders": ("k", "v")}, compat=True),
    "an aggregate that nobody wants": Query(
        "select k from (select k, sum(v) s from orders group by k)", {"orders": ("k", "")}
    ),
    "filtered aggregate": Query(
        "select sum(v) filter (where k = 'a') * 2 s, max(n) m from orders",
        {"orders": ("n v", "k")},
        compat=True,
    ),
    "key of an expression": Query(
        "select k like 'a%' as a, count(*) c from orders group by k like 'a%'", {"orders": ("k", "")}
    ),
    "first of sorted rows": Query(
        "select first(n) f from (select * from orders order by v)", {"orders": ("n", "v")}
    ),
    "distinct": Query("select n from (select distinct n, k from orders)", {"orders": ("n", "k")}),
    "intersect": Query(
        "select k from orders intersect select k from customers",
        {"orders": ("k", ""), "customers": ("", "k")},
    ),
    "except all": Query(
        "select k from orders except all select k from customers",
        {"orders": ("k", ""), "customers": ("k", "")},
    ),
    "rollup": Query(
        "select k, sum(v) s from orders where n > 1 group by rollup(k)", {"orders": ("k v", "n")}, compat=True
    ),
    "cube without its keys": Query(
        "select max(v) m from orders group by cube(k, n)", {"orders": ("v", "n k")}
    ),
    "pivot": Query(
        "select * from (select n, k, v from orders) pivot (sum(v) for k in ('a', 'b'))",
        {"orders": ("n k v", "")},
    ),
    "unpivot": Query(
        "select value from (select n, v, k from orders) unpivot (value for name in (n, v))",
        {"orders": ("n v", "")},
    ),
    "window": Query(
        "select n, sum(v) over (partition by k) s from orders", {"orders": ("n v", "k")}, compat=True
    ),
    "window in a calculation": Query(
        "select v - lag(v) over (partition by k order by n) d from orders", {"orders": ("v", "n k")}
    ),
    "the latest of each": Query(
        "select v from (select *, row_number() over (partition by k order by n desc) r from orders) where r = 1",
        {"orders": ("v", "n k")},
        compat=True,
    ),
    "a window that nobody wants": Query(
        "select n from (select n, rank() over (partition by k order by v) r from orders)",
        {"orders": ("n", "")},
    ),
    "explode": Query(
        "select n, item from baskets lateral view explode(items) as item",
        {"baskets": ("n items", "")},
        compat=True,
    ),
    "explode, the elements not wanted": Query(
        "select n from baskets lateral view explode(items) as item", {"baskets": ("n", "items")}
    ),
    "correlated subqueries": Query(
        "select n from orders o where exists (select 1 from customers c where c.k = o.k) "
        "and v in (select n from customers)",
        {"orders": ("n", "k v")},
        compat=True,
    ),
    "a subquery's value": Query(
        "select (select max(c.city) from customers c where c.k = o.k) as city from orders o",
        {"orders": ("k", "")},
    ),
    "common table expressions": Query(
        "with big as (select k, v from orders where n > 1), sums as (select k, sum(v) s from big group by k) "
        "select s, city from sums join customers using (k)",
        {"orders": ("v", "n k"), "customers": ("city", "k")},
        compat=True,
    ),
}


def question(frame: DataFrame) -> Question:
    spark = frame.sparkSession
    rows = OutputRows(frame._jdf.queryExecution().analyzed(), spark._jsparkSession, None)
    return question_about(spark, rows, lambda _: None)


def used(frame: DataFrame, column: str | None = None) -> Found:
    asked = question(frame)
    lineage = ColumnLineage(asked.catalyst, asked.root, column)
    found = {leaf.name: lineage.of(leaf) for leaf in asked.sources.values()}
    return {name: (" ".join(values), " ".join(deciding)) for name, (values, deciding) in found.items()}


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.compat if q.compat else ()) for n, q in QUERIES.items()]
)
def test_queries(name: str, spark: SparkSession, frames: Frames) -> None:
    assert used(spark.sql(QUERIES[name].text)) == QUERIES[name].expected


CALLS: dict[str, tuple[Any, Found]] = {
    "dropDuplicates on some columns": (
        lambda t: t["orders"].sort("v").dropDuplicates(["k"]).select("n"),
        {"orders": ("n", "k v")},
    ),
    "dropDuplicates": (
        lambda t: t["orders"].select("n", "k").dropDuplicates().select("n"),
        {"orders": ("n", "k")},
    ),
    "sample of sorted rows": (
        lambda t: t["orders"].sort("v").sample(fraction=0.5, seed=1).select("n"),
        {"orders": ("n", "v")},
    ),
    "sorted within what a key put together, and limited": (
        lambda t: t["orders"].repartition(2, "k").sortWithinPartitions("v").limit(2).select("n"),
        {"orders": ("n", "k v")},
    ),
    "repartitioned by a key": (lambda t: t["orders"].repartition(2, "k").select("n"), {"orders": ("n", "")}),
    "hints and aliases": (
        lambda t: t["orders"].alias("o").hint("broadcast").select("o.n"),
        {"orders": ("n", "")},
    ),
    "a function in Python": (
        lambda t: t["orders"].select(F.udf(lambda a, b: a, "int")("v", "n").alias("w")),
        {"orders": ("n v", "")},
    ),
    "an aggregate in Python": (
        lambda t: t["orders"].groupBy("k").agg(_mean("v").alias("m")).select("m"),
        {"orders": ("v", "k")},
    ),
    "nothing known of what a function does": (
        lambda t: (
            t["orders"]
            .sort("k")
            .select("n", "v")
            .mapInPandas(lambda parts: parts, "n int, v int")
            .select("n")
        ),
        {"orders": ("n v", "k")},
    ),
}


def _mean(column: str) -> Any:
    @F.pandas_udf("double")
    def mean(values: pd.Series) -> float:
        return float(values.mean())

    return mean(column)


@pytest.mark.parametrize("name", CALLS)
def test_calls(name: str, frames: Frames) -> None:
    make, expected = CALLS[name]
    assert used(make(frames)) == expected


def test_one_column_of_an_output(spark: SparkSession, frames: Frames) -> None:
    frame = spark.sql(
        "select o.k, sum(v) s, max(city) s from orders o join customers c on o.k = c.k group by o.k"
    )
    assert used(frame, "k") == {"orders": ("k", ""), "customers": ("", "k")}
    assert used(frame, "s") == {"orders": ("v", "k"), "customers": ("", "k")}
    assert used(frame, "s#2") == {"orders": ("", "k"), "customers": ("city", "k")}
    with pytest.raises(UnknownNameError, match="no column 't'"):
        used(frame, "t")


@pytest.mark.compat
def test_a_trace_tells_them_by_the_names_of_its_records(
    session: bigdebug.Session, spark: SparkSession
) -> None:
    twins = spark.createDataFrame(
        [(1, 2, 3), (4, 5, 6)], StructType([StructField(n, LongType()) for n in "aac"])
    )
    trace = session.trace(twins.toDF("x", "y", "z").where("x > 1").select("y"))
    (source,) = trace.sources
    assert (source.columns, source.deciding_columns) == (("a#2",), ("a",))
    (record,) = trace.collect()
    assert record.value == {"a": 4, "a#2": 5, "c": 6}


def test_only_columns_that_are_shown(session: bigdebug.Session, spark: SparkSession, tmp_path: Any) -> None:
    place = tmp_path / "odd.csv"
    place.write_text("1,a,1\n2,b,x\n3,c,3\n")
    odd = spark.read.csv(str(place), schema="n int, t string, m int", mode="DROPMALFORMED")
    (source,) = session.trace(odd.where("n > 1").select("t")).sources
    assert (source.columns, source.deciding_columns) == (("t",), ("n",))


def test_outputs_of_a_forward_trace_have_none(session: bigdebug.Session, spark: SparkSession) -> None:
    numbers = spark.range(4)
    numbers.where("id > 1").collect()
    (output,) = session.trace(numbers, direction="forward").sources
    assert (output.count, output.columns, output.deciding_columns) == (2, (), ())


OF_COLUMNS = {
    "k": {"orders": (("k",), ("n",)), "customers": ((), ("k",))},
    "total": {"orders": (("v",), ("n", "k")), "customers": ((), ("k",))},
    "Best": {"orders": ((), ("n", "k")), "customers": (("city",), ("k",))},
    "one": {"orders": ((), ("n", "k")), "customers": ((), ("k",))},
}


@pytest.mark.compat
def test_a_trace_tells_them_of_one_column(
    session: bigdebug.Session, spark: SparkSession, frames: Frames
) -> None:
    totals = spark.sql(
        "select o.k, sum(v) as total, max(city) as best, 1 as one "
        "from orders o join customers c on o.k = c.k where o.n > 0 group by o.k"
    )
    totals.collect()
    index = session.index(session.outputs[-1])
    for column, expected in OF_COLUMNS.items():
        traces = [
            session.trace(totals, "k = 'a'", column=column),
            session.trace(session.outputs[-1], "k = 'a'", column=column),
            index.trace("k = 'a'", column=column),
        ]
        for trace in traces:
            found = {s.name: (set(s.columns), set(s.deciding_columns)) for s in trace.sources}
            assert found == {name: (set(one), set(two)) for name, (one, two) in expected.items()}
            assert [source.count for source in trace.sources] == [2, 1], "the records are the same"
    content = json.loads(index._manifest.to_bytes())
    for each in content["columns"]:
        del each["rests_on"]  # as it was written before
    old = Index(index._store, Manifest.from_bytes(json.dumps(content).encode()))
    assert old.trace("k = 'a'").sources[0].columns == ("k", "v")
    with pytest.raises(NeedsSparkError, match="before indexes told"):
        old.trace("k = 'a'", column="k")
    for ask in (session.trace, lambda data, **more: index.trace(**more)):
        with pytest.raises(UnknownNameError, match="no column 'totl'") as told:
            ask(totals, column="totl")
        assert told.value.hint == "did you mean total? the columns are: k, total, best, one"


def test_elements_have_no_columns(session: bigdebug.Session, spark: SparkSession) -> None:
    numbers = spark.sparkContext.parallelize([1, 2])
    with pytest.raises(BigDebugError, match="no columns"):
        session.trace(numbers, column="total")
    with pytest.raises(BigDebugError, match="backward"):
        session.trace(spark.range(3), column="id", direction="forward")
