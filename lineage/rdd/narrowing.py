"""A smaller trace of an RDD where it is conservative, found by replaying the program on parts of it."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from py4j.protocol import Py4JJavaError, Py4JNetworkError
from pyspark.errors import PySparkException
from pyspark.storagelevel import StorageLevel

from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.failure import first_line
from bigdebug.lineage.minimizing import Part, Search, require_again, require_few
from bigdebug.lineage.rdd import likeness, parts, workers
from bigdebug.lineage.rdd.annotator import Annotator, contributing
from bigdebug.lineage.rdd.freezing import Frozen
from bigdebug.lineage.rdd.operator import RddOperator
from bigdebug.lineage.rdd.reading import Place, RddSource
from bigdebug.lineage.rdd.record_wise import is_opaque
from bigdebug.lineage.rdd.walk import Walk

MOST_RECORDS = 100_000
"""Records that are narrowed; their places are with the driver."""


@dataclass(frozen=True)
class NarrowedRecords:
    """What was found.

    Attributes:
        places: of the sources narrowed, those of the records that are left.
        replays: how often the program was run.
        minimal: no single record can be left out; else the time ran out.
    """

    places: dict[RddSource, list[Place]]
    replays: int
    minimal: bool


def below_conservative(root: RddOperator, sources: Sequence[RddSource]) -> list[RddSource]:
    """The sources that functions of whole partitions read, of those that elements stem from."""
    seen = {(root, is_opaque(root))}
    waiting = list(seen)
    while waiting:
        operator, below = waiting.pop()
        for each in contributing(operator):
            found = each, below or is_opaque(each)
            if found not in seen:
                seen.add(found)
                waiting.append(found)
    return [source for source in sources if (source.operator, True) in seen]


def places_of(source: RddSource, ids: Any) -> list[Place]:
    """The places of a source's records on a trace, in order.

    Args:
        source: whose.
        ids: an RDD of the places, each once.

    Raises:
        BigDebugError: they are too many.
    """
    count = int(ids.count())
    if count > MOST_RECORDS:
        raise BigDebugError(
            f"{count:,} records of {source.name} are too many to be narrowed", hint="ask about fewer rows"
        )
    return sorted(ids.collect())


def narrowed(
    walk: Walk,
    records: Mapping[RddSource, list[Place]],
    seconds: float,
    asked: Counter[bytes] | None = None,
) -> NarrowedRecords:
    """The fewest records of some sources that give the elements asked for again; the other sources stay whole.

    Args:
        walk: of the trace.
        records: places of the records on the trace, in order, of each source to be narrowed.
        seconds: how long to go on.
        asked: digests of the elements asked for, where these are known.

    Raises:
        BigDebugError: there are too many elements, or they aren't there again even with all records.
    """
    if asked is None:
        asked = digests_asked(walk)
    with closing(_Replay(walk, records)) as replay:
        whole: Part = [(0, replay.size)] if replay.size else []
        search = Search(lambda part: replay.gives(part, asked), time.monotonic() + seconds)
        there = search.holds(whole)
        if replay.failure is not None and not there:
            raise BigDebugError(
                f"the program fails when it runs on the traced records alone: {first_line(replay.failure)}",
                hint="it depends on something else as well: on the whole of a source, on an order or on chance",
            ) from replay.failure
        require_again(there)
        left = search.minimized(whole)
        return NarrowedRecords(replay.places_in(left), search.tried, search.in_time)


def digests_asked(walk: Walk) -> Counter[bytes]:
    """Digests of the elements asked for.

    Raises:
        BigDebugError: they are too many.
    """
    require_few(walk.matched)
    ((top, frozen),) = walk.first.tops
    return _digests(walk.first.narrow(walk.annotator.annotated(top, frozen)))


def digests_at(walk: Walk, joint: RddOperator) -> Counter[bytes]:
    """Digests of the elements that rows on the trace, of a DataFrame, were made of.

    Args:
        walk: of a trace of such rows.
        joint: that made the DataFrame.

    Raises:
        BigDebugError: they are too many.
    """
    segment = walk.below(joint)
    if segment is None:
        return Counter()
    require_few(int(segment.found.count()))
    (annotated,) = walk.annotator.inputs(joint, joint.frozen or {})
    return _digests(segment.narrow(annotated))


def _digests(annotated: Any) -> Counter[bytes]:
    return Counter(annotated.map(workers.element_of).map(likeness.digest).collect())


class _Replay:
    """The program on parts of some sources; what it keeps in Spark is given back when it is closed."""

    def __init__(self, walk: Walk, records: Mapping[RddSource, list[Place]]) -> None:
        self._walk = walk
        self._records = records
        self._kept: dict[RddOperator, Any] = {}
        self.size = 0
        self.failure: Exception | None = None
        for source, places in records.items():
            numbers: dict[int, dict[int, int]] = {}
            for number, (partition, place) in enumerate(places, self.size):
                numbers.setdefault(partition, {})[place] = number
            self.size += len(places)
            # The files aren't read again in each replay, and partitions without a record stay, empty.
            kept = source.rdd.mapPartitionsWithIndex(parts.picked_by_number(numbers))
            self._kept[source.operator] = kept.persist(StorageLevel.MEMORY_AND_DISK)
        assert walk.rows is not None
        root = walk.rows.operator
        self._cut: set[RddOperator] = set()
        for operator in sorted(root.walk(), key=lambda each: each.serial):
            if operator in self._kept or any(below in self._cut for below in operator.inputs):
                self._cut.add(operator)

    def gives(self, part: Part, asked: Counter[bytes]) -> bool:
        """Whether the elements asked for are among those that a part gives; not where the program fails on it."""
        rdds = {each: kept.mapPartitions(parts.of_numbers(part)) for each, kept in self._kept.items()}
        try:
            return self._elements(_CutAnnotator(self._walk.annotator.context, rdds, self._cut)) >= asked
        except Exception as error:
            if not _is_the_programs(error):
                raise
            self.failure = error
            return False

    def places_in(self, part: Part) -> dict[RddSource, list[Place]]:
        """Of each source the places of a part's records."""
        found, first = {}, 0
        for source, places in self._records.items():
            found[source] = [
                place for start, end in part for place in places[max(start - first, 0) : max(end - first, 0)]
            ]
            first += len(places)
        return found

    def close(self) -> None:
        with contextlib.suppress(Exception):  # Spark may be gone, and with it what it kept
            for kept in self._kept.values():
                kept.unpersist()

    def _elements(self, annotator: Annotator) -> Counter[bytes]:
        rows = self._walk.rows
        assert rows is not None
        plain = annotator.plain(rows.operator, rows.frozen)
        given = self._walk.asked(plain.map(workers.with_no_ids, True))
        digests = given.map(workers.element_of).map(likeness.digest)
        return Counter(digests.countByValue())


class _CutAnnotator(Annotator):
    """Makes the program's RDDs of other sources: what it has computed itself doesn't count there."""

    def __init__(self, context: Any, sources: Mapping[RddOperator, Any], cut: set[RddOperator]) -> None:
        super().__init__(context)
        self._sources = sources
        self._cut = cut

    def _own(self, operator: RddOperator) -> Any | None:
        return None if operator in self._cut else super()._own(operator)

    def _rebuilt(self, operator: RddOperator, frozen: Frozen) -> Any:
        return self._sources[operator] if operator in self._sources else super()._rebuilt(operator, frozen)


def _is_the_programs(error: Exception) -> bool:
    """Whether the program's own functions failed, or what they were given to."""
    if isinstance(error, BigDebugError | Py4JNetworkError | ConnectionError):
        return False
    return not (isinstance(error, Py4JJavaError | PySparkException) and "cancelled" in str(error))
