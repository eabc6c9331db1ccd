"""Attaching and detaching, several sessions, stopped sessions, stores that can't be written."""

import gc
import inspect
import json
import logging
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from types import FunctionType, ModuleType, SimpleNamespace
from typing import Any

import pytest
from pyspark import RDD
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

import bigdebug
from bigdebug.lineage import recorder as recording
from bigdebug.lineage.dataflow import Dataflow
from bigdebug.lineage.java import ensure_java
from bigdebug.lineage.patches import TABLE, patches
from bigdebug.session import attach_every_session

_INSTALLED = str(Path(bigdebug.__file__).parent.parent)


def pyspark_attributes() -> dict[str, Any]:
    """Every attribute of every class and module of PySpark."""
    found: dict[str, Any] = {}
    for module in [m for n, m in list(sys.modules.items()) if n.split(".")[0] in ("pyspark", "py4j")]:
        if not isinstance(module, ModuleType):
            continue
        for name, value in list(vars(module).items()):
            if isinstance(value, FunctionType):
                found[f"{module.__name__}.{name}"] = value
            if inspect.isclass(value):
                found |= {
                    f"{value.__module__}.{value.__qualname__}.{key}": each
                    for key, each in vars(value).items()
                    if isinstance(each, FunctionType | property | classmethod | staticmethod)
                }
    return found


def run_python(code: str, folder: Path, *, fails: bool = False) -> subprocess.CompletedProcess[str]:
    ensure_java()
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([_INSTALLED, os.environ.get("PYTHONPATH", "")])},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert fails or done.returncode == 0, done.stderr
    return done


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


def test_detach_puts_pyspark_back_exactly(spark: SparkSession, tmp_path: Path) -> None:
    before = pyspark_attributes()
    with bigdebug.attach(spark, store=str(tmp_path)):
        during = pyspark_attributes()
        changed = {name for name in before if during[name] is not before[name]}
        assert len(changed) > 150
        spark.range(3).collect()
    after = pyspark_attributes()
    assert {name for name in before if after[name] is not before[name]} == set()


def test_wrappers_look_like_what_they_wrap(spark: SparkSession, session: bigdebug.Session) -> None:
    wrapped = list(patches.methods())
    assert len(wrapped) > 150
    for owner, name, _ in wrapped:
        method = vars(owner)[name]
        original = method.__wrapped__
        assert inspect.signature(method) == inspect.signature(original)
        assert (method.__name__, method.__doc__, method.__module__, method.__qualname__) == (
            original.__name__, original.__doc__, original.__module__, original.__qualname__,
        )  # fmt: skip


def test_the_table_names_methods_that_exist() -> None:
    """In some supported version of PySpark; a typing error would go unnoticed otherwise."""
    newer = {
        "changes", "emptyDataFrame", "nearestByJoin", "python_worker_logs", "repartitionById",
        "transformWithState", "zip", "zipWithIndex",
    }  # fmt: skip
    here = {(f"{owner.__module__}:{owner.__qualname__}", name) for owner, name, _ in patches.methods()}
    not_handed_on = {"_joinAsOf", "checkpoint", "lateralJoin", "localCheckpoint", "toJSON", "toPandas"}
    missing = {
        name
        for patch in TABLE
        for name in patch.names
        if (patch.owner, name) not in here and name not in newer | not_handed_on
    }
    assert missing == set()


def test_what_somebody_else_put_in_place_stays(spark: SparkSession, tmp_path: Path) -> None:
    frame_class = type(spark.range(1))
    original = vars(frame_class)["limit"]
    session = bigdebug.attach(spark, store=str(tmp_path))
    theirs = lambda self, n: "theirs"  # noqa: E731
    frame_class.limit = theirs
    try:
        session.detach()
        assert vars(frame_class)["limit"] is theirs
    finally:
        frame_class.limit = original


def test_spark_still_names_the_users_line_of_a_job(spark: SparkSession, session: bigdebug.Session) -> None:
    """Job descriptions in Spark's own UI come from the first frame outside PySpark."""
    from pyspark.traceback_utils import first_spark_call

    seen: list[Any] = []
    frame = spark.range(1)
    jdf = frame._jdf
    frame._jdf = SimpleNamespace(  # stands where PySpark would ask the JVM
        logicalPlan=jdf.logicalPlan, collectToPython=lambda: seen.append(first_spark_call()) or 1 / 0
    )
    with pytest.raises(ZeroDivisionError):
        frame.collect()
    assert seen[0].file == __file__
    assert seen[0].function == "collect"


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
    from bigdebug.lineage.store import Store

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
    assert "classic session" in (caught.value.hint or "")


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
    from bigdebug.lineage.store import Store

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
    assert "078" not in text
    assert "1120" not in text
    assert json.loads(next(store.rglob("run.json")).read_text())["redact"] == ["ssn"]


