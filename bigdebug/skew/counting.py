"""How many records and bytes each key of each shuffle holds: one pass over the inputs of all of them.

Spark counts by key and puts the counts of a map task together before it moves them, so the pass itself isn't lopsided
where the data are. The counts stay with Spark, exact; what comes to the driver is their distribution, the sums of each
partition and the few keys that hold most.
"""

from __future__ import annotations

import weakref
from collections.abc import Container, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F
from pyspark.sql import types as T

from bigdebug.lineage.catalyst import Catalyst, fresh_name
from bigdebug.lineage.conditions import references
from bigdebug.skew.below_joins import Weighed, product, weighed
from bigdebug.skew.few_counts import FewCounts
from bigdebug.skew.key_texts import size_of, text_of_key
from bigdebug.skew.measures import FINALISTS, MEASURES, QUANTILES, measured
from bigdebug.skew.shuffles import Shuffle, Side

FEW = 20_000
"""Keys of all shuffles that are fetched at most; of more, Spark keeps the counts and sums them up itself."""

_ACCURACY = 10_000
_BIG = "decimal(38,0)"


@dataclass(frozen=True)
class KeyCount:
    """What a key holds.

    Attributes:
        texts: of its parts.
        hashed: Spark's hash of it; None where it isn't shuffled.
        lacking: a part of it is null, and null meets nothing there.
        records, bytes: of each side.
        pairs: rows that a join gives for it.
    """

    texts: tuple[str | None, ...]
    hashed: int | None
    lacking: bool
    records: tuple[int, ...]
    bytes: tuple[int, ...]
    pairs: int


@dataclass(frozen=True)
class PartitionCount:
    """What a partition holds after a shuffle: as of a key, for all of its keys."""

    number: int
    records: tuple[int, ...]
    bytes: tuple[int, ...]
    pairs: int


@dataclass(frozen=True)
class Counted:
    """What was counted of a shuffle.

    Attributes:
        types: of the key's parts.
        partitions: those that hold anything; of how many stands in `partition_count`.
        finalists: the keys that hold most of anything.
        keys: of each side, how many keys it has.
        quantiles: by measure, those of `QUANTILES` of what keys hold; None where no key holds any.
        dropped: records of each side without a key, which aren't shuffled.
        lacking: records of each side without a key that are shuffled all the same.
        unmatched: records of each side that meet nothing on the other.
    """

    shuffle: Shuffle
    types: tuple[T.DataType, ...]
    partition_count: int
    partitions: tuple[PartitionCount, ...]
    finalists: tuple[KeyCount, ...]
    keys: tuple[int, ...]
    quantiles: dict[str, list[int] | None]
    dropped: tuple[int, ...]
    lacking: tuple[int, ...]
    unmatched: tuple[int, ...]


