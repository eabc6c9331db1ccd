"""From counts to findings: which keys are hot, how bad that is, what time it may cost."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bigdebug.lineage.catalyst import Catalyst
from bigdebug.skew.counting import Counted, KeyCount
from bigdebug.skew.finding import Distribution, Finding, HotKey, InputSide
from bigdebug.skew.key_texts import is_default, value_of_key
from bigdebug.skew.measures import QUANTILES
from bigdebug.skew.shuffles import Shuffle
from bigdebug.skew.thresholds import SEVERITIES, Thresholds, median, ratio

SHOWN = 10
"""Keys of a shuffle that a finding names; hot ones, null and defaults in any case, where they are among the largest."""

_PRESERVED = {"LeftOuter": (True, False), "RightOuter": (False, True), "FullOuter": (True, True)}


class Judge:
    """Makes findings of counts.

    Args:
        catalyst: of the pinned session; None for RDDs, which have no plan.
        thresholds: from when on something is called skewed.
        seconds: that the output took; None where that isn't known.
        cores: how many tasks Spark runs at once.
        every: what was counted of all shuffles, which share the time.
    """

    def __init__(
        self,
        catalyst: Catalyst | None,
        thresholds: Thresholds,
        seconds: float | None,
        cores: int,
        every: Sequence[Counted],
    ) -> None:
        self._catalyst = catalyst
        self._thresholds = thresholds
        self._seconds = seconds
        self._cores = max(cores, 1)
        self._all_bytes = sum(sum(part.bytes) for each in every for part in each.partitions)

    def finding(self, number: int, counted: Counted) -> Finding:
        """What there is to say of a shuffle."""
        shuffle = counted.shuffle
        sides = tuple(_side(counted, place) for place in range(len(shuffle.sides)))
        keys = [self._key(counted, place) for place in range(len(counted.finalists))]
        keys.sort(key=lambda each: (not each.hot, -max(each.share, each.bytes_share, each.pairs_share)))
        hot = [each for each in keys if each.hot]
        loads = self._loads(counted)
        worst = max((ratio(max(load), median(load)) for load in loads.values() if load), default=1.0)
        one = not shuffle.keys and counted.partition_count == 1
        rows, multiplies = _rows(counted)
        many = multiplies is not None and multiplies >= self._thresholds.multiplied
        severity = "none"
        if hot:
            # One key may be all that there is: then no partition is there to compare with.
            alone = max(ratio(*each) for each in self._against_rest(counted, hot))
            worst = max(worst, min(alone, 1e6))
            severity = self._thresholds.severity(worst)
        if many and multiplies is not None:
            severity = max(severity, self._thresholds.severity(multiplies), key=SEVERITIES.index)
        if one and sides[0].bytes > self._thresholds.aqe_bytes:
            severity = "severe"
        strategy = self._strategy(shuffle)
        broadcast = strategy.startswith("Broadcast")
        return Finding(
            number=number,
            operator=shuffle.operator.kind,
            call_site=shuffle.operator.call_site,
            keys=shuffle.keys,
            join=shuffle.operator.join_kind if shuffle.is_join else "",
            sides=sides,
            partitions=counted.partition_count,
            records_of_partitions=spread(loads["records"]),
            bytes_of_partitions=spread(loads["bytes"]),
            largest=tuple(each for i, each in enumerate(keys) if i < SHOWN or each.hot or each.kind),
            severity=severity,
            ratio=worst,
            rows=rows,
            multiplies=multiplies,
            seconds_lost=None if broadcast or shuffle.combines else self._lost(loads["bytes"]),
            strategy=strategy,
            notes=tuple(self._notes(counted, sides, broadcast)),
        )

    # -- keys ---------------------------------------------------------------------------------------

    def _key(self, counted: Counted, place: int) -> HotKey:
        shuffle, key = counted.shuffle, counted.finalists[place]
        values = [value_of_key(text, kind) for text, kind in zip(key.texts, counted.types, strict=True)]
        loads = self._loads(counted)
        records, size = sum(key.records), sum(key.bytes)
        shuffled = key.hashed is not None or any(
            count and not side.drops_nulls for count, side in zip(key.records, shuffle.sides, strict=True)
        )
        kind = ""
        if any(value is None for value in values):
            kind = "null"
        elif any(is_default(value) for value in values):
            kind = "default"
        return HotKey(
            key=dict(zip(_unique(shuffle.keys), values, strict=True)),
            records=records,
            share=_share(records, loads["records"]) if shuffled else 0.0,
            bytes=size,
            bytes_share=_share(size, loads["bytes"]) if shuffled else 0.0,
            sides={side.name: count for side, count in zip(shuffle.sides, key.records, strict=True)},
            pairs=key.pairs,
            pairs_share=_share(key.pairs, loads["pairs"]),
            kind=kind,
            shuffled=shuffled,
            hot_by=self._hot_by(counted, key) if shuffled else (),
            partition=None if key.hashed is None else key.hashed % counted.partition_count,
            place=place,
        )

    def _hot_by(self, counted: Counted, key: KeyCount) -> tuple[str, ...]:
        found = []
        for place in range(len(key.records)):
            for name, value in (("records", key.records[place]), ("bytes", key.bytes[place])):
                of_partitions = _usual(counted, [getattr(part, name)[place] for part in counted.partitions])
                if name not in found and self._is_hot(counted, f"{name}{place}", value, of_partitions):
                    found.append(name)
        if counted.shuffle.is_join:
            of_partitions = _usual(counted, [part.pairs for part in counted.partitions])
            if self._is_hot(counted, "pairs", key.pairs, of_partitions):
                found.append("pairs")
        return tuple(found)

    def _is_hot(self, counted: Counted, measure: str, value: float, of_partitions: float) -> bool:
        quantiles = counted.quantiles[measure]
        if quantiles is None:
            return False
        return self._thresholds.is_hot(value, quantiles[QUANTILES.index(0.5)], of_partitions)

    def _against_rest(self, counted: Counted, hot: Sequence[HotKey]) -> list[tuple[float, float]]:
        """What the hottest key holds, against the median partition without the partitions of hot keys."""
        away = {each.partition for each in hot}
        found = []
        for name in ("records", "bytes"):
            rest = [sum(getattr(part, name)) for part in counted.partitions if part.number not in away]
            top = max(getattr(each, name) for each in hot)
            every = [sum(getattr(part, name)) for part in counted.partitions]
            found.append((top, median(rest) if rest else _usual(counted, every)))
        rest = [part.pairs for part in counted.partitions if part.number not in away and part.pairs]
        if rest and any("pairs" in each.hot_by for each in hot):
            found.append((max(each.pairs for each in hot), median(rest)))
        return found

    # -- partitions ---------------------------------------------------------------------------------

    @staticmethod
    def _loads(counted: Counted) -> dict[str, list[int]]:
        """Of the partitions that hold any, what they hold of all sides."""
        parts = counted.partitions
        return {
            "records": [held for part in parts if (held := sum(part.records))],
            "bytes": [held for part in parts if (held := sum(part.bytes))],
            "pairs": [part.pairs for part in parts if part.pairs],
        }

    def _lost(self, loads: Sequence[int]) -> float | None:
        """Seconds for which the longest partition keeps the others waiting, by this shuffle's share of the bytes."""
        if self._seconds is None or not loads or not self._all_bytes:
            return None
        longest, fair = max(loads), sum(loads) / self._cores
        mine = self._seconds * sum(loads) / self._all_bytes
        return float(mine * max(0.0, longest - max(median(loads), fair)) / max(longest, fair))

    def _strategy(self, shuffle: Shuffle) -> str:
        """How Spark plans to compute a join."""
        if not shuffle.is_join or self._catalyst is None:
            return ""
        stack = [self._catalyst.execution(shuffle.operator.plan).executedPlan()]
        while stack:
            node = stack.pop(0)
            name = str(node.nodeName())
            if "Join" in name:
                return name
            if name == "AdaptiveSparkPlan":
                stack.append(node.inputPlan())
            else:
                stack.extend(self._catalyst.items(node.children()))
        return ""

    def _notes(self, counted: Counted, sides: Sequence[InputSide], broadcast: bool) -> list[str]:
        shuffle, notes = counted.shuffle, []
        if not shuffle.keys:
            notes.append(f"all {sides[0].records:,} records go to one partition, for it has no key")
        if shuffle.combines:
            notes.append(
                "Spark puts the records of a key together before it shuffles them: a hot key costs little here"
            )
        if broadcast:
            notes.append("Spark broadcasts a side of this join, as it plans it: nothing is shuffled")
        for side in sides:
            if side.dropped_nulls:
                notes.append(
                    f"{side.dropped_nulls:,} records of the {side.name} side have no key: Spark leaves them out "
                    "before it shuffles, for they meet nothing"
                )
            elif side.nulls and shuffle.is_join:
                notes.append(
                    f"{side.nulls:,} records of the {side.name} side have no key: they meet nothing, and yet all go "
                    "to one partition"
                )
        if shuffle.others:
            notes.append(
                f"rows are counted before the conditions beside the key: {', '.join(shuffle.others)}"
            )
        return notes


