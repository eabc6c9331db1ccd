"""What taps hold of a task's elements is bounded, however large these are."""

from __future__ import annotations

import datetime
import pickle
import tracemalloc
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import add
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow.fs import LocalFileSystem
from pyspark.serializers import CPickleSerializer
from pyspark.shuffle import Aggregator, ExternalMerger

from bigdebug.lineage.rdd.capture.heads import KeyHead, PlaceHead
from bigdebug.lineage.rdd.capture.taps import Cell, given_foot, headed_below, keyed_foot
from bigdebug.lineage.rdd.index.elements import ElementWriter, elements_schema, weight
from bigdebug.lineage.rdd.index.task_file import TaskFile

MOST = 64 << 20
LARGE, COUNT = 200_000, 400
"""Bytes of an element, and how many there are: in sum more than a task may hold."""


def texts() -> Iterator[str]:
    return (f"{n:06}" + "x" * (LARGE - 6) for n in range(COUNT))


def pairs() -> Iterator[tuple[str, list[str]]]:
    return ((f"key {n}", [f"{n:04} {i:04} " + "x" * 90 for i in range(LARGE // 150)]) for n in range(COUNT))


def peak_of(work: Callable[[], Any]) -> int:
    """The most memory that Python and Arrow held at once, in bytes."""
    arrow = pa.default_memory_pool()
    before = arrow.bytes_allocated()
    tracemalloc.start()
    try:
        most = 0
        for _ in work():
            most = max(most, arrow.bytes_allocated() - before)
        return tracemalloc.get_traced_memory()[1] + most
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("elements", [texts, pairs])
def test_elements_given_to_an_action(elements: Callable[[], Iterator[Any]], tmp_path: Path) -> None:
    cell = Cell(PlaceHead(1))
    foot = given_foot(cell, (pickle.dumps(LocalFileSystem()), str(tmp_path)), False)
    chain = headed_below(cell, foot)
    assert peak_of(lambda: chain(0, elements())) < MOST
    (file,) = tmp_path.glob("*.elements")
    batches = list(pa.ipc.open_stream(file.read_bytes()))
    assert len(batches) > 1
    kept = [
        element
        for batch in batches
        for data in batch.column("data")
        for element in pickle.loads(data.as_py())
    ]
    assert kept == list(elements())


@pytest.mark.parametrize("key", [None, lambda element: element], ids=["keys", "elements as keys"])
def test_keys_that_come_out(key: Callable[[Any], Any] | None, tmp_path: Path) -> None:
    cell = Cell(PlaceHead(1))
    foot = keyed_foot(cell, (pickle.dumps(LocalFileSystem()), str(tmp_path)), key)
    chain = headed_below(cell, foot)
    elements = ((text, 1) for text in texts()) if key is None else texts()
    assert peak_of(lambda: chain(0, elements)) < MOST
    (file,) = tmp_path.glob("*.relation")
    assert pq.read_table(file).num_rows == COUNT


def test_keys_whose_values_are_merged(tmp_path: Path) -> None:
    def merger() -> Any:
        aggregator = Aggregator(lambda value: value, add, add)
        return ExternalMerger(aggregator, 1_000_000, CPickleSerializer())

    def plain() -> Iterator[None]:
        yield merger().mergeValues((text, 1) for text in texts())

    def noted() -> Iterator[None]:
        cell = Cell(PlaceHead(1))
        foot = keyed_foot(cell, (pickle.dumps(LocalFileSystem()), str(tmp_path)), None)
        chain = headed_below(cell, foot)
        pairs = chain(0, ((text, 1) for text in texts()))
        yield pairs.merge_into(merger())

    assert peak_of(noted) < peak_of(plain) + MOST
    (file,) = tmp_path.glob("*.relation")
    assert pq.read_table(file).num_rows == COUNT


def test_keys_that_records_are_known_by(tmp_path: Path) -> None:
    cell = Cell(KeyHead(1, None))
    foot = keyed_foot(cell, (pickle.dumps(LocalFileSystem()), str(tmp_path)), None)
    chain = headed_below(cell, lambda n, elements: foot(n, ((len(text), one) for text, one in elements)))
    assert peak_of(lambda: chain(0, ((text, 1) for text in texts()))) < MOST
    (file,) = tmp_path.glob("*.relation")
    assert len(pq.read_table(file).column("keys").combine_chunks().flatten()) == COUNT


@pytest.mark.proof("the memory that a second pass takes")
def test_elements_written_by_a_second_pass(tmp_path: Path) -> None:
    def work() -> Iterator[None]:
        with TaskFile(LocalFileSystem(), str(tmp_path), "0.elements", elements_schema()) as file:
            writer = ElementWriter(file, 0)
            for element in pairs():
                writer.add(element)
                yield
            writer.flush()

    assert peak_of(work) < MOST
    assert len(list(pa.ipc.open_stream((tmp_path / "0.elements").read_bytes()))) > 1


class Held:
    def __init__(self, text: str) -> None:
        self.text = text


class Slotted(Held):
    __slots__ = ("more", "unset")

    def __init__(self, text: str) -> None:
        super().__init__("")
        self.more = [text]


@dataclass(frozen=True, slots=True)
class Frozen:
    text: str
    times: int = 1


class Hostile:
    def __init__(self, text: str) -> None:
        self.text = text

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError("nobody is to look at me")


@pytest.mark.parametrize("kind", [Held, Slotted, Frozen, Hostile])
def test_objects_weigh_what_they_hold(kind: Callable[[str], Any]) -> None:
    text = "x" * 100_000
    weights = weight(kind(text)), weight([kind(text)] * 50), weight(("key", kind(text)))
    assert 100_000 < weights[0] < 102_000
    assert weights[1] > 5_000_000
    assert weights[2] > 100_000


def test_weights() -> None:
    assert weight(deque(["x" * 1_000] * 50)) > 50_000
    assert weight(()) < 100
    assert weight(datetime.datetime(2026, 1, 1)) < 1_000
    assert weight("x" * 1_000) > 1_000
    assert weight(("k", ["x" * 1_000] * 50)) > 50_000
    assert weight({"k": "x" * 1_000}) > 1_000
    deep: list[Any] = ["x"]
    for _ in range(10_000):
        deep = [deep]
    assert weight(deep) < 10_000
