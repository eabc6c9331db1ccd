"""A program goes on where recording can't, and doesn't grow by being recorded."""

import gc
import logging
import time
import weakref
from pathlib import Path

import pytest
from pyspark import RDD
from pyspark.sql import DataFrame, SparkSession

import bigdebug
from bigdebug.attaching import attach_every_session
from bigdebug.lineage import recorder as recording
from bigdebug.lineage.dataflow import Dataflow
from bigdebug.lineage.store import Store


def test_without_a_store_the_program_goes_on(
    spark: SparkSession, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with caplog.at_level(logging.WARNING, "bigdebug"):
        session = bigdebug.attach(spark, store=str(blocked / "store"))
        assert spark.range(3).count() == 3
        assert spark.range(3).count() == 3
    session.detach()
    assert len(caplog.records) == 1
    assert "the program goes on without" in caplog.text
    output = session.outputs[0]
    assert (output.status, output.recipe, output.recipe_problem) == (
        "done", "unavailable", "there is no store to keep it in",
    )  # fmt: skip
    assert session._rows[1].plan is not None


def test_a_fault_of_ours_is_said_once_and_the_program_goes_on(
    spark: SparkSession,
    session: bigdebug.Session,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("our own fault")

    monkeypatch.setattr(session._recorder.dataflow, "add", broken)
    monkeypatch.setattr(session._recorder, "add_output", broken)
    with caplog.at_level(logging.WARNING, "bigdebug"):
        assert spark.range(3).filter("id > 0").count() == 2
        with pytest.raises(Exception, match="UNRESOLVED_COLUMN"):
            spark.range(3).select("nothing")
    assert [record.getMessage() for record in caplog.records if record.name == "bigdebug"] == [
        "something couldn't be recorded; the program goes on (RuntimeError: our own fault)"
    ]


def test_frames_of_rdds_are_made_where_they_were(spark: SparkSession, session: bigdebug.Session) -> None:
    rdd = spark.sparkContext.parallelize([(1,), (2,)], 1)
    before = rdd.toDF("n int").sparkSession  # type: ignore[attr-defined]
    assert session.trace(spark.range(3), "id = 1").matched == 1
    assert rdd.toDF("n int").sparkSession is before  # type: ignore[attr-defined]


def test_the_dataflow_is_bounded() -> None:
    flow = Dataflow(most=3)
    for parent in range(5):
        flow.add("filter", None, [parent] if parent else [])
    graph = flow.graph()
    assert list(graph) == [3, 4, 5]
    assert list(graph.edges) == [(3, 4), (4, 5)]
    assert flow.graph() is graph
    assert flow.get(1) is None


def test_runs_rotate(spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "MOST_OUTPUTS", 3)
    session = bigdebug.attach(spark, store=str(tmp_path))
    first = session.run_id
    frame = spark.range(3).filter("id > 0")
    for _ in range(4):
        frame.limit(2).count()
    second = session.run_id
    assert second != first
    assert [(o.number, o.run_id) for o in session.outputs] == [(1, second)]
    session.detach()
    deadline = time.monotonic() + 60
    while Store(str(tmp_path)).find(first).status == "running" and time.monotonic() < deadline:
        time.sleep(0.1)
    old, new = Store(str(tmp_path)).find(first), Store(str(tmp_path)).find(second)
    assert (old.status, new.status) == ("done", "done")
    assert [o.number for o in old.outputs] == [1, 2, 3]
    assert [o.number for o in new.outputs] == [1]
    assert [o.recipe for o in (*old.outputs, *new.outputs)] == ["stored"] * 4
    # The new run holds what its output was made of, also where that stood in the old one.
    assert {node.operator for node in new.nodes.values()} == {"range", "filter", "limit"}
    assert session._recorder.node_of(f"{first}/2") == session._recorder.node_of(f"{second}/2")


def test_sessions_made_in_passing_are_not_kept(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service that makes a session for each request must not grow by them."""
    monkeypatch.setattr(RDD, "toDF", RDD.toDF)  # each new session puts in its own, that holds it
    with attach_every_session(store=str(tmp_path)) as recorded:
        passing = spark.newSession()
        passing.range(2).count()
        gone = weakref.ref(passing)
        del passing
        assert spark.newSession().range(3).count() == 3
        recorded.drain()
        gc.collect()
        assert gone() is None
        assert [(o.number, o.rows) for o in recorded.outputs] == [(1, 2), (2, 3)]


def test_nothing_keeps_a_dropped_frame(spark: SparkSession, session: bigdebug.Session) -> None:
    """A service that makes frames for weeks must not grow by them."""
    frame: DataFrame = spark.range(3).filter("id > 1")
    gone = weakref.ref(frame)
    session._recorder.settle()
    del frame
    gc.collect()
    assert gone() is None
