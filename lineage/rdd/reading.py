"""Sources of RDDs: reading them again, and where each of their records stands."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from pyspark.core.rdd import RDD

from bigdebug.lineage.callsite import CallSite
from bigdebug.lineage.finding import numbered
from bigdebug.lineage.location import Location, TracedRecord, plain_path
from bigdebug.lineage.rdd import placing, workers
from bigdebug.lineage.rdd.files import file_splits, fingerprint, require_unchanged
from bigdebug.lineage.rdd.kinds import IN_FILES, OF_FRAME
from bigdebug.lineage.rdd.operator import RddOperator

_KINDS = {"textFile": "text", "parallelize": "memory", "emptyRDD": "memory"}

# A record is a file: its first part is the path.
_WHOLE_FILES = frozenset({"wholeTextFiles", "binaryFiles"})

Place = tuple[int, int]
"""Partition, and place in it."""


def read_again(operator: RddOperator, arguments: dict[str, Any]) -> Any:
    """The RDD of a source."""
    if operator.source is not None:
        jrdd, deserializer = operator.source
        return RDD(jrdd, operator.context, deserializer)
    if "partitions" in arguments:  # data of a recipe, as it was split
        parts = arguments["partitions"]
        if not parts:  # `parallelize` can't make an RDD without partitions
            return operator.context.emptyRDD()
        return operator.context.parallelize(parts, len(parts)).flatMap(workers.itself)
    return getattr(operator.context, operator.kind)(**arguments)


def require_all_unchanged(operators: Iterable[RddOperator], since: float | None) -> None:
    """Make sure that the files of sources are as they were when the program read them.

    Args:
        operators: those of sources among others.
        since: when an action read them, in seconds since the epoch; None where nothing is asked of an action.

    Raises:
        SourceChangedError: one changed or is gone.
    """
    for operator in operators:
        if operator.kind in IN_FILES:
            if operator.listed is None:
                operator.listed = fingerprint(operator, read_again(operator, operator.arguments)._jrdd)
            require_unchanged(operator, operator.listed, since)


def sources_in(operators: Iterable[RddOperator]) -> list[RddSource]:
    """The sources among operators, named as users know them.

    Args:
        operators: in the order that their sources are to have.
    """
    found = [each for each in operators if not each.inputs and each.kind != OF_FRAME]
    return [
        RddSource(operator, name)
        for operator, name in zip(found, numbered([_name(operator) for operator in found]), strict=True)
    ]


class RddSource:
    """A source: its name, and where its records stand.

    Args:
        operator: that reads or makes it.
        name: of the source.
    """

    def __init__(self, operator: RddOperator, name: str) -> None:
        self.operator = operator
        self.name = name
        self.kind = _KINDS.get(operator.kind, operator.kind)
        self._counts: dict[int, int] = {}
        self._counted: Callable[[], Mapping[int, int]] = dict

    @property
    def call_site(self) -> CallSite | None:
        return self.operator.call_site

    @cached_property
    def rdd(self) -> Any:
        """Its records, as the program read them."""
        return read_again(self.operator, self.operator.arguments)

    @cached_property
    def splits(self) -> list[tuple[str, int]] | None:
        """By partition the file and the offset in it; None for data that isn't in files, or in several each."""
        if self.operator.kind not in IN_FILES or self.operator.kind in _WHOLE_FILES:
            return None
        return file_splits(self.operator, self.rdd._jrdd)

    def located(self, values: Sequence[tuple[Place, Any]]) -> list[TracedRecord]:
        """Records with the places that a person can open, by file and position.

        Args:
            values: partition and place of each, and the record.
        """
        self._count_before({partition for (partition, _), _ in values})
        records = [TracedRecord(self.name, self._location(place, value), value) for place, value in values]
        return sorted(records, key=lambda record: order_of(record.location))

    def locations(self, values: Sequence[tuple[Place, Any]]) -> list[Location]:
        """The places that a person can open, in the order of the records.

        Args:
            values: partition and place of each, and the record.
        """
        self._count_before({partition for (partition, _), _ in values})
        return [self._location(place, value) for place, value in values]

    def files(self, partitions: Iterable[int], records: Iterable[Any] = ()) -> list[str]:
        """The files that partitions, or these records of whole files, stand in."""
        if self.operator.kind in _WHOLE_FILES:
            return sorted({plain_path(placing.path_in(record)) for record in records})
        if self.splits is None:
            return []
        return sorted({self.splits[partition][0] for partition in partitions})

    @property
    def whole_files(self) -> bool:
        """Whether each record is a file."""
        return self.operator.kind in _WHOLE_FILES

    def first_positions(self) -> dict[int, tuple[str | None, int]]:
        """By partition the file, and the position of the partition's first record in it."""
        if self.splits is None:
            return {}
        every = range(len(self.splits))
        self._count_before(set(every))
        return {partition: (self.splits[partition][0], self._before(partition)) for partition in every}

    def know_counts(self, counted: Callable[[], Mapping[int, int]]) -> None:
        """Take what tells how many records some partitions have, which need not be counted then."""
        self._counted = counted

    # -- inside -------------------------------------------------------------------------------------

    def _location(self, place: Place, value: Any) -> Location:
        partition, position = place
        if self.whole_files:
            return Location(plain_path(placing.path_in(value)), 0)
        if self.splits is None:
            return Location(None, position, partition)
        return Location(self.splits[partition][0], self._before(partition) + position)

    def _before(self, partition: int) -> int:
        return sum(self._counts[earlier] for earlier in self._earlier(partition))

    def _earlier(self, partition: int) -> list[int]:
        """The partitions with earlier parts of the same file, each part once: a file may be read twice."""
        assert self.splits is not None
        file, start = self.splits[partition]
        earlier = {o: n for n, (name, o) in enumerate(self.splits) if name == file and o < start}
        return list(earlier.values())

    def _count_before(self, partitions: set[int]) -> None:
        if self.splits is None:
            return
        self._counts.update(self._counted())
        missing = sorted({n for each in partitions for n in self._earlier(each)} - self._counts.keys())
        if missing:
            counts = self.rdd.context.runJob(self.rdd, placing.counted, missing)
            self._counts.update(zip(missing, counts, strict=True))


def _name(operator: RddOperator) -> str:
    paths = operator.node.paths if operator.node else ()
    if paths:
        return paths[0].rstrip("/").rpartition("/")[2] or paths[0]
    return operator.call_site.label if operator.call_site else operator.kind


def order_of(location: Location) -> tuple[str, int, int]:
    """What records are put in order by."""
    return location.file or "", location.partition or 0, location.position or 0
