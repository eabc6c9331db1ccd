"""The source records of elements that an operator of an RDD program was given, by their places there."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from bigdebug.lineage.asking import jobs_of_ours
from bigdebug.lineage.location import TracedRecord
from bigdebug.lineage.rdd import placing
from bigdebug.lineage.rdd import workers as tracing
from bigdebug.lineage.rdd.annotator import Annotator
from bigdebug.lineage.rdd.kinds import OF_FRAME, RECORD_WISE, SAMPLING, UNIONS
from bigdebug.lineage.rdd.operator import RddOperator
from bigdebug.lineage.rdd.packing import named
from bigdebug.lineage.rdd.reading import sources_in
from bigdebug.lineage.rdd.rows import rows_of_rdd
from bigdebug.lineage.rdd.trace import contributing_in_order
from bigdebug.lineage.rdd.travelling import travelling

MOST_LOCATED = 1_000
"""Of so many records of an operator and output the source records are looked for."""

MOST_READ = 100_000
"""Right after a job, so many elements are read again to find them; the first one is found whatever it takes."""

Place = tuple[int, int]

logger = logging.getLogger("bigdebug")


def source_records(operator: RddOperator, places: Sequence[Place]) -> dict[Place, TracedRecord]:
    """The source records of some elements that an operator was given.

    Only the partitions of these are computed again, up to the last of them. Where that would shuffle, nothing is
    looked for.

    Args:
        operator: the operator.
        places: partition, and place among the elements that it was given there.
    """
    (below,) = operator.inputs
    narrow = RECORD_WISE | SAMPLING | UNIONS
    if any(each.kind == OF_FRAME or (each.inputs and each.kind not in narrow) for each in below.walk()):
        return {}
    wanted: dict[int, set[int]] = {}
    for partition, place in places:
        wanted.setdefault(partition, set()).add(place)
    context: Any = operator.context
    annotator = Annotator(context)
    with jobs_of_ours(context, "the records that were set aside"), travelling():
        annotated = annotator.annotated(below, rows_of_rdd(operator).frozen)
        picking = annotated.mapPartitionsWithIndex(placing.picked(wanted)).map(placing.ids_alone)
        found = list(context.runJob(picking, tracing.itself, sorted(wanted)))
        sources = {each.operator: each for each in sources_in(contributing_in_order(below))}
        by_source: dict[RddOperator, dict[Place, list[Place]]] = {}
        for place, ids in found:
            for leaf, name in named(ids):
                by_source.setdefault(annotator.of_leaf(leaf), {}).setdefault(name, []).append(place)
        records: dict[Place, TracedRecord] = {}
        for each, names in by_source.items():
            source = sources[each]
            partitions: dict[int, set[int]] = {}
            for partition, position in names:
                partitions.setdefault(partition, set()).add(position)
            values = source.rdd.mapPartitionsWithIndex(placing.picked(partitions))
            pairs = list(context.runJob(values, tracing.itself, sorted(partitions)))
            for (name, value), location in zip(pairs, source.locations(pairs), strict=True):
                records.update((each, TracedRecord(source.name, location, value)) for each in names[name])
    return records


def records_at(operator: RddOperator | None, places: Sequence[Place]) -> list[TracedRecord | None]:
    """The same by place; None of those that can't be told.

    Args:
        operator: the operator; None where it isn't one of an RDD.
        places: as of `source_records`.
    """
    found: dict[Place, TracedRecord] = {}
    if operator is not None and places:
        try:
            found = source_records(operator, places)
        except Exception as problem:
            logger.debug("records in quarantine without a place", exc_info=problem)
    return [found.get(place) for place in places]


class Places:
    """Where the records that an operator was given come from, as far as that is soon told, right after a job.

    Args:
        operator: as of `records_at`.
    """

    def __init__(self, operator: RddOperator | None) -> None:
        self._operator = operator
        self._asked = 0
        self._reads: dict[int, int] = {}
        self._farthest = 0

    def of(self, places: Sequence[Place]) -> list[TracedRecord | None]:
        """The source records, by partition and place; None of those that aren't looked for."""
        near = self._near(places)
        found = dict(zip(near, records_at(self._operator, near), strict=True))
        return [found.get(place) for place in places]

    def _near(self, places: Sequence[Place]) -> list[Place]:
        """Those that are looked for: a partition is read up to the last of them."""
        chosen = []
        self._farthest = max([self._farthest, *(place for _, place in places)])
        for partition, place in places:
            if self._asked >= MOST_LOCATED:
                break
            known = self._reads.get(partition, 0)
            # Where a file's partition begins is counted through those before it, about as large as is known of any.
            before = partition * self._farthest
            read = sum(self._reads.values()) - known + max(known, place + 1) + before
            if read <= MOST_READ or not self._asked:
                self._reads[partition] = max(known, place + 1)
                self._asked += 1
                chosen.append((partition, place))
        return chosen
