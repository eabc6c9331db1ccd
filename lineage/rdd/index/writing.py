"""Files of a relation between records and what was made of them, as Spark's Python workers write them.

A relation is a set of rows: what an element stems from (a leaf's number, and a place or a key there) and the names
of the elements that do. Each task writes files of its own, which appear whole or not at all. Travels by value to the
workers, which need not have bigdebug, but pyarrow.
"""

from __future__ import annotations

import pickle
import sys
from array import array
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from itertools import islice
from typing import Any

from bigdebug.lineage.rdd.index.names import name_of, place_number
from bigdebug.lineage.rdd.packing import Ids, each_id, leaf_of, number_in_leaf

AT_ONCE = 1 << 20
"""So many names are held at most before they are written."""
ELEMENTS_AT_ONCE = 2_048
ELEMENT_BYTES = 8 << 20

_LOOKED_AT = 8
"""So many parts of an element are weighed; the rest is taken to be alike."""

RELATION = ".relation"
ELEMENTS = ".elements"
UNFINISHED = ".unfinished"


_WHOLE = frozenset({str, int, float, bytes, bool, type(None)})
_UNKNOWN = 1 << 10


def weight(element: Any) -> int:
    """Roughly how many bytes an element takes, by a few of its parts."""
    if type(element) in _WHOLE:
        return sys.getsizeof(element)
    try:
        return _weighed(element, 3)
    except Exception:
        return _UNKNOWN  # a class of the program's own can make an error of anything


def _weighed(element: Any, depth: int) -> int:
    total = sys.getsizeof(element)
    if type(element) in _WHOLE:
        return total
    if depth and isinstance(element, tuple | list | set | frozenset | dict) and element:
        parts = element.values() if isinstance(element, dict) else element
        looked_at = list(islice(parts, _LOOKED_AT))
        total += len(element) * sum(_weighed(part, depth - 1) for part in looked_at) // len(looked_at)
    return total


class Codes(dict[Any, int]):
    """Numbers for keys, given as they come."""

    def __missing__(self, key: Any) -> int:
        self[key] = code = len(self)
        return code


def schema_of(placed: bool) -> Any:
    """The columns of a relation's files.

    Args:
        placed: its names are places, and not keys.
    """
    import pyarrow as pa

    key = pa.dictionary(pa.int32(), pa.binary())
    return pa.schema(
        [
            ("leaf", pa.int32()),
            ("place", pa.int64()),
            ("key", key),
            ("names", pa.list_(pa.int64() if placed else key)),
        ]
    )


def elements_schema() -> Any:
    """The columns of files with elements: the first one's place, and some of them pickled together."""
    import pyarrow as pa

    return pa.schema([("first", pa.int64()), ("count", pa.int64()), ("data", pa.binary())])


class TaskFile:
    """A file that a task writes; it appears when the task is done with it.

    Args:
        filesystem: pyarrow's.
        folder: where it is to be.
        name: of the file, that no other attempt has.
        schema: of its record batches.
    """

    def __init__(self, filesystem: Any, folder: str, name: str, schema: Any) -> None:
        import pyarrow as pa

        self._filesystem = filesystem
        self._path = f"{folder}/{name}"
        with suppress(OSError):  # two tasks may make it at once; what else is wrong, the next line says
            filesystem.create_dir(folder, recursive=True)
        self._stream = filesystem.open_output_stream(self._path + UNFINISHED)
        compressed = pa.ipc.IpcWriteOptions(compression="zstd")
        self._writer = pa.ipc.new_stream(self._stream, schema, options=compressed)

    def write(self, batch: Any) -> None:
        self._writer.write_batch(batch)

    def commit(self, told: str = "") -> None:
        """Have the file appear.

        Args:
            told: what its name is to tell, before its ending.
        """
        self._writer.close()
        self._stream.close()
        stem, dot, ending = self._path.rpartition(".")
        self._filesystem.move(self._path + UNFINISHED, stem + told + dot + ending)

    def abandon(self) -> None:
        """Remove what was written."""
        self._stream.close()
        self._filesystem.delete_file(self._path + UNFINISHED)

    def __enter__(self) -> TaskFile:
        return self

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        if kind is None:
            self.commit()
        else:
            self.abandon()