class Counts:
    """The counts of all keys of some shuffles; of many keys they are kept by Spark until nobody holds this any more.

    Args:
        catalyst: of the pinned session.
        shuffles: at least one.

    Attributes:
        by_key: the counts, a row a key.
        few: these rows, where they were fetched.
    """

    def __init__(self, catalyst: Catalyst, shuffles: Sequence[Shuffle]) -> None:
        self._catalyst = catalyst
        self.shuffles = list(shuffles)
        self._width = max(len(each.keys) for each in shuffles)
        self.types: list[tuple[T.DataType, ...]] = []
        inputs = []
        for number, shuffle in enumerate(self.shuffles):
            for place, side in enumerate(shuffle.sides):
                frame, types = self._input(number, shuffle, place, side)
                inputs.append(frame)
                if place == 0:
                    self.types.append(types)
        self.texts = [f"k{i}" for i in range(self._width)]
        every = reduce(DataFrame.unionAll, inputs)
        sums = [F.sum(name).alias(name) for name in MEASURES[:-1]]
        pairs = F.col("records0").cast("decimal(19,0)") * F.col("records1").cast("decimal(19,0)")
        counted = every.groupBy("shuffle", "hashed", "lacking", *self.texts).agg(*sums)
        self.by_key = counted.withColumn(
            "pairs", F.when(F.col("lacking"), F.lit(0)).otherwise(pairs).cast(_BIG)
        )
        self.few: list[Row] | None = None

    def fetch(self) -> list[Counted]:
        """What is to be known of each shuffle; runs the pass."""
        # Not kept by Spark at first: that takes as long again, and of few keys nothing is asked a second time.
        few = self.by_key.limit(FEW + 1).collect()
        if len(few) <= FEW:
            self.few = few
            by_hand = FewCounts(self, few)
            partitions, distributions = by_hand.partitions(), by_hand.distributions()
            finalists = by_hand.finalists()
        else:
            self.by_key = self.by_key.persist()
            weakref.finalize(self, _unpersist, self.by_key)
            partitions, distributions, finalists = (
                self._partitions(),
                self._distributions(),
                self._finalists(),
            )
        return [
            self._of_shuffle(number, partitions, distributions, finalists)
            for number in range(len(self.shuffles))
        ]

    def partition_count(self, number: int) -> int:
        """How many partitions there are after a shuffle."""
        own = self.shuffles[number].partitions
        return own or int(self._catalyst.spark.conf.get("spark.sql.shuffle.partitions") or 200)

    def partition_of(self, hashed: Column) -> Column:
        """The partition that Spark sends a key to."""
        counts = [self.partition_count(number) for number in range(len(self.shuffles))]
        known = F.array(*(F.lit(count) for count in counts))
        return F.pmod(hashed, F.get(known, F.col("shuffle")))

    # -- the pass -----------------------------------------------------------------------------------

    def _input(
        self, number: int, shuffle: Shuffle, place: int, side: Side
    ) -> tuple[DataFrame, tuple[T.DataType, ...]]:
        catalyst = self._catalyst
        keys = [catalyst.alias(key, fresh_name("key")) for key in side.keys]
        columns = [catalyst.alias(column, fresh_name("column")) for column in side.columns]
        frame = catalyst.frame(catalyst.project([*keys, *columns], side.plan(catalyst)))
        types = tuple(field.dataType for field in frame.schema)
        names = frame.columns
        fixed, varying = _size(names[len(keys) :], types[len(keys) :])
        weight = F.lit(1).cast("long")
        together = self._weighed(side, columns, varying)
        if together is not None:
            asked = [each for each in columns if str(each.name()) in varying]
            weights = [catalyst.alias(each, fresh_name("weight")) for each in together.weights]
            frame = catalyst.frame(catalyst.project([*keys, *asked, *weights], together.plan))
            weight = product([str(each.name()) for each in weights])
        size = reduce(Column.__add__, varying.values(), F.lit(fixed).cast("long")) * weight
        parts = [F.col(name) for name in names[: len(keys)]]
        strict = [part.isNull() for part, safe in zip(parts, shuffle.null_safe, strict=True) if not safe]
        lacking = reduce(Column.__or__, strict, F.lit(False))
        hashed = F.hash(*parts) if parts else F.lit(0)
        if side.drops_nulls:
            hashed = F.when(lacking, F.lit(None).cast("int")).otherwise(hashed)
        texts = [text_of_key(part, kind) for part, kind in zip(parts, types, strict=False)]
        texts += [F.lit(None).cast("string")] * (self._width - len(texts))
        mine, other = (weight, size), (F.lit(0).cast("long"), F.lit(0).cast("long"))
        held = (*mine, *other) if place == 0 else (*other, *mine)
        selected = frame.select(
            F.lit(number).alias("shuffle"),
            hashed.alias("hashed"),
            lacking.alias("lacking"),
            *(text.alias(f"k{i}") for i, text in enumerate(texts)),
            *(value.alias(name) for value, name in zip(held, MEASURES[:-1], strict=True)),
        )
        return selected, types[: len(keys)]

    def _weighed(self, side: Side, columns: Sequence[Any], asked: Container[str]) -> Weighed | None:
        """The rows as they come to the shuffle, put together below joins.

        Args:
            side: of the shuffle.
            columns: aliases of its columns.
            asked: names of those whose values are looked at.
        """
        catalyst = self._catalyst
        looked_at = [*side.keys, *(each for each in columns if str(each.name()) in asked)]
        wanted = {key for each in looked_at for key in references(catalyst, each)}
        return weighed(catalyst, side.operator, wanted, side.conditions)

    def _partitions(self) -> list[Any]:
        partition = self.partition_of(F.col("hashed"))
        found = self.by_key.groupBy("shuffle", partition.alias("partition"), F.col("lacking"))
        alone = [
            F.sum(
                F.when(F.col("lacking") | (F.col(f"records{other}") == 0), F.col(f"records{mine}")).otherwise(
                    0
                )
            ).alias(f"unmatched{mine}")
            for mine, other in ((0, 1), (1, 0))
        ]
        keys = [F.count_if(F.col(f"records{side}") > 0).alias(f"keys{side}") for side in (0, 1)]
        rows: list[Any] = found.agg(*(F.sum(name).alias(name) for name in MEASURES), *alone, *keys).collect()
        return rows

    def _distributions(self) -> dict[int, Any]:
        asked = F.array(*(F.lit(each) for each in QUANTILES))
        held = [
            F.percentile_approx(F.when(F.col(name) > 0, F.col(name)), asked, _ACCURACY).alias(name)
            for name in MEASURES
        ]
        rows = self.by_key.where("hashed is not null").groupBy("shuffle").agg(*held).collect()
        return {row.shuffle: row for row in rows}

    def _finalists(self) -> dict[int, list[Any]]:
        parts = []
        for number, shuffle in enumerate(self.shuffles):
            if not shuffle.keys:
                continue
            mine = self.by_key.where(F.col("shuffle") == number)
            for name in measured(shuffle):
                # Ties are told by the key, nulls first, so that a second report shows the same ones.
                order = [F.col(name).desc(), *(F.col(text) for text in self.texts)]
                parts.append(mine.where(F.col(name) > 0).orderBy(*order).limit(FINALISTS))
        found: dict[int, list[Any]] = {}
        if parts:
            for row in dict.fromkeys(reduce(DataFrame.unionAll, parts).collect()):
                found.setdefault(row.shuffle, []).append(row)
        return found

    # -- what came of it ----------------------------------------------------------------------------

    def _of_shuffle(
        self,
        number: int,
        partitions: Sequence[Any],
        distributions: dict[int, Any],
        finalists: dict[int, list[Any]],
    ) -> Counted:
        shuffle = self.shuffles[number]
        sides = range(len(shuffle.sides))
        mine = [row for row in partitions if row.shuffle == number]
        shuffled = [row for row in mine if row.partition is not None]
        lacking = [row for row in shuffled if row.lacking]
        left_out = [row for row in mine if row.partition is None]

        def total(rows: Sequence[Any], name: str) -> tuple[int, ...]:
            return tuple(sum(int(row[f"{name}{side}"]) for row in rows) for side in sides)

        by_number: dict[int, list[Any]] = {}
        for row in shuffled:
            by_number.setdefault(row.partition, []).append(row)
        known = distributions.get(number)
        return Counted(
            shuffle,
            self.types[number],
            self.partition_count(number),
            tuple(
                PartitionCount(
                    place, total(rows, "records"), total(rows, "bytes"), sum(int(row.pairs) for row in rows)
                )
                for place, rows in sorted(by_number.items())
            ),
            tuple(self._key(shuffle, row) for row in finalists.get(number, ())),
            total(shuffled, "keys"),
            {
                name: None if known is None or known[name] is None else [int(each) for each in known[name]]
                for name in MEASURES
            },
            total(left_out, "records"),
            total(lacking, "records"),
            total(mine, "unmatched"),
        )

    @staticmethod
    def _key(shuffle: Shuffle, row: Row) -> KeyCount:
        sides = range(len(shuffle.sides))
        return KeyCount(
            tuple(row[f"k{i}"] for i in range(len(shuffle.keys))),
            row.hashed,
            row.lacking,
            tuple(int(row[f"records{side}"]) for side in sides),
            tuple(int(row[f"bytes{side}"]) for side in sides),
            int(row.pairs),
        )


def _size(names: Sequence[str], types: Sequence[T.DataType]) -> tuple[int, dict[str, Column]]:
    """Bytes of a row as Spark shuffles it: a word for every 64 columns' nulls and one a column; and what varies."""
    fixed = (len(names) + 63) // 64 * 8
    varying = {}
    for name, kind in zip(names, types, strict=True):
        word, more = size_of(F.col(name), kind)
        fixed += word
        if more is not None:
            varying[name] = more
    return fixed, varying


def _unpersist(frame: Any) -> None:
    import threading
    from contextlib import suppress

    def give_back() -> None:
        with suppress(Exception):  # Spark may be gone, and with it what it kept
            frame.unpersist()

    # On a thread of its own: the collector may run in the middle of a call to the JVM.
    threading.Thread(target=give_back, daemon=True).start()
