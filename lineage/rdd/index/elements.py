"""Files of elements, pickled some at a time, as Spark's Python workers write them.

Travels by value to the workers, which need not have bigdebug, but pyarrow.
"""

from __future__ import annotations

import pickle
import sys
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from types import MemberDescriptorType
from typing import Any

from bigdebug.lineage.rdd.index.arrays import numbers, texts
from bigdebug.lineage.rdd.index.names import place_number
from bigdebug.lineage.rdd.index.task_file import ELEMENTS, TaskFile, Written, attempt_name

ELEMENTS_AT_ONCE = 2_048
ELEMENT_BYTES = 8 << 20

_LOOKED_AT = 8
"""So many parts of an element are weighed; the rest is taken to be alike."""

_WHOLE = frozenset({str, int, float, bytes, bool, type(None)})
_CONTAINERS = frozenset({tuple, list, set, frozenset, dict, deque})
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
    kind, total = type(element), sys.getsizeof(element)
    if kind in _WHOLE or not depth:
        return total
    # By its type: what an object of the program's own says of its class is code of the program's.
    if issubclass(kind, tuple | list | set | frozenset | deque):
        total += _all_weighed(element, depth - 1)
    elif issubclass(kind, dict):
        total += _all_weighed(element.values(), depth - 1)
    if kind not in _CONTAINERS:
        total += sum(_weighed(part, depth - 1) for part in _attributes(element))
    return total


def _all_weighed(parts: Collection[Any], depth: int) -> int:
    looked_at = list(islice(parts, _LOOKED_AT))
    return len(parts) * sum(_weighed(part, depth) for part in looked_at) // max(1, len(looked_at))


def _attributes(element: Any) -> Iterator[Any]:
    """The attributes of an object, without any code of its class."""
    kind = type(element)
    if kind.__dictoffset__:
        yield from object.__getattribute__(element, "__dict__").values()
    for name, member in (each for base in kind.__mro__ for each in vars(base).items()):
        if isinstance(member, MemberDescriptorType) and name not in ("__dict__", "__weakref__"):
            with suppress(AttributeError):
                yield member.__get__(element, kind)


def elements_schema() -> Any:
    """The columns of files with elements: the first one's place, and some of them pickled together."""
    import pyarrow as pa

    return pa.schema([("first", pa.int64()), ("count", pa.int64()), ("data", pa.binary())])


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
        import numpy as np
        import pyarrow as pa

        if not self._held:
            return
        data = _pickled(self._held)
        first, count = (numbers(np.array([each], dtype=np.int64)) for each in (self._first, len(self._held)))
        self._file.write(pa.record_batch([first, count, texts([data])], schema=elements_schema()))
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
