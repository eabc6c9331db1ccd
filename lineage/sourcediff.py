"""What became of an output's sources from one run to the next: files, columns, options of the reader."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bigdebug.lineage.pairing import paired
from bigdebug.lineage.recipe.facts import RecordedSource
from bigdebug.lineage.rundiff import Change, changes
from bigdebug.lineage.unchanged import what_became_of

_MOST_FOOTERS = 1_000
"""Parquet files of which the records are looked up: each takes a millisecond."""


@dataclass(frozen=True)
class FileChange:
    """A file that both runs read and that was another by then.

    Attributes:
        file: its path.
        first: size in bytes and modification time in milliseconds when the first run read it.
        second: the same of the second run.
    """

    file: str
    first: tuple[int, int]
    second: tuple[int, int]


@dataclass(frozen=True)
class SourceChange:
    """A source in both runs.

    Attributes:
        first: in the first run; None where it isn't read there.
        second: in the second run; None where it isn't read there.
        kept: how many files are the same.
        gone: files that the second run doesn't read.
        added: files that the first run doesn't read.
        rewritten: files that were another when the second run read them.
        changes: of columns, of options of the reader, and of the format.
        records: how many each run read, where that is known without a job.
    """

    first: RecordedSource | None
    second: RecordedSource | None
    kept: int
    gone: tuple[str, ...]
    added: tuple[str, ...]
    rewritten: tuple[FileChange, ...]
    changes: tuple[Change, ...]
    records: tuple[int | None, int | None]

    @property
    def name(self) -> str:
        """What the first run calls it, or else the second."""
        known = self.first or self.second
        assert known is not None
        return known.name

    @property
    def same(self) -> bool | None:
        """Whether both runs read the same; None where that isn't known: data that isn't in files."""
        if self.first is None or self.second is None or self.changes:
            return False
        if self.gone or self.added or self.rewritten or self.records[0] != self.records[1]:
            return False
        return True if self.first.files else None


def changed_sources(first: Sequence[RecordedSource], second: Sequence[RecordedSource]) -> list[SourceChange]:
    """Each source of two runs, matched by name, then by kind and order.

    Args:
        first: of the first run.
        second: of the second run.
    """
    return [_compared(one, other) for one, other in paired(first, second)]


def _compared(first: RecordedSource | None, second: RecordedSource | None) -> SourceChange:
    then: Mapping[str, tuple[int, int]] = first.files if first else {}
    now: Mapping[str, tuple[int, int]] = second.files if second else {}
    both = sorted(then.keys() & now.keys())
    rewritten = [FileChange(file, then[file], now[file]) for file in both if then[file] != now[file]]
    differences: list[Change] = []
    if first and second:
        differences = [
            *changes("format", {"format": first.kind}, {"format": second.kind}),
            *changes("column", first.columns, second.columns),
            *changes("option", first.options, second.options),
        ]
    return SourceChange(
        first,
        second,
        len(both) - len(rewritten),
        tuple(sorted(then.keys() - now.keys())),
        tuple(sorted(now.keys() - then.keys())),
        tuple(rewritten),
        tuple(differences),
        (_records(first), _records(second)),
    )


def _records(source: RecordedSource | None) -> int | None:
    """How many records a source had, where the recipe says so or Parquet files that are still the same do."""
    if source is None or source.records is not None:
        return source.records if source else None
    if source.kind != "parquet" or not 0 < len(source.files) <= _MOST_FOOTERS:
        return None
    listed = [(file, size, time) for file, (size, time) in source.files.items()]
    if what_became_of(source.files, listed) is not None:
        return None
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return sum(int(pq.read_metadata(file).num_rows) for file in source.files)
    except (OSError, pa.ArrowException):
        return None
