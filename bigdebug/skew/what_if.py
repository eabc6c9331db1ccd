"""What advice would come to: partitions after it, worked out of the counts of keys, before anybody changes code."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyspark.sql import Row
from pyspark.sql import functions as F

from bigdebug.lineage.asking import jobs_of_ours
from bigdebug.lineage.errors import BigDebugError
from bigdebug.skew.counting import Counted, KeyCount
from bigdebug.skew.finding import Distribution, Finding
from bigdebug.skew.hashing import salted_hash, salted_with_zero
from bigdebug.skew.judging import spread
from bigdebug.skew.salting import can_be_salted, salted_side

if TYPE_CHECKING:
    from bigdebug.skew.counting import Counts


@dataclass(frozen=True)
class Change:
    """What is to be tried.

    Attributes:
        salt: split each hot key into so many.
        partitions: make so many.
        drop_nulls: leave out records without a key.
    """

    salt: int | None = None
    partitions: int | None = None
    drop_nulls: bool = False

    def __post_init__(self) -> None:
        if (self.salt is not None and self.salt < 2) or (self.partitions is not None and self.partitions < 1):
            raise BigDebugError(
                f"{self} changes nothing", hint="a salt is 2 or more, and partitions 1 or more: salt=16"
            )
        if not (self.salt or self.partitions or self.drop_nulls):
            raise BigDebugError("there is nothing to try", hint="salt=16, partitions=400 or nulls=drop")

    def __str__(self) -> str:
        parts = [f"salt={self.salt}"] if self.salt else []
        parts += [f"partitions={self.partitions}"] if self.partitions else []
        return " ".join([*parts, "nulls=drop"] if self.drop_nulls else parts)

    @classmethod
    def parsed(cls, texts: tuple[str, ...] | list[str]) -> Change:
        """Of `salt=16`, `partitions=400`, `nulls=drop`.

        Raises:
            BigDebugError: it is none of these.
        """
        known: dict[str, int | bool] = {}
        for text in (part for each in texts for part in each.replace(",", " ").split()):
            name, _, value = text.partition("=")
            if name in ("salt", "partitions") and value.isdecimal():
                known[name] = int(value)
            elif text == "nulls=drop":
                known["drop_nulls"] = True
            else:
                raise BigDebugError(
                    f"{text!r} is nothing that can be tried", hint="salt=16, partitions=400 or nulls=drop"
                )
        return cls(**known)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Foretold:
    """What a change comes to for a shuffle.

    Attributes:
        finding: the shuffle as it is.
        applies: whether the change does anything to it.
        partitions: how many there would be.
        records, bytes: over the partitions that would hold any, of all sides together.
        added: records more that would be shuffled, for a join's other side is repeated.
        seconds_gained: an estimate; None where the time of the output isn't known.
    """

    finding: Finding
    applies: bool
    partitions: int
    records: Distribution
    bytes: Distribution
    added: int
    seconds_gained: float | None


class Foretelling:
    """Works out changes.

    Args:
        counts: of all keys.
        counted: what was fetched of them, by shuffle.
        seconds: that the output took, if known.
        cores: how many tasks run at once.
    """

    def __init__(self, counts: Counts, counted: list[Counted], seconds: float | None, cores: int) -> None:
        self._counts = counts
        self._counted = counted
        self._gains = Gains(counted, seconds, cores)

    def of(self, findings: tuple[Finding, ...], change: Change) -> list[Foretold]:
        """What a change comes to for each finding."""
        loads = self._loads(change)
        return [self._of_finding(finding, change, loads[finding.number - 1]) for finding in findings]

    def _loads(self, change: Change) -> dict[int, dict[int, tuple[int, int]]]:
        """By shuffle and new partition what would be there if no key were split up; with salts where there are any."""
        counts = self._counts
        counts_of = [change.partitions or each.partition_count for each in self._counted]
        if counts.few is not None:
            return _loads_by_hand(counts.few, counts_of, salted=bool(change.salt))
        hashed = F.col("hashed")
        if change.salt:
            hashed = salted_with_zero(hashed)
        number = F.get(F.array(*(F.lit(each) for each in counts_of)), F.col("shuffle"))
        by_place = counts.by_key.where("hashed is not null").groupBy(
            "shuffle", F.pmod(hashed, number).alias("partition")
        )
        summed = by_place.agg(
            F.sum(F.col("records0") + F.col("records1")).alias("records"),
            F.sum(F.col("bytes0") + F.col("bytes1")).alias("bytes"),
        )
        found: dict[int, dict[int, tuple[int, int]]] = defaultdict(dict)
        context = counts.by_key.sparkSession.sparkContext
        with jobs_of_ours(context, "what a change comes to"):
            for row in summed.collect():
                found[row.shuffle][row.partition] = (int(row.records), int(row.bytes))
        return found

    def _of_finding(self, finding: Finding, change: Change, loads: dict[int, tuple[int, int]]) -> Foretold:
        counted = self._counted[finding.number - 1]
        salt = change.salt if can_be_salted(finding) else None
        count = change.partitions or counted.partition_count
        if not counted.shuffle.keys:
            count = counted.partition_count
        applies = bool(salt or (change.partitions and counted.shuffle.keys))
        if not applies and not change.drop_nulls:
            return unchanged(finding)
        held: dict[int, list[float]] = defaultdict(lambda: [0.0, 0.0])
        if change.salt and not salt:  # its keys are hashed as they are
            for each in counted.partitions:
                _add(held, each.number, sum(each.records), sum(each.bytes))
        else:
            for place, (whole, whole_size) in loads.items():
                _add(held, place, whole, whole_size)
        added = 0

        def place_of(key: KeyCount, number: int) -> int:
            assert key.hashed is not None
            return (salted_hash(key.hashed, number) if salt else key.hashed) % count

        for hot, key in self._keys(finding, counted):
            if change.drop_nulls and key.lacking:
                _add(held, place_of(key, 0), -sum(key.records), -sum(key.bytes))
                applies = True
            elif salt and hot:
                side = salted_side(finding)
                assert side is not None
                _add(held, place_of(key, 0), -sum(key.records), -sum(key.bytes))
                for number in range(salt):
                    part, part_size = key.records[side] / salt, key.bytes[side] / salt
                    repeated, repeated_size = (sum(each) - each[side] for each in (key.records, key.bytes))
                    _add(held, place_of(key, number), part + repeated, part_size + repeated_size)
                added += (salt - 1) * (sum(key.records) - key.records[side])
        if not applies:
            return unchanged(finding)
        return self._gains.foretold(finding, count, held, added)

    @staticmethod
    def _keys(finding: Finding, counted: Counted) -> list[tuple[bool, KeyCount]]:
        """The finalists that are shuffled, and whether they are hot."""
        hot = {each.place for each in finding.hot_keys}
        return [(place in hot, key) for place, key in enumerate(counted.finalists) if key.hashed is not None]


def unchanged(finding: Finding) -> Foretold:
    """Of a shuffle that a change does nothing to."""
    spreads = (finding.records_of_partitions, finding.bytes_of_partitions)
    return Foretold(finding, False, finding.partitions, *spreads, 0, None)


@dataclass(frozen=True)
class Gains:
    """Tells how much time a change saves.

    Args:
        counted: what was counted of each shuffle.
        seconds: that the output took, if known.
        cores: how many tasks run at once.
    """

    counted: Sequence[Counted]
    seconds: float | None
    cores: int

    def foretold(
        self, finding: Finding, count: int, held: Mapping[int, Sequence[float]], added: int
    ) -> Foretold:
        """What a change comes to.

        Args:
            finding: the shuffle as it is.
            count: of its partitions after the change.
            held: by partition its records and bytes then.
            added: records more that would be shuffled.
        """
        records, size = (
            spread([load for each in held.values() if (load := round(each[i])) > 0]) for i in (0, 1)
        )
        return Foretold(finding, True, count, records, size, added, self._of(finding, size))

    def _of(self, finding: Finding, after: Distribution) -> float | None:
        """Seconds, an estimate; None where the time of the output isn't known.

        Args:
            finding: the shuffle as it is.
            after: bytes of its partitions after the change.
        """
        if finding.seconds_lost is None or self.seconds is None:
            return None
        every = sum(sum(part.bytes) for each in self.counted for part in each.partitions)
        before = finding.bytes_of_partitions
        mine = self.seconds * (before.total or 0) / every if every else 0.0
        was, will_be = (max(each.most, (each.total or 0) / max(self.cores, 1)) for each in (before, after))
        return mine * (1 - will_be / was) if was else 0.0


def _loads_by_hand(
    rows: list[Row], counts: list[int], *, salted: bool
) -> dict[int, dict[int, tuple[int, int]]]:
    """By shuffle and partition, of rows that were fetched, the records and bytes."""
    found: dict[int, dict[int, tuple[int, int]]] = defaultdict(dict)
    for row in rows:
        if row.hashed is None:
            continue
        hashed = salted_hash(row.hashed, 0) if salted else row.hashed
        place = hashed % counts[row.shuffle]
        records, size = found[row.shuffle].get(place, (0, 0))
        found[row.shuffle][place] = (
            records + int(row.records0) + int(row.records1),
            size + int(row.bytes0) + int(row.bytes1),
        )
    return found


def _add(held: dict[int, list[float]], place: int, records: float, size: float) -> None:
    held[place][0] += records
    held[place][1] += size
