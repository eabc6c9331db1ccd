"""The values that an aggregate took for failing rows, and of any part of their records what is left of them."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyroaring import FrozenBitMap

from bigdebug.isolation.measures import Array, Measure, NotInClosedFormError, Part
from bigdebug.isolation.ranking import CoarseError, Ranking, in_order, ranked
from bigdebug.isolation.shape import Function, Shape
from bigdebug.lineage.catalyst import Catalyst

_FEW = 16
"""Rows are looked up one by one where they are fewer than one in so many."""

_NEARLY = 8
"""Records by which two subsets differ, of which one's rows are made of the other's."""

_RANKED = 1 << 16
"""Candidates that are put in order at once."""

Identity = tuple[int, int]


@dataclass(frozen=True)
class Tail:
    """Where a function's values are extreme in a group.

    Attributes:
        low, high: below the one and above the other every row is known by itself.
        middle: about half of the values are below it.
    """

    low: Any
    high: Any
    middle: float


@dataclass(frozen=True)
class Lump:
    """Records of a group that are known together only.

    Attributes:
        source: place of the source that they are of.
        records: their numbers. In the group's ids the first one stands for all of them.
        rows: so many of the group's rows, the last ones, stand for theirs.
        tails: of each function where its other rows are; None where its values are all alike.
    """

    source: int
    records: FrozenBitMap
    rows: int
    tails: Sequence[Tail | None]

    @property
    def first(self) -> FrozenBitMap:
        """The record that stands for all of them."""
        return FrozenBitMap([self.records.min()])


@dataclass
class Group:
    """The aggregate's input of one failing row.

    Args:
        ids: for each source below the aggregate, of each row the number of its record; -1 where there is none.
        measures: of each function.
        number: of the group.
        is_all: whether all rows are one group.
        lump: what of it is known together only; None where each row is known.

    Attributes:
        candidates: all records.
    """

    ids: Sequence[Array]
    measures: Sequence[Measure]
    number: int
    is_all: bool
    lump: Lump | None = None

    def __post_init__(self) -> None:
        self.size = len(self.ids[0])
        self.slack = [slack for measure in self.measures for slack in measure.slack()]
        self._records = [_bitmap(_distinct(column[column >= 0])) for column in self.ids]
        self._named = FrozenBitMap().union(*self._records)
        self.candidates = self._named if self.lump is None else self._named | self.lump.records
        self._orders = [np.argsort(column, kind="stable") for column in self.ids]
        self._sorted = [column[order] for column, order in zip(self.ids, self._orders, strict=True)]
        self._last = FrozenBitMap(), np.zeros(0, dtype=np.int64)

    def part(self, subset: FrozenBitMap) -> Part:
        """The rows that are there when just some of the candidates are.

        Raises:
            CoarseError: only some of those are there that are known together.
        """
        subset = self._by_name(subset)
        gone = self._named - subset
        if _FEW * len(gone) <= self.size:
            return Part(self._rows_gone(gone), True)
        few = self._with_few(subset)
        if few is not None:
            return Part(few, False)
        # The last place is for rows without a record of some source.
        there = np.zeros(self._named.max() + 2, dtype=bool)
        there[as_array(subset & self._named)] = True
        there[-1] = True
        inside = there[self.ids[0]]
        for column in self.ids[1:]:
            inside &= there[column]
        return Part(np.flatnonzero(inside), False)

    def without(self, number: int) -> Part:
        """The rows that are there when just one of the candidates isn't.

        Raises:
            CoarseError: it is known together with others only.
        """
        if self.lump is not None and number in self.lump.records and len(self.lump.records) > 1:
            raise CoarseError
        return Part(self._rows_of(FrozenBitMap([number])), True)

    def is_empty(self, part: Part) -> bool:
        return len(part.rows) == (self.size if part.left_out else 0)

    def buffers(self, part: Part) -> list[Any]:
        """What the functions' buffers hold after some rows."""
        return [value for measure in self.measures for value in measure.buffer(part)]

    def rankings(self) -> Iterator[Ranking]:
        """Of each source's candidates by the least, the greatest and the furthest values."""
        if self.lump is not None:
            yield from self._rankings_beside(self.lump)
            return
        for column, records in zip(self.ids, self._records, strict=True):
            for measure in self.measures:
                values = measure.values
                there = ~np.isnan(values) & (column >= 0)
                if not there.any():
                    continue
                some, numbers, known = values[there], column[there], records
                if some.min() == some.max():
                    continue
                if not there.all():
                    known = _bitmap(_distinct(numbers))
                for score in (some, -some, -np.abs(some - np.median(some))):
                    yield ranked(numbers, score, known, _RANKED)

    def _rankings_beside(self, lump: Lump) -> Iterator[Ranking]:
        """The beginnings of the same: of the rows that are known by themselves."""
        apart = self.size - lump.rows
        for place, (column, records) in enumerate(zip(self.ids, self._records, strict=True)):
            every = records | lump.records if place == lump.source else records
            for measure, tail in zip(self.measures, lump.tails, strict=True):
                if tail is None:
                    continue
                values, numbers = measure.values[:apart], column[:apart]
                there = ~np.isnan(values) & (numbers >= 0)
                low, high = there & (values < tail.low), there & (values > tail.high)
                far = np.abs(values - tail.middle)
                for some, score in ((low, values), (high, -values), (low | high, -far)):
                    known = _bitmap(_distinct(numbers[some]))
                    order = in_order(numbers[some], score[some], repeated=len(known) < int(some.sum()))
                    yield Ranking(order, known, of_source=every, ends_early=known < every)

    def _by_name(self, subset: FrozenBitMap) -> FrozenBitMap:
        """A subset with the record that stands for those that are known together."""
        if self.lump is None:
            return subset
        there = subset.intersection_cardinality(self.lump.records)
        rest = subset - self.lump.records
        if there == len(self.lump.records):
            return rest | self.lump.first
        if there:
            raise CoarseError
        return rest

    def _with_few(self, subset: FrozenBitMap) -> Array | None:
        """The rows of a subset that has few records of some source; None where it has many of each."""
        for place, records in enumerate(self._records):
            mine = records & subset
            order, column = self._orders[place], self._sorted[place]
            if _FEW * len(mine) > len(records) or column[0] < 0:
                continue
            low, high = (np.searchsorted(column, as_array(mine), side) for side in ("left", "right"))
            rows = np.sort(order[_spans(low, high)])
            for other, known in enumerate(self._records):
                if other != place and not known <= subset:
                    here = self.ids[other][rows]
                    rows = rows[np.isin(here, as_array(known & subset)) | (here < 0)]
            return rows
        return None

    def _rows_gone(self, gone: FrozenBitMap) -> Array:
        """The places of the rows that stand on any of some records.

        Of thousands of records each of which is put back alone, what is known of the last ones is nearly right.
        """
        last, rows = self._last
        if len(self.ids) == 1 and last.symmetric_difference_cardinality(gone) <= _NEARLY:
            back, more = self._rows_of(last - gone), self._rows_of(gone - last)
            rows = np.delete(rows, np.searchsorted(rows, back))
            rows = np.insert(rows, np.searchsorted(rows, more), more)
        else:
            rows = self._rows_of(gone)
        self._last = gone, rows
        return rows

    def _rows_of(self, numbers: FrozenBitMap) -> Array:
        """The places of the rows that stand on any of some records."""
        wanted = as_array(numbers)
        found = []
        for order, column in zip(self._orders, self._sorted, strict=True):
            low, high = (np.searchsorted(column, wanted, side) for side in ("left", "right"))
            found.append(order[_spans(low, high)])
        if len(found) == 1:
            return np.sort(found[0])
        any_of = np.zeros(self.size, dtype=bool)
        for rows in found:
            any_of[rows] = True
        return np.flatnonzero(any_of)


