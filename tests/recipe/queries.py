"""Queries whose outputs are traced live, from a recipe in a fresh process, and from an index."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyspark.sql.functions as F
from pyspark.sql import DataFrame, SparkSession


def collect(frame: DataFrame) -> Any:
    return frame.collect()


@dataclass(frozen=True)
class Query:
    """A frame to act on, the action, which rows to trace, and the session settings of the run.

    Attributes:
        unindexed: a pattern of what an index says, where it can't answer.
    """

    frame: Callable[[SparkSession], DataFrame]
    where: str | None = None
    action: Callable[[DataFrame], Any] = collect
    settings: tuple[tuple[str, str], ...] = ()
    unindexed: str | None = None


QUERIES: dict[str, Query] = {}


def query(
    where: str | None = None,
    action: Callable[[DataFrame], Any] = collect,
    unindexed: str | None = None,
    **settings: str,
) -> Callable[[Callable[[SparkSession], DataFrame]], None]:
    def add(frame: Callable[[SparkSession], DataFrame]) -> None:
        pairs = tuple((key.replace("__", "."), value) for key, value in settings.items())
        QUERIES[frame.__name__] = Query(frame, where, action, pairs, unindexed)

    return add


def sql(name: str, text: str, where: str | None = None) -> None:
    QUERIES[name] = Query(lambda spark: spark.sql(text), where)


# -- subqueries -------------------------------------------------------------------------------------

sql("in_subquery", "select * from orders where k in (select k from customers where vip)", "id < 20")
sql("not_in_subquery", "select * from orders where k not in (select k from customers where vip)", "id < 20")
sql(
    "exists_subquery",
    "select * from orders o where exists (select 1 from customers c where c.k = o.k and c.vip) or id = 3",
    "id < 20",
)
sql(
    "scalar_subquery",
    "select k, sum(amount) s from orders where amount > (select avg(amount) from orders) group by k",
    "k = 2",
)
sql(
    "correlated_scalar_subquery",
    "select c.name, (select max(amount) from orders o where o.k = c.k) most from customers c",
    "name = 'c2'",
)
sql(
    "nested_subqueries",
    """select k, count(*) n from orders where k in (
         select k from customers c where exists (
           select 1 from orders o where o.k = c.k and o.amount > (select min(amount) + 5 from orders)))
       group by k having n > (select count(*) from customers where vip)""",
    "k = 1",
)

sql(
    "in_subquery_or_null",
    "select * from customers where k in (select k from orders) or k is null",
    "k is null",
)
sql(
    "exists_and_scalar_subquery",
    """select * from orders o where exists (select 1 from customers c where c.k = o.k)
       and amount > (select min(amount) from orders)""",
    "id < 20",
)

# -- operators --------------------------------------------------------------------------------------

sql(
    "cte_window_and_rollup",
    """with ranked as (select *, rank() over (partition by k order by amount desc) r from orders),
            best as (select * from ranked where r <= 5)
       select k, r, sum(amount) s from best group by rollup (k, r)""",
    "k = 2 and r is null",
)
sql(
    "set_operations",
    "(select k from orders union select k from customers) except select k from customers where vip",
)
sql("intersect_all", "select k from orders intersect all select k from customers")
sql(
    "union_and_limit",
    """select id, amount from orders union all select k, -k from customers where k > 0
       order by amount, id limit 3""",
)
sql(
    "cte_twice",
    """with q as (select * from orders where amount > 30)
       select a.id x, b.id y from q a join q b using (k)""",
    "x < 10",
)
sql(
    "pivot",
    "select * from (select k, amount, id % 2 odd from orders) pivot (max(amount) for odd in (0, 1))",
    "k = 1",
)
sql(
    "explode_in_sql",
    "select e, count(*) n from lists lateral view explode(items) x as e group by e",
    "n = 2",
)
sql("function_in_sql", "select k, twice(amount) w from orders where twice(amount) > 80", "w = 90")


@query("name = 'two'")
def memory_join(spark: SparkSession) -> DataFrame:
    names = spark.createDataFrame([(0, "zero"), (1, "one"), (2, "two"), (2, "two")], "k int, name string")
    return spark.table("orders").join(names, "k", "left").groupBy("name").agg(F.max("amount").alias("most"))


@query("k = 1")
def pandas_and_range(spark: SparkSession) -> DataFrame:
    table = pd.DataFrame({"k": [0, 1, 2, 1], "weight": [1.5, None, 2.5, 3.5]})
    ids = spark.range(5, 40, 2).withColumn("k", F.col("id") % 3)
    return spark.createDataFrame(table).join(ids, "k").groupBy("k").agg(F.sum("weight").alias("weight"))


@query("k = 1")
def explode_and_drop_duplicates(spark: SparkSession) -> DataFrame:
    doubled = spark.table("orders").select("k", F.explode(F.array("id", "amount")).alias("x"))
    return doubled.dropDuplicates(["k", "x"]).groupBy("k").count()


@query("key = 's'")
def transposed(spark: SparkSession) -> DataFrame:
    totals = spark.table("orders").groupBy("k").agg(F.sum("amount").alias("s"), F.max("id").alias("m"))
    return totals.transpose().selectExpr("key", "`1` - `0` as more")


if hasattr(DataFrame, "nearestByJoin"):

    @query("id = 7")
    def nearest_in_calls(spark: SparkSession) -> DataFrame:
        orders, customers = spark.table("orders"), spark.table("customers")
        distance = F.abs(orders.id - customers.k * 10)
        return orders.nearestByJoin(customers, distance, 2, "exact", "distance", joinType="leftouter")

    sql(
        "nearest_in_sql",
        "select id, name from orders o join customers c approx nearest 1 by similarity -abs(o.id - c.k * 10)",
        "id = 7",
    )


def checkpointed(spark: SparkSession) -> None:
    spark.table("customers").where("vip").localCheckpoint().createOrReplaceTempView("vips")


@query("id < 20")
def checkpoints_in_subqueries(spark: SparkSession) -> DataFrame:
    checkpointed(spark)
    return spark.sql(
        """select * from orders o where k in (select k from vips) and amount > (select min(k) from vips)
           and exists (select 1 from vips v where v.k = o.k and v.name in (select name from vips))"""
    )


@query("id < 20")
def a_checkpoint_in_a_lateral_subquery(spark: SparkSession) -> DataFrame:
    checkpointed(spark)
    return spark.sql("select * from orders o, lateral (select name from vips v where v.k = o.k)")


@query("place = 2")
def partitioned_table(spark: SparkSession) -> DataFrame:
    return spark.table("recipe_places").groupBy("place").agg(F.sum("n").alias("n"))


@query("code = 'b'", unindexed="the values of code .* aren't in the index")
def texts_of_a_fixed_length(spark: SparkSession) -> DataFrame:
    return spark.table("recipe_codes").groupBy("code").agg(F.sum("n").alias("n"))


@query("n = 2")
def vectors(spark: SparkSession) -> DataFrame:
    from pyspark.ml.linalg import Vectors

    rows = [(n, Vectors.dense([n % 2, 1.5])) for n in range(3)]
    return spark.createDataFrame(rows, ["m", "vector"]).groupBy("vector").agg(F.count("*").alias("n"))


@query("c299 > 5")
def three_hundred_operators(spark: SparkSession) -> DataFrame:
    frame = spark.range(8).toDF("c0")
    for n in range(1, 300):
        frame = frame.select((F.col(f"c{n - 1}") + (n % 2)).alias(f"c{n}"))
    return frame.filter("c299 > 152")


# -- which rows the action gave, under the run's splits ------------------------------------------------


@query(action=lambda frame: frame.take(7))
def taken(spark: SparkSession) -> DataFrame:
    return spark.table("orders").filter("k = 1")


@query(action=lambda frame: frame.tail(4))
def tail(spark: SparkSession) -> DataFrame:
    return spark.table("orders").filter("k <> 1")


@query(spark__sql__leafNodeDefaultParallelism="5")
def sampled_by_position(spark: SparkSession) -> DataFrame:
    numbered = spark.table("orders").sample(fraction=0.3, seed=11).withColumn("r", F.rand(5))
    return numbered.filter("r > 0.4").limit(9)


@query()
def sampled_with_another_seed_than_was_given(spark: SparkSession) -> DataFrame:
    return spark.table("orders").sample(0.5, seed=3)  # Spark takes 0.5 for withReplacement, and draws a seed


# -- Python functions -------------------------------------------------------------------------------


@query("big = 107")
def udf_with_a_closure(spark: SparkSession) -> DataFrame:
    offset = {"by": 100}

    @F.udf("long")
    def shifted(x: int) -> int:
        return x + offset["by"]

    return spark.table("orders").select(shifted("id").alias("big"), "k")


@query("double = 14")
def pandas_udf(spark: SparkSession) -> DataFrame:
    @F.pandas_udf("long")
    def doubled(x: pd.Series) -> pd.Series:
        return x * 2

    return spark.table("orders").select(doubled("id").alias("double"))


@query("double = 14")
def pandas_iterator_udf(spark: SparkSession) -> DataFrame:
    @F.pandas_udf("long")
    def doubled(batches: Iterator[pd.Series]) -> Iterator[pd.Series]:
        for batch in batches:
            yield batch * 2

    return spark.table("orders").select(doubled("id").alias("double"))


@query("k = 1")
def pandas_aggregate(spark: SparkSession) -> DataFrame:
    @F.pandas_udf("double")
    def middle(x: pd.Series) -> float:
        return float(x.median())

    return spark.table("orders").groupBy("k").agg(middle("amount").alias("middle"))


if hasattr(F, "arrow_udf"):

    @query("double = 14")
    def arrow_udf(spark: SparkSession) -> DataFrame:
        import pyarrow as pa
        import pyarrow.compute

        @F.arrow_udf("long")
        def doubled(x: pa.Array) -> pa.Array:
            return pyarrow.compute.multiply(x, 2)

        return spark.table("orders").select(doubled("id").alias("double"))


# -- settings of the run ----------------------------------------------------------------------------


@query("day = '2026-01-01'", spark__sql__session__timeZone="America/New_York")
def time_zone(spark: SparkSession) -> DataFrame:
    return spark.table("orders").groupBy(F.to_date("at").alias("day")).agg(F.count("*").alias("n"))


@query("number is null", spark__sql__ansi__enabled="false")
def not_ansi(spark: SparkSession) -> DataFrame:
    return spark.table("orders").select("id", F.expr("cast(if(id % 9 = 0, 'x', '1') as int)").alias("number"))


@query("A = 2", spark__sql__caseSensitive="true")
def case_sensitive(spark: SparkSession) -> DataFrame:
    return spark.table("orders").select(F.col("id").alias("a"), F.col("k").alias("A")).filter("a < 9")


@query(
    "m[1] = 7",
    unindexed="only a comparison of a column with a value",
    spark__sql__mapKeyDedupPolicy="LAST_WIN",
)
def map_keys_that_repeat(spark: SparkSession) -> DataFrame:
    return spark.table("orders").select(F.expr("map_from_arrays(array(1, 1), array(0, id))").alias("m"))


@query(
    'text = \'{"a":null,"b":7}\'',
    unindexed="a backslash or a double quote",
    spark__sql__jsonGenerator__ignoreNullFields="false",
)
def json_with_nulls(spark: SparkSession) -> DataFrame:
    return spark.table("orders").select(F.expr("to_json(struct(cast(null as int) a, id b))").alias("text"))


@query("text = '[7,]'", spark__sql__legacy__castComplexTypesToString__enabled="true")
def legacy_texts(spark: SparkSession) -> DataFrame:
    return spark.table("orders").select(F.expr("cast(struct(id, cast(null as int)) as string)").alias("text"))


@query("day = '2026-01-07'", spark__sql__legacy__timeParserPolicy="LEGACY")
def legacy_dates(spark: SparkSession) -> DataFrame:
    text = F.format_string("2026-1-%d", F.col("id"))
    return (
        spark.table("orders").filter("id < 28 and id > 0").select(F.to_date(text, "yyyy-MM-dd").alias("day"))
    )


@query(
    "k = 1 and kind = 'int' and size = -1 and product = 'decimal(38,20)' and isnan(spread) and big = 9 and a is null",
    unindexed="this",
    spark__sql__ansi__enabled="false",
    spark__sql__legacy__sizeOfNull="true",
    spark__sql__legacy__integerGroupingId="true",
    spark__sql__legacy__statisticalAggregate="true",
    spark__sql__decimalOperations__allowPrecisionLoss="false",
    spark__sql__execution__pythonUDF__arrow__enabled="true",
    spark__sql__caseSensitive="true",
)
def what_a_plan_takes_in_as_it_is_analyzed(spark: SparkSession) -> DataFrame:
    @F.udf("long")
    def ninth(k: int) -> int:
        return k + 8

    spark.table("orders").where("id < 3").withColumn("big", ninth("k")).createOrReplaceTempView("few")
    return spark.sql(
        """select k, big, typeof(grouping_id()) kind, size(cast(null as array<int>)) size,
             typeof(cast(1 as decimal(38, 10)) * cast(1 as decimal(38, 10))) product, stddev_samp(amount) spread,
             from_json('{"A": 1}', 'a int').a as a
           from few group by cube(k, big)"""
    )
