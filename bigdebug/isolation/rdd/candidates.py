"""The records of sources of RDDs that failing elements may come from, numbered: only they are ever replayed."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from pyroaring import FrozenBitMap
from pyspark.sql import DataFrame, SparkSession

from bigdebug.isolation.candidate_set import leaves_of
from bigdebug.isolation.rdd import fetching
from bigdebug.lineage.asking import jobs_of_ours
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.location import TracedRecord
from bigdebug.lineage.rdd.kinds import IN_FILES
from bigdebug.lineage.rdd.operator import RddOperator
from bigdebug.lineage.rdd.reading import Place, RddSource, order_of
from bigdebug.lineage.rdd.trace import RddTrace

MOST_CANDIDATES = 5_000_000
"""So many are held in this process."""
SPARSE = 8
"""Where one record of so many, or fewer, is a candidate, nothing is held of each record."""

_SCHEMA = "value string, _record struct<file: string, position: bigint, partition: int>"

Positions = np.ndarray[Any, Any]
Places = dict[int, np.ndarray[Any, np.dtype[np.int64]]]
"""By partition the places in it, ascending."""


@dataclass(frozen=True)
class RddStand:
    """The candidates of one source.

    Attributes:
        leaf: the source.
        places: where they stand in Spark.
        first: the first one's number; the others follow by partition and place.
        count: how many there are.
    """

    leaf: RddSource
    places: Places
    first: int
    count: int

    @property
    def numbers(self) -> FrozenBitMap:
        return FrozenBitMap(range(self.first, self.first + self.count))

    def starts(self) -> dict[int, int]:
        """By partition the number of its first candidate."""
        found, number = {}, self.first
        for partition, places in self.places.items():
            found[partition] = number
            number += len(places)
        return found

    def number_of(self, place: Place) -> int | None:
        """The number of the record at a place; None if it is no candidate."""
        partition, ordinal = place
        known = self.places.get(partition)
        if known is None:
            return None
        index = int(np.searchsorted(known, ordinal))
        if index == len(known) or known[index] != ordinal:
            return None
        return self.starts()[partition] + index

    def numbers_of(self, partitions: Positions, places: Positions) -> Positions:
        """The numbers of candidates that stand in some partitions at some places."""
        if self._is_dense:
            begin, numbers = self._table
            found: Positions = numbers[begin[partitions] + places]
            return found
        stride, known = self._keys
        return self.first + np.searchsorted(known, partitions * stride + places)

    @cached_property
    def _is_dense(self) -> bool:
        """Whether the candidates are a good part of all records, so that a table of these is no larger."""
        return sum(int(places[-1]) + 1 for places in self.places.values()) <= SPARSE * self.count

    @cached_property
    def _table(self) -> tuple[Positions, Positions]:
        """By partition where its places begin among those of all, and by these the numbers of candidates."""
        sizes = np.zeros(max(self.places, default=-1) + 1, dtype=np.int64)
        for partition, places in self.places.items():
            sizes[partition] = int(places[-1]) + 1
        begin = np.cumsum(sizes) - sizes
        numbers = np.zeros(int(sizes.sum()), dtype=np.int64)
        for partition, start in self.starts().items():
            places = self.places[partition]
            numbers[begin[partition] + places] = np.arange(start, start + len(places))
        return begin, numbers

    @cached_property
    def _keys(self) -> tuple[int, Positions]:
        """A number greater than any place, and of each candidate its partition times this and its place, going up."""
        stride = 1 + max((int(places[-1]) for places in self.places.values()), default=0)
        keys = [partition * stride + places for partition, places in self.places.items()]
        return stride, np.concatenate([np.zeros(0, dtype=np.int64), *keys])

    def places_of(self, numbers: FrozenBitMap) -> list[Place]:
        """Where the records of some numbers stand, by partition and place."""
        by_partition = self.placed(numbers).items()
        return [(partition, int(place)) for partition, places in by_partition for place in places]

    def placed(self, numbers: FrozenBitMap) -> Places:
        """The same, by partition."""
        wanted = np.frombuffer((numbers & self.numbers).to_array(), dtype=np.uint32).astype(np.int64)
        found: Places = {}
        for partition, start in self.starts().items():
            places = self.places[partition]
            low, high = np.searchsorted(wanted, [start, start + len(places)])
            if low < high:
                found[partition] = places[wanted[low:high] - start]
        return found


class RddCandidates:
    """The candidates of all sources, numbered from 0, one source after the other.

    Args:
        trace: in which the sources are.
        places: by source where its candidates stand.

    Attributes:
        trace: this.
        stands: the candidates of each source, those that others read already left out.
        every: the candidates of each source; of those that read the same records under the same numbers.
        count: how many there are.
        tells_each: records come with the numbers of the candidates that they are.
    """

    tells_each = True

    def __init__(self, trace: RddTrace, places: Mapping[RddOperator, Places]) -> None:
        self.trace = trace
        self.stands: list[RddStand] = []
        self.every: list[RddStand] = []
        self.count = 0
        for alike in _by_records(trace.found_sources):
            mine = _united([places.get(source.operator, {}) for source in alike])
            count = sum(map(len, mine.values()))
            stands = [RddStand(source, mine, self.count, count) for source in alike]
            self.stands.append(stands[0])
            self.every += stands
            self.count += count

    @classmethod
    def traced(cls, trace: RddTrace) -> Self:
        """The records that a trace found.

        Raises:
            BigDebugError: there are too many.
        """
        require_few(sum(source.count for source in trace.sources))
        return cls(trace, {source.operator: _places(trace.places(source)) for source in trace.found_sources})

    @cached_property
    def everything(self) -> FrozenBitMap:
        return FrozenBitMap(range(self.count))

    def records(self, numbers: FrozenBitMap, limit: int) -> list[tuple[int | None, TracedRecord]]:
        """Up to so many of some candidates of each source, with their numbers, by source, file and position."""
        found: list[tuple[int | None, TracedRecord]] = []
        with self._asking():
            for stand in self.stands:
                places = stand.places_of(numbers)[:limit]
                if places:
                    known = stand.numbers_of(*np.array(places).T).tolist()
                    records = zip(known, self.trace.at(stand.leaf, places), strict=True)
                    found += sorted(records, key=lambda each: order_of(each[1].location))
        return found

    def leaves(self, numbers: FrozenBitMap) -> list[RddSource]:
        """The sources of some candidates; all sources of none."""
        return leaves_of(self.stands, numbers)

    def frame(self, numbers: FrozenBitMap, source: RddSource) -> Any:
        """Some candidates of a source as a DataFrame: `value`, the text of each, and `_record`."""
        (stand,) = (each for each in self.stands if each.leaf is source)
        with self._asking():
            places = stand.places_of(numbers)
            records = self.trace.located(source, places) if places else []
        return frame_of(session_of(self.trace), records)

    def _asking(self) -> Any:
        return jobs_of_ours(self.trace.context, "the records found")


def require_few(candidates: int) -> None:
    """Raises BigDebugError where there are more candidates than can be held."""
    if candidates > MOST_CANDIDATES:
        raise BigDebugError(
            f"the failing elements come from more than {MOST_CANDIDATES:,} records, which are too many "
            "to be held in the driver's process",
            hint="ask about fewer elements: of one key, or the first that fails",
        )


def same_records(operator: RddOperator) -> Hashable:
    """Equal for operators that read the same records, in the same partitions."""
    if operator.kind not in IN_FILES:
        return operator.serial
    return operator.kind, repr(sorted(operator.arguments.items()))


def _by_records(sources: Iterable[RddSource]) -> list[list[RddSource]]:
    """Sources, those together that read the same records: a record is one, wherever it is read."""
    found: dict[Hashable, list[RddSource]] = {}
    for source in sources:
        found.setdefault(same_records(source.operator), []).append(source)
    return list(found.values())


def each_once(places: Positions) -> Positions:
    """Places, each once, going up."""
    high = int(places.max()) + 1
    if high > SPARSE * len(places):
        return np.unique(places)
    # Of millions this takes a tenth of the time that putting them in order does.
    there = np.zeros(high, dtype=bool)
    there[places] = True
    return np.flatnonzero(there)


def _united(several: Sequence[Places]) -> Places:
    """The places of records that have any of some."""
    if len(several) == 1:
        return several[0]
    parts: dict[int, list[np.ndarray[Any, np.dtype[np.int64]]]] = {}
    for places in several:
        for partition, mine in places.items():
            parts.setdefault(partition, []).append(mine)
    return {partition: each_once(np.concatenate(parts[partition])) for partition in sorted(parts)}


def _places(ids: Any) -> Places:
    """The places of records, which an RDD holds."""
    parts: dict[int, list[np.ndarray[Any, Any]]] = {}
    for partition, data in ids.mapPartitions(fetching.by_partition).collect():
        parts.setdefault(partition, []).append(np.frombuffer(data, dtype=np.int64))
    return {partition: np.sort(np.concatenate(parts[partition])) for partition in sorted(parts)}


def bits_of(places: Places) -> dict[int, bytes]:
    """By partition a bit for each place, which says whether it is one of these."""
    found = {}
    for partition, numbers in places.items():
        bits = np.zeros((int(numbers[-1]) >> 3) + 1, dtype=np.uint8)
        np.bitwise_or.at(bits, numbers >> 3, (1 << (numbers & 7)).astype(np.uint8))
        found[partition] = bits.tobytes()
    return found


def frame_of(spark: SparkSession, records: Iterable[TracedRecord]) -> DataFrame:
    """Records of an RDD's source as a DataFrame: `value`, the text of each, and `_record`."""
    rows = [
        (
            record.value if isinstance(record.value, str) else repr(record.value),
            (record.location.file, record.location.position, record.location.partition),
        )
        for record in records
    ]
    return spark.createDataFrame(rows, _SCHEMA)


def session_of(trace: RddTrace) -> SparkSession:
    """The program's session, or one for its context."""
    known = SparkSession._instantiatedSession
    return known if known is not None else SparkSession(trace.context)
