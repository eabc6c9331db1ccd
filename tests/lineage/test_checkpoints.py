"""Checkpoints: a trace goes on through them to the records that they were made of, live and from a recipe."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

import bigdebug
from bigdebug.lineage.opened import tag_named
from bigdebug.lineage.postmortem import open_output
from bigdebug.lineage.store import Store
from bigdebug.lineage.trace import Trace
from tests.thinned import thinned

Keep = Callable[..., DataFrame]


@pytest.fixture
def numbers(spark: SparkSession, tmp_path: Path) -> DataFrame:
    spark.range(12).selectExpr("id n", "id % 3 k").coalesce(1).write.parquet(str(tmp_path / "numbers"))
    return spark.read.parquet(str(tmp_path / "numbers"))


@pytest.fixture(params=["checkpoint", "localCheckpoint"])
def kept(request: pytest.FixtureRequest, spark: SparkSession, tmp_path: Path) -> Keep:
    """Gives a frame's checkpoint, of one kind or the other."""
    spark.sparkContext.setCheckpointDir(str(tmp_path / "checkpoints"))

    def keep(frame: DataFrame, *, eager: bool = True) -> DataFrame:
        made: DataFrame = getattr(frame, request.param)(eager=eager)
        return made

    return keep


def found(trace: Trace) -> list[tuple[str, int | None, int]]:
    return [(r.source, r.location.position, r.value["n"]) for r in trace.collect()]


def rounds(kept: Keep, frame: DataFrame, number: int) -> DataFrame:
    for _ in range(number):
        frame = kept(frame.withColumn("n", F.col("n") + 1))
    return frame


@pytest.mark.compat
def test_through_a_checkpoint(numbers: DataFrame, kept: Keep, spark: SparkSession, tmp_path: Path) -> None:
    with bigdebug.attach(spark, store=str(tmp_path / "store")) as session:
        few = kept(numbers.where("n > 3"))
        totals = kept(rounds(kept, few, 2).groupBy("k").agg(F.sum("n").alias("total")), eager=False)
        pairs = few.alias("a").join(few.alias("b"), F.expr("a.n = b.n + 1")).selectExpr("a.n", "b.n m")
        assert totals.where("k = 1").collect()[0].total == 4 + 7 + 10 + 3 * 2
        assert len(pairs.collect()) == 7
        live = [found(session.trace(session.outputs[-2])), found(session.trace(pairs, "n = 8"))]
    assert live == [[("numbers", n, n) for n in (4, 7, 10)], [("numbers", 8, 8), ("numbers#2", 7, 7)]]
    shutil.rmtree(tmp_path / "checkpoints")  # which a recipe needs as little as a live trace
    run = Store(str(tmp_path / "store")).find("last")
    last = run.outputs[-2:]
    again = [open_output(run, output, spark=spark) for output in last]
    assert [found(again[0].trace()), found(again[1].trace("n = 8"))] == live


QUERIES = {
    "in": "select n from few f where k in (select k from some where n > 9)",
    "exists": "select n from few f where exists (select 1 from some s where s.k = f.k and s.n > 9)",
    "scalar": "select n, (select max(n) from some s where s.k = f.k) m from few f",
    "nested": "select n from few where k in (select k from some where n in (select n + 1 from some))",
    "lateral": "select f.n, s.n m from few f, lateral (select n from some s where s.n = f.n - 3) s",
}


@pytest.mark.compat
@pytest.mark.parametrize(
    "kept", thinned(["checkpoint", "localCheckpoint"], "checkpoints in subqueries", 2), indirect=True
)
def test_in_subqueries(numbers: DataFrame, kept: Keep, spark: SparkSession, tmp_path: Path) -> None:
    numbers.where("n < 11").createOrReplaceTempView("few")
    with bigdebug.attach(spark, store=str(tmp_path / "store")) as session:
        kept(numbers.where("n > 3")).createOrReplaceTempView("some")
        for text in QUERIES.values():
            spark.sql(text).collect()
        live = [found(session.trace(output, "n = 10")) for output in session.outputs]
        looked_up = found(session.trace(session.outputs[0], "n = 10", influence=True))
    own = ("numbers", 10, 10)
    assert dict(zip(QUERIES, live, strict=True)) == {
        **{name: [own] for name in QUERIES},
        "lateral": [own, ("numbers#2", 7, 7)],
    }
    assert looked_up == [own, ("numbers#2", 10, 10)]
    run = Store(str(tmp_path / "store")).find("last")
    assert [found(open_output(run, output, spark=spark).trace("n = 10")) for output in run.outputs] == live


def test_what_was_overwritten_since_ends_at_the_checkpoint(
    numbers: DataFrame, kept: Keep, session: bigdebug.Session, tmp_path: Path
) -> None:
    few = kept(numbers.where("n > 9"))
    few.write.mode("overwrite").parquet(str(tmp_path / "numbers"))
    trace = session.trace(few, "n = 10")
    (record,) = trace.collect()
    assert (trace.sources[0].kind, record.location.file, record.value) == ("memory", None, {"n": 10, "k": 1})
    assert any("ends at a checkpoint" in note for note in trace.notes)


def test_rounds_hold_no_data_of_earlier_ones(
    numbers: DataFrame, kept: Keep, session: bigdebug.Session
) -> None:
    plan = rounds(kept, numbers, 3)._jdf.queryExecution().analyzed()
    below = plan.getTagValue(tag_named(session._attachment.spark._jvm, "bigdebug.checkpoint")).get()
    leaves = [below.collectLeaves().apply(i) for i in range(below.collectLeaves().length())]
    assert [leaf.getClass().getSimpleName() for leaf in leaves] == ["LogicalRelation"]


def test_a_very_long_plan_ends_at_the_checkpoint(
    numbers: DataFrame, kept: Keep, session: bigdebug.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bigdebug.lineage.checkpoints._MOST_OPERATORS", 3)
    long = rounds(kept, numbers.where("n > 2").where("n > 3").where("n > 4"), 1)
    assert session.trace(long, "n = 8").sources[0].kind == "memory"
    assert [record.value for record in session.trace(long, "n = 8").collect()] == [{"n": 8, "k": 1}]
