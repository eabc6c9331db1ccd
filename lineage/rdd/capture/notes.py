"""What a task notes of a chain: how many elements had come out of it when each record was handed on.

What came out between two records was made of the first of them. Notes are written a part at a time, so that a task
holds no more than some 64 MB of them. Travels by value to Spark's Python workers.
"""

from __future__ import annotations

import pickle
from array import array
from contextlib import suppress
from itertools import repeat
from operator import length_hint
from typing import Any

from bigdebug.lineage.rdd.capture.heads import Head, PairHead, PlaceHead, stems
from bigdebug.lineage.rdd.index.elements import ElementWriter, elements_schema
from bigdebug.lineage.rdd.index.keyed import KeyedFile
from bigdebug.lineage.rdd.index.names import place_number
from bigdebug.lineage.rdd.index.placed import PlacedFile
from bigdebug.lineage.rdd.index.relation_file import RelationFile
from bigdebug.lineage.rdd.index.task_file import ELEMENTS, RELATION, TaskFile, attempt_name

MOST_NAMES = 1 << 20
MOST_KEYS = 1 << 17
MOST_BYTES = 8 << 20
"""So much is held at most: names of elements, different keys, and elements."""

_NEVER = 1 << 40

OURS = "bigdebug-"
"""What the job groups of our own questions begin with; nothing is noted for these."""


