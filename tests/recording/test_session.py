"""Attaching and detaching, several sessions, and what is refused."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

import bigdebug
from bigdebug.lineage.store import Store


def test_attach_twice_is_one_session(spark: SparkSession, tmp_path: Path) -> None:
    first = bigdebug.attach(spark, store=str(tmp_path))
    assert bigdebug.attach(spark, store="elsewhere") is first
    assert bigdebug.current() is first
    first.detach()
    first.detach()
    assert bigdebug.current() is None
    second = bigdebug.attach(spark, store=str(tmp_path))
    assert second is not first
    assert second.run_id != first.run_id
    second.detach()


def test_only_attached_sessions_are_recorded(
    spark: SparkSession, session: bigdebug.Session, tmp_path: Path
) -> None:
    other = spark.newSession()
    other.range(3).filter("id > 1").count()
    assert session.outputs == []
    assert len(session.graph) == 0
    with bigdebug.attach(other, store=str(tmp_path / "other")) as second:
        other.range(3).count()
        spark.range(4).limit(1).count()
        assert [o.action for o in second.outputs] == ["count"]
        assert [d["operator"] for _, d in second.graph.nodes(data=True)] == ["range"]
        assert [d["operator"] for _, d in session.graph.nodes(data=True)] == ["range", "limit"]
        assert bigdebug.current() is second
    assert bigdebug.current() is session


def test_another_object_for_the_same_session(spark: SparkSession, session: bigdebug.Session) -> None:
    again = SparkSession(spark.sparkContext, spark._jsparkSession)
    assert bigdebug.attach(again) is session
    again.range(2).count()
    assert [o.action for o in session.outputs] == ["count"]


def test_frames_from_before_and_from_earlier_recordings(spark: SparkSession, tmp_path: Path) -> None:
    before = spark.range(3)
    with bigdebug.attach(spark, store=str(tmp_path)):
        early = before.filter("id > 0")
    with bigdebug.attach(spark, store=str(tmp_path)) as session:
        early.limit(1).collect()
        early.cache().unpersist()
        assert [(id, d["operator"]) for id, d in session.graph.nodes(data=True)] == [
            (1, "limit"),
            (2, "cache"),
        ]
        assert list(session.graph.edges) == []


def test_the_context_manager_says_how_it_ended(spark: SparkSession, tmp_path: Path) -> None:
    def fail() -> None:
        with bigdebug.attach(spark, name="mine", store=str(tmp_path)):
            spark.range(1).count()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    run = Store(str(tmp_path)).find("last")
    assert (run.name, run.status) == ("mine", "failed")
    assert [(o.action, o.status, o.recipe) for o in run.outputs] == [("count", "done", "stored")]
    assert [node.operator for node in run.nodes.values()] == ["range"]


def test_a_recording_that_is_over_can_still_be_read(spark: SparkSession, tmp_path: Path) -> None:
    with bigdebug.attach(spark, store=str(tmp_path)) as session:
        spark.range(2).createOrReplaceTempView("over")
        spark.table("over").count()
    began = time.monotonic()
    assert [d["operator"] for _, d in session.graph.nodes(data=True)] == ["range", "table"]
    assert list(session.graph.edges) == [(1, 2)]
    assert [o.rows for o in session.outputs] == [2]
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("what", "kind", "text"),
    [
        ({"spark": "spark"}, TypeError, "attach takes a SparkSession, not str"),
        ({"capture": "everything"}, ValueError, "capture can't be 'everything'"),
    ],
)
def test_wrong_arguments(spark: SparkSession, what: dict[str, Any], kind: type, text: str) -> None:
    with pytest.raises(bigdebug.BigDebugError, match=text) as caught:
        bigdebug.attach(**{"spark": spark, **what})
    assert isinstance(caught.value, kind)
    assert caught.value.hint
    assert bigdebug.current() is None


def test_a_connect_session_is_refused() -> None:
    connect = type("SparkSession", (), {"__module__": "pyspark.sql.connect.session"})
    with pytest.raises(bigdebug.BigDebugError, match="Spark Connect") as caught:
        bigdebug.attach(connect())
    assert "make a classic one" in (caught.value.hint or "")


def test_redacted_values_are_nowhere(spark: SparkSession, tmp_path: Path) -> None:
    store = tmp_path / "store"
    with bigdebug.attach(spark, store=str(store), redact=["ssn"]) as session:
        people = spark.createDataFrame([("078-05-1120", 1)], "ssn string, n int")
        people.filter(people.ssn == "078-05-1120").collect()
        people.filter("ssn = '078-05-1120'").write.parquet(str(tmp_path / "ssn=078-05-1120" / "out"))
        with pytest.raises(Exception, match="078-05-1120"):
            people.select(F.col("ssn").cast("int")).collect()
        with pytest.raises(Exception, match="TABLE_OR_VIEW_NOT_FOUND"):
            spark.sql("insert into nowhere select '078-05-1120'")
        assert [o.error for o in session.outputs] == [
            None, None, "NumberFormatException: CAST_INVALID_INPUT", "AnalysisException: TABLE_OR_VIEW_NOT_FOUND",
        ]  # fmt: skip
        assert session.outputs[0].content_hash is None
        assert session.outputs[0].rows == 1
    text = "".join(path.read_text() for path in store.rglob("*.json*"))
    # Of its parts alone the one or other may stand in a time of day.
    for part in ("078-05", "05-1120", "078051120"):
        assert part not in text
    assert json.loads(next(store.rglob("run.json")).read_text())["redact"] == ["ssn"]


def test_passwords_in_addresses_are_not_stored(spark: SparkSession, session: bigdebug.Session) -> None:
    with pytest.raises(Exception, match=r"."):
        spark.range(1).write.parquet("nofs://me:hunter2@host/out")
    assert session.outputs[0].target == "nofs://host/out"