def _spans(low: Array, high: Array) -> Array:
    """The places from each low one up to before its high one."""
    many = high - low
    starts = np.repeat(low - np.concatenate(([0], np.cumsum(many)[:-1])), many)
    places: Array = starts + np.arange(int(many.sum()))
    return places


def as_array(numbers: FrozenBitMap) -> Array:
    """Numbers as an array, going up."""
    return np.frombuffer(numbers.to_array(), dtype=np.uint32).astype(np.int64)


def _distinct(numbers: Array) -> Array:
    """Numbers in their order, each once; those that are in order already, as most are, needn't be sorted."""
    steps = np.diff(numbers)
    if (steps > 0).all():
        return numbers
    if not (steps >= 0).all():
        numbers = np.sort(numbers)
        steps = np.diff(numbers)
    return numbers[np.concatenate(([True], steps > 0))]


def _bitmap(numbers: Array) -> FrozenBitMap:
    """Made of a plain array: that takes a tenth of the time."""
    plain = array("I")
    plain.frombytes(numbers.astype(np.uint32).tobytes())
    return FrozenBitMap(plain)


def fetched(catalyst: Catalyst, function: Function) -> Any:
    """What is fetched of each row for a function: whether it counts, or its number."""
    expressions = catalyst.expressions
    if function.kind == "Count":
        return catalyst.all_of([expressions.IsNotNull(each) for each in function.taken])
    (taken,) = function.taken
    types = catalyst.jvm.org.apache.spark.sql.types
    if function.number.startswith("decimal"):
        return taken
    wanted = "DoubleType" if function.number in ("float", "double") else "LongType"
    return expressions.Cast(
        taken, catalyst.singleton(types, wanted), catalyst.none, expressions.EvalMode.LEGACY()
    )


def groups_of(
    shape: Shape,
    table: pa.Table,
    ids: Sequence[Array],
    rows: Mapping[Identity, int],
) -> Iterator[tuple[Identity, Group]]:
    """The groups of some rows.

    Args:
        shape: of the dataflow.
        table: of each row that the aggregate takes the number of its group, and what its functions take.
        ids: of each source, of each row the number of its record; -1 where it has none.
        rows: and the numbers of their groups.

    Raises:
        NotInClosedFormError: some values have no closed form.
    """
    group = table.column(0).to_numpy()
    columns = [value_column(table.column(1 + i), function) for i, function in enumerate(shape.functions)]
    is_all = bool(shape.aggregate.plan.groupingExpressions().isEmpty())
    for row, number in rows.items():
        mine = np.flatnonzero(group == number)
        measures = [
            function.measure(numbers[mine], there[mine])
            for function, (numbers, there) in zip(shape.functions, columns, strict=True)
        ]
        yield row, Group([each[mine] for each in ids], measures, number, is_all)


def value_column(column: pa.ChunkedArray, function: Function) -> tuple[Array, Array]:
    """Of what a function takes the numbers, and where there are any; decimals as multiples of their last digit."""
    there = column.is_valid().to_numpy()
    if function.kind == "Count":
        counted = pc.fill_null(column, False).to_numpy()
        return counted, counted
    if pa.types.is_decimal(column.type):
        shifted = [
            None if value is None else int(value.scaleb(column.type.scale)) for value in column.to_pylist()
        ]
        try:
            return np.array([value or 0 for value in shifted], dtype=np.int64), there
        except OverflowError:
            raise NotInClosedFormError("a decimal is longer than a long") from None
    return pc.fill_null(column, 0).to_numpy(), there
