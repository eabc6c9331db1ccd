"""`narrow()` of a trace of an RDD: the few records that give the elements again, by replays."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark import SparkContext
from pyspark.cloudpickle import register_pickle_by_value, unregister_pickle_by_value
from pyspark.sql import SparkSession

import bigdebug
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.postmortem import open_output
from bigdebug.lineage.rdd.conditions import predicate_of
from bigdebug.lineage.rdd.likeness import digest
from bigdebug.lineage.store import Store
from tests.proofs import Part
from tests.thinned import thinned


@pytest.fixture(scope="module", autouse=True)
def _by_value() -> Iterator[None]:
    """Spark's workers have no way to import this module."""
    register_pickle_by_value(sys.modules[__name__])
    yield
    unregister_pickle_by_value(sys.modules[__name__])


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def session(spark: SparkSession, store: str) -> Iterator[bigdebug.Session]:
    with bigdebug.attach(spark, store=store) as attached:
        yield attached


def at_once(elements: Iterable[Any]) -> Iterator[Any]:
    """Reads all before it gives anything."""
    yield from [element * 10 for element in list(elements)]


def last_large(elements: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Each element with the last one over 5 that was read before it."""
    large = 0
    for element in elements:
        yield element, large
        large = element if element > 5 else large


def sums_of_two(elements: Iterable[int]) -> Iterator[int]:
    """The sums of the elements that are even, two at a time; what is left fails."""
    waiting = None
    for element in elements:
        if element % 2 == 0:
            if waiting is not None:
                yield waiting + element
                waiting = None
            else:
                waiting = element
    if waiting is not None:
        raise ValueError("an even number is left")


def joined_numbers(context: SparkContext, folder: Path) -> Any:
    """An output of a join of a file's numbers, by a function that reads all before it gives anything."""
    (folder / "numbers.txt").write_text("".join(f"{number}\n" for number in range(12)))
    numbers = context.textFile(str(folder / "numbers.txt"), 2).map(int)
    names = context.parallelize([(90, "here"), (1, "there")], 2)
    return numbers.mapPartitions(at_once).map(lambda x: (x, 1)).join(names)


def test_an_element_is_narrowed_to_its_record(
    session: bigdebug.Session, context: SparkContext, tmp_path: Path
) -> None:
    trace = session.trace(joined_numbers(context, tmp_path), where=lambda pair: pair[0] == 90)
    assert len(trace.collect_source("numbers.txt")) > 3
    smaller = trace.narrow()
    assert [record.value for record in smaller.collect_source("numbers.txt")] == ["9"]
    assert smaller.collect()[0].location.position == 9
    assert [source.count for source in smaller.sources] == [1, 1], "the other source stays as it is"
    assert [record.value for record in smaller.records("numbers.txt").collect()] == ["9"]
    assert [Path(file).name for file in smaller.sources[0].files] == ["numbers.txt"]
    assert smaller.matched == 1
    assert not smaller.exact
    assert smaller.notes[0] == trace.notes[0]
    assert "these 1 of numbers.txt give the rows again; none of them can be left out" in smaller.notes[-1]
    assert [(s.operator, s.count) for s in smaller.steps] == [(s.operator, s.count) for s in trace.steps]


@pytest.mark.proof("an element of a recipe, narrowed to its record")
def test_an_element_of_a_recipe_is_narrowed_to_its_record(
    session: bigdebug.Session, context: SparkContext, spark: SparkSession, store: str, tmp_path: Path
) -> None:
    joined_numbers(context, tmp_path).collect()
    output = session.outputs[-1]
    smaller = session.trace(output, where=lambda pair: pair[0] == 90).narrow()
    session._recorder.drain()
    run = Store(store).find(session.run_id)
    later = open_output(run, run.output(str(output.number)), spark=spark).trace("key == 90").narrow()
    assert later.collect() == smaller.collect()


def test_what_an_element_hangs_on_is_kept(session: bigdebug.Session, context: SparkContext) -> None:
    rdd = context.parallelize([9, 1, 7, 2, 3, 8], 1).mapPartitions(last_large)
    trace = session.trace(rdd, where=lambda pair: pair == (3, 7))
    assert [record.value for record in trace.collect()] == [9, 1, 7, 2, 3]
    assert [record.value for record in trace.narrow().collect()] == [7, 3]
    stopped = trace.narrow(seconds=0)
    assert len(stopped.collect()) == 5
    assert "the time ran out" in stopped.notes[-1]


def of_rows(rows: Iterable[Any]) -> Iterator[Any]:
    """Reads all before it gives anything."""
    yield from [(row.n * 10, row.k) for row in list(rows)]


@pytest.mark.parametrize(
    "way",
    thinned(
        ["to an RDD", "to a DataFrame", "to and fro"],
        "traces through RDDs and DataFrames, narrowed",
        among=[],
    ),
)
def test_through_rdds_and_dataframes(
    way: str,
    session: bigdebug.Session,
    context: SparkContext,
    spark: SparkSession,
    store: str,
    tmp_path: Path,
) -> None:
    (tmp_path / "rows.csv").write_text("".join(f"{number},{number % 2}\n" for number in range(12)))
    rows = spark.read.csv(str(tmp_path / "rows.csv"), schema="n int, k int").where("n <> 5")
    (tmp_path / "numbers.txt").write_text("".join(f"{number}\n" for number in range(12)))
    lines = context.textFile(str(tmp_path / "numbers.txt"), 2).map(int)
    names = context.parallelize([(90, "here"), (1, "there")], 2)
    below = lines.mapPartitions(at_once).map(lambda x: (x, 1)).join(names).mapValues(str)
    to_and_fro = spark.createDataFrame(rows.rdd.mapPartitions(of_rows), "x int, k int")
    asked: dict[str, tuple[Any, Any, str, list[int]]] = {
        "to an RDD": (rows.rdd.mapPartitions(of_rows).reduceByKey(max), "key == 90", "rows.csv", [9]),
        "to a DataFrame": (spark.createDataFrame(below, "x int, name string"), "x = 90", "numbers.txt", [9]),
        "to and fro": (to_and_fro.where("x > 0"), "x = 70", "rows.csv", [7]),
    }
    data, where, source, positions = asked[way]
    data.collect()
    predicate = predicate_of(where) if hasattr(data, "mapPartitions") else where
    trace = session.trace(data, where=predicate)
    assert len(trace.collect_source(source)) > 3
    smaller = trace.narrow()
    assert [record.location.position for record in smaller.collect_source(source)] == positions
    assert [each.count for each in smaller.sources if each.name == source] == [len(positions)]
    assert all(each.count == 1 for each in smaller.sources)
    assert (smaller.matched, smaller.exact) == (1, False)
    assert "give the rows again; none of them can be left out" in smaller.notes[-1]
    assert [(s.operator, s.count) for s in smaller.steps] == [(s.operator, s.count) for s in trace.steps]
    assert smaller.narrow().collect() == smaller.collect()
    session._recorder.drain()
    run = Store(store).find(session.run_id)
    later = open_output(run, session.outputs[-1], spark=spark).trace(where).narrow()
    assert later.collect() == smaller.collect()


def test_what_is_conservative_further_below_is_not_narrowed(
    session: bigdebug.Session, context: SparkContext, spark: SparkSession
) -> None:
    ahead = context.parallelize(list(range(9)), 1).mapPartitions(at_once).map(lambda x: (x,))
    frame = spark.createDataFrame(ahead, "x int")
    again = frame.rdd.map(lambda row: row.x + 1)
    with pytest.raises(BigDebugError, match="lies below a DataFrame that it goes through"):
        session.trace(again, where=lambda x: x == 51).narrow()
    own = frame.mapInPandas(lambda frames: frames, "x int").where("x = 50")
    with pytest.raises(BigDebugError, match="the DataFrame's own operators make it"):
        session.trace(own).narrow()
    nothing = session.trace(frame.where("x = 51"))
    assert nothing.narrow() is not None
    exact = session.trace(context.parallelize([(1,)], 1).toDF(["x"]))
    assert exact.narrow() is exact


@pytest.mark.proof("scripts, and functions of numbered partitions, narrowed")
def test_scripts_and_numbered_partitions(session: bigdebug.Session, context: SparkContext) -> None:
    words = context.parallelize(["a", "b", "c", "d"], 2)
    piped = session.trace(words.pipe("tac"), where=lambda line: line == "c").narrow()
    assert [record.value for record in piped.collect()] == ["c"]
    numbered = words.mapPartitionsWithIndex(lambda n, part: [(n, word) for word in part])
    trace = session.trace(numbered, where=lambda pair: pair == (1, "d")).narrow()
    assert [(record.location.partition, record.value) for record in trace.collect()] == [(1, "d")]


@pytest.mark.proof("a narrowed trace of a function that fails on some parts")
def test_parts_that_the_program_fails_on_will_not_do(
    session: bigdebug.Session, context: SparkContext
) -> None:
    rdd = context.parallelize([2, 3, 4, 6, 8], 1).mapPartitions(sums_of_two)
    trace = session.trace(rdd, where=lambda total: total == 14)
    assert [record.value for record in trace.collect()] == [2, 3, 4, 6, 8]
    assert [record.value for record in trace.narrow().collect()] == [6, 8]


def test_what_is_not_narrowed(
    session: bigdebug.Session, context: SparkContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = session.trace(context.parallelize([1, 2], 1).map(lambda x: -x))
    assert exact.narrow() is exact
    ahead = context.parallelize([1, 2, 3, 4], 1).mapPartitions(at_once)
    nothing = session.trace(ahead, where=lambda x: x == 5)
    assert nothing.narrow() is nothing
    numbered = ahead.zipWithIndex().filter(lambda pair: pair[1] > 1)
    by_chance = ahead.sample(False, 0.5, 3).mapPartitions(lambda part: [len(list(part))])
    with pytest.raises(BigDebugError, match="Spark failed while computing"):
        session.trace(ahead.map(lambda x: x / 0)).narrow()
    assert len(session.trace(numbered, where=lambda pair: pair == (40, 3)).narrow().collect()) == 4
    assert len(session.trace(by_chance).narrow().collect()) == 4
    monkeypatch.setattr("bigdebug.lineage.rdd.narrowing.MOST_RECORDS", 3)
    with pytest.raises(BigDebugError, match=r"4 records of test_rdd_narrow\.py:.* are too many"):
        session.trace(ahead).narrow()


def test_elements_are_told_apart_by_their_values() -> None:
    name = "".join(["a", "b"])
    assert digest((name, name)) == digest(("ab", "".join(["a", "b"])))
    assert digest({"a": {1, 2}, "b": [1]}) == digest({"b": [1], "a": {2, 1}})
    assert digest(float("nan")) == digest(float("nan"))
    unlike = [
        1,
        1.0,
        True,
        "1",
        b"1",
        None,
        (1,),
        [1],
        {1},
        {1: 1},
        frozenset({1}),
        ((1,),),
        (1, 1),
        ("tuple", [1]),
    ]
    assert len(set(map(digest, unlike))) == len(unlike)


Function = Callable[[Iterable[int]], Iterator[Any]]


def given_by(function: Function, parts: list[list[int]], places: set[tuple[int, int]]) -> list[Any]:
    """What the function makes of the records at some places, in plain Python."""
    found = []
    for number, part in enumerate(parts):
        found += function(each for place, each in enumerate(part) if (number, place) in places)
    return found


NUMBERS = st.lists(st.integers(0, 12), min_size=1, max_size=9)


@settings(max_examples=2)
@given(numbers=NUMBERS, seed=st.integers(0, 100))
def test_no_record_can_be_left_out(
    session: bigdebug.Session, spark: SparkSession, numbers: list[int], seed: int
) -> None:
    judge(session, spark, numbers, seed)


@pytest.mark.proof("narrowed traces of functions of partitions", examples=100)
def test_no_record_of_many_can_be_left_out(
    part: Part, session: bigdebug.Session, spark: SparkSession
) -> None:
    @part.drawn
    @given(numbers=NUMBERS, seed=st.integers(0, 100))
    def judged(numbers: list[int], seed: int) -> None:
        judge(session, spark, numbers, seed)

    judged()


def judge(session: bigdebug.Session, spark: SparkSession, numbers: list[int], seed: int) -> None:
    rdd = spark.sparkContext.parallelize(numbers, 2)
    parts = rdd.glom().collect()
    every = {(number, place) for number, part in enumerate(parts) for place in range(len(part))}
    function = (last_large, at_once)[seed % 2]
    made = given_by(function, parts, every)
    wanted = made[seed % len(made)]
    trace = session.trace(rdd.mapPartitions(function), where=lambda element: element == wanted).narrow()
    left = {(record.location.partition, record.location.position) for record in trace.collect()}
    asked = made.count(wanted)
    assert given_by(function, parts, left).count(wanted) >= asked, "the elements aren't there again"
    for place in left:
        assert given_by(function, parts, left - {place}).count(wanted) < asked, "one can be left out"