class Notes:
    """The notes of one task; whatever is in their way, the elements go on.

    Args:
        head: of the chain.
        partition: the task's.
        place: where files go: pyarrow's file system, pickled (there may be no pyarrow), and a folder.

    Attributes:
        names: of the elements that came out, as codes of keys, or the elements themselves.
        marks: by record how many names there were when it was handed on.
        ids: of these records, where places don't tell them; of pairs those of both sides, each by itself.
        counter: an iterator, of which one is taken for each record, where few of them give anything: then
            `records` holds for each name how many more it could give then, and there are no marks.
        codes: of the keys.
        keeps_codes: they go on when what is held is written.
        bytes: roughly how large the elements and keys held are.
    """

    def __init__(self, head: Head, partition: int, place: tuple[bytes, str]) -> None:
        self._head = head
        self._partition = partition
        self._before = 0  # records whose notes are written
        self._given = 0  # elements whose notes are written
        self._files: list[TaskFile] = []
        self._file: RelationFile | None = None
        self._elements: ElementWriter | None = None
        self._broken = False
        self.names: list[Any] = []
        self.marks = array("q")
        self.ids: Any = []
        if isinstance(head, PairHead):
            self.ids = tuple(
                array("q") if isinstance(side, PlaceHead) else [] for side in (head.left, head.right)
            )
        self.counter: Any = None
        self.records = array("q")
        self.codes: dict[Any, int] = {}
        self.keeps_codes = False
        self._part: tuple[int, Any] = (-1, None)  # of how many codes, and what is known of these
        self.bytes = 0
        self._place = place

    def begin(self, *, elements: bool) -> bool:
        """Whether there is something to be noted, and a file for it.

        Args:
            elements: keep the elements that come out, and name them by place; else they are named by their keys.
        """
        try:
            if _is_ours():
                return False
            filesystem, folder = pickle.loads(self._place[0]), self._place[1]
            if not elements and self._is_noted(filesystem, folder):
                return False
            self._file = (PlacedFile if elements else KeyedFile)(filesystem, folder, self._name)
            self._files.append(self._file)
            if elements:
                kept = TaskFile(
                    filesystem, folder, attempt_name(self._partition) + ELEMENTS, elements_schema()
                )
                self._files.append(kept)
                self._elements = ElementWriter(kept, self._partition)
        except Exception:
            self._abandon()
        return not self._broken

    def count(self) -> None:
        """Count records rather than mark them."""
        self.counter = repeat(True, _NEVER)

    @property
    def counted(self) -> int:
        """How many records were counted."""
        return _NEVER - length_hint(self.counter)

    @property
    def _name(self) -> str:
        return attempt_name(self._partition) + RELATION

    def _is_noted(self, filesystem: Any, folder: str) -> bool:
        """Whether another attempt has noted the same."""
        from pyarrow.fs import FileSelector

        try:
            found = filesystem.get_file_info(FileSelector(folder))
        except FileNotFoundError:
            # Not `allow_not_found`: it looks twice, and raises where another task makes the folder in between.
            return False
        return any(
            each.base_name.startswith(f"{self._partition}-") and each.base_name.endswith(RELATION)
            for each in found
        )

    @property
    def full(self) -> bool:
        """Whether it is time to write."""
        return (
            len(self.marks) >= (MOST_NAMES if _is_of_places(self._head) else MOST_KEYS)
            or len(self.names) >= MOST_NAMES
            or len(self.codes) >= MOST_KEYS
            or self.bytes >= MOST_BYTES
        )

    def flush(self) -> None:
        """Write what is held; the last record may give more yet."""
        try:
            if not self._broken:
                self._write()
        except Exception:
            self._abandon()
        self._given += len(self.names)
        del self.names[:]
        del self.records[:]
        if not self.keeps_codes:
            self.codes.clear()
            self._part = -1, None
        self.bytes = 0
        if self.marks:
            self._before += len(self.marks) - 1
            del self.marks[:]
            self.marks.append(0)
            for ids in self.ids if isinstance(self.ids, tuple) else (self.ids,):
                del ids[:-1]

    def finish(self) -> None:
        """Have the files appear: all elements have come out."""
        self.flush()
        if self._broken:
            return
        try:
            records = self._before + len(self.marks) if self.counter is None else self.counted
            # The relation last: where it is, its elements are there.
            for file in reversed(self._files):
                file.commit(f".{records}" if file is self._files[0] else "")
            self._files = []
        except Exception:
            self._abandon()

    def close(self) -> None:
        """Leave nothing behind where not all elements came out: the task failed, or nobody wanted the rest."""
        if self._files:
            self._abandon()

    # -- inside -------------------------------------------------------------------------------------

    def _abandon(self) -> None:
        self._broken = True
        for file in self._files:
            with suppress(Exception):
                file.abandon()
        self._files = []

    def _write(self) -> None:
        import numpy as np

        count = len(self.names)
        if not count:
            return
        if self.counter is None:
            offsets = np.append(np.frombuffer(self.marks, dtype=np.int64), count)
            gave = np.flatnonzero(offsets[1:] > offsets[:-1])
            ids, starts = self._ids(gave), offsets[gave]
        else:
            numbers = _NEVER - np.frombuffer(self.records, dtype=np.int64) - 1
            gave, starts = np.unique(numbers, return_index=True)
            ids = place_number((self._partition, 0)) + gave
        assert self._file is not None
        if self._elements is None:
            names: Any = np.fromiter(self.names, np.int32, count)
        else:
            first = place_number((self._partition, self._given))
            names = np.arange(first, first + count)
            self._elements.add_all(self.names)
        if self._part[0] != len(self.codes):
            self._part = len(self.codes), self._file.part(self.codes)
        part = self._part[1]
        lengths = np.diff(starts, append=count)
        for leaf, places, keys, rows in stems(self._head, ids, np.arange(len(gave))):
            of_rows = names
            if len(rows) < len(gave):
                of_rows = names[np.repeat(np.isin(np.arange(len(gave)), rows), lengths)]
            ends = np.append(0, np.cumsum(lengths[rows]))
            self._file.write_leaf(part, leaf, places, keys, ends, of_rows)

    def _ids(self, records: Any) -> Any:
        if isinstance(self._head, PlaceHead):
            return place_number((self._partition, self._before)) + records
        if isinstance(self.ids, tuple):
            return tuple(self._of(ids, records) for ids in self.ids)
        return self._of(self.ids, records)

    @staticmethod
    def _of(ids: Any, records: Any) -> Any:
        import numpy as np

        if isinstance(ids, array):
            return np.frombuffer(ids, dtype=np.int64)[records]
        return ids if len(records) == len(ids) else [ids[record] for record in records.tolist()]


def note_count(place: tuple[bytes, str], partition: int, records: int) -> None:
    """Leave word of how many records a partition has, in the name of a file; whatever is in its way.

    Args:
        place: where: pyarrow's file system, pickled, and a folder.
        partition: the task's.
        records: how many.
    """
    with suppress(Exception):
        if not _is_ours():
            name = attempt_name(partition) + RELATION
            KeyedFile(pickle.loads(place[0]), place[1], name).commit(f".{records}")


def _is_ours() -> bool:
    """Whether the job is one of a question of ours."""
    from pyspark import TaskContext

    context = TaskContext.get()
    group = None if context is None else context.getLocalProperty("spark.jobGroup.id")
    return group is not None and group.startswith(OURS)


def _is_of_places(head: Head) -> bool:
    if isinstance(head, PairHead):
        return _is_of_places(head.left) and _is_of_places(head.right)
    return isinstance(head, PlaceHead)
