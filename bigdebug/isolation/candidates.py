"""The records that a failing row may come from, kept by Spark and numbered: only they are ever replayed."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from pyroaring import FrozenBitMap
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from bigdebug.lineage.annotated import Annotated, IdColumn
from bigdebug.lineage.asking import asking
from bigdebug.lineage.catalyst import Catalyst, fresh_name
from bigdebug.lineage.identity import SourceLeaf, annotate_leaf
from bigdebug.lineage.location import ORDINAL_MASK, PARTITION_SHIFT, TracedRecord
from bigdebug.lineage.mapped import is_mapped
from bigdebug.lineage.operators import Operator
from bigdebug.lineage.records import SourceRecords
from bigdebug.lineage.segments import RowSet, fetch, local_relation, matching_ids, semi_joined, wrapped

_FETCHED = 10_000
"""Records of a source that are held in Spark's plan; more are persisted."""
_LISTED = 20_000
"""Of so many candidates of a source a constant lists each one's subsets, which takes no join."""
_RANGES = 16
"""A subset of so many ranges is told by these."""

_ONE_BY_ONE = frozenset({"Project", "Filter", "Generate", "ResolvedHint"})
# Not a sort: a limit above it goes by its order.

Numbers = Sequence[FrozenBitMap]
Members = Callable[[], tuple[Any, Any, Any]]
"""Gives a plan of rows by subset, and the attributes of the subset's number and of the record id."""


@dataclass(frozen=True)
class Stand:
    """The candidates of one source.

    Attributes:
        leaf: the source.
        plan: JVM plan of the source's own columns, the record id and the candidate's number.
        id, number: JVM attributes of the last two.
        first: the first one's number.
        count: how many there are.
    """

    leaf: SourceLeaf
    plan: Any
    id: Any
    number: Any
    first: int
    count: int

    @property
    def numbers(self) -> FrozenBitMap:
        return FrozenBitMap(range(self.first, self.first + self.count))


@dataclass(frozen=True)
class Point:
    """Where replays begin: the last operator above a source that takes its rows one by one.

    What it gives of each candidate is the same in every subset, so it is worked out once.

    Attributes:
        stand: the candidates.
        operator: the operator.
        plan: JVM plan of its columns, the record id and the candidate's number.
        id, number: JVM attributes of the last two.
        count: how many rows it gives.
    """

    stand: Stand
    operator: Operator
    plan: Any
    id: Any
    number: Any
    count: int


