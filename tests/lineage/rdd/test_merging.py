"""Values merged before a shuffle while their keys are noted: all is as Spark's own merging gives it."""

from __future__ import annotations

import itertools
import pickle
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from operator import add
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow.fs import LocalFileSystem
from pyspark import SparkContext
from pyspark.core.rdd import RDD
from pyspark.serializers import CPickleSerializer
from pyspark.shuffle import Aggregator, ExternalMerger
from pyspark.sql import SparkSession

import bigdebug
from bigdebug.lineage.rdd.capture import notes, pairs
from bigdebug.lineage.rdd.capture.heads import PlaceHead
from bigdebug.lineage.rdd.capture.taps import Cell, headed_below, keyed_foot
from bigdebug.lineage.rdd.index.by_key import ByKey, stems_by_key
from bigdebug.lineage.rdd.index.names import name_of
from tests.proofs import Part
from tests.thinned import thinned

KEYS = [None, "a", "b", 1, 1.0, ("a", None), ("a", ("b", 1)), b"a", True, 2]
AGGREGATOR = Aggregator(lambda value: [value], lambda values, value: [*values, value], add)


def merger_of(memory: float) -> Any:
    return ExternalMerger(AGGREGATOR, memory, CPickleSerializer())


DRAWN: dict[str, Any] = {
    "records": st.lists(st.lists(st.sampled_from(KEYS), max_size=4), max_size=40),
    "chunk": st.integers(1, 9),
    "most_names": st.integers(1, 30),
    "most_keys": st.integers(1, 12),
    "memory": st.sampled_from([0, 1_000_000]),
}


@given(**DRAWN)
@settings(max_examples=20)
def test_merging_and_noting(
    records: list[list[Any]], chunk: int, most_names: int, most_keys: int, memory: int
) -> None:
    judge(records, chunk, most_names, most_keys, memory)


@pytest.mark.proof("values merged while their keys are noted", examples=500)
def test_merging_and_noting_many(part: Part) -> None:
    @part.drawn
    @given(**DRAWN)
    def judged(records: list[list[Any]], chunk: int, most_names: int, most_keys: int, memory: int) -> None:
        judge(records, chunk, most_names, most_keys, memory)

    judged()


def judge(records: list[list[Any]], chunk: int, most_names: int, most_keys: int, memory: int) -> None:
    def chain(_: int, numbers: Any) -> Iterator[tuple[Any, Any]]:
        return ((key, (number, i)) for number in numbers for i, key in enumerate(records[number]))

    with TemporaryDirectory() as folder, ExitStack() as patched:
        for module, name, value in (
            (pairs, "_CHUNK", chunk),
            (pairs, "MOST_KEYS", most_keys),
            (notes, "MOST_KEYS", most_keys),
            (notes, "MOST_NAMES", most_names),
        ):
            patched.enter_context(patch.object(module, name, value))
        cell = Cell(PlaceHead(7))
        foot = keyed_foot(cell, (pickle.dumps(LocalFileSystem()), folder), None)
        merger, plain = merger_of(memory), merger_of(1_000_000)
        foot(0, headed_below(cell, chain)(0, range(len(records)))).merge_into(merger)
        plain.mergeValues(chain(0, range(len(records))))
        merged, expected = list(merger.items()), list(plain.items())
        if memory:
            assert repr(merged) == repr(expected)  # which tells 1 from True
        else:
            assert dict(merged) == dict(expected)
        (file,) = Path(folder).glob("*.relation")
        assert file.name.endswith(f".{len(records)}.relation")
        places = defaultdict(set)
        for number, record in enumerate(records):
            for key in record:
                places[name_of(key)].add(number)
        for key in KEYS:
            found = stems_by_key(LocalFileSystem(), ByKey(frozenset({name_of(key)})), str(file))
            assert set(found.places.get(7, [])) == places[name_of(key)]


def pairs_of(context: SparkContext) -> Any:
    return context.parallelize([(f"k{i % 13}", i) for i in range(400)], 3).filter(lambda pair: pair[1] % 7)


PROGRAMS: dict[str, Callable[[SparkContext], Any]] = {
    "reduceByKey": lambda context: pairs_of(context).reduceByKey(add),
    "foldByKey": lambda context: pairs_of(context).foldByKey(3, add, 2),
    "aggregateByKey": lambda context: (
        pairs_of(context).aggregateByKey([], lambda values, value: [*values, value], add).mapValues(sorted)
    ),
    "combineByKey": lambda context: (
        pairs_of(context)
        .combineByKey(str, lambda a, b: a + str(b), add, 4, lambda key: len(key))
        .mapValues(len)
    ),
    "groupByKey": lambda context: pairs_of(context).groupByKey(5).mapValues(sorted),
    "groupBy": lambda context: pairs_of(context).groupBy(lambda pair: pair[1] % 5, 2).mapValues(sorted),
}


@pytest.mark.compat
@pytest.mark.parametrize(
    ("memory", "name"),
    thinned(
        itertools.product([512, 1], PROGRAMS),
        "programs whose values are merged in memory or on disk, while keys are noted",
        among=[(512, "combineByKey"), (512, "groupByKey")],
    ),
)
def test_programs_give_what_they_give_without(
    memory: int, name: str, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RDD, "_memory_limit", lambda _: memory)
    context, made = spark.sparkContext, PROGRAMS[name]
    plain = made(context).glom().collect()
    with bigdebug.attach(spark, store=str(tmp_path), capture="full"):
        given = made(context).glom().collect()
    assert len(list(tmp_path.rglob("tap-*/*.relation"))) >= 3
    if memory == 1:  # what comes back from disk has no order
        given, plain = ([sorted(part) for part in parts] for parts in (given, plain))
    assert given == plain


class OddError(Exception):
    pass


class Unhashable:
    def __hash__(self) -> int:
        raise OddError("hash")


def raising(*_: Any) -> Any:
    raise OddError("merge")


@pytest.mark.parametrize(
    ("elements", "create", "merge"),
    [
        ([1], str, add),
        ([("a",)], str, add),
        ([("a", 1, 2)], str, add),
        ([("a", 1), (Unhashable(), 1)], str, str),
        ([(["a"], 1)], str, str),
        ([("a", 1)], raising, str),
        ([("a", 1), ("a", 2)], str, raising),
        ([("a", 1), ("a", 2)], str, add),
    ],
)
def test_errors_are_those_of_plain_merging(
    elements: list[Any], create: Any, merge: Any, tmp_path: Path
) -> None:
    def outcome(merging: Callable[[Any], None]) -> str:
        try:
            merging(ExternalMerger(Aggregator(create, merge, add), 1_000_000, CPickleSerializer()))
        except Exception as error:
            return f"{error!r} {error.__context__!r}"
        return ""

    cell = Cell(PlaceHead(7))
    foot = keyed_foot(cell, (pickle.dumps(LocalFileSystem()), str(tmp_path)), None)
    plain = outcome(lambda merger: merger.mergeValues(iter(elements)))
    assert outcome(lambda merger: foot(0, iter(elements)).merge_into(merger)) == plain
    assert bool(plain) != bool(list(tmp_path.glob("*")))


def test_two_letters_are_a_pair(tmp_path: Path) -> None:
    cell = Cell(PlaceHead(7))
    foot = keyed_foot(cell, (pickle.dumps(LocalFileSystem()), str(tmp_path)), None)
    merger = merger_of(1_000_000)
    foot(0, headed_below(cell, lambda _, elements: elements)(0, ["ab", {"c": 1, "d": 2}])).merge_into(merger)
    assert dict(merger.items()) == {"a": ["b"], "c": ["d"]}
