"""Subsets that are replayed together, in one job, come out as each does alone."""

import random
from collections.abc import Callable, Iterator

import pandas as pd
import pyarrow as pa
import pytest
from pyroaring import FrozenBitMap
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.functions import udtf

import bigdebug
from bigdebug.isolation.replays import Replays
from bigdebug.isolation.search import Outcome
from bigdebug.lineage.asking import asking
from bigdebug.lineage.live import live_question
from bigdebug.lineage.trace import Trace
from bigdebug.lineage.where import rows_where
from tests.thinned import thinned

ORDERS = [(n, n % 3, float((n * 7) % 10)) for n in range(9)]
KINDS = [(0, "a"), (1, "a"), (2, "b"), (4, "d")]

Made = Callable[[DataFrame, DataFrame], DataFrame]


def _summed_up(key: tuple[int, ...], group: pd.DataFrame) -> pd.DataFrame:
    assert len(key) == 1
    return pd.DataFrame({"k": [key[0]], "s": [group["v"].sum()], "c": [len(group.columns)]})


def _both_counted(left: pd.DataFrame, right: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({"c": [len(left)], "t": [len(right)], "least": [left["v"].min()]})


def _in_groups(orders: DataFrame, _: DataFrame) -> DataFrame:
    by_k = orders.groupBy("k").applyInPandas(_summed_up, "k int, s double, c int")
    return (
        by_k.where("c = 3")
        .groupBy()
        .applyInPandas(lambda all_of_it: all_of_it[["k", "s"]], "k int, s double")
    )


def _in_cogroups(orders: DataFrame, kinds: DataFrame) -> DataFrame:
    both = orders.groupBy("k").cogroup(kinds.groupBy("k"))
    return both.applyInPandas(_both_counted, "c int, t int, least double")


def _as_of(orders: DataFrame, kinds: DataFrame) -> DataFrame:
    each = kinds.withColumnRenamed("k", "n")
    joined = each._joinAsOf(orders, "n", "n", on=None, direction="backward")
    return joined.groupBy("kind").agg(F.sum("v").alias("s"))


def _running(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    total, rows = 0.0, 0
    for batch in batches:
        assert list(batch.columns) == ["n", "k", "v"]
        yield pd.DataFrame({"k": batch["k"], "total": total + batch["v"].cumsum()})
        total, rows = total + batch["v"].sum(), rows + len(batch)
    yield pd.DataFrame({"k": [-1], "total": [float(rows)]})


def _at_first(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        yield batch.slice(0, 1)
        return  # the rest isn't read


def _of_partitions(orders: DataFrame, _: DataFrame) -> DataFrame:
    sums = orders.mapInPandas(_running, "k int, total double").groupBy("k").agg(F.sum("total").alias("s"))
    first = orders.mapInArrow(_at_first, orders.schema).groupBy("k").agg(F.sum("v").alias("s"))
    return sums.unionAll(first)


class Running:
    """Keeps a sum from one row to the next."""

    def __init__(self) -> None:
        self._sum = 0.0

    def eval(self, v: float) -> Iterator[tuple[float]]:
        self._sum += v
        yield (self._sum,)


def _by_state(orders: DataFrame, _: DataFrame) -> DataFrame:
    orders.sparkSession.udtf.register("running", udtf(Running, returnType="total double").asDeterministic())
    text = "select n, total from {orders}, lateral running(v)"
    return orders.sparkSession.sql(text, orders=orders.repartition(1).sortWithinPartitions("n"))


# By query which of its rows fail. Each holds what rows of different subsets could meet in.
QUERIES: dict[str, tuple[str | Made, str]] = {
    "an aggregate of a table joined with itself": (
        "select a.k, sum(a.v * b.v) as s, count(*) as c from {o} a join {o} b on a.k = b.k group by a.k",
        "s > 90 or c > 6",
    ),
    "an anti join": (
        "select t.kind, count(*) as c from {t} t left anti join (select * from {o} where v > 5) o on o.k = t.k "
        "group by t.kind",
        "c > 0",
    ),
    "a semi join": (
        "select t.kind, count(*) as c from {t} t left semi join (select * from {o} where v > 5) o on o.k = t.k "
        "group by t.kind",
        "c > 0",
    ),
    "a full join": (
        "select coalesce(o.k, t.k) as k, max(v) as m, count(t.kind) as c from {o} o full join {t} t on o.k = t.k + 1 "
        "group by 1",
        "m > 6 or c > 1",
    ),
    "a running sum": ("select n, sum(v) over (partition by k order by n) as s from {o}", "s > 12"),
    "a mean of all that decides about each": (
        "select k, sum(v) as s from {o} where v > (select avg(v) from {o}) group by k",
        "s > 8",
    ),
    "the first of an order": (
        "select k, sum(v) as s from (select k, v from {o} order by v desc, n limit 4 offset 1) group by k",
        "s > 6",
    ),
    "an order that came before": (_as_of, "s > 6"),
    "what is kept from row to row": (_by_state, "total > 30"),
    "functions of partitions": (_of_partitions, "s > 8"),
    "functions of groups": (_in_groups, "s > 10"),
    "functions of two groups": (_in_cogroups, "c + t > 3 or least > 1"),
    "groups numbered by position": (
        "select k, s, monotonically_increasing_id() % 1000 as i from (select k, sum(v) as s from {o} group by k)",
        "i > 0",
    ),
    "everything": ("select count(*) as c, sum(v) as s from {o}", "s > 40 or c = 0"),
}

BY_POSITION = {"groups numbered by position": ["Project"], "what is kept from row to row": ["Generate"]}
"""Of those whose subsets are replayed one by one, the operator that is told."""


IN_THE_SUITE = (
    "an aggregate of a table joined with itself", "functions of groups",
    "groups numbered by position",
)  # fmt: skip
"""One of each kind."""


@pytest.mark.parametrize("name", thinned(QUERIES, "subsets in one replay and one by one", among=IN_THE_SUITE))
def test_subsets_together_are_as_each_alone(
    name: str, session: bigdebug.Session, spark: SparkSession
) -> None:
    text, failing = QUERIES[name]
    orders = spark.createDataFrame(ORDERS, "n int, k int, v double")
    kinds = spark.createDataFrame(KINDS, "k int, kind string")
    frame = spark.sql(text, o=orders, t=kinds) if isinstance(text, str) else text(orders, kinds)
    question = live_question(session._attachment.spark, session._recorder, frame)
    catalyst = question.catalyst
    condition = rows_where(catalyst, question.root, failing).condition
    dice = random.Random(name)
    with asking(catalyst, "outcomes"):
        trace = Trace(catalyst, question.root, question.sources, failing)
        together, alone = (Replays(catalyst, question.root, question.sources, condition) for _ in range(2))
        groups = together.traced_groups(trace, 20)
        rows = [row.identity for row in groups.rows]
        assert rows
        candidates = groups.candidates
        everything = candidates.full.everything
        some = FrozenBitMap([each for each in everything if dice.random() < 0.6])
        subsets = [FrozenBitMap(), some, everything - some, everything]
        told = together.outcomes(subsets, rows, candidates)
        assert [note.split()[0] for note in together.notes] == BY_POSITION.get(name, [])
        expected = [alone.outcomes([subset], rows, candidates)[0] for subset in subsets[:3]]
        assert told[:3] == expected
        assert set(told[3].values()) == {Outcome.FAILED}
        assert len({outcome for each in told for outcome in each.values()}) > 1
        candidates.release()
