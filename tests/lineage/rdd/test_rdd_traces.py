"""What a trace of an RDD tells: names, places, steps, notes, and what it refuses."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyspark import SparkContext
from pyspark.sql import SparkSession

import bigdebug
from bigdebug.lineage.errors import BigDebugError, SourceChangedError, UnsupportedOperatorError
from bigdebug.lineage.location import Location
from bigdebug.lineage.postmortem import open_output
from bigdebug.lineage.rdd.doubts import doubts_about
from bigdebug.lineage.rdd.operator import RddOperator
from bigdebug.lineage.rdd.postmortem import RddReplay
from bigdebug.lineage.rdd.recipe import RddRecipe
from bigdebug.lineage.store import Store
from tests.thinned import thinned


@pytest.fixture
def words(tmp_path: Path) -> Path:
    """Two files of lines, one large enough for several parts."""
    folder = tmp_path / "words"
    folder.mkdir()
    (folder / "a.txt").write_text("to be or\nnot to be\n\nthat is\n")
    (folder / "b.txt").write_text("".join(f"line {number}\n" for number in range(100)) + "to end\n")
    return folder


def places(trace: Any) -> list[tuple[str, int]]:
    return [(Path(r.location.file).name, r.location.position) for r in trace.collect()]


def test_word_count_back_to_files_and_lines(
    session: bigdebug.Session, context: SparkContext, words: Path
) -> None:
    lines = context.textFile(str(words), 6)
    counts = lines.flatMap(str.split).map(lambda word: (word, 1)).reduceByKey(lambda a, b: a + b)
    assert dict(counts.collect())["to"] == 3
    trace = session.trace(session.outputs[-1], where=lambda pair: pair[0] == "to")
    assert trace.matched == 1
    assert places(trace) == [("a.txt", 0), ("a.txt", 1), ("b.txt", 100)]
    assert trace.collect()[2].value == "to end"
    assert [(s.name, s.kind, s.count) for s in trace.sources] == [("words", "text", 3)]
    assert [Path(f).name for f in trace.sources[0].files] == ["a.txt", "b.txt"]
    assert [(s.operator, s.count) for s in trace.steps] == [("reduceByKey", 1), ("map", 3), ("flatMap", 3)]
    assert trace.steps[2].records().collect() == ["to", "to", "to"]
    assert trace.exact
    assert trace.notes == []
    assert sorted(r.location.position for r in trace.records().collect()) == [0, 1, 100]


def test_whole_files_and_data_at_hand(session: bigdebug.Session, context: SparkContext, words: Path) -> None:
    files = context.wholeTextFiles(str(words)).map(lambda pair: (len(pair[1].split()), pair[0]))
    named = context.parallelize([(10, "short"), (202, "long")], 2)
    trace = session.trace(files.join(named), where="x[1][1] == 'long'")
    found = trace.collect()
    assert [(Path(r.location.file or "").name, r.location.position) for r in found[:1]] == [("b.txt", 0)]
    assert (found[1].location, found[1].value) == (Location(None, 0, 1), (202, "long"))
    assert [source.kind for source in trace.sources] == ["wholeTextFiles", "memory"]


@pytest.mark.proof("what the output of each of twelve actions is about")
def test_actions_give_what_their_outputs_are_about(session: bigdebug.Session, context: SparkContext) -> None:
    numbers = context.parallelize([3, 1, 2, 3, None, 5], 3).filter(lambda x: x is not None)

    def values(action: Any, where: Any = None) -> list[Any]:
        action()
        trace = session.trace(session.outputs[-1], where=where)
        return sorted(record.value for record in trace.collect())

    assert values(lambda: numbers.take(3)) == [1, 2, 3]
    assert values(lambda: numbers.top(2)) == [3, 5]
    assert values(lambda: numbers.takeOrdered(2)) == [1, 2]
    assert values(numbers.first) == [3]
    assert values(lambda: numbers.takeSample(False, 2, 7)) == sorted(numbers.takeSample(False, 2, 7))
    assert values(numbers.sum, lambda total: total == 14) == [1, 2, 3, 3, 5]
    assert values(numbers.max, lambda most: most == 4) == []
    assert values(numbers.countByValue, lambda pair: pair == (3, 2)) == [3, 3]
    assert values(lambda: list(numbers.toLocalIterator()), lambda x: x == 1) == [1]
    assert values(lambda: numbers.foreach(print), lambda x: x == 2) == [2]
    pairs = numbers.map(lambda x: (x % 2, x))
    assert values(lambda: pairs.lookup(0)) == [2]
    assert values(pairs.collectAsMap) == [2, 5]


def test_functions_are_those_that_spark_took(session: bigdebug.Session, context: SparkContext) -> None:
    """As in k-means: what a function refers to is another thing when the question comes."""
    limit = 2
    numbers = context.parallelize([1, 2, 3, 4], 2)
    small = numbers.filter(lambda x: x < limit)
    grouped = small.groupBy(lambda x: x % 2)
    assert small.count() == 1
    counted = session.outputs[-1]
    limit = 4
    assert session.trace(counted).matched == 1
    assert session.trace(small).matched == 3, "computed now, it is what it would be now"
    assert [record.value for record in session.trace(grouped).collect()] == [1]


def test_accumulators_and_broadcasts_of_the_program(session: bigdebug.Session, context: SparkContext) -> None:
    seen = context.accumulator(0)
    wanted = context.broadcast({"b"})

    def is_wanted(word: str) -> bool:
        seen.add(1)
        return word in wanted.value

    chosen = context.parallelize(["a", "b"], 1).filter(is_wanted)
    assert chosen.collect() == ["b"]
    assert [record.value for record in session.trace(chosen).collect()] == ["b"]
    assert seen.value == 2, "a trace doesn't count"


def test_keys_that_are_not_numbers(session: bigdebug.Session, context: SparkContext) -> None:
    nan = float("nan")
    pairs = context.parallelize([(nan, 1), (1.0, 2), ((nan, 1), 3)], 1)
    trace = session.trace(pairs.groupByKey(), where=lambda pair: pair[0] != pair[0])
    assert [record.value[1] for record in trace.collect()] == [1]
    assert not trace.exact
    assert "not a number" in trace.notes[0]


def test_functions_of_partitions_are_marked(session: bigdebug.Session, context: SparkContext) -> None:
    ahead = context.parallelize(range(8), 2).mapPartitions(lambda part: (x for x in list(part)[:1]))
    trace = session.trace(ahead, where=lambda x: x == 0)
    assert [record.value for record in trace.collect()] == [0, 1, 2, 3]
    assert not trace.exact
    assert trace.notes[0].startswith("what mapPartitions at test_rdd_traces.py:")
    lazy = context.parallelize(range(8), 2).mapPartitions(lambda part: (x for x in part))
    assert [r.value for r in session.trace(lazy, where=lambda x: x == 1).collect()] == [0, 1]


def test_elements_taken_in_an_order_of_chance_are_marked(
    session: bigdebug.Session, context: SparkContext
) -> None:
    words = context.parallelize(["a", "b", "a", "c"], 2).map(lambda word: (word, 1))
    counts = words.reduceByKey(lambda a, b: a + b)
    assert counts.take(2)
    trace = session.trace(session.outputs[-1])
    assert (trace.matched, trace.exact) == (2, False)
    assert trace.notes == ["take takes elements by position, and they may come in another order"]

    both = counts.union(counts).repartition(2)
    both.collectAsMap()
    trace = session.trace(session.outputs[-1])
    assert (trace.matched, trace.exact) == (3, False)
    assert trace.notes[0].startswith("collectAsMap keeps the last of the pairs of a key")

    for action in (
        lambda: counts.sortBy(lambda pair: -pair[1]).map(lambda pair: pair[0]).first(),
        lambda: words.take(2),
        counts.collect,
        lambda: counts.top(1),
        counts.collectAsMap,
        words.collectAsMap,
        lambda: counts.map(lambda pair: pair).collectAsMap(),
    ):
        action()
        assert session.trace(session.outputs[-1]).exact


def test_functions_of_chance_and_time_are_marked(
    session: bigdebug.Session, context: SparkContext, spark: SparkSession
) -> None:
    kept = context.parallelize(range(8), 2).filter(lambda _: random.random() < 2)
    near = context.parallelize(range(4), 2).subtract(kept.map(lambda x: x + 4))
    assert sorted(near.collect()) == [0, 1, 2, 3]
    output = session.outputs[-1]
    trace = session.trace(output, where=lambda x: x == 2)
    assert (trace.exact, [record.value for record in trace.collect()]) == (False, [2])
    (note,) = trace.notes
    assert note.startswith("filter at test_rdd_traces.py:")
    assert note.endswith(" uses random.random, which draws random numbers")
    session._recorder.drain()
    run = Store(session._recorder.store).find(session.run_id)
    assert open_output(run, output, spark=spark).trace("x == 2").notes == [note]
    kept.top(2, key=lambda x: (time.time(), x))
    assert session.trace(session.outputs[-1]).notes == [note, "top uses time.time, which tells the time"]

    first, _ = context.parallelize(range(50), 2).randomSplit([1, 1])
    for sampled in (first, context.parallelize(range(50), 2).sample(False, 0.5)):
        given = sampled.collect()
        trace = session.trace(session.outputs[-1])
        assert trace.exact
        assert [record.value for record in trace.collect()] == given


@pytest.mark.parametrize(
    "name",
    thinned(
        ["top", "take of names", "takeOrdered", "take", "first", "take of parts"],
        "actions that left out an element which ranks as another does",
        among=["top", "first"],
    ),
)
def test_elements_that_rank_alike_are_marked_where_one_of_them_was_left_out(
    name: str, session: bigdebug.Session, context: SparkContext
) -> None:
    words = context.parallelize(["a", "b", "a", "c", "d", "d", "e", "e", "f"], 2)
    counts = words.map(lambda word: (word, 1)).reduceByKey(lambda a, b: a + b)
    by_count = counts.sortBy(lambda pair: -pair[1], numPartitions=1)
    actions: dict[str, Callable[[], Any]] = {
        "top": lambda: counts.top(2, key=lambda pair: pair[1]),
        # By what they were sorted, the functions after that tell no more.
        "take of names": lambda: by_count.map(lambda pair: pair[0]).filter(str).take(2),
        "takeOrdered": lambda: counts.takeOrdered(4, key=lambda pair: -pair[1]),
        "take": lambda: by_count.take(2),
        "first": by_count.first,
        "take of parts": lambda: by_count.flatMap(lambda pair: pair[0] * 2).take(3),
    }
    (note,) = notes_of(session, actions[name])
    tied = f"the last of the elements that {name.split()[0]} gave ranks as another does that it left out"
    assert note.startswith(tied)
    if name in ("top", "take of names"):
        output = session.outputs[-1]
        trace, index = session.trace(output), session.index(output).trace()
        assert (trace.exact, trace.notes) == (index.exact, index.notes)
        forward = session.trace(words, direction="forward")
        assert set(trace.notes) <= set(forward.notes)


def notes_of(session: bigdebug.Session, action: Callable[[], Any]) -> list[str]:
    """What a trace of all that an action gave notes."""
    action()
    trace = session.trace(session.outputs[-1])
    assert trace.exact == (not trace.notes)
    return trace.notes


@pytest.mark.proof("actions that left out no element which ranks as another does")
def test_elements_that_rank_alike_are_not_marked_where_none_of_them_was_left_out(
    session: bigdebug.Session, context: SparkContext
) -> None:
    words = context.parallelize(["a", "b", "a", "c", "d", "d", "e", "e", "f"], 2)
    counts = words.map(lambda word: (word, 1)).reduceByKey(lambda a, b: a + b)
    by_count = counts.sortBy(lambda pair: -pair[1], numPartitions=1)
    by_number = counts.map(lambda pair: (pair[1], pair[0])).sortByKey(False, 1)
    assert len(notes_of(session, lambda: by_number.take(1))) == 1
    for action in (
        lambda: counts.top(3, key=lambda pair: pair[1]),
        lambda: counts.takeOrdered(9, key=lambda pair: pair[1]),
        lambda: by_count.take(3),
        lambda: by_number.take(6),
        lambda: by_count.filter(lambda pair: pair[0] in "ab").flatMap(lambda pair: pair[0] * 2).take(2),
        lambda: words.top(1),
        lambda: words.top(1, key=len),
    ):
        assert notes_of(session, action) == []


def test_functions_declared_to_go_record_by_record(session: bigdebug.Session, context: SparkContext) -> None:
    @bigdebug.record_wise
    def looked_up(part: Any) -> Any:
        names = dict(zip(range(8), "abcdefgh", strict=True))
        for x in part:
            if x != 2:
                yield names[x]

    @bigdebug.record_wise
    def gathered(part: Any) -> Any:
        return list(part)

    @bigdebug.record_wise
    def with_header(number: int, part: Any) -> Any:
        yield f"part {number}"
        yield from part

    numbers = context.parallelize(range(8), 2)
    trace = session.trace(numbers.mapPartitions(looked_up), where=lambda name: name in "df")
    assert [record.value for record in trace.collect()] == [3, 5]
    assert trace.exact
    assert [(step.operator, step.count) for step in trace.steps] == [("mapPartitions", 2)]
    assert trace.narrow() is trace
    with pytest.raises(BigDebugError, match=r"gathered.* gave an element after the end of the partition"):
        _ = session.trace(numbers.mapPartitions(gathered)).matched
    with pytest.raises(BigDebugError, match="gave an element before it had read one"):
        _ = session.trace(numbers.mapPartitionsWithIndex(with_header)).matched
    with pytest.raises(BigDebugError, match="takes no attributes"):
        bigdebug.record_wise(sorted)


def test_many_keys_are_joined_in_spark(
    session: bigdebug.Session, context: SparkContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bigdebug.lineage.rdd.walk.MOST_KEYS", 2)
    counts = (
        context.parallelize([0, 1, 2, 3, None, 1], 2).map(lambda x: (x, 1)).reduceByKey(lambda a, b: a + b)
    )
    trace = session.trace(counts, where=lambda pair: pair[0] != 0)
    assert sorted(map(repr, (record.value for record in trace.collect()))) == ["1", "1", "2", "3", "None"]


def test_unions_of_the_context_and_nothing_at_all(
    session: bigdebug.Session, context: SparkContext, caplog: pytest.LogCaptureFixture
) -> None:
    one = context.parallelize([1, 2], 2)
    twice = context.union([one, one.map(lambda x: -x), one])
    assert not caplog.messages
    trace = session.trace(twice, where=lambda x: abs(x) == 1)
    assert trace.matched == 3
    assert [(r.location.partition, r.value) for r in trace.collect()] == [(0, 1)]
    nothing = session.trace(context.emptyRDD().map(lambda x: (x, 1)).groupByKey())
    assert (nothing.matched, nothing.collect()) == (0, [])


def test_files_that_are_split_otherwise_than_the_run_split_them(
    session: bigdebug.Session, context: SparkContext, spark: SparkSession, words: Path
) -> None:
    ((path, _), _) = context.binaryFiles(str(words)).zipWithIndex().collect()[1]
    session._recorder.drain()
    run, output = Store(session._recorder.store).find(session.run_id), session.outputs[-1]
    recipe = RddRecipe.from_bytes(run.recipe(output.number))
    as_on_more_cores = replace(recipe, operators=[{**each, "splits": "other"} for each in recipe.operators])
    for opened in (recipe, as_on_more_cores):
        replay = RddReplay(spark, run, output, opened, allow_changed=False, owned=False)
        trace = replay.trace("x[1] == 1")
        assert places(trace) == [(Path(path).name, 0)]
        assert trace.exact == (opened is recipe)
    (note,) = trace.notes
    assert note.startswith("zipWithIndex at test_rdd_traces.py:")
    assert "comes in other partitions than it came in when the run read it" in note


def test_what_is_read_from_no_files_is_marked() -> None:
    rows = RddOperator("newAPIHadoopRDD", (), {}, None, listed=[])
    assert doubts_about(rows) == [
        "newAPIHadoopRDD was read anew, and nothing tells whether it holds what it held when the run read it"
    ]
    rows.listed = [["file:/a.txt", 1, 1]]
    assert doubts_about(rows) == []


WITHOUT_US = """
import sys
if "pyspark.daemon" in sys.orig_argv:
    class Refuse:
        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] == "bigdebug":
                raise ImportError("no bigdebug on the workers")
    sys.meta_path.insert(0, Refuse())
