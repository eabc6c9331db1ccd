"""The sums over the counts of all keys where these are few: what Spark would give, without its jobs."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bigdebug.skew.measures import FINALISTS, MEASURES, QUANTILES, measured

if TYPE_CHECKING:
    from pyspark.sql import Row

    from bigdebug.skew.counting import Counts


class Sums(dict[str, Any]):
    """A row by the names of its columns, which are attributes, too."""

    __getattr__ = dict.__getitem__


class FewCounts:
    """Sums of counts that were fetched.

    Args:
        counts: that they are of.
        rows: a row a key.
    """

    def __init__(self, counts: Counts, rows: Sequence[Row]) -> None:
        self._counts = counts
        self._by_shuffle: dict[int, list[Row]] = defaultdict(list)
        for row in rows:
            self._by_shuffle[row.shuffle].append(row)

    def partitions(self) -> list[Sums]:
        """By shuffle, partition and whether a key is lacking, what is held together."""
        found: dict[tuple[int, int | None, bool], Sums] = {}
        for number, rows in self._by_shuffle.items():
            count = self._counts.partition_count(number)
            for row in rows:
                place = None if row.hashed is None else row.hashed % count
                sums = found.setdefault((number, place, row.lacking), _nothing(number, place, row.lacking))
                for name in MEASURES:
                    sums[name] += int(row[name])
                for mine, other in ((0, 1), (1, 0)):
                    held = row[f"records{mine}"]
                    sums[f"keys{mine}"] += held > 0
                    sums[f"unmatched{mine}"] += held if row.lacking or not row[f"records{other}"] else 0
        return list(found.values())

    def distributions(self) -> dict[int, Sums]:
        """By shuffle the quantiles of what keys hold that are shuffled."""
        return {
            number: Sums(
                (name, _quantiles([int(row[name]) for row in rows if row.hashed is not None and row[name]]))
                for name in MEASURES
            )
            for number, rows in self._by_shuffle.items()
        }

    def finalists(self) -> dict[int, list[Row]]:
        """By shuffle the keys that hold most of anything."""
        found = {}
        for number, rows in self._by_shuffle.items():
            shuffle = self._counts.shuffles[number]
            if not shuffle.keys:
                continue
            rows.sort(
                key=lambda row: [(text is not None, text or "") for text in map(row.__getitem__, self._texts)]
            )
            best: dict[Row, None] = {}
            for name in measured(shuffle):
                ordered = sorted((row for row in rows if row[name]), key=lambda row: -row[name])
                best |= dict.fromkeys(ordered[:FINALISTS])
            found[number] = list(best)
        return found

    @property
    def _texts(self) -> list[str]:
        return self._counts.texts


def _nothing(number: int, place: int | None, lacking: bool) -> Sums:
    sums = Sums.fromkeys((*MEASURES, "keys0", "keys1", "unmatched0", "unmatched1"), 0)
    return Sums({**sums, "shuffle": number, "partition": place, "lacking": lacking})


def _quantiles(values: list[int]) -> list[int] | None:
    values.sort()
    return [values[max(math.ceil(each * len(values)) - 1, 0)] for each in QUANTILES] if values else None
