"""What a change would come to for the shuffles of an RDD's program: the counts of its keys, put elsewhere."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from pyspark.core.rdd import portable_hash

from bigdebug.lineage.asking import jobs_of_ours
from bigdebug.lineage.rdd.kinds import JOINS
from bigdebug.lineage.rdd.operator import RddOperator
from bigdebug.lineage.rdd.travelling import travelling
from bigdebug.skew import counters
from bigdebug.skew.finding import Finding
from bigdebug.skew.salting import salted_side
from bigdebug.skew.what_if import Change, Foretold, Gains, unchanged

_SALTED = JOINS | {"groupByKey", "groupBy", "partitionBy"}
"""What shuffles all elements of a key: others put them together before, or would give something else."""


@dataclass(frozen=True)
class KeyCounts:
    """What is known of the keys of shuffles.

    Attributes:
        held: RDD of pairs ((operator, key), records and bytes).
        operators: that shuffle, by number.
        targets: by number, how many partitions there are, and what tells a key's.
    """

    held: Any
    operators: Sequence[RddOperator]
    targets: dict[int, tuple[int, Any]]


class RddForetelling:
    """Works out changes to the shuffles of an RDD's program.

    Args:
        counts: of its keys.
        gains: tells the time that a change saves.
    """

    def __init__(self, counts: KeyCounts, gains: Gains) -> None:
        self._counts = counts
        self._gains = gains

    def of(self, findings: Sequence[Finding], change: Change) -> list[Foretold]:
        """What a change comes to for each finding."""
        plans = {finding.number - 1: self._plan(finding, change) for finding in findings}
        counts = self._counts
        with jobs_of_ours(counts.held.ctx, "what a change comes to"), travelling(counters):
            parts = counts.held.mapPartitions(partial(counters.moved, plans)).collect()
        return [
            self._foretold(finding, plans[number], [part[number] for part in parts if number in part])
            for finding in findings
            for number in [finding.number - 1]
        ]

    def _plan(self, finding: Finding, change: Change) -> counters.Plan:
        number = finding.number - 1
        count, hash_of = self._counts.targets[number]
        kind = self._counts.operators[number].kind
        # A function of the program's own tells the partitions of its own keys, not of salted ones.
        salted = change.salt if kind in _SALTED and hash_of is portable_hash and finding.hot_keys else None
        side = salted_side(finding)
        return counters.Plan(
            change.partitions or count,
            hash_of,
            salted if side is not None else None,
            side or 0,
            frozenset(self._gains.counted[number].finalists[key.place].texts[0] for key in finding.hot_keys),
            change.drop_nulls,
            applies=bool(change.partitions or (salted and side is not None)),
        )

    def _foretold(self, finding: Finding, plan: counters.Plan, parts: Sequence[Any]) -> Foretold:
        held: dict[int, list[float]] = defaultdict(lambda: [0.0, 0.0])
        added = dropped = 0
        for places, more, less in parts:
            added += more
            dropped += less
            for place, (records, size) in places.items():
                held[place][0] += records
                held[place][1] += size
        if not plan.applies and not dropped:
            return unchanged(finding)
        return self._gains.foretold(finding, plan.count, held, added)
