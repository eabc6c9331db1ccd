"""A grid of records that are all there: columns with their types or marks, and what is copied of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from bigdebug.lineage.value_text import text_value
from bigdebug.tui.cells import Column, ListRows, Row
from bigdebug.tui.copying import Shown
from bigdebug.tui.pages import Field
from bigdebug.tui.traced import Records


def columns_of(
    fields: Sequence[Field],
    reached: Collection[str] = (),
    decided: Collection[str] = (),
    *,
    kinds: bool = True,
) -> list[Column]:
    """The columns of a table of records.

    Args:
        fields: the columns.
        reached: columns whose values reached the traced rows: marked by ●.
        decided: those that only decided which records took part: marked by ○.
        kinds: name their types; those of source records are only guessed.
    """
    marked = bool(reached or decided)
    columns = []
    for each in fields:
        note = each.kind if kinds else ""
        if marked:
            note = "●" if each.name in reached else "○" if each.name in decided else ""
        columns.append(Column(each.name, note, right=each.is_number))
    return columns


class RecordRows(ListRows):
    """Records as rows of a grid, each made when it is drawn."""

    def __init__(self, records: Records) -> None:
        super().__init__()
        self.records = records
        self._made: dict[int, Row] = {}

    @property
    def count(self) -> int:
        return len(self.records.rows)

    def row(self, index: int) -> Row:
        if index not in self._made:
            self._made[index] = [_text(value) for value in self.records.rows[index]]
        return self._made[index]

    def shown(self) -> Shown:
        """What is copied."""
        return Shown([each.name for each in self.records.fields], self.records.rows)


def _text(value: Any) -> str:
    return text_value(value)
