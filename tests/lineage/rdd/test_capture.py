"""`capture="full"` of RDDs: what taps note while the job runs, and that the program is none the wiser."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from operator import add
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pyspark import SparkContext
from pyspark.sql import SparkSession

import bigdebug
from bigdebug.lineage.errors import BigDebugError, RecipeError
from bigdebug.lineage.index.reading import open_index
from bigdebug.lineage.rdd.capture import carried, notes
from bigdebug.lineage.rdd.index.reading import RddIndex, open_rdd_index
from bigdebug.lineage.sharing import seen_by_workers, warn_unless_shared
from tests.lineage.rdd.tapped import was_tapped
from tests.thinned import thinned


@pytest.fixture(scope="module")
def session(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[bigdebug.Session]:
    store = str(tmp_path_factory.mktemp("store"))
    with bigdebug.attach(spark, store=store, capture="full") as attached:
        yield attached


def captured(session: bigdebug.Session) -> RddIndex:
    """The index of the latest output."""
    index = open_rdd_index(session._recorder.tables, session.outputs[-1].number)
    assert index is not None
    return index


def judge(session: bigdebug.Session, where: Callable[[Any], Any]) -> None:
    """The index of the latest output was made of taps, and answers as a live trace does."""
    index, output = captured(session), session.outputs[-1]
    assert was_tapped(index)
    told, live = index.trace(where), session.trace(output, where=where)
    assert told.matched == live.matched > 0
    assert told.exact
    assert repr(told.collect()) == repr(live.collect())
    assert [source.count for source in told.sources] == [source.count for source in live.sources]
    assert [source.files for source in told.sources] == [source.files for source in live.sources]


def word_count(context: SparkContext, text: str) -> Any:
    words = context.textFile(text, 3).flatMap(str.split)
    return words.map(lambda word: (word, 1)).reduceByKey(add)


@pytest.mark.compat
def test_word_count(session: bigdebug.Session, context: SparkContext, text: str) -> None:
    assert dict(word_count(context, text).collect())["w2"] == 29
    judge(session, lambda pair: pair[0] == "w2")


def test_grep(session: bigdebug.Session, context: SparkContext, text: str) -> None:
    assert len(context.textFile(text, 3).filter(lambda line: "w5" in line).collect()) == 8
    judge(session, lambda line: "x5" in line)


def test_functions_of_chance(session: bigdebug.Session, context: SparkContext, text: str) -> None:
    """Another attempt at a task, whose notes these may be, gives something else."""
    context.textFile(text, 3).map(lambda line: (line, random.random())).collect()
    index, live = captured(session).trace(), session.trace(session.outputs[-1])
    assert was_tapped(captured(session))
    assert index.notes == live.notes != []


def test_joins(session: bigdebug.Session, context: SparkContext, text: str) -> None:
    kinds = context.parallelize([("w1", "one"), ("w2", "two"), ("v", "none"), ("w1", "eins")], 2)
    counts = word_count(context, text)
    assert sorted(counts.join(kinds).collect()) == [
        ("w1", (29, "eins")),
        ("w1", (29, "one")),
        ("w2", (29, "two")),
    ]
    judge(session, lambda pair: pair[1][1] == "eins")


@pytest.mark.proof("captured outer joins, one above the other")
def test_outer_joins(session: bigdebug.Session, context: SparkContext, text: str) -> None:
    kinds = context.parallelize([("w1", "one"), ("w2", "two"), ("v", "none"), ("w1", "eins")], 2)
    counts = word_count(context, text)
    outer = kinds.fullOuterJoin(counts.filter(lambda pair: pair[0] != "w2")).leftOuterJoin(kinds)
    rows = outer.filter(lambda pair: pair[0] in ("v", "w2", "w3")).collect()
    assert sorted(rows, key=str) == [
        ("v", (("none", None), "none")),
        ("w2", (("two", None), "two")),
        ("w3", ((None, 9), None)),
    ]
    for word in ("v", "w2", "w3"):
        judge(session, lambda pair, word=word: pair[0] == word)


@pytest.mark.proof("captured groupings, numbers and caches")
def test_other_groupings_and_actions(session: bigdebug.Session, context: SparkContext, text: str) -> None:
    lines = context.textFile(text, 3)
    assert lines.map(len).sum() == 530
    judge(session, lambda _: True)
    assert dict(lines.groupBy(lambda line: line[:2]).mapValues(len).collect())["w3"] == 9
    judge(session, lambda pair: pair[0] == "w3")
    assert context.range(100, numSlices=3).map(lambda number: number % 5).distinct().count() == 5
    judge(session, lambda number: number == 3)
    kept = word_count(context, text).cache()
    assert kept.filter(lambda pair: pair[1] > 25).count() == 3
    judge(session, lambda pair: pair[0] == "w0")
    assert kept.map(lambda pair: (pair[1], 1)).reduceByKey(add).filter(lambda pair: pair[0] > 25).count() == 1
    judge(session, lambda pair: pair[0] == 29)


def test_notes_are_written_a_part_at_a_time(
    session: bigdebug.Session, context: SparkContext, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notes, "MOST_KEYS", 2)
    monkeypatch.setattr("bigdebug.lineage.rdd.capture.taps._CHUNK", 5)
    monkeypatch.setattr("bigdebug.lineage.rdd.capture.pairs._CHUNK", 5)
    travel_again(monkeypatch)
    word_count(context, text).filter(lambda pair: pair[1] > 8).collect()
    judge(session, lambda pair: pair[0] == "w1")
    folder = Path(session._recorder.store, session.run_id, "lineage")
    files = [folder / file for relation in captured(session)._manifest.relations for file in relation.files]
    by_key = [file for file in files if file.read_bytes().startswith(b"PAR1")]
    assert max(pq.ParquetFile(file).num_row_groups for file in by_key) > 1


def travel_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have what taps run, which is pickled once, be pickled as it is patched."""
    monkeypatch.setattr(carried, "_code", cache(carried._code.__wrapped__))


