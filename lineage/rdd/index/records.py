"""The records of one source that an indexed trace found: where they stand, and their values where they are at hand."""

from __future__ import annotations

import pickle
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from bigdebug.lineage.location import Location, TracedRecord, plain_path
from bigdebug.lineage.parquet_records import UnreadableError
from bigdebug.lineage.rdd.index.manifest import StoredSource
from bigdebug.lineage.rdd.index.names import PARTITION_SHIFT, place_of
from bigdebug.lineage.rdd.index.relations import batches
from bigdebug.lineage.text_records import TextFormat, is_compressed, read_lines
from bigdebug.lineage.unchanged import what_became_of

_LINES = TextFormat("text")
_NEEDS_SPARK = "reading them needs Spark"


class IndexedRddRecords:
    """Records of a source on a trace.

    Args:
        filesystem: pyarrow's.
        at: gives the path of a file within the run's folder of indexes.
        source: the source.
        places: sorted numbers of their places, each once.
    """

    def __init__(self, filesystem: Any, at: Callable[[str], str], source: StoredSource, places: Any) -> None:
        self._filesystem = filesystem
        self._at = at
        self._source = source
        self._places = places
        self.notes: list[str] = []

    @property
    def count(self) -> int:
        return len(self._places)

    def files(self) -> list[str]:
        """The files they stand in."""
        if self._source.whole:
            return sorted({plain_path(path) for path in self._kept(self._places).values()})
        if self._source.splits is None:
            return []
        partitions = np.unique(self._places >> PARTITION_SHIFT).tolist()
        return sorted({self._source.splits[partition][0] for partition in partitions})

    def collect(self, limit: int) -> list[TracedRecord]:
        """Up to `limit` of them, by file and position."""
        first = self._places[:limit]
        if self._source.whole:
            return self._whole_files(first)
        values = self._values(first)
        found = [
            TracedRecord(self._source.name, self._location(number), values.get(number), number in values)
            for number in first.tolist()
        ]
        return sorted(found, key=lambda record: _order(record.location))

    # -- inside -------------------------------------------------------------------------------------

    def _location(self, number: int) -> Location:
        partition, place = place_of(number)
        if self._source.splits is None:
            return Location(None, place, partition)
        file, _, position = self._source.splits[partition]
        return Location(file, position + place)

    def _values(self, numbers: Any) -> dict[int, Any]:
        """By place the records that can be had without Spark; of others a note says why."""
        source = self._source
        if source.records:
            return self._kept(numbers)
        why = _NEEDS_SPARK
        if source.lines and source.splits is not None:
            changed = what_became_of(
                {source.splits[place_of(number)[0]][0] for number in numbers.tolist()}, source.listed
            )
            if changed is None:
                try:
                    return self._lines(numbers)
                except UnreadableError:
                    pass
            else:
                why = changed
        self._note(why)
        return {}

    def _note(self, why: str) -> None:
        note = f"{self._source.name}: the values of its records aren't shown, for {why}"
        if note not in self.notes:
            self.notes.append(note)

    def _kept(self, numbers: Any) -> dict[int, Any]:
        wanted = set(numbers.tolist())
        found = {}
        for first, count, elements in stored_elements(self._filesystem, map(self._at, self._source.records)):
            for number in wanted.intersection(range(first, first + count)):
                found[number] = elements()[number - first]
        return found

    def _lines(self, numbers: Any) -> dict[int, Any]:
        assert self._source.splits is not None
        by_partition = defaultdict(list)
        for number in numbers.tolist():
            partition, place = place_of(number)
            by_partition[partition].append(place)
        found = {}
        for partition, places in by_partition.items():
            file, start, _ = self._source.splits[partition]
            read = read_lines(file, start, places, _LINES, [("value", "string")])
            found.update({(partition << PARTITION_SHIFT) + place: line for place, (line,) in read.items()})
        return found

    def _whole_files(self, numbers: Any) -> list[TracedRecord]:
        found = []
        for path in self._kept(numbers).values():
            file = plain_path(path)
            value: Any = None
            binary = self._source.kind == "binaryFiles"
            why = what_became_of([file], self._source.listed)
            if why is None and not binary and (not self._source.lines or is_compressed(file)):
                why = _NEEDS_SPARK
            if why is not None:
                self._note(why)
            else:
                content = Path(file).read_bytes()
                value = (path, content if binary else content.decode("utf-8", "replace"))
            found.append(TracedRecord(self._source.name, Location(file, 0), value, why is None))
        return sorted(found, key=lambda record: _order(record.location))


def stored_elements(
    filesystem: Any, paths: Sequence[str] | map[str]
) -> Iterator[tuple[int, int, Callable[[], list[Any]]]]:
    """Elements out of files: the first one's place, how many, and what opens them.

    Raises:
        DamagedIndexError: a file can't be read.
    """
    for batch in batches(filesystem, list(paths)):
        for row in batch.to_pylist():
            yield row["first"], row["count"], _Opening(row["data"])


class _Opening:
    """Opens pickled elements, once."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def __call__(self) -> list[Any]:
        return self._elements

    @cached_property
    def _elements(self) -> list[Any]:
        found: list[Any] = pickle.loads(self._data)
        return found


def _order(location: Location) -> tuple[str, int, int]:
    return location.file or "", location.partition or 0, location.position or 0
