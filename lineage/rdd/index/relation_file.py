"""A file of a relation, whatever its names are. Travels by value to Spark's Python workers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

from bigdebug.lineage.rdd.index.coding import Codes
from bigdebug.lineage.rdd.index.task_file import TaskFile


class RelationFile(TaskFile, ABC):
    """A file of a relation, that a task writes.

    Args:
        filesystem: pyarrow's.
        folder: where it is to be.
        name: of the file, that no other attempt has.
    """

    def __init__(self, filesystem: Any, folder: str, name: str) -> None:
        super().__init__(filesystem, folder, name, self.schema())

    @staticmethod
    @abstractmethod
    def schema() -> Any:
        """Its columns."""

    @abstractmethod
    def part(self, keys: Iterable[Any]) -> Any:
        """What is known of the keys of elements that are written together, in the order of their codes."""

    @abstractmethod
    def write_leaf(
        self, part: Any, leaf: int, places: Any, keys: tuple[Any, Codes] | None, ends: Any, names: Any
    ) -> None:
        """Write what elements stem from at one leaf.

        Args:
            part: what `part` gave for the elements' keys.
            leaf: its number.
            places: there, in ascending order; None where it has keys.
            keys: codes of keys there, and the keys; None where it has places.
            ends: by place or key where its names begin, and where the last one's end.
            names: of all of these the places of the elements, or the codes of their keys.
        """
