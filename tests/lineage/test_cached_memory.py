"""A record of in-memory data has one place, whether or not the user has cached the data just then."""

import itertools
from collections.abc import Callable

import pandas as pd
import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

import bigdebug
from bigdebug.lineage.output import Output
from bigdebug.lineage.postmortem import open_output
from bigdebug.lineage.store import Store
from tests.settings import settings
from tests.thinned import thinned

ROWS = 10
PANDAS = pd.DataFrame({"k": range(ROWS), "v": [f"v{number}" for number in range(ROWS)]})
Place = tuple[int | None, int | None]

ARROW = "spark.sql.execution.arrow.pyspark.enabled"


def of_pandas(spark: SparkSession) -> DataFrame:
    return spark.createDataFrame(PANDAS)


def of_arrow(spark: SparkSession) -> DataFrame:
    return spark.createDataFrame(pa.Table.from_pandas(PANDAS))


def of_sql(spark: SparkSession) -> DataFrame:
    values = ", ".join(f"({number}, 'v{number}')" for number in range(ROWS))
    return spark.sql(f"select * from values {values} as data(k, v)")


def of_a_list(spark: SparkSession) -> DataFrame:
    return spark.createDataFrame([(number, f"v{number}") for number in range(ROWS)], "k int, v string")


def asked(session: bigdebug.Session, output: Output) -> tuple[dict[int, Place], dict[int, Place]]:
    """Where each record stands, told by the running program and by the recipe."""
    attachment = session._attachment
    run = Store(attachment.recorder.store).find(session.run_id)
    replay = open_output(run, output, spark=attachment.spark)
    live, later = (
        {each.value["k"]: (each.location.partition, each.location.position) for each in trace.collect()}
        for trace in (session.trace(output, "k >= 0"), replay.trace("k >= 0"))
    )
    return live, later


@pytest.mark.compat
@pytest.mark.parametrize(
    ("make", "arrow"),
    thinned(
        itertools.product([of_pandas, of_arrow, of_sql, of_a_list], ["true", "false"]),
        "rows in memory of each make, while caches come and go",
    ),
)
def test_a_cache_that_comes_and_goes(
    session: bigdebug.Session, spark: SparkSession, make: Callable[[SparkSession], DataFrame], arrow: str
) -> None:
    with settings(spark, {ARROW: arrow}):
        frame = make(spark)
    outputs: list[Output] = []

    def act() -> None:
        frame.filter("k >= 0").collect()
        session._recorder.drain()
        outputs.append(session.outputs[-1])

    places: list[dict[int, Place]] = []

    def ask() -> None:
        for output in outputs:
            places.extend(asked(session, output))

    act()
    ask()
    frame.cache().count()
    act()
    ask()
    frame.unpersist(blocking=True)
    act()
    ask()
    assert len(places) == 12
    assert len(places[0]) == ROWS
    assert all(place == places[0] for place in places)
    if frame._jdf.queryExecution().analyzed().collectLeaves().apply(0).nodeName() == "LocalRelation":
        assert places[0] == {number: (0, number) for number in range(ROWS)}  # its index in what the user gave


def test_a_trace_goes_on_when_the_data_is_cached_meanwhile(
    session: bigdebug.Session, spark: SparkSession
) -> None:
    frame = of_arrow(spark)
    trace = session.trace(frame.filter("k > 6"), "v is not null")
    assert trace.matched == 3
    frame.cache().count()
    source = trace.sources[0].name
    assert [row.k for row in trace.records(source).orderBy("k").collect()] == [7, 8, 9]
    assert [each.location.position for each in trace.collect()] == [7, 8, 9]
    frame.unpersist(blocking=True)


@pytest.mark.compat
@pytest.mark.parametrize("cached", [False, True])
def test_random_draws_are_those_of_the_run(
    session: bigdebug.Session, spark: SparkSession, cached: bool
) -> None:
    """Each partition of a cache draws numbers of its own; Spark's optimizer draws for uncached rows, all in one."""
    frame = spark.createDataFrame(pa.table({"k": list(range(60))}))
    if cached:
        frame.cache().count()
    drawn = frame.withColumn("r", F.rand(7)).filter("r < 0.5")
    numbers = sorted(row.k for row in drawn.collect())
    trace = session.trace(session.outputs[-1])
    assert sorted(record.value["k"] for record in trace.collect()) == numbers
    assert sorted(record.location.position or 0 for record in trace.collect()) == numbers
    frame.unpersist(blocking=True)