class RelationWriter:
    """Writes rows of a relation, each with one name.

    Args:
        file: to write to.
        placed: names are places, as numbers, and not keys.
    """

    def __init__(self, file: TaskFile, placed: bool) -> None:
        self._file = file
        self._placed = placed
        self._clear()

    def add(self, ids: Ids, name: Any) -> None:
        """What an element of a name stems from.

        Args:
            ids: places or keys of leaves.
            name: a place as a number, or a key.
        """
        known = name if self._placed else self._codes[name]
        for each in each_id(ids):
            self._leaves.append(leaf_of(each))
            if isinstance(each, int):
                self._places.append(number_in_leaf(each))
                self._keys.append(-1)
            else:
                self._places.append(-1)
                self._keys.append(self._key_codes[each[1]])
            self._names.append(known)
        if len(self._names) >= AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Write what is held."""
        import numpy as np
        import pyarrow as pa

        count = len(self._names)
        if not count:
            return
        names: Any = pa.array(np.frombuffer(self._names, dtype=np.int64))
        if not self._placed:
            names = coded(names.cast(pa.int32()), self._codes)
        places = np.frombuffer(self._places, dtype=np.int64)
        keys = np.frombuffer(self._keys, dtype=np.int64)
        self._file.write(
            pa.record_batch(
                [
                    pa.array(np.frombuffer(self._leaves, dtype=np.int32)),
                    pa.array(places, mask=places < 0),
                    coded(pa.array(keys, pa.int32(), mask=keys < 0), self._key_codes),
                    pa.ListArray.from_arrays(np.arange(count + 1, dtype=np.int32), names),
                ],
                schema=schema_of(self._placed),
            )
        )
        self._clear()

    def _clear(self) -> None:
        self._leaves, self._places, self._keys, self._names = array("i"), array("q"), array("q"), array("q")
        self._codes, self._key_codes = Codes(), Codes()


def coded(codes: Any, known: Iterable[Any]) -> Any:
    """Codes of keys as an array of their names.

    Args:
        codes: an array of `int32`.
        known: the keys, in the order of their codes.
    """
    import pyarrow as pa

    # Keys that Python's dictionaries keep apart may have the same name: not numbers.
    return pa.DictionaryArray.from_arrays(codes, pa.array(map(name_of, known), pa.binary()))


class ElementWriter:
    """Writes elements, by their places in a partition.

    Args:
        file: to write to.
        partition: theirs.
    """

    def __init__(self, file: TaskFile, partition: int) -> None:
        self._file = file
        self._first = place_number((partition, 0))
        self._held: list[Any] = []
        self._bytes = 0

    def add(self, element: Any) -> None:
        self._held.append(element)
        self._bytes += weight(element)
        if len(self._held) >= ELEMENTS_AT_ONCE or self._bytes >= ELEMENT_BYTES:
            self.flush()

    def add_all(self, elements: list[Any]) -> None:
        """Write elements that are known not to take much more than `ELEMENT_BYTES` together."""
        self.flush()
        for start in range(0, len(elements), ELEMENTS_AT_ONCE):
            self._held = elements[start : start + ELEMENTS_AT_ONCE]
            self.flush()

    def flush(self) -> None:
        """Write what is held."""
        import pyarrow as pa

        if not self._held:
            return
        data = _pickled(self._held)
        row = [[self._first], [len(self._held)], [data]]
        self._file.write(pa.record_batch(row, schema=elements_schema()))
        self._first += len(self._held)
        self._held = []
        self._bytes = 0


def _pickled(elements: list[Any]) -> bytes:
    try:
        return pickle.dumps(elements, protocol=5)
    except Exception:
        # Of classes in the user's script, which only this finds again elsewhere.
        from pyspark import cloudpickle

        return bytes(cloudpickle.dumps(elements))


def written_value(filesystem: Any, folder: str, leaf: int, value: Any) -> None:
    """Write a value that an action made of all elements, as the only element of an output.

    Args:
        filesystem: pyarrow's.
        folder: where files `0.…` are to be.
        leaf: the action's number; the value's id there is the key of all elements, None.
        value: the value.
    """
    with TaskFile(filesystem, folder, "0" + RELATION, schema_of(True)) as file:
        writer = RelationWriter(file, True)
        writer.add(((leaf, None),), 0)
        writer.flush()
    with TaskFile(filesystem, folder, "0" + ELEMENTS, elements_schema()) as file:
        elements = ElementWriter(file, 0)
        elements.add(value)
        elements.flush()


def attempt_name(partition: int) -> str:
    """The name of a partition's file that this attempt of its task alone has."""
    from pyspark import TaskContext

    context = TaskContext.get()
    return f"{partition}-{0 if context is None else context.taskAttemptId()}"


Written = tuple[int, str, int]
"""Partition, name of its files but for their endings, and how many elements went by."""


def relation_written(
    filesystem: Any,
    folder: str,
    name: Any,
    elements: bool = False,
) -> Any:
    """What writes the relation of annotated elements, a task its own files.

    Args:
        filesystem: pyarrow's.
        folder: of the relation.
        name: gives the key of an element; None names them by place.
        elements: write the elements, too.
    """

    def write(partition: int, annotated: Iterable[Any]) -> Iterator[Written]:
        file_name = attempt_name(partition)
        placed = name is None
        with ExitStack() as stack:
            rows = stack.enter_context(TaskFile(filesystem, folder, file_name + RELATION, schema_of(placed)))
            writer = RelationWriter(rows, placed)
            element_writer = None
            if elements:
                kept = TaskFile(filesystem, folder, file_name + ELEMENTS, elements_schema())
                element_writer = ElementWriter(stack.enter_context(kept), partition)
            first, count = place_number((partition, 0)), 0
            for element, ids in annotated:
                writer.add(ids, first + count if placed else name(element))
                if element_writer is not None:
                    element_writer.add(element)
                count += 1
            writer.flush()
            if element_writer is not None:
                element_writer.flush()
        yield partition, file_name, count

    return write


def elements_written(filesystem: Any, folder: str) -> Any:
    """What writes elements by their places, a task its own file."""

    def write(partition: int, elements: Iterable[Any]) -> Iterator[Written]:
        name = attempt_name(partition)
        with TaskFile(filesystem, folder, name + ELEMENTS, elements_schema()) as file:
            writer = ElementWriter(file, partition)
            count = 0
            for element in elements:
                writer.add(element)
                count += 1
            writer.flush()
        yield partition, name, count

    return write