def _side(counted: Counted, place: int) -> InputSide:
    records = [held for part in counted.partitions if (held := part.records[place])]
    size = [held for part in counted.partitions if (held := part.bytes[place])]
    return InputSide(
        name=counted.shuffle.sides[place].name,
        records=sum(records),
        bytes=sum(size),
        keys=counted.keys[place],
        nulls=counted.lacking[place],
        dropped_nulls=counted.dropped[place],
        unmatched=counted.unmatched[place] if counted.shuffle.is_join else 0,
        records_of_keys=_of_keys(counted, f"records{place}", place, sum(records)),
        bytes_of_keys=_of_keys(counted, f"bytes{place}", place, sum(size)),
        records_of_partitions=spread(records),
        bytes_of_partitions=spread(size),
    )


def _of_keys(counted: Counted, measure: str, place: int, total: int) -> Distribution:
    found = counted.quantiles[measure]
    if found is None:
        return Distribution(0, 0, 0, 0, 0, 0, 0)
    least, _, middle, _, p90, p99, most = found
    return Distribution(counted.keys[place], least, middle, p90, p99, most, total)


def spread(loads: Sequence[int]) -> Distribution:
    """The distribution of what partitions hold; those that hold nothing have no part in it."""
    if not loads:
        return Distribution(0, 0, 0, 0, 0, 0, 0)
    middle, p90, p99 = (int(each) for each in np.quantile(loads, (0.5, 0.9, 0.99), method="inverted_cdf"))
    return Distribution(len(loads), min(loads), middle, p90, p99, max(loads), sum(loads))


