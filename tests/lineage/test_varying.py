"""What goes by position or by chance is marked as such, and no more than that."""

from collections.abc import Callable

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

import bigdebug
from tests.lineage.origins import Frames

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
    "nondeterministic Python UDF": (
        lambda f: f["orders"].withColumn("w", F.udf(lambda v: v, "int").asNondeterministic()("v")),
        "deterministic",
    ),
}


@pytest.mark.parametrize(("make", "noted"), VARYING.values(), ids=VARYING)
def test_what_may_vary_is_marked(
    make: Callable[[Frames], DataFrame], noted: str, session: bigdebug.Session, frames: Frames
) -> None:
    frame = make(frames)
    trace = session.trace(frame)
    assert not trace.exact
    assert any(noted in note for note in trace.notes), trace.notes
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
