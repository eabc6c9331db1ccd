"""What the groups of failing rows hold where that is much: their extreme rows one by one, and all others together.

Of a sum, a mean, a least or greatest value the records to blame are nearly always among the most extreme ones. So these
alone are fetched, and Spark adds up the others: the driver holds a few thousand rows, however large a group is. Where
the extremes begin is told by a sample. As long as a search takes away none of the others, or all of them, what comes
out is the same as with each row known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from pyroaring import FrozenBitMap
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from bigdebug.isolation.adding import of_many, scale_of, taken_of
from bigdebug.isolation.groups import Group, Identity, Lump, Tail, value_column
from bigdebug.isolation.ids import Ids, More, numbered, sorted_without
from bigdebug.isolation.largest import Largest
from bigdebug.isolation.measures import Array, NotInClosedFormError
from bigdebug.isolation.shape import Function, Shape
from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.pinned import settings

_EXTREME = 6_000
"""Rows at each end of a function's values in a group that are fetched at most, roughly."""
_ALL_EXTREMES = 100_000
"""The same of all functions and groups together."""
_LEAST = 8
"""Sampled rows beyond a boundary: with fewer of them it would be drawn by chance."""
_MOST_ROWS = 400_000
"""Extreme rows, and sums of all others, that are fetched at most."""
_PARTS = 1_000_000
"""A share of the records is so many parts of them, told by hashes."""
_AT_ONCE: Mapping[str, str | None] = {"spark.sql.adaptive.enabled": "false"}
"""What is persisted is read in the job that makes it; adapting, Spark would make it in another first."""
_APART, _MANY, _HERE = "__bigdebug_apart", "__bigdebug_many", "__bigdebug_here"


@dataclass(frozen=True)
class Told:
    """What an aggregate takes of rows.

    Attributes:
        frame: the rows.
        kept: names of the columns that are kept of them.
        ids: of each source the names of what is compared.
        group: name of the group's number.
        taken: of each function the name of what it takes.
    """

    frame: DataFrame
    kept: Sequence[str]
    ids: Sequence[Sequence[str]]
    group: str
    taken: Sequence[str]

    @property
    def columns(self) -> list[str]:
        """What is compared of the ids, the group's number, and what the functions take."""
        return [*(name for names in self.ids for name in names), self.group, *self.taken]


@dataclass(frozen=True)
class Lumped:
    """What is known of the groups.

    Attributes:
        groups: by row.
        ids: of each source.
        few: the kept columns of the rows that are known one by one.
        persisted: what Spark keeps for these.
    """

    groups: dict[Identity, Group]
    ids: list[Ids]
    few: DataFrame
    persisted: DataFrame


