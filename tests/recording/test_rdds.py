"""Programs of RDDs are recorded, and run as they do without."""

import json
import os
import subprocess
import sys
import traceback
from pathlib import Path
from types import GeneratorType
from typing import Any

import jsonschema
import pytest
from pyspark import RDD, SparkContext
from pyspark.sql import SparkSession

import bigdebug
from bigdebug.cli.schemas import schema
from bigdebug.lineage.errors import SourceChangedError
from bigdebug.lineage.postmortem import open_output
from bigdebug.lineage.store import Store


@pytest.fixture
def context(spark: SparkSession) -> SparkContext:
    return spark.sparkContext


def operators(session: bigdebug.Session) -> list[str]:
    return [data["operator"] for _, data in session.graph.nodes(data=True)]


def test_one_node_for_what_the_user_called(session: bigdebug.Session, context: SparkContext) -> None:
    numbers = context.parallelize([1, 2, 2], 2)
    pairs = numbers.distinct().map(lambda x: (x, x))
    joined = pairs.join(pairs + pairs)
    assert isinstance(joined, RDD)
    assert len(joined.collect()) == 4
    assert operators(session) == ["parallelize", "distinct", "map", "union", "join"]
    assert sorted(session.graph.edges) == [(1, 2), (2, 3), (3, 4), (3, 5), (4, 5)]
    (output,) = session.outputs
    assert (output.action, output.node, output.rows, output.status) == ("collect", 5, 4, "done")
    assert output.call_site is not None
    assert output.call_site.text == "assert len(joined.collect()) == 4"


def test_actions_are_outputs_whatever_they_do_inside(
    session: bigdebug.Session, context: SparkContext, tmp_path: Path
) -> None:
    numbers = context.parallelize(range(4), 2)
    assert (numbers.sum(), numbers.count(), numbers.take(2), numbers.first()) == (6, 4, [0, 1], 0)
    numbers.saveAsTextFile(str(tmp_path / "out"))
    actions = [(o.action, o.rows, o.target) for o in session.outputs]
    assert actions == [
        ("sum", None, None),
        ("count", 4, None),
        ("take", 2, None),
        ("first", 1, None),
        ("saveAsTextFile", None, str(tmp_path / "out")),
    ]
    assert operators(session) == ["parallelize"]


def test_an_iterator_ends_its_output_when_it_is_used_up(
    session: bigdebug.Session, context: SparkContext
) -> None:
    rows = context.parallelize(range(4), 2).toLocalIterator()
    assert isinstance(rows, GeneratorType)
    assert session.outputs[0].status == "running"
    assert list(rows) == [0, 1, 2, 3]
    assert (session.outputs[0].status, session.outputs[0].rows) == ("done", 4)


def test_exceptions_are_the_programs_own(session: bigdebug.Session, context: SparkContext) -> None:
    with pytest.raises(ValueError, match="Can not reduce") as caught:
        context.parallelize([], 1).reduce(max)
    assert [Path(f.filename).name for f in traceback.extract_tb(caught.value.__traceback__)] == [
        "test_rdds.py",
        "rdd.py",
    ]
    assert (session.outputs[0].status, session.outputs[0].error) == (
        "failed",
        "ValueError: Can not reduce() empty RDD",
    )
    with pytest.raises(TypeError, match="num"):
        context.parallelize([1], 1).take()  # type: ignore[call-arg]


def test_the_draw_of_random_numbers_is_left_alone(spark: SparkSession, tmp_path: Path) -> None:
    import random

    def drawn() -> Any:
        random.seed(7)
        rdd = spark.sparkContext.parallelize(range(50), 2)
        parts = rdd.randomSplit([1, 2])
        return rdd.sample(False, 0.5).collect(), [part.collect() for part in parts], random.random()

    plain = drawn()
    with bigdebug.attach(spark, store=str(tmp_path)) as session:
        assert drawn() == plain
        trace = session.trace(session.outputs[0])
        assert sorted(record.value for record in trace.collect()) == plain[0]


def test_a_bare_context(spark: SparkSession, context: SparkContext, tmp_path: Path) -> None:
    with bigdebug.attach(context, store=str(tmp_path)) as session:
        assert bigdebug.attach(context) is session
        context.parallelize([1], 1).map(str).collect()
        assert operators(session) == ["parallelize", "map"]
        words = context.parallelize(["a", "b"], 1).filter(lambda word: word != "b").map(lambda word: (word,))
        trace = session.trace(spark.createDataFrame(words, "word string").where("word > ''"))
        assert [record.value for record in trace.collect()] == ["a"]
        both = bigdebug.attach(spark)
        assert both.run_id == session.run_id
        spark.range(1).collect()
        assert [output.action for output in session.outputs] == ["collect", "collect"]
        both.detach()
    context.parallelize([1], 1).map(str).collect()
    assert len(session.outputs) == 2