"""
REMOTE = """
import sys, tempfile
part = sys.argv[1]
from pyspark import SparkContext
import bigdebug
from bigdebug.lineage.rdd.trace import travelling
context = SparkContext("local[1]", "remote")
with bigdebug.attach(context, store=tempfile.mkdtemp()) as session:
    wanted, seen = context.broadcast({1}), context.accumulator(0)
    def chosen(x):
        seen.add(1)
        return x % 2 in wanted.value
    try:
        context.parallelize([1]).map(lambda x: __import__("bigdebug")).count()
    except Exception as error:
        print("no bigdebug on the workers" in str(error))
    pairs = context.parallelize([1, 2, 3], 2).filter(chosen).map(lambda x: (x % 2, x))
    declared = pairs.mapPartitions(bigdebug.record_wise(lambda part: (pair for pair in part)))
    groups = declared.join(pairs.distinct()).mapPartitions(lambda part: list(part)).reduceByKey(lambda a, b: a + b)
    groups.take(1)
    if part == "culprits":
        trace = session.trace(session.outputs[-1], where="key == 1")
        print([record.value for record in trace.collect()], len(trace.steps))
        found = session.isolate(session.outputs[-1], "3 in value")
        print([record.value for record in found.culprits], found.culprits.dataframe().count())
        sys.exit()
    print([record.value for record in session.trace(session.outputs[-1], where="key == 1").narrow().collect()])
    source = context.parallelize([1, 2, 3], 2)
    source.map(lambda x: (x, x)).reduceByKey(lambda a, b: a + b).collect()
    forward = session.trace(source, where="x == 3", direction="forward")
    print([record.value for record in forward.collect()])
    with travelling():
        print(forward.placed_records("output 3").collect())
