"""What annotating gives: a plan with id columns, and where each of them leads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bigdebug.lineage.identity import SourceLeaf
from bigdebug.lineage.influence import Lookup
from bigdebug.lineage.operators import Operator


@dataclass(eq=False, frozen=True)
class Boundary:
    """An operator whose output row stems from many input rows, found again by their key.

    Attributes:
        grouping: what an input row's key is, as expressions over that input.
        side: which of its inputs.
        kept: the input itself, where it must not be computed anew.
        lookup: in place of a grouping, how input rows are found by the key.
        whole: an input of which every row counts, in place of those below the operator.
    """

    operator: Operator
    grouping: tuple[Any, ...]
    side: int = 0
    kept: Annotated | None = None
    lookup: Lookup | None = None
    whole: Operator | None = None

    @property
    def input(self) -> Operator:
        return self.whole or self.operator.children[self.side]


@dataclass(frozen=True)
class IdColumn:
    """A column that says where rows came from.

    Attributes:
        origin: the source or the boundary below.
        id: JVM attribute: a record id, or a boundary row's key as a struct; null where nothing came.
        value: JVM attribute: the source record itself as a struct; None for a boundary, and where records are
            read again for what is shown.
    """

    origin: SourceLeaf | Boundary
    id: Any
    value: Any | None = None

    @property
    def attributes(self) -> list[Any]:
        return [self.id] if self.value is None else [self.id, self.value]

    def moved(self, change: Callable[[Any], Any]) -> IdColumn:
        """The same column under other attributes."""
        return IdColumn(self.origin, change(self.id), None if self.value is None else change(self.value))


@dataclass(frozen=True)
class Annotated:
    """A plan whose output holds the operator's own columns and, after or among them, the id columns."""

    plan: Any
    ids: tuple[IdColumn, ...]

    @property
    def attributes(self) -> list[Any]:
        return [attribute for column in self.ids for attribute in column.attributes]
