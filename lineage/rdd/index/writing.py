"""Files of a relation between records and what was made of them, as Spark's Python workers write them.

A relation is a set of rows: what an element stems from (a leaf's number, and a place or a key there) and the names
of the elements that do. Travels by value to the workers, which need not have bigdebug, but pyarrow.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import Any

from bigdebug.lineage.rdd.index.coding import Codes
from bigdebug.lineage.rdd.index.elements import ElementWriter, elements_schema
from bigdebug.lineage.rdd.index.keyed import KeyedFile
from bigdebug.lineage.rdd.index.names import place_number
from bigdebug.lineage.rdd.index.placed import PlacedFile
from bigdebug.lineage.rdd.index.relation_file import RelationFile
from bigdebug.lineage.rdd.index.task_file import ELEMENTS, RELATION, TaskFile, Written, attempt_name
from bigdebug.lineage.rdd.packing import Ids, each_id, leaf_of, number_in_leaf

AT_ONCE = 1 << 20
"""So many names are held at most before they are written."""


class RelationWriter:
    """Writes rows of a relation, each with one name.

    Args:
        file: to write to; it says whether names are places, as numbers, or keys.
    """

    def __init__(self, file: RelationFile) -> None:
        self._file = file
        self._clear()

    def add(self, ids: Ids, name: Any) -> None:
        """What an element of a name stems from.

        Args:
            ids: places or keys of leaves.
            name: a place as a number, or a key.
        """
        known = name if isinstance(self._file, PlacedFile) else self._codes[name]
        for each in each_id(ids):
            self._leaves.append(leaf_of(each))
            if isinstance(each, int):
                self._places.append(number_in_leaf(each))
            else:
                self._places.append(_KEY - self._key_codes[each[1]])
            self._names.append(known)
        if len(self._names) >= AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Write what is held."""
        import numpy as np

        if not self._names:
            return
        every_leaf, every_place, every_name = (
            np.frombuffer(held, dtype=kind)
            for held, kind in ((self._leaves, np.int32), (self._places, np.int64), (self._names, np.int64))
        )
        part = self._file.part(self._codes)
        for leaf in np.unique(every_leaf).tolist():
            of_leaf = every_leaf == leaf
            places, names = every_place[of_leaf], every_name[of_leaf]
            keys = None
            if places[0] < 0:  # a leaf has places, or it has keys
                keys = (_KEY - places).astype(np.int32), self._key_codes
                places = None
            self._file.write_leaf(part, leaf, places, keys, np.arange(len(names) + 1), names)
        self._clear()

    def _clear(self) -> None:
        self._leaves, self._places, self._names = array("i"), array("q"), array("q")
        self._codes, self._key_codes = Codes(), Codes()


_KEY = -1
"""In place of a place stand numbers from here down: the codes of keys."""


def written_value(filesystem: Any, folder: str, leaf: int, value: Any) -> None:
    """Write a value that an action made of all elements, as the only element of an output.

    Args:
        filesystem: pyarrow's.
        folder: where files `0.…` are to be.
        leaf: the action's number; the value's id there is the key of all elements, None.
        value: the value.
    """
    with PlacedFile(filesystem, folder, "0" + RELATION) as file:
        writer = RelationWriter(file)
        writer.add(((leaf, None),), 0)
        writer.flush()
    with TaskFile(filesystem, folder, "0" + ELEMENTS, elements_schema()) as kept:
        elements = ElementWriter(kept, 0)
        elements.add(value)
        elements.flush()


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
            kind: type[RelationFile] = PlacedFile if placed else KeyedFile
            writer = RelationWriter(stack.enter_context(kind(filesystem, folder, file_name + RELATION)))
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
