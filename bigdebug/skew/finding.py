"""What a report of skew says of a shuffle."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from bigdebug.lineage.callsite import CallSite

if TYPE_CHECKING:
    from bigdebug.skew.hot_trace import KeyTrace


@dataclass(frozen=True)
class Distribution:
    """How something is spread over keys or partitions.

    Attributes:
        count: over how many of them that hold any.
        least, median, most: what one of them holds; 0 of none.
        p90, p99: what nine in ten, and 99 in a hundred hold at most.
        total: what they hold together; None where only the quantiles are known.
    """

    count: int
    least: int
    median: int
    p90: int
    p99: int
    most: int
    total: int | None = None

    @property
    def ratio(self) -> float:
        """How many times the median the most is; 1 of none."""
        return self.most / self.median if self.median else 1.0


@dataclass(frozen=True)
class HotKey:
    """A key that holds much of a shuffle.

    Attributes:
        key: its value by part, as the shuffle calls these; datetimes of zoned timestamps are in local time.
        records: that it holds, of both sides of a join.
        share: of all records that are shuffled.
        bytes: that these take.
        bytes_share: of all bytes.
        sides: the records of each side, by name.
        pairs: rows that a join gives for it, before its conditions beside the key; 0 of other shuffles.
        pairs_share: of all such rows.
        kind: `null` or `default` where the key, or a part of it, is one; else ``.
        shuffled: false where Spark leaves its records out before it shuffles, because they meet nothing.
        hot_by: what it holds too much of: `records`, `bytes`, `pairs`; none where it only is among the largest.
        partition: that Spark sends it to.
    """

    key: Mapping[str, Any]
    records: int
    share: float
    bytes: int
    bytes_share: float
    sides: Mapping[str, int]
    pairs: int
    pairs_share: float
    kind: str
    shuffled: bool
    hot_by: tuple[str, ...]
    partition: int | None
    place: int = field(default=0, repr=False, compare=False)
    """Among the finalists of its shuffle."""

    @property
    def hot(self) -> bool:
        return bool(self.hot_by)

    @property
    def text(self) -> str:
        """`customer = ''`, `year = 2013 and month is null`."""
        parts = (
            f"{name} is null" if value is None else f"{name} = {value!r}" for name, value in self.key.items()
        )
        return " and ".join(parts)


@dataclass(frozen=True)
class InputSide:
    """An input of a shuffle.

    Attributes:
        name: `input`; of a join `left` and `right`.
        records, bytes: that are shuffled.
        keys: how many keys these have.
        nulls: records that lack a key and are shuffled all the same.
        dropped_nulls: records that lack a key, which Spark leaves out first: they meet nothing.
        unmatched: of a join, records that meet nothing on the other side, those without a key among them.
        records_of_keys, bytes_of_keys: their distribution over keys.
        records_of_partitions, bytes_of_partitions: and over the partitions that hold any.
    """

    name: str
    records: int
    bytes: int
    keys: int
    nulls: int
    dropped_nulls: int
    unmatched: int
    records_of_keys: Distribution
    bytes_of_keys: Distribution
    records_of_partitions: Distribution
    bytes_of_partitions: Distribution


@dataclass(frozen=True)
class Advice:
    """What can be done about a finding.

    Attributes:
        action: `salt`, `broadcast`, `filter nulls`, `default key`, `aqe`, `repartition`, `another key`,
            `combine first`, `partition the window`, `unique key`, `nothing`.
        text: what to do, as people read it.
        evidence: the figures behind it.
        change: the code or the setting; empty where there is none.
    """

    action: str
    text: str
    evidence: str
    change: str = ""


@dataclass(frozen=True)
class Finding:
    """A shuffle, how lopsided it is, and what to do.

    Attributes:
        number: in the report, from 1.
        operator: Spark's name for it.
        call_site: the user's line that asks for it.
        keys: the parts of what it shuffles by, as SQL; none where all records go to one partition.
        join: of a join its kind: `Inner`, `LeftOuter`, …
        sides: its inputs.
        partitions: how many it makes.
        records_of_partitions, bytes_of_partitions: over those that hold any, of all sides together.
        largest: the keys that hold most, hot ones first.
        severity: `none`, `low`, `moderate`, `severe`, `critical`.
        ratio: the longest partition against the median one, by what is worst.
        rows: that a join gives, before its conditions beside the key; None of other shuffles.
        multiplies: how many times the larger side that is.
        seconds_lost: an estimate, by the time that the output took; None where that isn't known, or nothing is lost
            because nothing is shuffled as it is.
        strategy: how Spark computes a join: `BroadcastHashJoin`, `SortMergeJoin`, …; empty of other shuffles.
        notes: what else there is to know.
        advice: what to do, the best first.
    """

    number: int
    operator: str
    call_site: CallSite | None
    keys: tuple[str, ...]
    join: str
    sides: tuple[InputSide, ...]
    partitions: int
    records_of_partitions: Distribution
    bytes_of_partitions: Distribution
    largest: tuple[HotKey, ...]
    severity: str
    ratio: float
    rows: int | None
    multiplies: float | None
    seconds_lost: float | None
    strategy: str
    notes: tuple[str, ...]
    advice: tuple[Advice, ...] = ()
    _trace: Callable[[HotKey], KeyTrace] = field(default=None, repr=False, compare=False)  # type: ignore[assignment]

    @cached_property
    def hot_keys(self) -> tuple[HotKey, ...]:
        """Those of the largest keys that hold too much."""
        return tuple(each for each in self.largest if each.hot)

    @property
    def records(self) -> int:
        """All that are shuffled."""
        return sum(side.records for side in self.sides)

    @property
    def bytes(self) -> int:
        return sum(side.bytes for side in self.sides)

    @property
    def is_skewed(self) -> bool:
        """Whether there is anything to report."""
        return self.severity != "none"

    def trace(self, key: HotKey | None = None) -> KeyTrace:
        """Where a key's records come from: source records, files, and what these records share.

        Args:
            key: one of the largest keys; the first of them if None.

        Raises:
            BigDebugError: there is no key, or its records can't be traced.
        """
        from bigdebug.lineage.errors import BigDebugError

        if key is None:
            if not self.largest:
                raise BigDebugError(f"{self.operator} has no key to trace", hint="ask for another finding")
            key = self.largest[0]
        return self._trace(key)