from pyspark.sql import SparkSession
with bigdebug.attach(SparkSession(context), store=tempfile.mkdtemp()) as session:
    frame = context.parallelize([1, 2, 3], 2).map(lambda x: (x % 2, x)).distinct().toDF(["k", "v"])
    print([record.value for record in session.trace(frame, "k = 1").collect()])
"""


@pytest.mark.parametrize(
    ("part", "told"),
    thinned(
        [
            ("culprits", ["[1, 3] 7", "[3] 1"]),
            ("all else", ["[1, 3]", "[(3, 3)]", "[(None, None, None, (3, 3))]", "[1, 3]"]),
        ],
        "narrowed and forward traces, and DataFrames, where workers have no bigdebug",
        2,
    ),
)
def test_the_workers_need_not_have_bigdebug(part: str, told: list[str], tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(WITHOUT_US)
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{tmp_path}:$PYTHONPATH" exec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    environment = os.environ | {"PYSPARK_PYTHON": str(python), "PYSPARK_DRIVER_PYTHON": sys.executable}
    (tmp_path / "remote.py").write_text(REMOTE)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "remote.py"), part],
        env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.stdout.splitlines() == ["True", *told], done.stdout + done.stderr[-3000:]


def test_what_is_refused(session: bigdebug.Session, context: SparkContext) -> None:
    rdd = context.parallelize([1], 1)
    barrier = rdd.barrier().mapPartitions(lambda part: part).map(lambda x: x)
    with pytest.raises(UnsupportedOperatorError, match=r"map at test_rdd_traces.py:\d+ .* wasn't recorded"):
        session.trace(barrier)
    with pytest.raises(BigDebugError, match="no expression in Python"):
        session.trace(rdd, where="key = 1")
    with pytest.raises(UnsupportedOperatorError, match="wasn't recorded"):
        session.why_not(barrier, "x == 1")
    failing = rdd.map(lambda x: x / 0)
    with pytest.raises(BigDebugError, match="division by zero"):
        _ = session.trace(failing).matched


def test_a_file_that_changed_since(session: bigdebug.Session, context: SparkContext, words: Path) -> None:
    lines = context.textFile(str(words / "a.txt"))
    lines.collect()
    (words / "a.txt").write_text("something else\n")
    with pytest.raises(SourceChangedError, match=r"a\.txt"):
        session.trace(session.outputs[-1])
