"""Isolation in programs that go from RDDs to DataFrames and back, judged by plain Python."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from operator import add
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark import SparkContext
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

import bigdebug
from bigdebug.isolation.found import IsolatedRecords, Isolation
from bigdebug.isolation.isolating import isolate
from bigdebug.isolation.rdd.isolating import isolate_rdd
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.location import TracedRecord
from bigdebug.lineage.postmortem import open_output
from bigdebug.lineage.store import Store
from tests.proofs import Part
from tests.thinned import thinned

Record = tuple[int, str, int]
"""A number, a key and a value."""


@pytest.fixture
def context(session: bigdebug.Session, spark: SparkSession) -> SparkContext:
    return spark.sparkContext


def written(folder: Path, records: Iterable[Record]) -> str:
    """A file of them, a line each, that can be read as text and as CSV."""
    path = folder / "records.csv"
    path.write_text("".join(f"{number},{key},{value}\n" for number, key, value in records))
    return str(path)


def parsed(line: str) -> tuple[str, int]:
    _, key, value = line.split(",")
    return key, int(value)


def read(spark: SparkSession, path: str) -> DataFrame:
    return spark.read.csv(path, schema="number int, k string, v int")


def text(spark: SparkSession, path: str) -> Any:
    return spark.sparkContext.textFile(path, 3)


def frame(spark: SparkSession, rdd: Any) -> DataFrame:
    return spark.createDataFrame(rdd, "k string, v int")


def summed(made: DataFrame) -> DataFrame:
    return made.groupBy("k").agg(F.sum("v").cast("int").alias("v"))


@dataclass(frozen=True)
class Program:
    """A program on a file of records, and what it gives by plain Python.

    Attributes:
        made: gives its RDD or DataFrame of pairs (k, v): those that are below 0 fail.
        plain: what it gives of some records.
    """

    made: Callable[[SparkSession, str], Any]
    plain: Callable[[Iterable[Record]], Iterable[tuple[str, int]]]


def added(records: Iterable[Record]) -> Iterable[tuple[str, int]]:
    groups: dict[str, list[int]] = defaultdict(list)
    for _, key, value in records:
        groups[key].append(value)
    return [(key, sum(values)) for key, values in groups.items()]


def added_below(records: Iterable[Record]) -> Iterable[tuple[str, int]]:
    return added(record for record in records if record[2] < 7)


def doubled(records: Iterable[Record]) -> Iterable[tuple[str, int]]:
    return [(key, 2 * value) for key, value in added(records)]


PROGRAMS = {
    "lines of a DataFrame": Program(
        lambda spark, path: summed(frame(spark, text(spark, path).map(parsed))), added
    ),
    "lines that were filtered and moved": Program(
        lambda spark, path: summed(
            frame(spark, text(spark, path).map(parsed).filter(lambda pair: pair[1] < 7).repartition(2))
        ),
        added_below,
    ),
    "rows of an RDD": Program(
        lambda spark, path: read(spark, path).rdd.map(lambda row: (row.k, row.v)).reduceByKey(add), added
    ),
    "rows of an RDD that were filtered and ordered": Program(
        lambda spark, path: (
            read(spark, path)
            .where("v < 7")
            .orderBy("v")
            .rdd.map(lambda row: (row.k, row.v))
            .groupByKey()
            .mapValues(sum)
        ),
        added_below,
    ),
    "to and fro": Program(
        lambda spark, path: summed(
            frame(spark, read(spark, path).rdd.map(lambda row: (row.k, row.v * 2))).where("v is not null")
        ),
        doubled,
    ),
    "fro and to": Program(
        lambda spark, path: (
            frame(spark, text(spark, path).map(parsed))
            .selectExpr("k", "v * 2 v")
            .rdd.map(tuple)
            .reduceByKey(add)
        ),
        doubled,
    ),
}


def fate(program: Program, key: str, records: Iterable[Record]) -> str:
    """What becomes of the row of a key."""
    for own, value in program.plain(records):
        if own == key:
            return "fails" if value < 0 else "passes"
    return "absent"


drawn = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(-9, 9)), min_size=10, max_size=16
).filter(lambda pairs: sum(value for _, value in pairs) < 20)

KINDS = ("rows of an RDD that were filtered and ordered",)
"""What the tests below ask about is a program of the other kind."""


@pytest.mark.parametrize("name", thinned(PROGRAMS, "isolation through RDDs and DataFrames", among=KINDS))
def test_the_records_of_sources_are_named(
    name: str, session: bigdebug.Session, spark: SparkSession, tmp_path: Path
) -> None:
    @settings(max_examples=2)
    @given(drawn)
    def judged(pairs: list[tuple[str, int]]) -> None:
        judge(PROGRAMS[name], pairs, session, spark, tmp_path)

    judged()


@pytest.mark.proof(
    "isolation through RDDs and DataFrames, judged by plain Python without each record", examples=100
)
def test_of_many_more(part: Part, session: bigdebug.Session, spark: SparkSession, tmp_path: Path) -> None:
    @part.drawn
    @given(st.sampled_from(sorted(PROGRAMS)), drawn)
    def judged(name: str, pairs: list[tuple[str, int]]) -> None:
        judge(PROGRAMS[name], pairs, session, spark, tmp_path)

    judged()


def judge(
    program: Program,
    pairs: list[tuple[str, int]],
    session: bigdebug.Session,
    spark: SparkSession,
    folder: Path,
) -> None:
    """Judge what is found for the failing rows of a program."""
    records = [(number, *each) for number, each in enumerate(pairs)]
    path = written(folder, records)
    made = program.made(spark, path)
    expected = {key for key, value in program.plain(records) if value < 0}
    failing: Any = "v < 0" if isinstance(made, DataFrame) else "value < 0"
    found = session.isolate(made, failing)
    assert (found.matched, found.exact, found.notes) == (len(expected), True, ())
    for row in found.rows:
        key = row.value["k"] if isinstance(row.value, dict) else row.value[0]

        def of(numbers: set[int], key: str = key) -> str:
            return fate(program, key, [each for each in records if each[0] in numbers])

        everything = set(range(len(records)))
        reproduction, culprits = (numbers(each, path, records) for each in (row.reproduction, row.culprits))
        assert row.reproduction.proof == row.culprits.proof == "1-minimal"
        assert of(reproduction) == "fails"
        assert all(of(reproduction - {one}) != "fails" for one in reproduction)
        repaired = of(everything - culprits)
        assert repaired == ("absent" if row.vanishes else "passes")
        assert all(of(everything - culprits | {one}) != repaired for one in culprits)
    found.release()


def numbers(found: IsolatedRecords, path: str, records: list[Record]) -> set[int]:
    """The numbers of records, which are shown as they are, with their places."""
    assert found.total == len(found)
    for each in found:
        assert (each.source, each.location.file) == ("records.csv", path)
        number, key, value = records[each.location.position or 0]
        assert each.value in (f"{number},{key},{value}", {"number": number, "k": key, "v": value})
    return {each.location.position or 0 for each in found}


# -- what it is like to ask ---------------------------------------------------------------------------


@pytest.fixture
def path(tmp_path: Path) -> str:
    records = [(i, f"k{i % 3}", i % 7) for i in range(40)]
    records[17] = (17, "k2", -500)
    return written(tmp_path, records)


def shown(found: Iterable[TracedRecord]) -> list[Any]:
    return [(each.source, each.location.position, each.value) for each in found]


def test_a_line_of_a_file_behind_a_dataframe(
    path: str, session: bigdebug.Session, spark: SparkSession
) -> None:
    made = summed(frame(spark, text(spark, path).map(parsed)))
    made.collect()
    found = session.isolate(session.outputs[-1], "v < 0")
    assert shown(found.culprits) == shown(found.reproduction) == [("records.csv", 17, "17,k2,-500")]
    assert found.culprits.influence == [-500.0]
    assert str(found.explanation[0]).startswith("v < 0: 1 of 1 culprit")
    (row,) = found.culprits.dataframe().collect()
    assert row.asDict(recursive=True) == {
        "value": "17,k2,-500",
        "_record": {"file": path, "position": 17, "partition": None},
    }
    assert found.culprits.dataframe("records").columns == ["value", "_record"]
    with pytest.raises(BigDebugError):
        found.culprits.dataframe("another")
    found.release()


@pytest.mark.compat
def test_a_row_of_a_file_behind_an_rdd(path: str, session: bigdebug.Session, spark: SparkSession) -> None:
    pairs = read(spark, path).where("v is not null").rdd.map(lambda row: (row.k, row.v))
    pairs.reduceByKey(add).collect()
    found = session.isolate(session.outputs[-1], "value < 0")
    record = {"number": 17, "k": "k2", "v": -500}
    assert shown(found.culprits) == shown(found.reproduction) == [("records.csv", 17, record)]
    assert found.rows[0].candidates == 13
    assert str(found.explanation[0]).startswith("x.v < 0: 1 of 1 culprit")
    (row,) = found.culprits.dataframe().collect()
    assert {name: row[name] for name in record} == record
    assert row._record.position == 17
    with pytest.raises(BigDebugError, match="DataFrame"):
        found.to_pytest(Path(path).parent / "test_written.py")


@pytest.mark.parametrize(
    "kind", thinned(["elements", "rows"], "isolation in recipes, of elements and of rows", 2)
)
def test_from_the_store(kind: str, path: str, session: bigdebug.Session, spark: SparkSession) -> None:
    if kind == "elements":
        read(spark, path).rdd.map(lambda row: (row.k, row.v)).reduceByKey(add).collect()
    else:
        summed(frame(spark, text(spark, path).map(parsed))).collect()
    session._recorder.drain()
    run = Store(session._recorder.store).find(session.run_id)
    question = open_output(run, session.outputs[-1], spark=spark).question()
    found: Any = isolate_rdd(question, "value < 0") if kind == "elements" else isolate(question, "v < 0")
    (culprit,) = found.culprits
    assert (culprit.source, culprit.location.position) == ("records.csv", 17)
    assert (found.exact, found.notes) == (True, ())


def test_what_does_not_make_one_of_one_is_told(
    path: str, session: bigdebug.Session, spark: SparkSession
) -> None:
    """There the rows are named that replays begin with."""
    twice = text(spark, path).flatMap(lambda line: [parsed(line)] * 2)
    found = session.isolate(summed(frame(spark, twice)), "v < 0")
    assert [each.value for each in found.culprits] == [{"k": "k2", "v": -500}] * 2
    assert found.culprits.proof == "1-minimal"
    (note,) = found.notes
    assert "stands flatMap at test_joints.py:" in note
    assert "createDataFrame of an RDD at test_joints.py:" in note


@pytest.mark.proof("rows of groups below a joint, which replays begin with")
def test_that_groups_do_not_make_one_of_one_is_told(
    path: str, session: bigdebug.Session, spark: SparkSession
) -> None:
    sums = read(spark, path).groupBy("k").agg(F.sum("v").alias("v")).rdd
    made = sums.map(lambda row: (row.k[0], row.v)).reduceByKey(add)
    found = session.isolate(made, "value < 0")
    assert [each.value.asDict() for each in found.culprits] == [
        {"k": "k2", "v": -500 + sum(i % 7 for i in range(2, 40, 3) if i != 17)}
    ]
    assert len(found.notes) == 1
    assert "stands Aggregate at test_joints.py:" in found.notes[0]


@pytest.mark.proof("isolation through joints, in programs of chance")
def test_what_may_have_been_otherwise_is_told(
    path: str, session: bigdebug.Session, spark: SparkSession
) -> None:
    import random

    below = text(spark, path).map(parsed).map(lambda pair: (pair[0], pair[1] + int(random.random())))
    found = session.isolate(summed(frame(spark, below)), "v < 0")
    assert (found.exact, [each.value for each in found.culprits]) == (False, ["17,k2,-500"])
    assert "random" in found.notes[0]
    rows = read(spark, path).where("v + rand() < 1e9").rdd.map(lambda row: (row.k, row.v)).reduceByKey(add)
    found = session.isolate(rows, "value < 0")
    assert (found.exact, [each.value["v"] for each in found.culprits]) == (False, [-500])
    assert "rand" in found.notes[0]


@pytest.mark.proof("isolation in rows of a shuffle below a joint")
def test_rows_of_a_shuffle_keep_their_places(
    session: bigdebug.Session, spark: SparkSession, context: SparkContext
) -> None:
    pairs = context.parallelize([(i % 20, -900 if i == 77 else i % 7) for i in range(200)], 4)
    made = spark.createDataFrame(pairs.reduceByKey(add, 5), "n int, v int").selectExpr("n % 2 k", "v")
    found = session.isolate(summed(made), "v < 0")
    assert [each.value for each in found.culprits] == [
        {"n": 17, "v": sum(i % 7 for i in range(17, 200, 20)) - 900 - 77 % 7}
    ]
    assert "stands reduceByKey at" in found.notes[0]


@pytest.mark.parametrize(
    "kind", thinned(["lines", "rows"], "groups that hold too much, behind a joint", among=["rows"])
)
def test_groups_that_hold_too_much(
    kind: str, path: str, session: bigdebug.Session, spark: SparkSession
) -> None:
    def hot(pair: tuple[str, int]) -> tuple[str, int]:
        return ("hot" if pair[1] > 1 else pair[0]), pair[1]

    made: Any
    if kind == "lines":
        made = frame(spark, text(spark, path).map(parsed).map(hot)).groupBy("k").count()
    else:
        made = read(spark, path).rdd.map(lambda row: hot((row.k, row.v))).groupByKey()
    found: Isolation = session.isolate(made, bigdebug.Skew(factor=2))
    assert found.matched == 1
    assert found.culprits.total > 0
    values = [
        int(str(each.value).rpartition(",")[2]) if isinstance(each.value, str) else each.value["v"]
        for each in found.culprits
    ]
    assert all(value > 1 for value in values)
    assert {each.location.file for each in found.culprits} == {path}


@pytest.mark.proof("isolation in a file that is read on either side of a joint")
def test_a_file_that_is_read_on_either_side(
    path: str, session: bigdebug.Session, spark: SparkSession
) -> None:
    own = read(spark, path).select("k", "v").where("v < 0")
    made = summed(own.union(frame(spark, text(spark, path).map(parsed))))
    found = session.isolate(made, "v < 0")
    assert {each.source for each in found.culprits} <= {"records.csv", "records.csv#2"}
    assert found.culprits.total == 2
    for name in sorted({each.source for each in found.culprits}):
        assert found.culprits.dataframe(name).count() == 1
