"""What a table is made of: columns, cells, and rows that may still have to come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

MOST_WIDTH = 36
"""A column is no wider by itself; long values are opened in full."""


@dataclass(frozen=True)
class Column:
    """A column of a grid.

    Attributes:
        title: its name.
        note: a second line under it, such as its type.
        right: numbers stand at the right.
        width: cells; 0 for as wide as what is in it.
        most: how wide it gets by itself.
        style: name of a component class for its cells.
    """

    title: str
    note: str = ""
    right: bool = False
    width: int = 0
    most: int = MOST_WIDTH
    style: str = ""


@dataclass(frozen=True)
class Cell:
    """A cell's text, and the name of a component class where it has a style of its own."""

    text: str
    style: str = ""


Row = Sequence[str | Cell]


class Rows(Protocol):
    """What a grid shows."""

    @property
    def count(self) -> int:
        """How many rows there are."""

    def row(self, index: int) -> Row | None:
        """The cells of a row; None where it isn't loaded yet."""


class ListRows:
    """Rows that are all there."""

    def __init__(self, rows: Sequence[Row] = ()) -> None:
        self._rows = rows

    @property
    def count(self) -> int:
        return len(self._rows)

    def row(self, index: int) -> Row | None:
        return self._rows[index]


def titled(column: Column, mark: str) -> Column:
    """A column with a mark behind its title."""
    return replace(column, title=f"{column.title}{mark}")
