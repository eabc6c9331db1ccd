"""One small pipeline for each operator, and by hand the very records its rows came from."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import IntegerType

import bigdebug
from bigdebug.lineage.errors import UnsupportedOperatorError

Frames = dict[str, DataFrame]
Expected = dict[str, set[int]]

ORDERS = [(1, "a", 10), (2, "a", 20), (3, "b", 5), (4, None, 7), (5, "b", None), (6, "c", 1)]
CUSTOMERS = [(1, "a", "Rome"), (2, "b", "Oslo"), (3, None, "Nice"), (4, "d", "Bonn")]
BASKETS = [(1, ["x", "y"]), (2, ["y"]), (3, []), (4, None)]


@pytest.fixture(scope="module")
def session(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[bigdebug.Session]:
    attached = bigdebug.attach(spark, store=str(tmp_path_factory.mktemp("store")))
    yield attached
    attached.detach()


@pytest.fixture(scope="module")
def frames(session: bigdebug.Session, spark: SparkSession) -> Iterator[Frames]:
    """Three temporary views; in each, `n` tells the records apart."""
    made = {
        "orders": spark.createDataFrame(ORDERS, "n int, k string, v int"),
        "customers": spark.createDataFrame(CUSTOMERS, "n int, k string, city string"),
        "baskets": spark.createDataFrame(BASKETS, "n int, items array<string>"),
    }
    for name, frame in made.items():
        frame.createOrReplaceTempView(name)
    yield {name: spark.table(name) for name in made}
    for name in made:
        spark.catalog.dropTempView(name)


def came_from(session: bigdebug.Session, frame: DataFrame, where: Any) -> Expected:
    found: Expected = {}
    for record in session.trace(frame, where).collect():
        found.setdefault(record.source, set()).add(record.value["n"])
    return found


class Rule(NamedTuple):
    """A query, which of its rows are asked about, and the numbers of the records behind them, by source."""

    query: str
    where: str
    expected: Expected
    compat: bool = False


RULES = {
    "project": Rule("select v + 1 as w from orders", "w = 21", {"orders": {2}}),
    "filter": Rule("select * from orders where v > 5", "v = 7", {"orders": {4}}),
    "inner join": Rule(
        "select o.v, c.city from orders o join customers c on o.k = c.k",
        "v = 5",
        {"orders": {3}, "customers": {2}},
        compat=True,
    ),
    "left join, matched": Rule(
        "select o.v, c.city from orders o left join customers c on o.k = c.k",
        "city = 'Rome'",
        {"orders": {1, 2}, "customers": {1}},
    ),
    "left join, unmatched": Rule(
        "select o.v, c.city from orders o left join customers c on o.k = c.k",
        "city is null",
        {"orders": {4, 6}},
        compat=True,
    ),
    "right join, unmatched": Rule(
        "select o.v, c.city from orders o right join customers c on o.k = c.k",
        "v is null",
        {"orders": {5}, "customers": {2, 3, 4}},
    ),
    "full join using": Rule(
        "select * from orders full join customers using (k)",
        "k is null or k = 'd'",
        {"orders": {4}, "customers": {3, 4}},
        compat=True,
    ),
    "full join of two aggregates": Rule(
        "select a.k, s, m from (select k, sum(v) s from orders group by k) a "
        "full join (select k, max(city) m from customers group by k) b on a.k = b.k",
        "k is null or k = 'c'",
        {"orders": {4, 6}, "customers": {3, 4}},
    ),
    "left join to an aggregate of everything": Rule(
        "select o.n as o, t.s from orders o left join (select sum(v) s from orders) t on o.v > t.s",
        "o = 1",
        {"orders": {1}},
    ),
    "null-safe join": Rule(
        "select o.v, c.city from orders o join customers c on o.k <=> c.k",
        "city = 'Nice'",
        {"orders": {4}, "customers": {3}},
    ),
    "cross join": Rule(
        "select o.n as o, c.n as c from orders o cross join customers c",
        "o = 1 and c = 4",
        {"orders": {1}, "customers": {4}},
    ),
    "natural join": Rule(
        "select * from (select k, v from orders) natural join (select k, n as m, n from customers)",
        "v = 10",
        {"orders": {1}, "customers": {1}},
    ),
    "semi join": Rule(
        "select * from orders left semi join customers using (k)", "k = 'b'", {"orders": {3, 5}}, compat=True
    ),
    "anti join": Rule("select * from orders left anti join customers using (k)", "true", {"orders": {4, 6}}),
    "self join": Rule(
        "select a.n as x, b.n as y from orders a join orders b on a.k = b.k and a.n < b.n",
        "x = 3",
        {"orders": {3}, "orders#2": {5}},
    ),
    "aggregate": Rule(
        "select k, sum(v) s from orders group by k", "s = 30", {"orders": {1, 2}}, compat=True
    ),
    "aggregate, null key": Rule("select k, sum(v) s from orders group by k", "k is null", {"orders": {4}}),
    "aggregate of everything": Rule(
        "select count(*) c from orders where v > 5", "true", {"orders": {1, 2, 4}}
    ),
    "aggregate, no row asked for": Rule("select count(*) c from orders", "c = 0", {}),
    "having": Rule(
        "select k from orders group by k having count(*) > 1 and max(v) = 5", "true", {"orders": {3, 5}}
    ),
    "nested aggregates": Rule(
        "select c, count(*) d from (select k, count(*) c from orders group by k) group by c",
        "c = 1",
        {"orders": {4, 6}},
        compat=True,
    ),
    "distinct and filtered aggregates": Rule(
        "select k, count(distinct v) d, sum(v) filter (where v > 10) s from orders group by k",
        "s = 20",
        {"orders": {1, 2}},
    ),
    "group by an expression": Rule(
        "select v > 6 as big, count(*) c from orders group by v > 6", "big", {"orders": {1, 2, 4}}
    ),
    "group by all": Rule("select k, max(v) m from orders group by all", "m = 1", {"orders": {6}}),
    "union all": Rule(
        "select k from orders union all select k from customers",
        "k = 'a' or k = 'd'",
        {"orders": {1, 2}, "customers": {1, 4}},
        compat=True,
    ),
    "union": Rule(
        "select k from orders union select k from customers", "k = 'a'", {"orders": {1, 2}, "customers": {1}}
    ),
    "intersect": Rule(
        "select k from orders intersect select k from customers", "k is null", {"orders": {4}}
    ),
    "intersect all": Rule(
        "select k from orders intersect all select k from customers",
        "k = 'b'",
        {"orders": {3, 5}, "customers": {2}},
    ),
    "except": Rule("select k from orders except select k from customers", "true", {"orders": {6}}),
    "except all": Rule(
        "select k from orders except all select k from customers",
        "k = 'a'",
        {"orders": {1, 2}, "customers": {1}},
    ),
    "sort and limit": Rule(
        "select * from orders order by v desc limit 2", "true", {"orders": {1, 2}}, compat=True
    ),
    "distinct": Rule("select distinct k from orders", "k = 'b'", {"orders": {3, 5}}),
    "count distinct of everything": Rule("select count(distinct k) c from orders", "c = 3", {"orders": {*range(1, 7)}}),
    "rank window": Rule(
        "select *, rank() over (partition by k order by v) r from orders", "r = 2", {"orders": {2, 3}}
    ),
    "window above an aggregate": Rule(
        "select k, sum(v) s, rank() over (order by sum(v) desc nulls last) r from orders group by k",
        "r = 1",
        {"orders": {1, 2}},
        compat=True,
    ),
    "explode": Rule(
        "select n as b, explode(items) i from baskets", "i = 'y'", {"baskets": {1, 2}}, compat=True
    ),
    "explode outer": Rule(
        "select n as b, explode_outer(items) i from baskets", "i is null", {"baskets": {3, 4}}
    ),
    "lateral view, aggregated": Rule(
        "select i, count(*) c from baskets lateral view explode(items) e as i group by i",
        "c = 2",
        {"baskets": {1, 2}},
    ),
    "posexplode": Rule("select posexplode(items) as (p, i) from baskets", "p = 1", {"baskets": {1}}),
    "inline": Rule("select inline(array(s)) from (select struct(k as a, v) s from orders)", "a = 'c'", {"orders": {6}}),
    "rollup": Rule(
        "select k, grouping_id() g, sum(v) s from orders group by rollup(k)",
        "g = 1",
        {"orders": {*range(1, 7)}},
        compat=True,
    ),
    "rollup, null that is a key": Rule(
        "select k, grouping_id() g, sum(v) s from orders group by rollup(k)",
        "g = 0 and k is null",
        {"orders": {4}},
    ),
    "cube": Rule(
        "select k, v, grouping_id() g from orders group by cube(k, v)", "g = 2 and v = 20", {"orders": {2}}
    ),
    "grouping sets": Rule(
        "select k, v, grouping_id() g from orders group by grouping sets ((k), (v))",
        "k = 'a'",
        {"orders": {1, 2}},
    ),
    "pivot": Rule(
        "select * from (select k, v, n % 2 as odd from orders) pivot (sum(v) for odd in (0 as even, 1 as odd))",
        "k = 'a'",
        {"orders": {1, 2}},
    ),
    "unpivot": Rule(
        "select * from (select n as m, v, n as w from orders) unpivot (x for name in (v, w))",
        "name = 'w' and x = 5",
        {"orders": {5}},
    ),
    "common table expression twice": Rule(
        "with big as (select * from orders where v > 5) "
        "select a.v as x, b.v as y from big a join big b on a.v < b.v",
        "x = 10",
        {"orders": {1}, "orders#2": {2}},
        compat=True,
    ),
    "in subquery": Rule(
        "select * from orders where k in (select k from customers where city = 'Rome')",
        "v = 20",
        {"orders": {2}},
        compat=True,
    ),
    "not in, with nulls": Rule(
        "select * from orders where k not in (select k from customers where k is not null)",
        "true",
        {"orders": {6}},
    ),
    "exists": Rule(
        "select * from orders o where exists (select 1 from customers c where c.k = o.k and city = 'Oslo')",
        "true",
        {"orders": {3, 5}},
    ),
    "scalar subquery": Rule(
        "select * from orders where v = (select max(v) from orders)", "true", {"orders": {2}}
    ),
    "correlated scalar subquery": Rule(
        "select n as m, (select max(city) from customers c where c.k = o.k) city from orders o",
        "city = 'Rome'",
        {"orders": {1, 2}},
    ),
    "hint and alias": Rule(
        "select /*+ broadcast(c) */ o.v from orders o join customers c on o.k = c.k",
        "v = 5",
        {"orders": {3}, "customers": {2}},
    ),
}  # fmt: skip


def _marked(rules: dict[str, Rule]) -> list[Any]:
    return [
        pytest.param(rule, id=name, marks=[pytest.mark.compat] if rule.compat else [])
        for name, rule in rules.items()
    ]


@pytest.mark.parametrize("rule", _marked(RULES))
def test_sql_rows_came_from(
    session: bigdebug.Session, spark: SparkSession, frames: Frames, rule: Rule
) -> None:
    assert came_from(session, spark.sql(rule.query), rule.where) == rule.expected


class Calls(NamedTuple):
    """The same for DataFrame calls."""

    make: Callable[[Frames], DataFrame]
    where: str
    expected: Expected
    compat: bool = False


@F.udf(IntegerType())
def _plain(v: int | None) -> int | None:
    return None if v is None else v * 2


@F.pandas_udf(IntegerType())  # type: ignore[call-overload]
def _vectorized(v: pd.Series) -> pd.Series:
    return v * 2


CALLS = {
    "select and filter": Calls(
        lambda f: f["orders"].filter(F.col("v") > 5).select((F.col("v") * 2).alias("w")),
        "w = 40",
        {"orders": {2}},
    ),
    "join with duplicate names": Calls(
        lambda f: f["orders"].join(f["customers"], f["orders"].k == f["customers"].k),
        "city = 'Oslo'",
        {"orders": {3, 5}, "customers": {2}},
        compat=True,
    ),
    "groupBy": Calls(
        lambda f: f["orders"].groupBy("k").agg(F.sum("v").alias("s")), "s = 30", {"orders": {1, 2}}
    ),
    "union by name with missing columns": Calls(
        lambda f: f["orders"].unionByName(f["customers"], allowMissingColumns=True),
        "city = 'Rome' or v = 1",
        {"orders": {6}, "customers": {1}},
        compat=True,
    ),
    "dropDuplicates over all columns": Calls(
        lambda f: f["orders"].select("k").dropDuplicates(), "k = 'a'", {"orders": {1, 2}}
    ),
    "plain Python UDF": Calls(
        lambda f: f["orders"].select(_plain("v").alias("w")), "w = 40", {"orders": {2}}, compat=True
    ),
    "pandas UDF, in a filter": Calls(
        lambda f: f["orders"].filter(_vectorized("v") > 20), "true", {"orders": {2}}
    ),
    "grouping by a Python UDF": Calls(
        lambda f: f["orders"].groupBy((_plain("v") > 12).alias("big")).count(), "big", {"orders": {1, 2, 4}}
    ),
    "cached": Calls(
        lambda f: f["orders"].filter("v > 1").cache().groupBy("k").count(), "k = 'a'", {"orders": {1, 2}}
    ),
    "repartition and sort": Calls(
        lambda f: f["orders"].repartition(3).sort("v").coalesce(1).sortWithinPartitions("k"),
        "v = 7",
        {"orders": {4}},
    ),
    "pivot": Calls(
        lambda f: f["orders"].withColumn("odd", F.col("n") % 2).groupBy("k").pivot("odd").agg(F.max("v")),
        "k = 'b'",
        {"orders": {3, 5}},
    ),
    "melt": Calls(
        lambda f: f["orders"].melt(["k"], ["n", "v"], "name", "value"), "value = 20", {"orders": {2}}
    ),
    "rollup": Calls(lambda f: f["orders"].rollup("k").count(), "k = 'b'", {"orders": {3, 5}}),
    "as-of join": Calls(
        lambda f: f["orders"]._joinAsOf(f["customers"], f["orders"].v, f["customers"].n, direction="nearest"),
        "v = 20",
        {"orders": {2}, "customers": {4}},
    ),
    "na and stat helpers": Calls(
        lambda f: f["orders"].na.fill({"v": 0}).na.drop(subset=["k"]).replace("a", "A", subset=["k"]),
        "k = 'A'",
        {"orders": {1, 2}},
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    "calls",
    [pytest.param(c, id=name, marks=[pytest.mark.compat] if c.compat else []) for name, c in CALLS.items()],
)
def test_calls_rows_came_from(session: bigdebug.Session, frames: Frames, calls: Calls) -> None:
    try:
        assert came_from(session, calls.make(frames), calls.where) == calls.expected
    finally:
        frames["orders"].sparkSession.catalog.clearCache()


# -- operators that go by position or by chance -----------------------------------------------------

VARYING = {
    "sample": Calls(lambda f: f["orders"].sample(fraction=0.5, seed=1), "Sample", {}),
    "offset": Calls(lambda f: f["orders"].offset(2), "Offset", {}),
    "limit": Calls(lambda f: f["orders"].limit(2), "Limit", {}),
    "limit among ties": Calls(lambda f: f["orders"].orderBy("k").limit(2), "Limit", {}),
    "rand": Calls(lambda f: f["orders"].filter(F.rand(3) >= 0), "rand", {}),
    "first": Calls(lambda f: f["orders"].groupBy("k").agg(F.first("v")), "first", {}),
    "max_by": Calls(lambda f: f["orders"].groupBy("k").agg(F.max_by("v", "k")), "max_by", {}),
    "collect_list": Calls(lambda f: f["orders"].groupBy("k").agg(F.collect_list("v")), "collect_list", {}),
    "dropDuplicates": Calls(lambda f: f["orders"].dropDuplicates(["k"]), "Deduplicate", {}),
    "row_number": Calls(
        lambda f: f["orders"].selectExpr("*", "row_number() over (partition by k order by k) r"), "row_number", {}
    ),
    "sum over rows": Calls(
        lambda f: f["orders"].selectExpr(
            "*", "sum(v) over (partition by k order by k rows between 1 preceding and current row) r"
        ),
        "Window",
        {},
    ),
    "monotonically_increasing_id": Calls(
        lambda f: f["orders"].withColumn("i", F.monotonically_increasing_id()), "monotonically_increasing_id", {}
    ),
    "rand in a subquery": Calls(
        lambda f: f["orders"].sparkSession.sql(
            "select * from orders where v > (select max(m) from (select v * rand(1) as m from orders))"
        ),
        "rand",
        {},
    ),
    "limit in a subquery": Calls(
        lambda f: f["orders"].sparkSession.sql("select * from orders where k in (select k from customers limit 1)"),
        "Limit",
        {},
    ),
    "nondeterministic Python UDF": Calls(
        lambda f: f["orders"].withColumn("w", F.udf(lambda v: v, "int").asNondeterministic()("v")),
        "deterministic",
        {},
    ),
}  # fmt: skip


@pytest.mark.parametrize("calls", VARYING.values(), ids=VARYING)
def test_what_may_vary_is_marked(session: bigdebug.Session, frames: Frames, calls: Calls) -> None:
    frame = calls.make(frames)
    trace = session.trace(frame)
    assert not trace.exact
    assert any(calls.where in note for note in trace.notes), trace.notes
    assert trace.matched == frame.count()


def test_a_limit_that_could_only_give_these_rows_is_exact(session: bigdebug.Session, frames: Frames) -> None:
    assert session.trace(frames["orders"].orderBy("n").limit(2)).exact
    assert session.trace(frames["orders"].limit(100)).exact
    assert session.trace(frames["orders"].limit(0)).exact
    judged = "select * from orders o where exists (select 1 from customers c where c.k = o.k)"
    assert session.trace(frames["orders"].sparkSession.sql(judged).limit(4)).exact


def test_a_limit_in_a_correlated_subquery_isnt_looked_up(session: bigdebug.Session, frames: Frames) -> None:
    frame = frames["orders"].sparkSession.sql(
        "select * from orders o where v > (select max(x) from (select c.n x from customers c "
        "where c.k = o.k order by c.n limit 1))"
    )
    assert not session.trace(frame).exact


def test_zeros_of_either_sign_tie(session: bigdebug.Session, spark: SparkSession) -> None:
    frame = spark.createDataFrame([(1, 0.0), (2, -0.0), (3, 1.0)], "n int, d double")
    assert not session.trace(frame.orderBy("d").limit(1)).exact
    assert session.trace(frame.orderBy("d").limit(2)).exact


def test_drop_duplicates_names_the_record_that_survived(session: bigdebug.Session, frames: Frames) -> None:
    frame = frames["orders"].dropDuplicates(["k"])
    for row in frame.collect():
        assert came_from(session, frame, F.col("n") == row.n) == {"orders": {row.n}}


# -- keys that are hard to find again ---------------------------------------------------------------


@pytest.mark.compat
def test_keys_that_python_or_equality_would_lose(session: bigdebug.Session, spark: SparkSession) -> None:
    keys = {
        "invalid UTF-8": "cast(unhex('ff') as string)",
        "null": "cast(null as string)",
        "NaN": "double('NaN')",
        "zero": "-0.0D",
        "the hour that comes twice": "timestamp '2024-11-03 05:30:00 UTC'",
        "the hour that comes twice, again": "timestamp '2024-11-03 06:30:00 UTC'",
        "year 0": "to_timestamp('0000-06-01', 'yyyy-MM-dd') - interval 1 year",
        "struct of nulls": "named_struct('a', cast(null as int), 'a', double('NaN'))",
        "array": "array(1.5D, -0.0D, double('NaN'), null)",
        "year-month interval": "interval '1-2' year to month",
        "decimal": "cast('12345678901234567890.123456789' as decimal(38, 9))",
        "binary": "unhex('00ff')",
    }
    zone = spark.conf.get("spark.sql.session.timeZone")
    spark.conf.set("spark.sql.session.timeZone", "America/New_York")
    try:
        for name, key in keys.items():
            frame = spark.range(4).selectExpr("id as n", f"if(id < 2, {key}, null) as k").groupBy("k").count()
            where = F.expr(f"k <=> {key}")
            records = session.trace(frame, where).collect()
            expected = {0, 1, 2, 3} if name == "null" else {0, 1}
            assert {record.value["id"] for record in records} == expected, name
    finally:
        spark.conf.set("spark.sql.session.timeZone", zone)


def test_both_zeros_are_one_group(session: bigdebug.Session, spark: SparkSession) -> None:
    frame = spark.createDataFrame([(1, 0.0), (2, -0.0), (3, 1.0)], "n int, d double").groupBy("d").count()
    trace = session.trace(frame, "cast(d as string) = '0.0'")
    assert trace.matched == 1
    assert {record.value["n"] for record in trace.collect()} == {1, 2}


@pytest.mark.compat
def test_keys_that_a_files_statistics_would_lose(
    session: bigdebug.Session, spark: SparkSession, tmp_path: Path
) -> None:
    rows = [(1, -0.0), (2, float("nan")), (3, 1.5), (4, None), (5, float("nan")), (6, -0.0)]
    spark.createDataFrame(rows, "n int, d double").coalesce(1).write.parquet(str(tmp_path / "data"))
    frame = spark.read.parquet(str(tmp_path / "data")).groupBy("d").count()
    for where, numbers in (("d = 0", {1, 6}), ("isnan(d)", {2, 5}), ("d = 1.5", {3}), ("d is null", {4})):
        trace = session.trace(frame, where)
        assert trace.matched == 1
        assert {record.value["n"] for record in trace.collect()} == numbers


@pytest.mark.compat
def test_session_windows(session: bigdebug.Session, spark: SparkSession) -> None:
    frame = spark.createDataFrame(
        [(1, "a", "2024-01-01 00:00:00"), (2, "a", "2024-01-01 00:04:00"), (3, "a", "2024-01-01 01:00:00"),
         (4, "b", "2024-01-01 00:01:00")],
        "n int, k string, t string",
    ).withColumn("t", F.to_timestamp("t"))  # fmt: skip
    windows = frame.groupBy("k", F.session_window("t", "5 minutes").alias("w")).count()
    trace = session.trace(windows, "k = 'a' and count = 2")
    assert {record.value["n"] for record in trace.collect()} == {1, 2}


def test_sliding_windows(session: bigdebug.Session, spark: SparkSession) -> None:
    frame = spark.createDataFrame(
        [(1, "2024-01-01 00:00:00"), (2, "2024-01-01 00:06:00"), (3, "2024-01-01 00:20:00")],
        "n int, t string",
    ).withColumn("t", F.to_timestamp("t"))
    windows = frame.groupBy(F.window("t", "10 minutes", "5 minutes").alias("w")).count()
    trace = session.trace(windows, "w.start = timestamp '2024-01-01 00:00:00'")
    assert {record.value["n"] for record in trace.collect()} == {1, 2}


# -- what is refused --------------------------------------------------------------------------------

REFUSED: dict[str, tuple[Callable[[Frames], DataFrame], str]] = {
    "mapInPandas": (
        lambda f: f["orders"].mapInPandas(lambda parts: parts, "n int, k string, v int"),
        "MapInPandas",
    ),
    "applyInPandas": (
        lambda f: f["orders"].groupBy("k").applyInPandas(lambda part: part, "n int, k string, v int"),
        "FlatMapGroupsInPandas",
    ),
    "lateral join": (
        lambda f: f["orders"].sparkSession.sql(
            "select * from orders o, lateral (select max(city) from customers c where c.k = o.k)"
        ),
        "LateralJoin",
    ),
    "map key": (lambda f: f["orders"].groupBy(F.create_map("k", "v")).count(), "map<"),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_what_isnt_understood_is_refused_by_name_and_place(
    session: bigdebug.Session, frames: Frames, case: tuple[Callable[[Frames], DataFrame], str]
) -> None:
    make, name = case
    frame = make(frames)
    with pytest.raises(UnsupportedOperatorError) as refused:
        session.trace(frame.limit(3))
    assert name in refused.value.message
    assert "test_rules.py:" in refused.value.message
    assert refused.value.hint


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_cached_source(
    session: bigdebug.Session, spark: SparkSession, frames: Frames, tmp_path: Path, kind: str
) -> None:
    frames["orders"].repartition(2, "n").write.format(kind).save(str(tmp_path / "data"))
    schema = "n int, k string, v int"
    cached = spark.read.format(kind).schema(schema).load(str(tmp_path / "data")).cache()
    try:
        assert cached.count() == 6
        trace = session.trace(cached.groupBy("k").count(), "k = 'a'")
        records = trace.collect()
        assert {record.value["n"] for record in records} == {1, 2}
        for record in records:
            file = record.location.file
            assert file is not None
            again = spark.read.format(kind).schema(schema).load(file).collect()
            assert again[record.location.position or 0].n == record.value["n"]
    finally:
        spark.catalog.clearCache()
