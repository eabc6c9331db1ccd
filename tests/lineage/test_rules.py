"""One small query for each operator, and by hand the very records its rows came from."""

from typing import Any, NamedTuple

import pytest
from pyspark.sql import SparkSession

import bigdebug
from tests.lineage.origins import Expected, Frames, came_from


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
    "in subquery, or": Rule(
        "select * from orders where k in (select k from customers) or v = 1", "k <> 'a'", {"orders": {3, 5, 6}}
    ),
    "exists, or": Rule(
        "select * from orders o where exists (select 1 from customers c where c.k = o.k) or v = 7",
        "k is null or v = 5",
        {"orders": {3, 4}},
    ),
    "common table expression in a subquery": Rule(
        "select * from orders where k in (with c as (select k from customers where n = 2) select k from c)",
        "true",
        {"orders": {3, 5}},
    ),
    "grouping by a scalar subquery and a literal": Rule(
        "select (select max(n) from customers) m, count(*) c from orders group by (select max(n) from customers), 'x'",
        "c = 6",
        {"orders": {*range(1, 7)}},
    ),
    "order by an aggregate that isn't selected": Rule(
        "select k from orders group by k order by sum(v) desc nulls last", "k = 'a'", {"orders": {1, 2}}
    ),
    "order by a column that isn't selected": Rule("select k from orders order by v", "k = 'c'", {"orders": {6}}),
    "union of different types": Rule(
        "select v from orders union all select n + 0.5 from customers",
        "v = 7 or v = 2.5",
        {"orders": {4}, "customers": {2}},
    ),
    "map column": Rule(
        "select map(k, v) m, n as j from orders where k is not null", "m['a'] = 20", {"orders": {2}}
    ),
    "pipes": Rule(
        "from orders |> where v > 5 |> aggregate sum(v) s group by k |> where s > 7", "true", {"orders": {1, 2}}
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


FUNCTIONS = {
    "of a value": ("more(x int) returns int return x + 1", "select more(v) w from orders", "w = 21", {2}),
    "of a subquery": (
        "most() returns int return (select max(v) from orders)", "select v from orders where v = most()", "true", {2}
    ),
    "of rows": (
        "cheap(m int) returns table(n int, k string) return select n, k from orders where v < m",
        "select k from cheap(6)",
        "k = 'b'",
        {3},
    ),
}  # fmt: skip


@pytest.mark.usefixtures("frames")
@pytest.mark.parametrize("case", FUNCTIONS.values(), ids=FUNCTIONS)
def test_functions_written_in_sql(
    session: bigdebug.Session, spark: SparkSession, case: tuple[str, str, str, set[int]]
) -> None:
    function, query, where, expected = case
    spark.sql(f"create temporary function {function}")
    try:
        assert came_from(session, spark.sql(query), where) == {"orders": expected}
    finally:
        spark.sql(f"drop temporary function {function.partition('(')[0]}")