def _rows(counted: Counted) -> tuple[int | None, float | None]:
    """How many rows a join gives, and how many times its larger side that is."""
    shuffle = counted.shuffle
    if not shuffle.is_join:
        return None, None
    kind = shuffle.operator.join_kind
    pairs = sum(part.pairs for part in counted.partitions)
    if kind in ("LeftSemi", "LeftAnti", "ExistenceJoin"):
        return None, None  # they give a row of the left once at most
    rows = pairs
    for preserved, alone in zip(_PRESERVED.get(kind, (False, False)), counted.unmatched, strict=True):
        rows += alone if preserved else 0
    larger = max(sum(part.records[side] for part in counted.partitions) for side in (0, 1))
    return rows, rows / larger if larger else 1.0


def _usual(counted: Counted, loads: Sequence[int]) -> float:
    """What a partition usually holds: the median one of those that hold any, or each, if all held the same.

    The latter where a hot key stands in the only partition that holds any.
    """
    return min(median([each for each in loads if each]), sum(loads) / counted.partition_count)


def _share(held: int, loads: Sequence[int]) -> float:
    total = sum(loads)
    return held / total if total else 0.0


def _unique(names: Sequence[str]) -> list[str]:
    """Each name once, so that no part of a key hides another."""
    return [name if names.index(name) == i else f"{name} ({i + 1})" for i, name in enumerate(names)]
