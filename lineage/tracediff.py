"""Two traces of one row, from two runs: which records are in both, in one of them only, or moved or changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from bigdebug.lineage.found import Source
from bigdebug.lineage.location import Location, TracedRecord
from bigdebug.lineage.pairing import paired
from bigdebug.lineage.rdd.likeness import digest

MOST_RECORDS = 10_000
"""Records of a source that are compared one by one; of more only the numbers are told."""


class Traced(Protocol):
    """A backward trace of any kind."""

    @property
    def sources(self) -> list[Source]: ...

    def collect_source(self, source: str, limit: int = ...) -> list[TracedRecord]: ...


@dataclass(frozen=True)
class TracedSourceDiff:
    """A source's records behind one row, in two runs.

    Attributes:
        name: of the source.
        first: how many records it came from in the first run; None where it has no such source.
        second: the same in the second run.
        compared: whether the records were compared one by one; what follows is empty where they weren't.
        only_first: the records that only the first run's row came from.
        only_second: the records that only the second run's came from.
        changed: the records that stand in one place and have other values, as the first and the second run read them.
        moved: how many have the same values and stand elsewhere.
    """

    name: str
    first: int | None
    second: int | None
    compared: bool
    only_first: tuple[TracedRecord, ...] = ()
    only_second: tuple[TracedRecord, ...] = ()
    changed: tuple[tuple[TracedRecord, TracedRecord], ...] = ()
    moved: int = 0


def compare_traces(first: Traced | None, second: Traced | None) -> list[TracedSourceDiff]:
    """Compare the records behind a row.

    Args:
        first: its trace in the first run; None where the row isn't there.
        second: its trace in the second run.
    """
    found = []
    for one, other in paired(first.sources if first else [], second.sources if second else []):
        name = one.name if one else other.name if other else ""
        counts = one.count if one else None, other.count if other else None
        if max(count or 0 for count in counts) > MOST_RECORDS:
            found.append(TracedSourceDiff(name, *counts, compared=False))
            continue
        records = first.collect_source(one.name, MOST_RECORDS) if first and one and one.count else []
        others = second.collect_source(other.name, MOST_RECORDS) if second and other and other.count else []
        if not all(record.known for record in (*records, *others)):
            # Of an index whose files are others by now: it knows the places, which now hold other records.
            found.append(TracedSourceDiff(name, *counts, compared=False))
            continue
        found.append(_compared(name, counts, records, others))
    return found


def _compared(
    name: str,
    counts: tuple[int | None, int | None],
    first: Sequence[TracedRecord],
    second: Sequence[TracedRecord],
) -> TracedSourceDiff:
    tell = _common_columns(first, second)
    placed = {record.location: record for record in second if _is_placed(record.location)}
    left: dict[int, TracedRecord] = dict(enumerate(second))
    numbers = {record.location: number for number, record in left.items() if _is_placed(record.location)}
    # In place and the same: nothing to tell.
    apart = []
    for record in first:
        partner = placed.get(record.location)
        if partner is not None and tell(partner) == tell(record):
            del left[numbers[record.location]]
        else:
            apart.append(record)
    # The same elsewhere.
    elsewhere: defaultdict[Hashable, list[int]] = defaultdict(list)
    for number, record in left.items():
        elsewhere[tell(record)].append(number)
    moved, rest = 0, []
    for record in apart:
        alike = elsewhere[tell(record)]
        if alike:
            del left[alike.pop(0)]
            moved += 1
        else:
            rest.append(record)
    changed, only_first = [], []
    for record in rest:
        there = numbers.get(record.location)
        if there is not None and there in left:
            changed.append((record, left.pop(there)))
        else:
            only_first.append(record)
    return TracedSourceDiff(
        name, *counts, True, tuple(only_first), tuple(left.values()), tuple(changed), moved
    )


def _is_placed(location: Location) -> bool:
    return location.position is not None


class _Teller:
    """Tells records by the columns that both runs have."""

    def __init__(self, columns: frozenset[str] | None) -> None:
        self._columns = columns
        self._known: dict[int, bytes] = {}

    def __call__(self, record: TracedRecord) -> bytes:
        found = self._known.get(id(record))
        if found is None:
            value: Any = record.value
            if self._columns is not None and isinstance(value, Mapping):
                value = {name: each for name, each in value.items() if name in self._columns}
            found = self._known[id(record)] = digest(value)
        return found


def _common_columns(first: Sequence[TracedRecord], second: Sequence[TracedRecord]) -> _Teller:
    if not first or not second or not isinstance(first[0].value, dict):
        return _Teller(None)
    return _Teller(frozenset(first[0].value) & frozenset(second[0].value))