@pytest.mark.proof("a captured join of many with many")
def test_a_join_of_many_with_many(
    session: bigdebug.Session, context: SparkContext, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def counting(_: Any) -> Any:
        raise AssertionError("the taps know how many records there are")

    monkeypatch.setattr(notes, "MOST_NAMES", 20)
    monkeypatch.setattr("bigdebug.lineage.rdd.capture.joined._CHUNK", 5)
    travel_again(monkeypatch)
    monkeypatch.setattr("bigdebug.lineage.rdd.placing.counted", counting)
    left = context.textFile(text, 3).map(lambda line: (line[:2], line))
    few = left.filter(lambda pair: pair[1].endswith(("x8", "x1")))
    for right, pairs in ((left, 9 * 9), (few, 9 * 2)):
        joined = left.join(right).filter(lambda pair: pair[0] in ("w1", "w2"))
        order = [pair for pair in joined.collect() if pair[0] == "w1"]
        assert len(order) == pairs
        assert was_tapped(captured(session))
        index = captured(session)
        for wanted in (order[0], order[-1]):
            found = index.trace(lambda pair, wanted=wanted: pair == wanted)
            assert {record.value for record in found.collect()} == set(wanted[1])
            assert all(record.value.endswith(f"x{record.location.position}") for record in found.collect())


def test_what_taps_do_not_cover_takes_a_second_pass(
    session: bigdebug.Session, context: SparkContext, text: str
) -> None:
    lines = context.textFile(text, 3)
    assert lines.union(lines).zipWithIndex().filter(lambda pair: pair[1] == 61).collect() == [
        ("w1 w1 x1", 61)
    ]
    index = captured(session)
    assert not was_tapped(index)
    assert [record.location.position for record in index.trace().collect()] == [1]
    assert word_count(context, text).take(1)
    assert captured(session).rows == 1


@pytest.mark.compat
@pytest.mark.parametrize(
    "way", thinned(["once", "twice"], "an action on the first elements of functions of partitions", 2)
)
def test_no_more_is_read_than_the_first_elements_were_made_of(
    way: str, session: bigdebug.Session, context: SparkContext
) -> None:
    def without_end(number: int) -> Iterator[int]:
        for each in range(1000):
            yield 100 * number + each
        raise ValueError("nobody should have come so far")

    def added(part: Any) -> Iterator[int]:
        return (number + 1 for number in part)

    numbers = context.parallelize([1, 2, 3], 2).flatMap(without_end)
    rdd = numbers.mapPartitions(added)
    if way == "twice":
        rdd = rdd.map(str).mapPartitions(iter)
    assert [int(each) for each in rdd.take(3)] == [101, 102, 103]
    output = session.outputs[-1]
    told, live = captured(session).trace(), session.trace(output)
    assert [each.value for each in told.collect()] == [each.value for each in live.collect()] == [1]
    assert (told.matched, told.exact, told.notes) == (3, False, live.notes)


def test_what_goes_through_dataframes_takes_a_second_pass(
    session: bigdebug.Session, spark: SparkSession, context: SparkContext, text: str
) -> None:
    """From lines to a DataFrame, and from that to an RDD: a pass for each output, when its action has ended."""
    pairs = context.textFile(text, 3).map(lambda line: (line.split()[0], 1)).reduceByKey(add)
    counts = spark.createDataFrame(pairs, "word string, many int").where("many < 9")
    assert sorted(map(tuple, counts.collect())) == [("w4", 8), ("w5", 8), ("w6", 8)]
    index = open_index(session._recorder.tables, session.outputs[-1].number)
    assert sorted(counts.rdd.map(lambda row: row.word).collect()) == ["w4", "w5", "w6"]
    assert not was_tapped(captured(session))
    assert index is not None
    for trace in (index.trace("word = 'w5'"), captured(session).trace("x == 'w5'")):
        assert (trace.matched, trace.exact) == (1, True)
        assert [source.name for source in trace.sources] == ["text.txt"]
        assert [record.value for record in trace.collect()] == [f"w5 w{n % 3} x{n}" for n in range(5, 60, 7)]
    rows = len(session.outputs) - 1
    Path(session._recorder.store, session.run_id, "lineage", f"{rows}.json").chmod(0o666)
    with pytest.raises(RecipeError, match="write"):
        open_index(session._recorder.tables, rows)


def test_a_tap_in_trouble_lets_the_elements_go_on(
    session: bigdebug.Session, context: SparkContext, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(notes.Notes, "_write", full_disk)
    travel_again(monkeypatch)
    counts = word_count(context, text)
    assert dict(counts.collect())["w2"] == 29
    index = captured(session)
    assert not was_tapped(index)
    assert index.trace(lambda pair: pair[0] == "w2").sources[0].count == 26


def test_the_programs_own_errors_stay(session: bigdebug.Session, context: SparkContext, text: str) -> None:
    counts = word_count(context, text).map(lambda pair: 1 // (pair[1] - 29))
    with pytest.raises(Exception, match="ZeroDivisionError"):
        counts.collect()
    assert session.outputs[-1].status == "failed"
    assert open_rdd_index(session._recorder.tables, session.outputs[-1].number) is None
    unhashable = context.parallelize([([1], 2)], 1).reduceByKey(add)
    with pytest.raises(Exception, match="unhashable type: 'list'"):
        unhashable.collect()


def test_elements_that_are_iterated_over(session: bigdebug.Session, context: SparkContext, text: str) -> None:
    assert dict(word_count(context, text).toLocalIterator())["w2"] == 29
    index, output = captured(session), session.outputs[-1]
    live = session.trace(output, where=lambda pair: pair[0] == "w2")
    told = index.trace(lambda pair: pair[0] == "w2")
    assert repr(told.collect()) == repr(live.collect())
    assert told.matched == 1


def test_a_condition_that_raises(session: bigdebug.Session, context: SparkContext, text: str) -> None:
    word_count(context, text).collect()
    with pytest.raises(BigDebugError, match=r"can't be evaluated over .*IndexError"):
        captured(session).trace("x[7]").matched  # noqa: B018


def test_a_store_that_executors_do_not_see(
    session: bigdebug.Session,
    context: SparkContext,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert seen_by_workers(context, str(tmp_path))
    assert not list(tmp_path.iterdir()), "what was written to look for is gone"
    assert not seen_by_workers(context, str(tmp_path / "elsewhere"))
    with monkeypatch.context() as elsewhere:  # as if the driver's folder were on another disk
        elsewhere.setattr(Path, "touch", lambda _: None)
        assert not seen_by_workers(context, str(tmp_path))
    monkeypatch.setattr(context, "master", "spark://somewhere:7077")
    warn_unless_shared(context, session._recorder)
    assert not caplog.messages
    monkeypatch.setattr("bigdebug.lineage.sharing.seen_by_workers", lambda *_: False)
    warn_unless_shared(context, session._recorder)
    assert "Spark's executors don't see the store" in caplog.text


PROGRAM = """
import os, sys
from pyspark import SparkConf, SparkContext
import bigdebug

text, store, mark, where = sys.argv[1:]
context = SparkContext(conf=SparkConf().setMaster("local[2,4]").set("spark.ui.enabled", "false"))
with bigdebug.attach(context, store=store, capture="full"):
    def dies(here, text):
        for turn in ("first", "second"):
            if here == where and "x37" in text and not os.path.exists(mark + turn):
                open(mark + turn, "w").close()
                os._exit(7)
        return text
    lines = context.textFile(text, 3).map(lambda line: dies("below", line))
    counts = lines.flatMap(str.split).map(lambda word: (word, 1)).reduceByKey(lambda a, b: a + b)
    print(sorted(counts.map(lambda pair: (dies("above", pair[0]), pair[1])).collect()))
"""


@pytest.mark.parametrize(
    "where", thinned(["below", "above"], "a worker that dies below or above a shuffle, while taps note", 2)
)
def test_a_worker_that_dies_twice(where: str, tmp_path: Path, text: str) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    store, mark = str(tmp_path / "store"), str(tmp_path / "died-")
    made = subprocess.run(
        [sys.executable, str(program), text, store, mark, where], capture_output=True, text=True, check=True
    )
    assert Path(mark + "second").exists()
    assert "('w2', 29)" in made.stdout
    from bigdebug.lineage.store import Store

    run = Store(store).find("last")
    index = open_rdd_index(run.tables, 1)
    assert index is not None
    assert was_tapped(index)
    assert index.rows == 67  # words, each once: of no attempt that died, and of no partition twice
    assert index.trace("key == 'w2'").matched == 1
    expected = [i for i in range(60) if "w2" in (f"w{i % 7}", f"w{i % 3}")]
    assert [record.location.position for record in index.trace("key == 'w2'").collect()] == expected
    assert [record.value for record in index.trace("key == 'x37'").collect()] == ["w2 w1 x37"]