class Candidates:
    """The candidates of all sources, numbered from 0, one source after the other.

    Args:
        catalyst: of the pinned session.
        root: the dataflow that is replayed.
        records: of each source its records on the trace.
        whole: the sources of which all records are candidates.
    """

    def __init__(
        self,
        catalyst: Catalyst,
        root: Operator,
        records: dict[SourceLeaf, SourceRecords],
        whole: Container[Operator] = (),
    ) -> None:
        self._catalyst = catalyst
        self._persisted: list[DataFrame] = []
        self.stands: list[Stand] = []
        first = 0
        for leaf, found in records.items():
            stand = self._stand(leaf, None if leaf.operator in whole else found.rows, first)
            self.stands.append(stand)
            first += stand.count
        self.count = first
        above = {child: operator for operator in root.walk() for child in operator.children}
        self.points = [self._point(stand, above) for stand in self.stands]

    @property
    def everything(self) -> FrozenBitMap:
        return FrozenBitMap(range(self.count))

    def release(self) -> None:
        """Give back what Spark keeps."""
        for frame in self._persisted:
            frame.unpersist()
        self._persisted = []

    def records(self, numbers: FrozenBitMap, limit: int) -> list[TracedRecord]:
        """Up to so many of some candidates of each source, by source, file and position."""
        found: list[TracedRecord] = []
        with asking(self._catalyst, "the records found"):
            for stand in self.stands:
                chosen = numbers & stand.numbers
                if chosen:
                    found += self._of_source(stand, chosen).collect(limit)
        return found

    def frame(self, numbers: FrozenBitMap, source: SourceLeaf) -> DataFrame:
        """Some candidates of a source: its columns and `_record`."""
        (stand,) = (each for each in self.stands if each.leaf is source)
        return self._of_source(stand, numbers).frame()

    def numbers_of(self, source: str, ids: RowSet) -> FrozenBitMap:
        """The numbers of a source's candidates with some ids."""
        catalyst = self._catalyst
        (stand,) = (each for each in self.stands if each.leaf.name == source)
        wanted = ids.columns(catalyst.output(ids.plan)[:1])
        found = semi_joined(
            catalyst, stand.plan, wanted, lambda columns: [catalyst.same(stand.id, columns[0])]
        )
        frame = catalyst.frame(catalyst.project([stand.number], found))
        return FrozenBitMap(frame.toPandas()[frame.columns[0]].to_numpy().astype("uint32"))

    def members(self, subsets: Numbers) -> dict[Operator, tuple[SourceLeaf, Members]]:
        """By the operator where replays begin, its source and what gives its rows by subset."""
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

    def numbered(self, point: Point) -> Any:
        """The plan of the rows that all candidates give where replays begin: its columns and their numbers."""
        own = self._catalyst.output(point.operator.plan)
        return self._catalyst.project([*own, point.number], point.plan)

    # -- inside -------------------------------------------------------------------------------------

    def _stand(self, leaf: SourceLeaf, rows: RowSet | None, first: int) -> Stand:
        catalyst = self._catalyst
        annotated = annotate_leaf(catalyst, leaf, valued=False)
        plan = annotated.plan
        if rows is not None:
            identity = catalyst.output(rows.plan)[:1]
            ids = IdColumn(leaf, annotated.id)
            plan = matching_ids(catalyst, rows.columns(identity))(Annotated(plan, (ids,)))
        own = [*catalyst.output(leaf.operator.plan), annotated.id]
        few = rows is None or rows.count <= _FETCHED
        found = fetch(catalyst, plan, own, valued=True) if few else None
        if found is not None:
            counted, count = found[0].plan, found[0].count
            start = catalyst.as_long(catalyst.singleton(catalyst.expressions, "Literal").apply(first))
            number = catalyst.expressions.Add(catalyst.expressions.MonotonicallyIncreasingID(), start)
            named = catalyst.alias(number, fresh_name("number"))
            optimizer = catalyst.jvm.org.apache.spark.sql.catalyst.optimizer
            plan = catalyst.singleton(optimizer, "ConvertToLocalRelation").apply(
                catalyst.project_more([named], counted)
            )
        else:
            plan, count = self._kept(plan, own, first)
        *_, of_id, of_number = catalyst.output(plan)
        return Stand(leaf, plan, of_id, of_number, first, count)

    def _kept(self, plan: Any, own: list[Any], first: int) -> tuple[Any, int]:
        """Persisted by Spark, numbered partition by partition."""
        catalyst = self._catalyst
        place = catalyst.alias(catalyst.expressions.MonotonicallyIncreasingID(), fresh_name("place"))
        frame = catalyst.frame(catalyst.project([*own, place], plan)).persist()
        self._persisted.append(frame)
        column = F.col(str(place.name()))
        partition = F.shiftright(column, PARTITION_SHIFT)
        sizes = frame.groupBy(partition.alias("partition")).count().collect()
        starts, total = {}, first
        for row in sorted(sizes, key=lambda row: row.partition):
            starts[row.partition] = total
            total += row["count"]
        if not starts:
            starts[0] = first
        start = F.create_map(*(F.lit(part) for pair in starts.items() for part in pair))[partition]
        number = (start + column.bitwiseAND(F.lit(ORDINAL_MASK))).cast("long").alias(fresh_name("number"))
        numbered = catalyst.analyzed(frame.select("*", number))
        columns = catalyst.output(numbered)
        kept = [*columns[: len(own)], columns[-1]]
        return catalyst.project(kept, numbered), total - first

    def _point(self, stand: Stand, above: Mapping[Operator, Operator]) -> Point:
        catalyst, top, plan = self._catalyst, stand.leaf.operator, stand.plan
        carried = [stand.id, stand.number]
        while top in above and above[top].kind in _ONE_BY_ONE and not is_mapped(above[top]):
            top = above[top]
            if top.kind == "Project":
                plan = catalyst.logical.Project(catalyst.extended(top.plan.projectList(), carried), plan)
            elif top.kind in ("Filter", "Generate"):
                plan = top.plan.withNewChildren(catalyst.seq([plan]))
        if top is stand.leaf.operator:
            return Point(stand, top, plan, stand.id, stand.number, stand.count)
        columns = [*catalyst.output(top.plan), *carried]
        found = fetch(catalyst, plan, columns, valued=True) if stand.count <= _FETCHED else None
        if found is not None:
            return Point(stand, top, found[0].plan, stand.id, stand.number, found[0].count)
        frame = catalyst.frame(catalyst.project(columns, plan)).persist()
        self._persisted.append(frame)
        return Point(stand, top, catalyst.analyzed(frame), stand.id, stand.number, frame.count())

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

    def subsets(self, number: int) -> tuple[Any, Any]:
        """A plan of the numbers of so many subsets, with their attribute."""
        name = fresh_name("subset")
        frame = self._catalyst.spark.createDataFrame(pd.DataFrame({name: range(number)}), f"{name} bigint")
        plan = self._catalyst.analyzed(frame)
        return plan, plan.output().last()

    def _of_source(self, stand: Stand, numbers: FrozenBitMap) -> SourceRecords:
        catalyst = self._catalyst
        leaf = stand.leaf
        plan, _, identity = self.parted(stand, [numbers])
        shown = leaf.pinned if leaf.pinned is not None else catalyst.output(leaf.operator.plan)
        value = catalyst.struct((column.name(), column) for column in shown)
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
    array = np.frombuffer(numbers.to_array(), dtype=np.uint32).astype(np.int64)
    breaks = np.flatnonzero(np.diff(array) != 1)
    lows, highs = array[np.append(0, breaks + 1)], array[np.append(breaks, len(array) - 1)] + 1
    return list(zip(lows.tolist(), highs.tolist(), strict=True))
