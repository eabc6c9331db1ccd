"""What goes by position or by chance is marked as such, and no more than that."""

import re
from collections.abc import Callable

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

import bigdebug
from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.certainty import doubts
from bigdebug.lineage.operators import mirror, normalized
from tests.lineage.origins import Frames
from tests.thinned import thinned


def _twice(frame: DataFrame) -> DataFrame:
    values = frame.select(F.col("n").alias("m"), F.col("v").alias("x"))
    return values.unionAll(values)


# Each with a word of the note that it gives.
VARYING: dict[str, tuple[Callable[[Frames], DataFrame], str]] = {
    "sample": (lambda f: f["orders"].sample(fraction=0.5, seed=1), "Sample"),
    "offset": (lambda f: f["orders"].offset(2), "Offset"),
    "limit": (lambda f: f["orders"].limit(2), "Limit"),
    "limit among ties": (lambda f: f["orders"].orderBy("k").limit(2), "Limit"),
    "rand": (lambda f: f["orders"].filter(F.rand(3) >= 0), "rand"),
    "first": (lambda f: f["orders"].groupBy("k").agg(F.first("v")), "first"),
    "max_by": (lambda f: f["orders"].groupBy("k").agg(F.max_by("v", "k")), "max_by"),
    "collect_list": (lambda f: f["orders"].groupBy("k").agg(F.collect_list("v")), "collect_list"),
    "dropDuplicates": (lambda f: f["orders"].dropDuplicates(["k"]), "Deduplicate"),
    "row_number": (
        lambda f: f["orders"].selectExpr("*", "row_number() over (partition by k order by k) r"),
        "row_number",
    ),
    "sum over rows": (
        lambda f: f["orders"].selectExpr(
            "*", "sum(v) over (partition by k order by k rows between 1 preceding and current row) r"
        ),
        "Window",
    ),
    "monotonically_increasing_id": (
        lambda f: f["orders"].withColumn("i", F.monotonically_increasing_id()),
        "monotonically_increasing_id",
    ),
    "rows numbered": (
        lambda f: f["orders"].pandas_api().to_spark(index_col="i"),
        "AttachDistributedSequence",
    ),
    "rand in a subquery": (
        lambda f: f["orders"].sparkSession.sql(
            "select * from orders where v > (select max(m) from (select v * rand(1) as m from orders))"
        ),
        "rand",
    ),
    "limit in a subquery": (
        lambda f: f["orders"].sparkSession.sql(
            "select * from orders where k in (select k from customers limit 1)"
        ),
        "Limit",
    ),
    "rand in an alternative of a join's": (
        lambda f: f["orders"].join(f["customers"].filter(F.rand(1) < 2), "k", "left"),
        "rand",
    ),
    "as-of join among ties": (
        lambda f: f["orders"]._joinAsOf(_twice(f["orders"]), f["orders"].v, F.col("x"), direction="nearest"),
        "as near",
    ),
    "a list in an order that finds some of it equal": (
        lambda f: (
            f["orders"].groupBy("k").agg(F.expr("array_sort(collect_list(n), (a, b) -> a % 2 - b % 2) as ns"))
        ),
        "collect_list",
    ),
    "nondeterministic Python UDF": (
        lambda f: f["orders"].withColumn("w", F.udf(lambda v: v, "int").asNondeterministic()("v")),
        "deterministic",
    ),
}


@pytest.mark.parametrize(
    ("make", "noted"), thinned(VARYING.values(), "what may vary from run to run", 2), ids=VARYING
)
def test_what_may_vary_is_marked(
    make: Callable[[Frames], DataFrame], noted: str, session: bigdebug.Session, frames: Frames
) -> None:
    frame = make(frames)
    trace = session.trace(frame)
    assert not trace.exact
    assert any(noted in note for note in trace.notes), trace.notes
    assert trace.matched == frame.count()


