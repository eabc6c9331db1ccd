"""What a trace tells, and what asking it costs and leaves behind."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

import bigdebug
from bigdebug.lineage.errors import BigDebugError, UnknownNameError
from tests.jobs import jobs

SALES = [(1, "a", 10), (2, "a", 20), (3, "b", 5), (4, "b", 7), (5, "c", 1)]
SHOPS = [("a", "Rome"), ("b", "Oslo")]


@pytest.fixture(scope="module")
def sales(
    session: bigdebug.Session, spark: SparkSession, tmp_path_factory: pytest.TempPathFactory
) -> DataFrame:
    path = tmp_path_factory.mktemp("data") / "sales.parquet"
    spark.createDataFrame(SALES, "n int, k string, v int").coalesce(1).write.parquet(str(path))
    return spark.read.parquet(str(path))


@pytest.fixture(scope="module")
def shops(session: bigdebug.Session, spark: SparkSession) -> DataFrame:
    return spark.createDataFrame(SHOPS, "k string, city string")


@pytest.fixture(scope="module")
def totals(sales: DataFrame, shops: DataFrame) -> DataFrame:
    joined = sales.filter("v > 1").join(shops, "k")
    return joined.groupBy("city").agg(F.sum("v").alias("total")).filter("total > 3")


def test_nothing_runs_before_the_first_question(
    session: bigdebug.Session, spark: SparkSession, totals: DataFrame
) -> None:
    session._recorder.drain()  # a recipe of an earlier test may need a job
    session._recorder.drain()  # else the recipe of what wrote the data may be under way
    before = jobs(spark)
    trace = session.trace(totals, "city = 'Rome'")
    repr(trace)
    assert jobs(spark) == before
    assert trace.matched == 1
    assert jobs(spark) > before


def test_an_answer_is_kept(session: bigdebug.Session, spark: SparkSession, totals: DataFrame) -> None:
    trace = session.trace(totals, "city = 'Rome'")
    first = (trace.matched, trace.sources, trace.collect(), trace.steps, trace.exact, trace.notes)
    after = jobs(spark)
    assert (trace.matched, trace.sources, trace.steps, trace.exact, trace.notes) == (*first[:2], *first[3:])
    assert jobs(spark) == after
    assert trace.collect() == first[2]


def test_sources(session: bigdebug.Session, totals: DataFrame) -> None:
    trace = session.trace(totals, "city = 'Rome'")
    assert [(source.kind, source.count) for source in trace.sources] == [("parquet", 2), ("memory", 1)]
    assert trace.sources[0].name == "sales.parquet"
    site = trace.sources[0].call_site
    assert site is not None
    assert (Path(site.file).name, site.text) == (
        "test_trace_answers.py",
        "return spark.read.parquet(str(path))",
    )
    assert trace.sources[1].name == "test_trace_answers.py:" + str(trace.sources[1].call_site.line)  # type: ignore[union-attr]


def test_records_are_a_frame_of_the_sources_columns_and_places(
    session: bigdebug.Session, totals: DataFrame
) -> None:
    trace = session.trace(totals, "city = 'Oslo'")
    frame = trace.records("sales")
    assert frame.schema.simpleString() == (
        "struct<n:int,k:string,v:int,_record:struct<file:string,position:bigint,partition:int>>"
    )
    rows = sorted(frame.collect(), key=lambda row: row.n)
    assert [(row.n, row.v) for row in rows] == [(3, 5), (4, 7)]
    assert [row._record.position for row in rows] == [2, 3]
    assert all(row._record.file.endswith(".parquet") and row._record.partition is None for row in rows)

    (shop,) = trace.records("test_trace_answers.py").collect()
    assert (shop.city, shop._record.file) == ("Oslo", None)
    by_place = {(r.location.file, r.location.position, r.location.partition) for r in trace.collect()}
    assert (shop._record.file, shop._record.position, shop._record.partition) in by_place


def test_collect_stops_at_its_limit(session: bigdebug.Session, sales: DataFrame) -> None:
    trace = session.trace(sales)
    assert [record.value["n"] for record in trace.collect(limit=2)] == [1, 2]
    assert trace.collect(limit=0) == []
    assert trace.matched == 5


def test_an_unknown_source_is_named(session: bigdebug.Session, totals: DataFrame) -> None:
    with pytest.raises(UnknownNameError, match="rivers"):
        session.trace(totals).records("rivers")
    with pytest.raises(UnknownNameError):
        session.trace(totals).records()  # there are two


@pytest.mark.compat
def test_steps_count_the_rows_on_the_way(session: bigdebug.Session, totals: DataFrame) -> None:
    trace = session.trace(totals, "city = 'Rome'")
    counts = [(step.operator, step.count) for step in trace.steps]
    assert counts == [("Filter", 1), ("Aggregate", 1), ("Project", 2), ("Join", 2), ("Filter", 2)]
    texts = [step.call_site.text for step in trace.steps if step.call_site]
    assert len(texts) == len(counts)
    assert "sales.filter" in texts[-1]
    join = trace.steps[3].records()
    assert sorted((row.n, row.city) for row in join.collect()) == [(1, "Rome"), (2, "Rome")]
    (aggregate,) = trace.steps[1].records().collect()
    assert (aggregate.city, aggregate.total) == ("Rome", 30)


def test_the_one_row_of_an_aggregate_of_nothing(session: bigdebug.Session, spark: SparkSession) -> None:
    trace = session.trace(spark.range(0).filter("id > 1").agg(F.count("*").alias("n")))
    assert trace.matched == 1
    assert [(step.operator, step.count) for step in trace.steps] == [("Aggregate", 1), ("Filter", 0)]
    assert trace.sources[0].count == 0


def test_a_source_without_records_gives_none(
    session: bigdebug.Session, spark: SparkSession, tmp_path: Path
) -> None:
    path = tmp_path / "sales.csv"
    path.write_text("n,k\n1,a\n2,b\n")
    frame = spark.read.csv(str(path), header=True, inferSchema=True)
    trace = session.trace(frame.where("n > 1"), "k = 'nowhere'")
    records = trace.records()
    assert records.columns == ["n", "k", "_record"]
    assert records.collect() == []
    assert trace.collect() == []


def test_steps_tell_equal_rows_apart(session: bigdebug.Session, spark: SparkSession) -> None:
    frame = spark.createDataFrame([(1, ["x", "x"]), (2, ["x"])], "n int, items array<string>")
    exploded = frame.select(F.explode("items").alias("item")).repartition(2)
    trace = session.trace(exploded.groupBy("item").count(), "item = 'x'")
    counts = {step.operator: step.count for step in trace.steps}
    assert counts["Aggregate"] == 1
    assert counts["Generate"] == 3
    generate = next(step for step in trace.steps if step.operator == "Generate")
    assert [row.item for row in generate.records().select("item").collect()] == ["x"] * 3


def test_steps_below_a_union_count_their_own_rows(session: bigdebug.Session, sales: DataFrame) -> None:
    frame = sales.filter("v > 5").select("k").unionAll(sales.filter("v < 8").select("k"))
    trace = session.trace(frame, "k = 'b'")
    filters = [step.count for step in trace.steps if step.operator == "Filter"]
    assert [step.count for step in trace.steps if step.operator == "Union"] == [3]
    assert filters == [1, 2]


def test_rows_that_nobody_asked_for(session: bigdebug.Session, totals: DataFrame) -> None:
    trace = session.trace(totals, "city = 'Atlantis'")
    assert trace.matched == 0
    assert trace.collect() == []
    assert [source.count for source in trace.sources] == [0, 0]
    assert all(step.count == 0 for step in trace.steps)
    assert trace.exact


def test_where_as_text_and_as_column_agree(session: bigdebug.Session, totals: DataFrame) -> None:
    text = session.trace(totals, "city = 'Rome'")
    column = session.trace(totals, F.col("city") == "Rome")
    of_frame = session.trace(totals, totals.city == "Rome")
    assert text.collect() == column.collect() == of_frame.collect()


@pytest.mark.parametrize("where", ["rivers = 1", "city = ", "city", "sum(total) > 1"])
def test_a_wrong_condition_is_said_at_once(
    session: bigdebug.Session, spark: SparkSession, totals: DataFrame, where: str
) -> None:
    before = jobs(spark)
    with pytest.raises(BigDebugError) as wrong:
        session.trace(totals, where)
    assert wrong.value.hint
    assert jobs(spark) == before


def test_a_column_of_the_source_isnt_one_of_the_output(session: bigdebug.Session, totals: DataFrame) -> None:
    with pytest.raises(UnknownNameError, match="v = 10"):
        session.trace(totals, "v = 10")


def test_the_users_job_group_is_left_alone(
    session: bigdebug.Session, spark: SparkSession, totals: DataFrame
) -> None:
    context = spark.sparkContext
    context.setJobGroup("mine", "my own jobs", interruptOnCancel=True)
    try:
        before = set(context.statusTracker().getJobIdsForGroup("mine"))
        trace = session.trace(totals, "city = 'Rome'")
        assert trace.matched == 1
        assert len(trace.collect()) == 3
        assert set(context.statusTracker().getJobIdsForGroup("mine")) == before
        assert context.getLocalProperty("spark.jobGroup.id") == "mine"
        assert context.getLocalProperty("spark.job.description") == "my own jobs"
        assert context.getLocalProperty("spark.job.interruptOnCancel") == "true"
    finally:
        for name in ("spark.jobGroup.id", "spark.job.description", "spark.job.interruptOnCancel"):
            context.setLocalProperty(name, None)


def test_the_users_settings_are_left_alone(
    session: bigdebug.Session, spark: SparkSession, totals: DataFrame
) -> None:
    before = dict(spark.conf.getAll)
    session.trace(totals).collect()
    assert dict(spark.conf.getAll) == before
