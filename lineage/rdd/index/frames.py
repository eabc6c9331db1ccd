"""The index of a DataFrame whose rows are elements of an RDD."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

from bigdebug.lineage.asking import asking
from bigdebug.lineage.identity import SourceLeaf
from bigdebug.lineage.index.manifest import THROUGH_RDDS, Manifest
from bigdebug.lineage.index.tables import Tables
from bigdebug.lineage.index.writing import DataflowWriter
from bigdebug.lineage.rdd import placing
from bigdebug.lineage.rdd.frames import Frame, rows_with_numbers
from bigdebug.lineage.store.tables import TableStore


class IndexedFrame:
    """A DataFrame on the way of an index: its rows as elements, and what they came from.

    Args:
        frame: the DataFrame.

    Attributes:
        names: what its sources are called in the whole index.
    """

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self.names: dict[SourceLeaf, str] = {}

    def elements(self, leaf: int) -> Any:
        """The annotated RDD of its rows, each with its partition and place as the id of that leaf."""
        question = self.frame.question
        with asking(question.catalyst, "rows of a DataFrame"):
            rows = rows_with_numbers(question.catalyst, question.root, self._tables.numbered)
            return rows.map(placing.placed_row(leaf), True)

    def written(
        self,
        store: TableStore,
        folder: str,
        joints: Mapping[SourceLeaf, int],
        progress: Callable[[str], None],
    ) -> Manifest:
        """Write down what its rows came from.

        Args:
            store: where the run lies.
            folder: of the tables, within the run's folder of indexes.
            joints: the sources where it goes on in an RDD, each with the number of the leaf there.
            progress: told what is done next.
        """
        question = self.frame.question
        with asking(question.catalyst, "rows of a DataFrame"):
            writer = DataflowWriter(question, store, folder, (), progress, joints)
            what = f"the rows of {self.frame.operator.described()}"
            manifest = writer.of_elements(self._tables, self.names, what)
        return replace(manifest, format=THROUGH_RDDS)

    @cached_property
    def _tables(self) -> Tables:
        return Tables(self.frame.question, _hides_nothing, numbers=True)


def _hides_nothing(_: Any) -> bool:
    return False
