"""The records that a failing row may come from, kept by Spark and numbered: only they are ever replayed."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from pyroaring import FrozenBitMap
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from bigdebug.isolation.candidate_set import CandidateSet, Members, Numbers
from bigdebug.isolation.gathering import Gathering, Point, Stand
from bigdebug.isolation.groups import as_array
from bigdebug.isolation.reading import Reading
from bigdebug.lineage.asking import asking
from bigdebug.lineage.catalyst import Catalyst, fresh_name
from bigdebug.lineage.identity import SourceLeaf
from bigdebug.lineage.location import TracedRecord
from bigdebug.lineage.operators import Operator
from bigdebug.lineage.records import SourceRecords
from bigdebug.lineage.segments import RowSet, local_relation, semi_joined, wrapped

_FETCHED = 10_000
"""Records that are held in Spark's plan where they are shown."""
_LISTED = 20_000
"""Of so many candidates of a source a constant lists each one's subsets, which takes no join."""
_RANGES = 16
"""A subset of so many ranges is told by these."""


class Candidates(CandidateSet):
    """Candidates that are kept with their columns.

    Args:
        catalyst: of the pinned session.
        gathering: what Spark keeps of them.
        points: where replays of each source's candidates begin.
        sampled: others are candidates, too: what is made of several records isn't what it is of all.
    """

    def __init__(
        self, catalyst: Catalyst, gathering: Gathering, points: Sequence[Point], *, sampled: bool = False
    ) -> None:
        self.sampled = sampled
        self._catalyst = catalyst
        self._gathering = gathering
        self.points = list(points)
        self.stands: list[Stand] = [point.stand for point in points if not point.stand.again]

    @property
    def full(self) -> Candidates:
        return self

    @classmethod
    def of_records(
        cls,
        catalyst: Catalyst,
        records: Mapping[SourceLeaf, SourceRecords],
        reading: Reading,
    ) -> Candidates:
        """The candidates of records on a trace.

        Args:
            catalyst: of the pinned session.
            records: of each source its records on the trace.
            reading: how the dataflow reads its sources.
        """
        gathering = Gathering(catalyst)
        stands: list[Stand] = []
        first = 0
        for reader in dict.fromkeys(reading.readers[leaf] for leaf in records):
            alike = [leaf for leaf, its_first in reading.readers.items() if its_first is reader]
            rows = None
            if reader.operator not in reading.whole:
                rows = gathering.together([records[leaf].rows for leaf in alike if leaf in records])
            stand = gathering.by_id(reader, rows, first)
            stands += [stand, *(gathering.again(leaf, stand) for leaf in alike if leaf is not reader)]
            first += stand.count
        return cls(catalyst, gathering, [gathering.point(stand, reading.above) for stand in stands])

    def release(self) -> None:
        for frame in self._gathering.persisted:
            frame.unpersist()
        self._gathering.persisted.clear()

    def records(self, numbers: FrozenBitMap, limit: int) -> list[tuple[int | None, TracedRecord]]:
        found: list[tuple[int | None, TracedRecord]] = []
        with asking(self._catalyst, "the records found"):
            for stand in self.stands:
                chosen = numbers & stand.numbers
                if chosen:
                    found += self._with_numbers(stand, chosen, limit)
        return found

    def frame(self, numbers: FrozenBitMap, source: SourceLeaf) -> DataFrame:
        (stand,) = (each for each in self.stands if each.leaf is source)
        return self._of_source(stand, numbers).frame()

    def numbers_of(self, source: str, ids: RowSet) -> FrozenBitMap:
        """The numbers of a source's candidates with some ids."""
        catalyst = self._catalyst
        (stand,) = (point.stand for point in self.points if point.stand.leaf.name == source)
        wanted = ids.columns(catalyst.output(ids.plan)[:1])
        found = semi_joined(
            catalyst, stand.plan, wanted, lambda columns: [catalyst.same(stand.id, columns[0])]
        )
        frame = catalyst.frame(catalyst.project([stand.number], found))
        return FrozenBitMap(frame.toPandas()[frame.columns[0]].to_numpy().astype("uint32"))

    def members(self, subsets: Numbers) -> dict[Operator, tuple[SourceLeaf, Members]]:
        return {
            point.operator: (point.stand.leaf, partial(self._by_subset, point, subsets))
            for point in self.points
        }

    def alone(self, point: Point, numbers: FrozenBitMap) -> Any:
        """The plan of the rows that some candidates give where replays begin: its columns and the record id."""
        catalyst = self._catalyst
        plan, _, identity = self._by_subset(point, [numbers])
        return catalyst.project([*catalyst.output(point.operator.plan), identity], plan)

    def parted(self, stand: Stand, parts: Numbers) -> tuple[Any, Any, Any]:
        """A source's records in some parts of its candidates.

        Gives a plan of the source's own columns and the candidates' numbers, and its attributes of a part's number
        and of the record id.
        """
        at_source = Point(stand, stand.leaf.operator, stand.plan, stand.id, stand.number, stand.count)
        return self._by_subset(at_source, parts)

    def numbered(self, point: Point, numbers: FrozenBitMap) -> Any:
        """The plan of the rows that some candidates give where replays begin: its columns and their numbers."""
        own = self._catalyst.output(point.operator.plan)
        everything = len(numbers) == self.count
        plan = point.plan if everything else self._by_subset(point, [numbers])[0]
        return self._catalyst.project([*own, point.number], plan)

    # -- inside -------------------------------------------------------------------------------------

    def _by_subset(self, point: Point, subsets: Numbers) -> tuple[Any, Any, Any]:
        """The point's own columns, the subset's number and the record id; attributes of the last two."""
        catalyst, stand = self._catalyst, point.stand
        parts = [subset & stand.numbers for subset in subsets]
        frame = catalyst.frame(point.plan)
        number = F.col(str(point.number.name()))
        if stand.count <= _LISTED:
            lists: list[list[int]] = [[] for _ in range(stand.count)]
            for n, part in enumerate(parts):
                for each in part:
                    lists[each - stand.first].append(n)
            mine = F.from_json(F.lit(_compact(lists)), "array<array<bigint>>")[number - stand.first]
        else:
            frame, mine = self._looked_up(frame, number, stand.numbers, parts)
        name = fresh_name("subset")
        plan = catalyst.analyzed(frame.select("*", F.explode(mine).alias(name)))
        return plan, plan.output().last(), point.id

    def _looked_up(
        self, frame: DataFrame, number: Column, everything: FrozenBitMap, parts: Numbers
    ) -> tuple[DataFrame, Column]:
        """Many candidates, and for each the subsets it is in: told by ranges, by who is in, or by who is out."""
        ranged: list[tuple[int, int, int]] = []
        inside: dict[int, list[int]] = defaultdict(list)
        outside: dict[int, list[int]] = defaultdict(list)
        most: list[int] = []
        for n, part in enumerate(parts):
            runs = ranges(part)
            if len(runs) <= _RANGES:
                ranged += [(n, low, high) for low, high in runs]
            elif 2 * len(part) <= len(everything):
                for each in part:
                    inside[each].append(n)
            else:
                most.append(n)
                for each in everything - part:
                    outside[each].append(n)
        told = F.from_json(F.lit(_compact(ranged)), "array<array<bigint>>")
        mine = F.transform(
            F.filter(told, lambda each: (number >= each[1]) & (number < each[2])), lambda each: each[0]
        )
        mentioned = sorted(inside.keys() | outside.keys())
        if not mentioned:
            return frame, mine
        names = [fresh_name(part) for part in ("number", "inside", "outside")]
        table = pd.DataFrame(
            [(each, inside.get(each, []), outside.get(each, [])) for each in mentioned], columns=names
        )
        schema = f"{names[0]} bigint, {names[1]} array<bigint>, {names[2]} array<bigint>"
        lists = F.broadcast(self._catalyst.spark.createDataFrame(table, schema))
        nothing = F.array().cast("array<bigint>")
        every = F.array(*map(F.lit, most)).cast("array<bigint>")
        joined = frame.join(lists, number == F.col(names[0]), "left")
        left = F.array_except(every, F.coalesce(F.col(names[2]), nothing))
        return joined, F.concat(mine, F.coalesce(F.col(names[1]), nothing), left)

    def _with_numbers(
        self, stand: Stand, numbers: FrozenBitMap, limit: int
    ) -> Iterator[tuple[int, TracedRecord]]:
        name = fresh_name("number")
        for record in self._of_source(stand, numbers, [(name, stand.number)]).collect(limit):
            value = dict(record.value)
            yield value.pop(name), replace(record, value=value)

    def _of_source(
        self, stand: Stand, numbers: FrozenBitMap, more: Sequence[tuple[str, Any]] = ()
    ) -> SourceRecords:
        """Some candidates of a source, with more in their values than their columns."""
        catalyst = self._catalyst
        leaf = stand.leaf
        plan, _, identity = self.parted(stand, [numbers])
        shown = leaf.pinned if leaf.pinned is not None else catalyst.output(leaf.operator.plan)
        value = catalyst.struct([*((column.name(), column) for column in shown), *more])
        valued = catalyst.project([identity, catalyst.alias(value, fresh_name("value"))], plan)
        if len(numbers) > _FETCHED:
            return SourceRecords(catalyst, leaf, RowSet(catalyst, valued, len(numbers), False))
        rows = catalyst.rows(valued)
        local = local_relation(catalyst, valued.output(), wrapped(catalyst, rows))
        return SourceRecords(catalyst, leaf, RowSet(catalyst, local, len(rows), True))


def _compact(lists: object) -> str:
    return json.dumps(lists, separators=(",", ":"))


def ranges(numbers: FrozenBitMap) -> list[tuple[int, int]]:
    """Numbers as ranges that go up and don't touch; the second of each isn't in it."""
    if not len(numbers):
        return []
    array = as_array(numbers)
    breaks = np.flatnonzero(np.diff(array) != 1)
    lows, highs = array[np.append(0, breaks + 1)], array[np.append(breaks, len(array) - 1)] + 1
    return list(zip(lows.tolist(), highs.tolist(), strict=True))
