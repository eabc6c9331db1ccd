"""Queries that together use the clauses of Spark's SQL and the methods of its DataFrames, over three small tables."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame, Observation, SparkSession, Window
from pyspark.sql import functions as F

TABLES: dict[str, tuple[str, list[tuple[Any, ...]]]] = {
    "sales": (
        "id int, region string, product string, day date, qty int, price decimal(8,2), tags array<string>, "
        "attrs map<string,string>, info struct<a:int,b:string>, note string",
        [
            (
                n,
                ["north", "south", "east", None][n % 4],
                f"p{n % 5}",
                datetime.date(2024, 1 + n % 3, 1 + n),
                n % 7 if n % 6 else None,
                Decimal(n * 3) / 2,
                [["a"], ["a", "b"], [], None][n % 4],
                {"k": str(n % 3)},
                (n % 2, f"b{n % 3}"),
                f'{{"x": {n}, "y": "v{n % 2}"}}',
            )
            for n in range(24)
        ],
    ),
    "products": (
        "product string, category string, cost int",
        [("p0", "x", 3), ("p1", "x", 5), ("p2", "y", 1), ("p3", None, 2), ("p9", "z", 9)],
    ),
    "regions": (
        "region string, name string, parent string",
        [("north", "North", "all"), ("south", "South", "all"), ("all", "All", None), ("west", "West", "all")],
    ),
}


@dataclass(frozen=True)
class Query:
    """A query to be traced and judged.

    Attributes:
        make: gives its frame.
        exact: whether its traces are.
        windows: it has windows, whose partitions are part of what its rows hang on.
        since: the first version of Spark that has what it uses.
        text: the query, where it is SQL.
    """

    make: Callable[[SparkSession], DataFrame]
    exact: bool = True
    windows: bool = False
    since: tuple[int, int] = (4, 0)
    text: str | None = None


def sql(text: str, **more: Any) -> Query:
    return Query(lambda spark: spark.sql(text), text=text, **more)


def calls(make: Callable[[DataFrame, DataFrame, DataFrame], DataFrame], **more: Any) -> Query:
    """A query made of the three tables' frames."""
    return Query(lambda spark: make(*(spark.table(name) for name in TABLES)), **more)


def create(spark: SparkSession, folder: Path) -> None:
    """Write the tables, a Parquet file each, and name them by temporary views."""
    for name, (schema, rows) in TABLES.items():
        place = str(folder / name)
        spark.createDataFrame(rows, schema).coalesce(1).write.parquet(place)
        spark.read.parquet(place).createOrReplaceTempView(name)