def test_passwords_in_addresses_are_not_stored(spark: SparkSession, session: bigdebug.Session) -> None:
    with pytest.raises(Exception, match=r"."):
        spark.range(1).write.parquet("nofs://me:hunter2@host/out")
    assert session.outputs[0].target == "nofs://host/out"


@pytest.fixture(scope="module")
def stopped_run(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a program of its own saw that stops and remakes sessions under `attach_every_session`."""
    folder = tmp_path_factory.mktemp("every")
    done = run_python(
        """
        import json
        from bigdebug.session import attach_every_session
        import bigdebug

        every = attach_every_session(store="store", name="every")
        recorded = every.__enter__()
        assert recorded.run_id is None
        from pyspark.sql import SparkSession
        from pyspark.traceback_utils import first_spark_call
        untouched = SparkSession.builder.getOrCreate.__wrapped__

        def start():
            return (
                SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
                .config("spark.sql.shuffle.partitions", "1").getOrCreate()
            )

        spark = start()
        assert bigdebug.attach(spark) is bigdebug.current()
        spark.range(3).filter("id > 0").count()
        assert start() is spark
        other = spark.newSession()
        other.range(2).collect()
        with spark:
            spark.range(1).isEmpty()
        spark = start()
        spark.range(5).take(2)
        spark.sparkContext.stop()
        assert bigdebug.current() is None
        every.__exit__(None, None, None)
        assert SparkSession.Builder.getOrCreate is untouched
        spark = start()
        spark.range(5).take(2)
        spark.stop()
        print(json.dumps({
            "run": recorded.run_id,
            "outputs": [(o.number, o.action, o.status, o.recipe) for o in recorded.outputs],
        }))
        """,
        folder,
    )
    return json.loads(done.stdout.splitlines()[-1]) | {"folder": folder}


def test_every_session_is_one_run(stopped_run: dict[str, Any]) -> None:
    from bigdebug.lineage.store import Store

    assert stopped_run["outputs"] == [
        [1, "count", "done", "stored"],
        [2, "collect", "done", "stored"],
        [3, "isEmpty", "done", "stored"],
        [4, "take", "done", "stored"],
    ]
    (run,) = Store(str(stopped_run["folder"] / "store")).runs()
    assert (run.run_id, run.name, run.status) == (stopped_run["run"], "every", "done")
    assert [o.recipe for o in run.outputs] == ["stored"] * 4


def test_a_program_that_just_ends_is_stored(tmp_path: Path) -> None:
    from bigdebug.lineage.store import Store

    run_python(
        """
        from pyspark.sql import SparkSession
        import bigdebug
        spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
        session = bigdebug.attach(spark)
        spark.range(3).toPandas()
        raise ValueError("the program's own")
        """,
        tmp_path,
        fails=True,
    )
    (run,) = Store(str(tmp_path / ".bigdebug")).runs()
    assert run.status == "failed"
    assert [(o.action, o.status, o.recipe) for o in run.outputs] == [("toPandas", "done", "stored")]


def test_a_forked_child_records_nothing(tmp_path: Path) -> None:
    from bigdebug.lineage.store import Store

    run_python(
        """
        import os, sys
        from pyspark.sql import SparkSession
        import bigdebug
        spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
        session = bigdebug.attach(spark)
        child = os.fork()
        if child == 0:
            sys.modules["bigdebug.session"]._detach_at_exit()
            os._exit(0 if bigdebug.current() is None else 7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        spark.range(3).count()
        """,
        tmp_path,
    )
    (run,) = Store(str(tmp_path / ".bigdebug")).runs()
    assert [(o.action, o.status) for o in run.outputs] == [("count", "done")]
    assert run.status == "done"


def test_importing_bigdebug_loads_nothing_heavy(tmp_path: Path) -> None:
    done = run_python(
        """
        import sys
        import bigdebug
        print(*sorted({name.partition(".")[0] for name in sys.modules}
              & {"pyspark", "py4j", "networkx", "textual", "rich", "click", "pandas", "pyarrow", "numpy"}))
        """,
        tmp_path,
    )
    assert done.stdout.strip() == ""


def test_a_recording_that_is_over_can_still_be_read(spark: SparkSession, tmp_path: Path) -> None:
    with bigdebug.attach(spark, store=str(tmp_path)) as session:
        spark.range(2).createOrReplaceTempView("over")
        spark.table("over").count()
    began = time.monotonic()
    assert [d["operator"] for _, d in session.graph.nodes(data=True)] == ["range", "table"]
    assert list(session.graph.edges) == [(1, 2)]
    assert [o.rows for o in session.outputs] == [2]
    assert time.monotonic() - began < 1


def test_sessions_made_in_passing_are_not_kept(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service that makes a session for each request must not grow by them."""
    import weakref

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
    import weakref

    frame: DataFrame = spark.range(3).filter("id > 1")
    gone = weakref.ref(frame)
    session._recorder.settle()
    del frame
    gc.collect()
    assert gone() is None
