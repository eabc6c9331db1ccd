"""However a program ends, and whatever sessions it makes on the way, what it did is stored."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import bigdebug
from bigdebug.lineage.java import ensure_java
from bigdebug.lineage.store import Store

_INSTALLED = str(Path(bigdebug.__file__).parent.parent)


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


def test_every_session_is_recorded(tmp_path: Path) -> None:
    """One program that stops and remakes sessions, has a child, and at last just ends."""
    done = run_python(
        """
        import json, os, sys
        from bigdebug.attaching import attach_every_session
        import bigdebug

        every = attach_every_session(store="store", name="every")
        recorded = every.__enter__()
        assert recorded.run_id is None
        from pyspark.sql import SparkSession
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
        print(json.dumps({
            "run": recorded.run_id,
            "outputs": [(o.number, o.action, o.status, o.recipe) for o in recorded.outputs],
        }))

        session = bigdebug.attach(spark)
        child = os.fork()
        if child == 0:
            sys.modules["bigdebug.attaching"]._detach_at_exit()
            os._exit(0 if bigdebug.current() is None else 7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        spark.range(3).count()
        """,
        tmp_path,
    )
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["outputs"] == [
        [1, "count", "done", "stored"],
        [2, "collect", "done", "stored"],
        [3, "isEmpty", "done", "stored"],
        [4, "take", "done", "stored"],
    ]
    (run,) = Store(str(tmp_path / "store")).runs()
    assert (run.run_id, run.name, run.status) == (told["run"], "every", "done")
    assert [o.recipe for o in run.outputs] == ["stored"] * 4
    # Nobody detached this one, and its child must have left it alone.
    (last,) = Store(str(tmp_path / ".bigdebug")).runs()
    assert [(o.action, o.status, o.recipe) for o in last.outputs] == [("count", "done", "stored")]
    assert last.status == "done"


@pytest.mark.proof("a program that attached by itself, and fails")
def test_a_program_that_fails_is_stored(tmp_path: Path) -> None:
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
