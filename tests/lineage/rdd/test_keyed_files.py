"""Files of relations by key: what is written of keys is found again, and no more is read than can hold them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow.fs import LocalFileSystem

from bigdebug.lineage.errors import DamagedIndexError
from bigdebug.lineage.rdd.index import keyed
from bigdebug.lineage.rdd.index.by_key import ByKey, stems_by_key
from bigdebug.lineage.rdd.index.keyed import KeyedFile
from bigdebug.lineage.rdd.index.names import name_of
from bigdebug.lineage.rdd.index.stems import distinct
from bigdebug.lineage.rdd.index.writing import RelationWriter
from bigdebug.lineage.rdd.packing import place_id

KEYS = [None, "a", "b", "", 1, 2.5, ("a", None), ("a", ("b", 1)), float("nan"), b"a", "é" * 40, True]

# What elements stem from: leaf 1 has places, leaf 2 keys.
rows = st.tuples(
    st.sampled_from(KEYS),
    st.one_of(
        st.tuples(st.just(1), st.tuples(st.integers(0, 3), st.integers(0, 1 << 30))),
        st.tuples(st.just(2), st.sampled_from(KEYS)),
    ),
)


@given(parts=st.lists(st.lists(rows, max_size=30), max_size=4), asked=st.sets(st.sampled_from(KEYS)))
@settings(max_examples=150)
def test_what_elements_of_keys_stem_from(parts: list[list[Any]], asked: set[Any]) -> None:
    with TemporaryDirectory() as folder, patch.object(keyed, "ROW_GROUP", 3):
        with KeyedFile(LocalFileSystem(), folder, "0.relation") as file:
            writer = RelationWriter(file)
            for part in parts:
                for name, (leaf, where) in part:
                    writer.add(place_id(leaf, *where) if leaf == 1 else ((leaf, where),), name)
                writer.flush()
        wanted = ByKey(frozenset(map(name_of, asked)))
        found = stems_by_key(LocalFileSystem(), wanted, f"{folder}/0.relation")
    places, keys = set(), set()
    for name, (leaf, where) in (row for part in parts for row in part):
        if name_of(name) in wanted.keys:
            if leaf == 1:
                places.add(where[0] << 40 | where[1])
            else:
                keys.add(name_of(where))
    assert set(found.places.get(1, np.empty(0)).tolist()) == places
    assert found.keys.get(2, set()) == keys
    assert not found.keys.keys() - {2}
    assert not found.places.keys() - {1}


def a_file(folder: Path, keys: int) -> str:
    with KeyedFile(LocalFileSystem(), str(folder), "0.relation") as file:
        writer = RelationWriter(file)
        for n in range(keys * 10):
            writer.add(place_id(7, 0, n), f"key {n % keys}")
        writer.flush()
    return str(folder / "0.relation")


def test_little_is_read_for_one_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyed, "ROW_GROUP", 1_000)
    path = a_file(tmp_path, 5_000)
    read: list[int] = []
    iterated = pq.ParquetFile.iter_batches

    def counting(self: Any, *, row_groups: list[int], **options: Any) -> Any:
        read.extend(row_groups)
        return iterated(self, row_groups=row_groups, **options)

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", counting)
    found = stems_by_key(LocalFileSystem(), ByKey(frozenset({name_of("key 77")})), path)
    assert found.places[7].tolist() == list(range(77, 50_000, 5_000))
    assert len(read) <= 2 < 40 <= pq.ParquetFile(path).metadata.num_row_groups
    found = stems_by_key(LocalFileSystem(), ByKey(frozenset({name_of("no such key")})), path)
    assert not found.places
    assert not found.keys


def test_large_keys_are_written_few_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyed, "ROW_GROUP", 100)
    large = [f"{n}" * 100_000 for n in range(8)]
    with KeyedFile(LocalFileSystem(), str(tmp_path), "0.relation") as file:
        writer = RelationWriter(file)
        for n in range(20_000):
            writer.add(((3, large[n % 8]),), n % 1_000)
        writer.flush()
    assert (tmp_path / "0.relation").stat().st_size < 8 * 100_000
    wanted = ByKey(frozenset({name_of(17), name_of(18)}))
    found = stems_by_key(LocalFileSystem(), wanted, str(tmp_path / "0.relation"))
    assert found.keys == {3: {name_of(large[1]), name_of(large[2])}}


def test_a_damaged_file(tmp_path: Path) -> None:
    path = Path(a_file(tmp_path, 10))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DamagedIndexError, match="a file of the index can't be read"):
        stems_by_key(LocalFileSystem(), ByKey(frozenset({name_of("key 1")})), str(path))


@given(
    st.lists(st.lists(st.integers(0, 1 << 50) | st.integers(1000, 1300), max_size=20), min_size=1, max_size=4)
)
def test_distinct(parts: list[list[int]]) -> None:
    found = distinct([np.array(part, dtype=np.int64) for part in parts])
    assert found.tolist() == sorted({number for part in parts for number in part})


def test_no_pandas_is_loaded_by_what_tasks_write() -> None:
    """It takes longer than most tasks."""
    program = """
import sys, tempfile
from pyarrow.fs import LocalFileSystem
from bigdebug.lineage.rdd.index.keyed import KeyedFile
from bigdebug.lineage.rdd.index.placed import PlacedFile
from bigdebug.lineage.rdd.index.writing import RelationWriter
from bigdebug.lineage.rdd.index.elements import ElementWriter, elements_schema
from bigdebug.lineage.rdd.index.task_file import TaskFile
from bigdebug.lineage.rdd.packing import place_id
folder = tempfile.mkdtemp()
for kind in (KeyedFile, PlacedFile):
    with kind(LocalFileSystem(), folder, kind.__name__) as file:
        writer = RelationWriter(file)
        writer.add(place_id(1, 0, 5), 3)
        writer.add(((2, "key"),), 4)
        writer.flush()
with TaskFile(LocalFileSystem(), folder, "elements", elements_schema()) as file:
    writer = ElementWriter(file, 0)
    writer.add("x")
    writer.flush()
assert "pandas" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
