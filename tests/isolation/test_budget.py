"""A search that may take so long, or so many replays, and no more."""

import pytest
from pyspark.sql import SparkSession

import bigdebug
from bigdebug.isolation.budget import Budget
from bigdebug.lineage.errors import BigDebugError

UNFINISHED = "the search was stopped before its end: fewer records may do"


@pytest.mark.parametrize(
    ("given", "budget"),
    [
        (None, Budget()),
        (0, Budget(0.0)),
        (2.5, Budget(2.5)),
        ("30", Budget(30.0)),
        ("1.5 s", Budget(1.5)),
        ("90 seconds", Budget(90.0)),
        ("50 replays", Budget(replays=50)),
        (" 1replay ", Budget(replays=1)),
    ],
)
def test_what_a_budget_can_be(given: float | str | None, budget: Budget) -> None:
    assert Budget.of(given) == budget


@pytest.mark.parametrize("given", [-1, True, "", "soon", "2.5 replays", "3 days", float("nan")])
def test_what_it_cant_be(given: float | str) -> None:
    with pytest.raises(BigDebugError, match="is no budget"):
        Budget.of(given)


@pytest.mark.compat
def test_replays_are_counted(session: bigdebug.Session, spark: SparkSession) -> None:
    pairs = [(each % 2, -1 if each == 77 else 1) for each in range(200)]
    sums = spark.sparkContext.parallelize(pairs, 2).groupByKey().mapValues(min)
    found = session.isolate(sums, lambda pair: pair[1] < 0, budget="3 replays")
    assert found.replays <= 3
    assert UNFINISHED in found.notes
    frame = spark.createDataFrame(pairs, "k int, v int")
    least = frame.groupBy("k").applyInPandas(_least, "k long, least long")
    some = session.isolate(least, "least < 0", budget="1 replay")
    assert UNFINISHED in some.notes
    every = session.isolate(least, "least < 0", budget="500 replays")
    assert UNFINISHED not in every.notes
    assert some.replays < every.replays
    assert [(row.culprits.total, row.culprits.proof) for row in every.rows] == [(1, "1-minimal")]


def _least(frame):  # type: ignore[no-untyped-def]
    return frame.groupby("k", as_index=False).v.min().rename(columns={"v": "least"})
