"""What a trace found: sources and operators, whichever way it got there. Loads no Spark."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from bigdebug.lineage.callsite import CallSite

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


class Found(Protocol):
    """The records, or rows, that a trace found in one place."""

    def files(self) -> list[str]:
        """The files they stand in."""


def _no_columns() -> tuple[tuple[str, ...], tuple[str, ...]]:
    return (), ()


@dataclass(frozen=True)
class Source:
    """A source that a trace reached; of a forward trace an output.

    Attributes:
        name: as the contract names sources; `output N`.
        kind: `parquet`, `csv`, …, `memory`, `range`; `output`.
        call_site: where the user reads or makes it; where the action stands.
        count: how many of its records are on the trace.
        run: the earlier run whose source it is, where the trace went on through what that run wrote.
        output: the output of that run.
    """

    name: str
    kind: str
    call_site: CallSite | None
    count: int
    _records: Found = field(repr=False, compare=False)
    _used_columns: Callable[[], tuple[tuple[str, ...], tuple[str, ...]]] = field(
        repr=False, compare=False, default=_no_columns
    )
    run: str | None = None
    output: int | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns whose values reached the output's, named as in its records; none for an output."""
        return self._used[0]

    @property
    def deciding_columns(self) -> tuple[str, ...]:
        """The columns that only decided which records took part: in filters, keys, the order of a limit."""
        return self._used[1]

    @cached_property
    def _used(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        return self._used_columns()

    @property
    def files(self) -> list[str]:
        """The files that the records on the trace stand in; none for data that isn't in files."""
        return self._records.files()


@dataclass(frozen=True)
class Step:
    """An operator on the way from the traced rows to the sources.

    Attributes:
        operator: the plan operator's name.
        call_site: the user's line that asked for it.
        count: how many of its output rows are on the trace.
    """

    operator: str
    call_site: CallSite | None
    count: int
    _records: Any = field(repr=False, compare=False, default=None)

    def records(self) -> DataFrame:
        """The operator's output rows that are on the trace."""
        return self._records()