def _double(group: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({"product": group["product"][:1], "twice": [float(group["qty"].sum()) * 2]})


def _counts(left: pd.DataFrame, right: pd.DataFrame) -> pd.DataFrame:
    names = [*left["product"], *right["product"]]
    return pd.DataFrame({"product": names[:1], "l": [len(left)], "r": [len(right)]})


def _each(parts: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    for part in parts:
        yield part[["id", "qty"]]


def _first_of_arrow(table: pa.Table) -> pa.Table:
    return table.slice(0, 1)


def _each_arrow(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    yield from batches


SQL = {
    "projection": sql("select id + 1 as i, upper(region) r from sales"),
    "star except": sql("select * except (attrs, note) from sales where id % 3 = 0"),
    "distinct": sql("select distinct region, info.b from sales"),
    "case": sql(
        "select id, case when qty > 3 then 'many' when qty is null then '?' else 'few' end c from sales"
    ),
    "group by": sql("select region, sum(qty) s, avg(price) a, count(*) n from sales group by region"),
    "group by ordinal and having": sql(
        "select product, max(qty) m from sales group by 1 having count(*) > 4"
    ),
    "group by all": sql("select region, product, count(*) n from sales group by all"),
    "group by alias": sql("select month(day) as m, sum(price) s from sales group by m"),
    "global aggregate": sql("select count(*), sum(qty), min(day), max(note) from sales"),
    "distinct and filter aggregates": sql(
        "select region, count(distinct product) d, sum(qty) filter (where qty > 2) f from sales group by region"
    ),
    "statistics": sql(
        "select product, stddev(qty) s, percentile(qty, 0.5) p, median(id) m from sales group by product"
    ),
    "sorted lists": sql("select region, array_sort(collect_list(id)) ids from sales group by region"),
    "max_by": sql("select region, max(struct(qty, id)) best from sales group by region"),
    "rollup": sql("select region, product, sum(qty) s from sales group by rollup (region, product)"),
    "cube": sql(
        "select region, month(day) m, count(*) n, grouping_id() g from sales group by cube (region, month(day))"
    ),
    "grouping sets": sql(
        "select region, product, sum(price) s from sales group by grouping sets ((region), (product), ())"
    ),
    "order and limit": sql("select id, price from sales order by id desc limit 5"),
    "offset": sql("select id from sales order by id limit 4 offset 3", exact=False),
    "sort by and distribute by": sql("select id, region from sales distribute by region sort by id"),
    "cluster by": sql("select id, product from sales cluster by product"),
    "inner join": sql(
        "select s.id, p.category, s.qty * p.cost c from sales s join products p on s.product = p.product"
    ),
    "left join": sql("select id, category from sales left join products using (product)"),
    "right join": sql(
        "select product, sum(qty) s from sales right join products using (product) group by product"
    ),
    "full join": sql(
        "select coalesce(s.product, p.product) x, count(id) n, max(cost) c from sales s full join products p "
        "on s.product = p.product group by 1"
    ),
    "cross join": sql("select id, name from sales cross join regions where id < 3"),
    "semi join": sql("select * except (attrs) from sales left semi join products using (product)"),
    "anti join": sql("select id, product from sales left anti join products using (product)"),
    "natural join": sql("select id, cost from (select id, product from sales) natural join products"),
    "non-equi join": sql(
        "select s.id, p.product from sales s join products p on s.qty < p.cost and s.id < 6"
    ),
    "null-safe join": sql("select s.id, r.name from sales s join regions r on s.region <=> r.parent"),
    "self join": sql(
        "select a.id, b.id other from sales a join sales b on a.id + 1 = b.id and a.qty < b.qty"
    ),
    "three joins": sql(
        "select r.name, p.category, sum(s.price) v from sales s join products p using (product) "
        "join regions r on r.region = s.region group by r.name, p.category"
    ),
    "lateral join": sql(
        "select s.id, t.c from sales s, lateral (select cost + s.qty c from products p where p.product = s.product) t"
    ),
    "lateral aggregate": sql(
        "select r.region, t.n from regions r left join lateral (select sum(qty) n from sales s where s.region = r.region) t"
    ),
    "union all": sql("select product from sales where id < 3 union all select product from products"),
    "union": sql("select product from sales union select product from products"),
    "intersect": sql("select product from sales intersect select product from products"),
    "intersect all": sql("select product from sales intersect all select product from products"),
    "except": sql("select product from sales except select product from products"),
    "except all": sql("select product from sales where id < 10 except all select product from products"),
    "in subquery": sql("select id from sales where product in (select product from products where cost > 2)"),
    "not in subquery": sql(
        "select id from sales where product not in (select product from products where cost > 2)"
    ),
    "exists": sql("select id from sales s where exists (select 1 from regions r where r.region = s.region)"),
    "not exists": sql(
        "select id from sales s where not exists (select 1 from products p where p.product = s.product)"
    ),
    "scalar subquery": sql("select id, qty - (select avg(cost) from products) d from sales"),
    "correlated scalar": sql(
        "select id, (select max(cost) from products p where p.product = s.product) c from sales s"
    ),
    "subquery in having": sql(
        "select product, sum(qty) s from sales group by product having sum(qty) > (select min(cost) from products)"
    ),
    "with": sql(
        "with t as (select product, sum(qty) q from sales group by product), u as (select max(q) m from t) "
        "select t.* from t, u where t.q = u.m"
    ),
    "nested with": sql(
        "with a as (with b as (select id from sales where id > 5) select max(id) m from b) select m from a"
    ),
    "values": sql(
        "select v.x, count(id) n from values ('p0', 1), ('p1', 2) v(x, y) join sales on product = x group by v.x"
    ),
    "pivot": sql(
        "select * from (select region, product, qty from sales) pivot (sum(qty) for product in ('p0' z, 'p1' o))"
    ),
    "unpivot": sql(
        "select * from (select id, qty, cast(price as int) price from sales) unpivot (v for k in (qty, price))"
    ),
    "explode": sql("select id, explode(tags) t from sales"),
    "lateral view outer": sql("select id, p, t from sales lateral view outer posexplode(tags) as p, t"),
    "two lateral views": sql(
        "select id, t, k, v from sales lateral view explode(tags) as t lateral view explode(attrs) as k, v"
    ),
    "table function": sql("select s.id, g.col from sales s, lateral explode(s.tags) g"),
    "inline and stack": sql(
        "select id, a, b from sales lateral view inline(array(info)) as a, b where id < 9"
    ),
    "stack": sql("select id, stack(2, 'q', qty, 'i', id) as (k, v) from sales"),
    "json": sql("select j.x, count(*) n from sales lateral view json_tuple(note, 'y') j as x group by j.x"),
    "from_json": sql("select id, from_json(note, 'x int, y string').y y from sales"),
    "higher-order functions": sql(
        "select id, transform(tags, t -> concat(t, id)) t, filter(tags, t -> t > 'a') f, "
        "aggregate(tags, 0, (n, t) -> n + 1) c from sales"
    ),
    "maps and structs": sql(
        "select id, attrs['k'] k, map_keys(attrs) ks, named_struct('q', qty, 'i', info) n from sales"
    ),
    "window": sql(
        "select id, sum(qty) over (partition by region order by id) s, rank() over (partition by region order by product) r "
        "from sales",
        windows=True,
    ),
    "named window": sql(
        "select id, count(*) over w n, max(price) over w m from sales window w as (partition by product)",
        windows=True,
    ),
    "window over an aggregate": sql(
        "select region, sum(qty) s, sum(sum(qty)) over () t from sales group by region", windows=True
    ),
    "qualify by a subquery": sql(
        "select * from (select id, region, dense_rank() over (partition by region order by price desc, id) r from sales) "
        "where r = 1",
        windows=True,
    ),
    "lateral column alias": sql("select qty * 2 as d, d + 1 as e, e * id as f from sales"),
    "pipe syntax": sql(
        "from sales |> where qty > 1 |> aggregate sum(price) s group by region |> extend s * 2 as t"
    ),
    "table sample": sql("select id from sales tablesample (60 percent) repeatable (5)", exact=False),
    "hints": sql("select /*+ broadcast(p) */ id, cost from sales join products p using (product)"),
    "range": sql(
        "select r.id, count(s.id) n from range(0, 6) r left join sales s on s.qty = r.id group by r.id"
    ),
    "time zones and intervals": sql(
        "select id, day + interval 1 month m, date_trunc('quarter', day) q, make_dt_interval(id) i from sales"
    ),
    "time windows": sql(
        "select window(day, '10 days').start w, sum(qty) s from sales group by window(day, '10 days')"
    ),
    "variant": sql("select id, variant_get(parse_json(note), '$.x', 'int') x from sales"),
    "collation": sql(
        "select region collate UTF8_LCASE r, count(*) n from sales group by region collate UTF8_LCASE"
    ),
    "rand in a filter's shadow": sql("select id, rand(7) >= 0 t from sales", exact=False),
    "qualify": sql(
        "select id, region from sales qualify dense_rank() over (partition by region order by price desc, id) = 1",
        windows=True,
        since=(4, 1),
    ),
    "frames of windows": sql(
        "select id, sum(qty) over (partition by region order by id range between 2 preceding and current row) s "
        "from sales",
        windows=True,
    ),
    "relations in brackets": sql(
        "select id, c from (sales s join (select product, cost c from products) p on s.product = p.product) where id < 9"
    ),
    "queries in brackets": sql(
        "(select product from products where cost > 1) union all (select product from sales where id < 2)"
    ),
    "table": sql("table products"),
    "values alone": sql(
        "select s.id, v.x from sales s join (values (1, 'x'), (2, 'y') as v(n, x)) v on s.qty = v.n"
    ),
    "from first": sql("from sales select id, qty where qty > 2"),
    "options of a table": sql("select id from sales with ('a' = 'b') where id = 3"),
    "pipe that sets": sql("from sales |> select id, qty |> set qty = qty + 1 |> where id > 20"),
    "unpivot of several": sql(
        "select * from (select id, qty, id + 1 more, product, region from sales) unpivot include nulls "
        "((n, t) for what in ((qty, product) as first, (more, region) as second))"
    ),
    "nearest": sql(
        "select s.id, p.cost from sales s join products p exact nearest 1 by distance abs(s.id - p.cost * 100 / 7.01)",
        since=(4, 2),
    ),
    "script": sql("select transform(id, product) using 'cat' as (i, p) from sales", exact=False),
    "script of a format": sql(
        "select transform(id, product) row format delimited fields terminated by ',' using 'cat' "
        "as (i string) row format delimited fields terminated by ',' from sales",
        exact=False,
    ),
    "table sample of rows": sql("select id from sales tablesample (5 rows)", exact=False),
    "table sample of a bucket": sql(
        "select id from sales tablesample (bucket 1 out of 2) repeatable (5)", exact=False
    ),
    "with rollup": sql("select region, product, sum(qty) s from sales group by region, product with rollup"),
    "with cube": sql("select region, product, count(*) n from sales group by region, product with cube"),
    "as-of join": sql(
        "select s.id, p.category from sales s asof join products p match_condition (s.qty >= p.cost)",
        since=(4, 3),
    ),
    "as-of join of a key": sql(
        "select s.id, p.cost from sales s left asof join products p match_condition (s.id >= p.cost) "
        "on s.product = p.product",
        since=(4, 3),
    ),
    "JSON table": sql(
        "select s.id, j.* from sales s, lateral json_table(s.note, '$' columns (n for ordinality, x int path '$.x', "
        "has boolean exists path '$.z') null on error) j",
        since=(4, 3),
    ),
    "unnest": sql(
        "select id, t, n from sales, lateral unnest(tags) with ordinality as u(t, n)", since=(4, 3)
    ),
    "bins": sql(
        "select id, bin_start, qty from (select id, cast(qty as double) qty, timestamp(day) a, "
        "timestamp(day) + make_dt_interval(0, id) b from sales) "
        "bin by (range a to b bin width interval '5' hour distribute uniform (qty))",
        since=(4, 3),
    ),
    "variant_explode": sql(
        "select id, v.key, variant_get(v.value, '$', 'string') value from sales, "
        "lateral variant_explode(parse_json(note)) v"
    ),
    "recursion": sql(
        "with recursive up(region, at) as (select region, parent from regions where region = 'north' union all "
        "select up.region, r.parent from up join regions r on r.region = up.at) select * from up",
        exact=False,
        since=(4, 1),
    ),
}

FRAMES = {
    "select and filter": calls(lambda s, p, r: s.select("id", F.col("qty") + 1, "info.*").filter("id > 3")),
    "selectExpr": calls(lambda s, p, r: s.selectExpr("id", "size(tags) as t").where(F.col("t") > 0)),
    "with columns": calls(
        lambda s, p, r: (
            s.withColumns({"x": F.col("id") * 2, "y": F.lit("c")}).withColumnRenamed("x", "z").drop("note")
        )
    ),
    "nulls": calls(
        lambda s, p, r: (
            s.dropna(subset=["region"]).fillna(0).replace("p0", "q0").select("id", "qty", "product")
        )
    ),
    "toDF and alias": calls(lambda s, p, r: p.toDF("a", "b", "c").alias("t").select("t.a", F.col("t.c"))),
    "groupBy": calls(lambda s, p, r: s.groupBy("region").agg({"qty": "sum", "id": "max"})),
    "groupBy pivot": calls(
        lambda s, p, r: s.groupBy("region").pivot("product", ["p0", "p1"]).agg(F.sum("qty"))
    ),
    "rollup": calls(lambda s, p, r: s.rollup("region", "product").count()),
    "cube": calls(lambda s, p, r: s.cube("region").agg(F.avg("qty"))),
    "grouping sets": calls(
        lambda s, p, r: s.groupingSets([["region"], []], "region").agg(F.count("*").alias("n"))
    ),
    "joins": calls(
        lambda s, p, r: s.join(p, "product", "left").join(r, ["region"], "full").select("id", "cost", "name")
    ),
    "cross join": calls(lambda s, p, r: p.crossJoin(r).where("cost > 2").select("product", "name")),
    "lateral join": calls(
        lambda s, p, r: (
            s.alias("s")
            .lateralJoin(p.where(F.col("product") == F.col("s.product").outer()).select("cost"))
            .select("id", "cost")
        )
    ),
    "exists": calls(
        lambda s, p, r: (
            s.alias("s").where(p.where(F.col("product") == F.col("s.product").outer()).exists()).select("id")
        )
    ),
    "scalar": calls(lambda s, p, r: s.select("id", p.agg(F.max("cost")).scalar().alias("m"))),
    "union by name": calls(
        lambda s, p, r: s.select("product", "qty").unionByName(
            p.select("cost", "product"), allowMissingColumns=True
        )
    ),
    "set operations": calls(
        lambda s, p, r: (
            s.select("product")
            .intersect(p.select("product"))
            .union(p.select("product").exceptAll(s.select("product")))
        )
    ),
    "subtract and distinct": calls(
        lambda s, p, r: p.select("product").subtract(s.select("product")).distinct()
    ),
    "drop duplicates": calls(
        lambda s, p, r: s.select("id", "region").dropDuplicates(["region"]), exact=False
    ),
    "sort and limit": calls(lambda s, p, r: s.orderBy(F.desc("id")).limit(7).select("id", "qty")),
    "partitions": calls(
        lambda s, p, r: s.repartition(3, "product").sortWithinPartitions("id").coalesce(1).select("id", "qty")
    ),
    "repartition by range": calls(lambda s, p, r: s.repartitionByRange(2, "id").groupBy("product").count()),
    "sample": calls(lambda s, p, r: s.sample(fraction=0.7, seed=3).select("id"), exact=False),
    "random split": calls(lambda s, p, r: s.select("id").randomSplit([0.5, 0.5], seed=1)[0], exact=False),
    "unpivot": calls(
        lambda s, p, r: s.select("id", "qty", F.col("id").alias("j")).unpivot("id", ["qty", "j"], "k", "v")
    ),
    "explode": calls(lambda s, p, r: s.select("id", F.explode_outer("tags").alias("t")).groupBy("t").count()),
    "windows": calls(
        lambda s, p, r: s.select(
            "id", F.sum("qty").over(Window.partitionBy("product").orderBy("id")).alias("q")
        ),
        windows=True,
    ),
    "cache": calls(lambda s, p, r: s.where("id > 2").cache().groupBy("product").count()),
    "checkpoint": calls(lambda s, p, r: s.select("id", "qty").localCheckpoint().where("qty > 1")),
    "hint and transform": calls(
        lambda s, p, r: s.hint("repartition", 2).transform(lambda frame: frame.where("id < 9")).select("id")
    ),
    "observe": calls(
        lambda s, p, r: s.observe(Observation(), F.count("*").alias("n")).where("id > 20").select("id")
    ),
    "column patterns": calls(lambda s, p, r: s.select(s.colRegex("`(id|qty)`"), s["product"])),
    "to a schema": calls(lambda s, p, r: p.to(p.select("cost", "product").schema)),
    "UDF": calls(
        lambda s, p, r: s.select("id", F.udf(lambda q: None if q is None else q + 1, "int")("qty").alias("q"))
    ),
    "pandas UDF": calls(
        lambda s, p, r: s.select(
            "id", F.pandas_udf(lambda q: q.fillna(0) + 1, "double")(F.col("qty").cast("double"))
        )
    ),
    "pandas aggregate": calls(
        lambda s, p, r: s.groupBy("product").agg(
            F.pandas_udf(lambda v: float(v.sum()), "double", F.PandasUDFType.GROUPED_AGG)("id").alias("v")
        )
    ),
    "applyInPandas": calls(
        lambda s, p, r: (
            s.select("product", "qty")
            .groupBy("product")
            .applyInPandas(_double, "product string, twice double")
        )
    ),
    "cogroup": calls(
        lambda s, p, r: (
            s.select("product", "qty")
            .groupBy("product")
            .cogroup(p.groupBy("product"))
            .applyInPandas(_counts, "product string, l int, r int")
        )
    ),
    "mapInPandas": calls(
        lambda s, p, r: s.select("id", "qty").mapInPandas(_each, "id int, qty double"), exact=False
    ),
    "tail-like": calls(lambda s, p, r: s.orderBy("id").offset(20).select("id"), exact=False),
    "as of a struct": calls(
        lambda s, p, r: s.select(F.struct("id", "info").alias("t")).groupBy("t.info.b").count()
    ),
    "duplicate names": calls(
        lambda s, p, r: s.select("id", "qty", F.col("qty").alias("id")).toDF("a", "b", "a")
    ),
    "fillings and means": calls(
        lambda s, p, r: s.na.fill({"qty": 0}).groupby("region").mean("qty").sort("region")
    ),
    "most and mean of a group": calls(
        lambda s, p, r: s.groupBy("product").max("qty").join(s.groupBy("product").avg("id"), "product")
    ),
    "least of a group": calls(lambda s, p, r: s.groupBy("product").min("qty", "price")),
    "unions and duplicates": calls(
        lambda s, p, r: (
            s.select("product")
            .unionAll(p.select("product"))
            .intersectAll(s.select("product"))
            .drop_duplicates()
        )
    ),
    "columns added, named and described": calls(
        lambda s, p, r: (
            s.withColumn("twice", F.col("qty") * 2)
            .withColumnsRenamed({"qty": "once"})
            .withMetadata("once", {"unit": "pieces"})
            .select("id", "once", "twice")
            .persist()
        )
    ),
    "melt": calls(lambda s, p, r: s.melt(["id"], ["qty"], "what", "value")),
    "sampleBy": calls(
        lambda s, p, r: s.sampleBy("product", {"p0": 1.0, "p1": 1.0}, seed=1).select("id"), exact=False
    ),
    "crosstab": calls(lambda s, p, r: s.crosstab("region", "product")),
    "describe": calls(lambda s, p, r: s.describe("qty")),
    "summary": calls(lambda s, p, r: s.select("id").summary("count", "max")),
    "freqItems": calls(lambda s, p, r: s.freqItems(["product"], 0.9)),
    "applyInArrow": calls(
        lambda s, p, r: (
            s.select("product", "qty")
            .groupBy("product")
            .applyInArrow(_first_of_arrow, "product string, qty int")
        )
    ),
    "mapInArrow": calls(
        lambda s, p, r: s.select("id", "qty").mapInArrow(_each_arrow, "id int, qty int"), exact=False
    ),
    "nearestByJoin": calls(
        lambda s, p, r: (
            s.select("id", "qty")
            .nearestByJoin(
                p, F.abs(F.col("qty") - F.col("cost") * 10 - F.col("id") / 100), 1, "exact", "distance"
            )
            .select("id", "category")
        ),
        since=(4, 2),
    ),
    "repartitionById": calls(
        lambda s, p, r: s.repartitionById(3, F.col("id") % 3).select("id", "product"), since=(4, 1)
    ),
    "zipWithIndex": calls(lambda s, p, r: s.select("id").zipWithIndex(), exact=False, since=(4, 2)),
    "zip": calls(lambda s, p, r: s.select("id").zip(s.select("qty")), since=(4, 3)),
}

QUERIES = {f"SQL: {name}": query for name, query in SQL.items()} | {
    f"DataFrame: {name}": query for name, query in FRAMES.items()
}