def test_what_an_earlier_recording_saw_is_in_the_next_one(
    spark: SparkSession, context: SparkContext, tmp_path: Path
) -> None:
    with bigdebug.attach(spark, store=str(tmp_path)) as first:
        first_rdd = context.parallelize([1, 2], 1).map(lambda x: (x, 1))
    with bigdebug.attach(spark, store=str(tmp_path)) as second:
        spark.range(1)
        doubled = first_rdd.mapValues(lambda x: 2 * x)
        assert operators(second) == ["range", "parallelize", "map", "mapValues"]
        assert sorted(second.graph.edges) == [(2, 3), (3, 4)]
        assert len(first.graph) == 2
        trace = second.trace(doubled, where=lambda pair: pair[0] == 2)
        assert [record.value for record in trace.collect()] == [2]


def test_rdds_have_nothing_that_could_be_redacted(
    spark: SparkSession, context: SparkContext, tmp_path: Path
) -> None:
    with bigdebug.attach(spark, store=str(tmp_path), redact=["name"]) as session:
        context.parallelize(["Ann"], 1).collect()
        session._recorder.drain()
        (output,) = session.outputs
        assert output.recipe_problem == (
            "elements of RDDs have no columns, so that none of their values can be redacted"
        )
        assert output.call_site is not None
        assert "Ann" not in output.call_site.text
    assert b"Ann" not in b"".join(each.read_bytes() for each in tmp_path.rglob("*") if each.is_file())


def test_a_function_that_cannot_be_pickled_is_named(session: bigdebug.Session, context: SparkContext) -> None:
    import threading

    lock = threading.Lock()
    rdd = context.parallelize([1], 1).map(lambda x: (lock, x))
    with pytest.raises(Exception, match="pickle"):
        rdd.collect()
    session._recorder.drain()
    problem = session.outputs[0].recipe_problem
    assert problem is not None
    assert problem.startswith("map at test_rdds.py:")
    line = test_a_function_that_cannot_be_pickled_is_named.__code__.co_firstlineno + 4
    assert f"has a lambda (of test_rdds.py:{line}) that can't be pickled" in problem

    def held(x: int) -> object:
        return lock, x

    with pytest.raises(Exception, match="pickle"):
        context.parallelize([1], 1).map(held).collect()
    session._recorder.drain()
    problem = session.outputs[1].recipe_problem
    assert problem is not None
    assert ".held (of test_rdds.py:" in problem


PROGRAM = """
from operator import add
from pyspark import SparkContext

context = SparkContext(appName="words")
stop = context.broadcast({"of"})
lines = context.textFile("lines.txt")
words = lines.flatMap(str.split).filter(lambda word: word not in stop.value)
counts = words.map(lambda word: (word, 1)).reduceByKey(add)
names = context.parallelize([("a", "first"), ("b", "second")], 2)
print(sorted(counts.join(names).collect()))
context.stop()
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    (tmp_path / "words.py").write_text(PROGRAM)
    (tmp_path / "lines.txt").write_text("a of b\nb c\na a\n")
    return tmp_path


def bigdebug_command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYSPARK_PYTHON": sys.executable}
    environment.pop("BIGDEBUG_STORE", None)
    return subprocess.run(
        [sys.executable, "-m", "bigdebug", *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


@pytest.mark.proof(
    "commands about a program of RDDs, in processes of their own, and its sources that changed"
)
def test_a_trace_when_the_program_is_long_gone(spark: SparkSession, program: Path) -> None:
    ran = bigdebug_command(program, "run", "words.py")
    assert (ran.stdout, ran.returncode) == ("[('a', (3, 'first')), ('b', (2, 'second'))]\n", 0), ran.stderr
    run = Store(str(program / ".bigdebug")).find("last")
    assert [output.recipe for output in run.outputs] == ["stored"]
    traced = bigdebug_command(program, "trace", "last", "1", "--where", "key == 'b'", "--json")
    assert traced.returncode == 0, traced.stderr
    found = json.loads(traced.stdout)
    jsonschema.validate(found, schema("trace"))
    assert (found["matched"], found["exact"], found["notes"]) == (1, True, [])
    assert [
        (source["name"], source["kind"], [(r["position"], r["value"]) for r in source["records"]])
        for source in found["sources"]
    ] == [
        ("lines.txt", "text", [(0, "a of b"), (1, "b c")]),
        ("words.py:10", "memory", [(0, ["b", "second"])]),
    ]
    (program / "lines.txt").write_text("a\n")
    with pytest.raises(SourceChangedError, match=r"lines\.txt changed from 15 to 2 bytes"):
        open_output(run, run.outputs[0], spark=spark).trace("key == 'b'")