AGGREGATES = [
    "any_value(v)", "collect_list(v)", "collect_set(v)", "collect_union(array(v))", "first(v)", "first_value(v)",
    "last(v)", "last_value(v)", "listagg(k)", "string_agg(k)", "max_by(v, n)", "min_by(v, n, 2)", "mode(v)",
    "approx_percentile(v, 0.5)", "percentile_approx(v, 0.5)", "histogram_numeric(v, 2)", "approx_top_k(v)",
    "approx_top_k_accumulate(v)", "hll_sketch_agg(v)", "kll_sketch_agg_bigint(v)", "kll_sketch_agg_double(double(v))",
    "kll_sketch_agg_float(float(v))", "tuple_sketch_agg_integer(v, n)", "tuple_sketch_agg_double(v, double(n))",
]  # fmt: skip
OF_SKETCHES = [
    "approx_top_k_combine(approx_top_k_accumulate, 3)", "hll_union_agg(hll_sketch_agg)",
    "kll_merge_agg_bigint(kll_sketch_agg_bigint)", "kll_merge_agg_double(kll_sketch_agg_double)",
    "kll_merge_agg_float(kll_sketch_agg_float)", "tuple_union_agg_integer(tuple_sketch_agg_integer)",
    "tuple_union_agg_double(tuple_sketch_agg_double)",
    "tuple_intersection_agg_integer(tuple_sketch_agg_integer)",
    "tuple_intersection_agg_double(tuple_sketch_agg_double)",
]  # fmt: skip
DRAWN = [
    "rand()", "randn(1)", "random(1)", "randstr(3, 1)", "uniform(1, 5)", "uuid()", "shuffle(array(v, n))",
    "aes_encrypt(k, '0000111122223333')", "monotonically_increasing_id()", "spark_partition_id()",
]  # fmt: skip
UNNAMED = [
    "input_file_name()", "input_file_block_start()", "input_file_block_length()",
    "java_method('java.util.UUID', 'randomUUID')", "try_reflect('java.util.UUID', 'randomUUID')",
]  # fmt: skip
OF_WINDOWS = [
    "row_number()", "ntile(2)", "lag(v)", "lead(v)", "nth_value(v, 1)", "first_value(v)", "last_value(v)",
    "counter_diff(v)",
]  # fmt: skip
SURE = [
    "approx_count_distinct(v)", "avg(v)", "array_sort(collect_list(v))", "sort_array(array_agg(v))", "bit_xor(v)",
    "bool_or(v > 1)", "bitmap_construct_agg(v)", "corr(v, n)", "count(v)", "count_if(v > 1)", "max(v)", "median(v)",
    "count_min_sketch(v, 0.5D, 0.5D, 1)", "percentile(v, 0.5)", "stddev(v)", "sum(v)", "theta_sketch_agg(v)",
]  # fmt: skip
SURE_OF_WINDOWS = ["rank()", "dense_rank()", "percent_rank()", "cume_dist()", "sum(v)", "max(v)"]


def _name(call: str) -> str:
    return call.partition("(")[0]


def _doubts(spark: SparkSession, text: str) -> list[str]:
    catalyst = Catalyst(spark)
    plan = normalized(catalyst, catalyst.analyzed(spark.sql(text)))
    return doubts(catalyst, mirror(catalyst, plan, lambda _: None))


def _named(found: list[str]) -> set[str]:
    return {match[1] for doubt in found if (match := re.search(r" uses (\w+), which ", doubt))}


@pytest.mark.usefixtures("frames")
def test_every_function_of_sparks_that_may_vary_is_marked(spark: SparkSession) -> None:
    each = ", ".join(f"{call} as {_name(call)}" for call in AGGREGATES)
    sketches = f"select k, {each} from orders group by k"
    assert _named(_doubts(spark, sketches)) == set(map(_name, AGGREGATES))
    merged = f"select {', '.join(OF_SKETCHES)} from ({sketches})"
    assert _named(_doubts(spark, merged)) == set(map(_name, AGGREGATES + OF_SKETCHES))
    assert _named(_doubts(spark, f"select {', '.join(DRAWN)} from orders")) == set(map(_name, DRAWN))
    for call in UNNAMED:
        assert "isn't deterministic" in str(_doubts(spark, f"select {call} from orders"))
    over = "over (partition by k order by v)"
    windows = ", ".join(f"{call} {over}" for call in OF_WINDOWS)
    assert _named(_doubts(spark, f"select {windows} from orders")) == set(map(_name, OF_WINDOWS))
    assert _doubts(spark, f"select k, {', '.join(SURE)} from orders group by k") == []
    windows = ", ".join(f"{call} {over}" for call in SURE_OF_WINDOWS)
    assert _doubts(spark, f"select {windows} from orders") == []


def test_every_aggregate_of_sparks_was_judged(spark: SparkSession) -> None:
    """Those of a new version of Spark's are to be put into one of the lists."""
    judged = set(map(_name, AGGREGATES + OF_SKETCHES + OF_WINDOWS + SURE + SURE_OF_WINDOWS))
    same = {
        *(
            "any",
            "every",
            "some",
            "bool_and",
            "mean",
            "try_avg",
            "try_sum",
            "std",
            "min",
            "kurtosis",
            "skewness",
        ),
        *("bit_and", "bit_or", "bitmap_and_agg", "bitmap_or_agg", "covar_pop", "covar_samp", "stddev_pop"),
        *("stddev_samp", "var_pop", "var_samp", "variance", "percentile_cont", "percentile_disc", "grouping"),
        *("grouping_id", "measure", "theta_intersection_agg", "theta_union_agg", "schema_of_variant_agg"),
        *("vector_avg", "vector_sum", "array_agg"),
    }
    registry = spark._jsparkSession.sessionState().functionRegistry()  # type: ignore[attr-defined]
    catalyst = Catalyst(spark)
    names = set()
    for name in catalyst.items(registry.listFunction().toSeq()):
        if registry.lookupFunction(name).get().getGroup() in ("agg_funcs", "window_funcs"):
            names.add(str(name.funcName()))
    assert len(names) > 60
    assert {name for name in names - judged - same if not name.startswith("regr_")} == set()


def test_an_as_of_join_without_ties_is_exact(session: bigdebug.Session, frames: Frames) -> None:
    orders, customers = frames["orders"], frames["customers"]
    for how in ("inner", "left"):
        joined = orders._joinAsOf(customers, orders.v, customers.n, how=how, direction="nearest")
        assert session.trace(joined).exact


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