class Lumping:
    """Finds what the groups of some rows hold.

    Args:
        catalyst: of the pinned session.
        shape: of the dataflow.
        told: what its aggregate takes.
        ids: of each source, of which none is known yet.
        largest: the source whose records are told together.
        rows: by the hash of their group's key, in the order of the groups' numbers.
    """

    def __init__(
        self,
        catalyst: Catalyst,
        shape: Shape,
        told: Told,
        ids: Sequence[Ids],
        largest: Largest,
        rows: Sequence[Identity],
    ) -> None:
        self._catalyst = catalyst
        self._shape = shape
        self._told = told
        self._ids = ids
        self._largest = largest
        self._place = largest.place
        self._rows = rows
        self._others = [
            name for place, names in enumerate(told.ids) if place != self._place for name in names
        ]

    def run(self) -> Lumped | None:
        """The groups, in one pass; None where all of them are small.

        Raises:
            NotInClosedFormError: some values have no closed form, or too many are extreme.
        """
        told, tails = self._told, self._sampled()
        if tails is None:
            return None
        persisted = self._passed(self._extreme(tails)).persist()
        try:
            with settings(self._catalyst, _AT_ONCE):
                unread = set(told.kept) - set(told.columns)
                table = persisted.drop(*unread).limit(_MOST_ROWS + 1).toArrow().combine_chunks()
            if table.num_rows > _MOST_ROWS:
                raise NotInClosedFormError("too many rows are extreme")
            groups, known = self._groups(table, tails)
        except BaseException:
            persisted.unpersist()
            raise
        return Lumped(groups, known, persisted.where(_APART).select(*told.kept), persisted)

    # -- where the extremes begin -------------------------------------------------------------------

    def _sampled(self) -> list[list[Tail | None] | None] | None:
        """Of each group and function where the extremes begin; None of groups that are small."""
        told = self._told
        of_each = self._largest.of_each
        plan = _with_leaf(
            self._catalyst,
            self._catalyst.analyzed(told.frame),
            self._place,
            lambda leaf: self._catalyst.local_limit(of_each, leaf),
        )
        table = self._catalyst.frame(plan).select(told.group, *told.taken).toArrow().combine_chunks()
        group = table.column(0).fill_null(-1).to_numpy()
        taken = [value_column(table.column(1 + i), each) for i, each in enumerate(self._shape.functions)]
        counted = sum(function.kind != "Count" for function in self._shape.functions)
        extremes = min(_EXTREME, _ALL_EXTREMES // (2 * counted * len(self._rows)))
        beyond = max(_LEAST, extremes // self._largest.one_of)
        found: list[list[Tail | None] | None] = []
        for number in range(len(self._rows)):
            mine = group == number
            if np.count_nonzero(mine) <= 4 * beyond:
                found.append(None)
                continue
            tails = [
                _tail(function, numbers[mine & there], beyond)
                for function, (numbers, there) in zip(self._shape.functions, taken, strict=True)
            ]
            found.append(tails)
        return found if any(tails is not None for tails in found) else None

    def _extreme(self, tails: Sequence[Sequence[Tail | None] | None]) -> Column:
        """Whether a row is known by itself."""
        # As one text: each call of a function of columns would be one of Java's.
        told, cases = self._told, []
        for number, of_group in enumerate(tails):
            beyond = "true"
            if of_group is not None:
                each = [
                    _beyond(name, function, tail)
                    for name, function, tail in zip(told.taken, self._shape.functions, of_group, strict=True)
                    if tail is not None
                ]
                beyond = " or ".join(each) or "false"
            cases.append(f"when `{told.group}` = {number} then {beyond}")
        return F.expr(f"case {' '.join(cases)} else false end")

    def _passed(self, extreme: Column) -> DataFrame:
        """Extreme rows one by one, and by group and records of the other sources what the others add up to.

        One aggregate does both: what only extreme rows have a value of is part of its key.
        """
        told = self._told
        always = {told.group, *self._others}
        own = [name for name in dict.fromkeys([*told.kept, *told.ids[self._place]]) if name not in always]
        here = F.monotonically_increasing_id().alias(_HERE)
        marked = told.frame.select("*", extreme.alias(_APART), here)
        # Without a column that is only told once Spark would work the groups out twice, to leave rows out early.
        marked = marked.where(f"`{told.group}` is not null and `{_HERE}` >= 0")
        keys = [F.expr(f"if(`{_APART}`, `{name}`, null)").alias(name) for name in own]
        made: list[Column] = []
        for name, function in zip(told.taken, self._shape.functions, strict=True):
            made += of_many(name, function)
        grouped = marked.groupBy(_APART, told.group, *self._others, *keys)
        return grouped.agg(F.count("*").alias(_MANY), *(each.alias(f"c{i}") for i, each in enumerate(made)))

    # -- both ---------------------------------------------------------------------------------------

    def _groups(
        self, table: pa.Table, tails: Sequence[Sequence[Tail | None] | None]
    ) -> tuple[dict[Identity, Group], list[Ids]]:
        """The groups, and the ids of each source."""
        told, functions = self._told, self._shape.functions
        apart, group = _array(table.column(_APART)), _array(table.column(told.group))
        many = table.column_names.index(_MANY)
        rows, taken = _array(table.column(many)), list(taken_of(table.columns[many + 1 :], functions))
        together = [~apart & (group == number) for number in range(len(self._rows))]
        known, numbers, lumps = self._numbered(table, apart, [int(rows[some].sum()) for some in together])
        is_all = bool(self._shape.aggregate.plan.groupingExpressions().isEmpty())
        found: dict[Identity, Group] = {}
        for number, row in enumerate(self._rows):
            some = np.concatenate(
                [np.flatnonzero(apart & (group == number)), np.flatnonzero(together[number])]
            )
            lumped = int(np.count_nonzero(together[number]))
            ids = [column[some] for column in numbers]
            lump = None
            if lumped:
                ids[self._place][-lumped:] = lumps[number].min()
                lump = Lump(self._place, lumps[number], lumped, tails[number] or ())
            measures = [
                function.measure(each.numbers[some], each.counts[some], each.added(together[number], tail))
                for function, each, tail in zip(
                    functions, taken, tails[number] or [None] * len(functions), strict=True
                )
            ]
            found[row] = Group(ids, measures, number, is_all, lump)
        return found, known

    def _numbered(
        self, table: pa.Table, apart: Array, of_groups: Sequence[int]
    ) -> tuple[list[Ids], list[Array], list[FrozenBitMap]]:
        """The ids; of each source each row's number, -1 of those of many records; and the groups' lumps.

        Args:
            table: of what was passed.
            apart: of each row whether it is of one record of the largest source.
            of_groups: how many records of it are told together, by group.
        """
        known: list[Ids] = []
        numbers: list[Array] = []
        lumps: list[FrozenBitMap] = []
        first = 0
        for place, names in enumerate(self._told.ids):
            there = apart if place == self._place else np.ones(len(apart), dtype=bool)
            parts = [table.column(name).fill_null(0).to_numpy() for name in names]
            unique, places = numbered(parts, there)
            here = self._ids[place].knowing(unique)
            if place == self._place:
                starts = np.cumsum([first + here.count, *of_groups])
                lumps = [FrozenBitMap(range(low, high)) for low, high in pairwise(starts)]
                here = here.knowing(unique, self._ids_of_lumps(unique, of_groups), sum(of_groups))
            numbers.append(np.where(places < 0, -1, places + first))
            known.append(here)
            first += here.count
        return known, numbers, lumps

    def _ids_of_lumps(self, apart: tuple[Array, ...], sizes: Sequence[int]) -> More:
        """Gives the ids of records that are known together, group by group.

        Args:
            apart: the ids of all others of the groups.
            sizes: how many there are of each group.
        """
        starts = len(apart[0]) + np.cumsum([0, *sizes])

        def fetched(share: float) -> tuple[tuple[Array, ...], Array]:
            told = self._told
            ids = told.ids[self._place]
            ours = told.frame.where(F.col(told.group).isNotNull())
            if share < 1:
                ours = ours.where(F.pmod(F.xxhash64(*ids), F.lit(_PARTS)) < int(share * _PARTS))
            table = ours.select(*ids, told.group).toArrow().combine_chunks()
            *parts, group = (_array(column) for column in table.columns)
            of_groups = [
                sorted_without([part[group == number] for part in parts], apart)
                for number in range(len(self._rows))
            ]
            places = [
                np.arange(start, start + len(each[0]))
                for start, each in zip(starts[:-1], of_groups, strict=True)
            ]
            return tuple(np.concatenate(each) for each in zip(*of_groups, strict=True)), np.concatenate(
                places
            )

        return fetched


def _with_leaf(catalyst: Catalyst, plan: Any, place: int, changed: Callable[[Any], Any]) -> Any:
    """A plan with one of its leaves changed, told by its place among them."""
    children = catalyst.items(plan.children())
    if not children:
        return changed(plan)
    for i, child in enumerate(children):
        leaves = int(child.collectLeaves().size())
        if place < leaves:
            children[i] = _with_leaf(catalyst, child, place, changed)
            break
        place -= leaves
    return plan.withNewChildren(catalyst.seq(children))


def _array(column: pa.ChunkedArray) -> Array:
    found: Array = column.to_numpy()
    return found


def _tail(function: Function, numbers: Array, beyond: int) -> Tail | None:
    """Where a function's extreme values begin, told by some of its values; None where there are none."""
    if function.kind == "Count" or not len(numbers):
        return None
    if numbers.dtype.kind == "f" and not np.isfinite(numbers).all():
        raise NotInClosedFormError("some values aren't numbers")
    numbers = np.sort(numbers)
    place = min(beyond, (len(numbers) - 1) // 2)
    low, high = numbers[place].item(), numbers[len(numbers) - 1 - place].item()
    return Tail(low, high, float(np.median(numbers)))


def _beyond(value: str, function: Function, tail: Tail) -> str:
    """Whether a function's value is one of the extreme ones, in SQL."""
    low, high = (_literal(each, function.number) for each in (tail.low, tail.high))
    return f"coalesce(`{value}` < {low} or `{value}` > {high}, false)"


def _literal(number: float, kind: str) -> str:
    """A number that a function takes, in SQL."""
    if kind.startswith("decimal"):
        return f"cast('{number}e-{scale_of(kind)}' as {kind})"
    return f"cast('{number!r}' as {'double' if isinstance(number, float) else 'bigint'})"
