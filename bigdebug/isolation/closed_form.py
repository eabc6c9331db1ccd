"""What becomes of failing rows in any part of the candidates, without running the pipeline.

Of an aggregate with a closed form the values that its functions took are fetched once; of any part of them it is then
told what the functions' buffers hold, and Spark's own expressions make the row of it, on the driver, without a job.

The influence of single records is that of leaving one out, as in "Prism" (SoCC 2026).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from functools import cached_property, partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from py4j.protocol import Py4JJavaError
from pyroaring import FrozenBitMap
from pyspark.errors import PySparkException
from pyspark.sql import functions as F

from bigdebug.isolation.measures import Array, Measure, NotInClosedFormError, Part
from bigdebug.isolation.search import Outcome
from bigdebug.isolation.shape import Function, Shape, shape_of
from bigdebug.lineage.annotate import Annotator
from bigdebug.lineage.barrier import is_session_window
from bigdebug.lineage.catalyst import Catalyst, class_name, fresh_name
from bigdebug.lineage.identity import SourceLeaf
from bigdebug.lineage.keys import hashed_key
from bigdebug.lineage.operators import Operator
from bigdebug.lineage.segments import local_relation

MOST_ROWS = 4_000_000
"""Of so many candidates the values are fetched at most."""
_FEW = 16
"""Rows are looked up one by one where they are fewer than one in so many."""
_TOGETHER = 4_096
"""Rows that Spark's expressions are given at once."""

Identity = tuple[int, int]


@dataclass(frozen=True)
class Told:
    """What becomes of a row in a part of the candidates.

    Attributes:
        outcome: of the row.
        sure: whether it is so however Spark's sums are rounded.
        observed: the number that the row is judged by; None where there is none.
    """

    outcome: Outcome
    sure: bool
    observed: float | None


class ClosedForm:
    """The failing rows of a dataflow whose outcomes can be told in closed form.

    Args:
        catalyst: of the pinned session.
        shape: of the dataflow.
        failing: a resolved condition over its columns.
        groups: by row, the values that its aggregate took.
    """

    def __init__(
        self, catalyst: Catalyst, shape: Shape, failing: Any, groups: Mapping[Identity, Group]
    ) -> None:
        self._catalyst = catalyst
        self._shape = shape
        self._failing = failing
        self._groups = groups
        self.count = 0

    def candidates(self, row: Identity) -> FrozenBitMap:
        """The numbers of the records that a row comes from."""
        return self._groups[row].candidates

    def orders(self, row: Identity) -> list[Array]:
        """Orders of a row's candidates in which to suspect them: the most extreme values first."""
        return list(self._groups[row].orders())

    def outcomes(self, row: Identity, subsets: Sequence[FrozenBitMap]) -> list[Outcome]:
        """What becomes of a row in each subset of the candidates."""
        return [told.outcome for told in self.told(row, subsets)]

    def told(self, row: Identity, subsets: Sequence[FrozenBitMap]) -> list[Told]:
        """The same, and how sure it is."""
        group = self._groups[row]
        step = max(_TOGETHER // (1 + 2 * sum(1 for slack in group.slack if slack)), 1)
        found: list[Told] = []
        for first in range(0, len(subsets), step):
            found += self._evaluated(group, subsets[first : first + step])
        self.count += len(subsets)
        return found

    def influence(self, row: Identity, numbers: Sequence[int]) -> list[float | None]:
        """By how much each record alone changes what the row is judged by: with it, less without it."""
        everything = self.candidates(row)
        whole, *without = self.told(row, [everything, *(everything - FrozenBitMap([n]) for n in numbers)])
        return [
            None if whole.observed is None or told.observed is None else whole.observed - told.observed
            for told in without
        ]

    # -- inside -------------------------------------------------------------------------------------

    @cached_property
    def _buffers(self) -> list[Any]:
        return [attribute for function in self._shape.functions for attribute in function.buffer]

    def _evaluated(self, group: Group, subsets: Sequence[FrozenBitMap]) -> list[Told]:
        parts = [group.part(subset) for subset in subsets]
        empty = [group.is_empty(part) for part in parts]
        # Without rows there is no group, unless all rows are one.
        there = [i for i, is_empty in enumerate(empty) if not is_empty or group.is_all]
        found: dict[int, Told] = {}
        self._evaluate(group, {i: group.buffers(parts[i]) for i in there}, found)
        nothing = Told(Outcome.ABSENT, True, None)
        return [found.get(i, nothing) for i in range(len(parts))]

    def _evaluate(self, group: Group, buffers: dict[int, list[Any]], found: dict[int, Told]) -> None:
        if not buffers:
            return
        wanted: list[list[Any]] = []
        numbers: list[int] = []
        for number, buffer in buffers.items():
            for variant in _variants(buffer, group.slack):
                wanted.append(variant)
                numbers.append(number)
        try:
            rows = self._rows(group, wanted)
        except (PySparkException, Py4JJavaError):
            if len(buffers) == 1:
                found.update(dict.fromkeys(buffers, Told(Outcome.UNRESOLVED, True, None)))
                return
            keys = list(buffers)
            for half in (keys[: len(keys) // 2], keys[len(keys) // 2 :]):
                self._evaluate(group, {key: buffers[key] for key in half}, found)
            return
        absent = (Outcome.ABSENT, None)
        for place, number in enumerate(numbers):
            outcome, observed = rows.get(place, absent)
            if number not in found:
                found[number] = Told(outcome, True, observed)
            elif found[number].outcome is not outcome:
                found[number] = Told(found[number].outcome, False, found[number].observed)

    def _rows(
        self, group: Group, buffers: Sequence[Sequence[Any]]
    ) -> dict[int, tuple[Outcome, float | None]]:
        """By place, what becomes of the row after each of some buffers."""
        catalyst = self._catalyst
        columns = [pa.array(range(len(buffers)), pa.int64())]
        names = ["place"]
        for i, kind in enumerate(self._kinds):
            columns.append(pa.array([_typed(buffer[i], kind) for buffer in buffers], kind))
            names.append(f"b{i}")
        given = catalyst.analyzed(catalyst.spark.createDataFrame(pa.table(columns, names=names)))
        if class_name(given) != "LocalRelation":
            raise NotInClosedFormError("Spark doesn't hold the buffers itself")
        plan = local_relation(catalyst, self._given, given.data())
        for made in self._steps(group):
            plan = made(plan)
        found = catalyst.frame(plan).collect()
        return {row[0]: (Outcome.FAILED if row[1] else Outcome.PASSED, row[2]) for row in found}

    @cached_property
    def _place(self) -> Any:
        zero = self._catalyst.singleton(self._catalyst.expressions, "Literal").apply(0)
        return self._catalyst.alias(self._catalyst.as_long(zero), fresh_name("place")).toAttribute()

    @cached_property
    def _given(self) -> Any:
        """What the buffers are given as: a number for each, and what it holds."""
        return self._catalyst.seq([self._place, *self._buffers])

    @cached_property
    def _kinds(self) -> list[pa.DataType]:
        return [_arrow_type(str(attribute.dataType().catalogString())) for attribute in self._buffers]

    def _steps(self, group: Group) -> list[Callable[[Any], Any]]:
        """From a plan of buffers to one of their numbers, whether the row fails, and what it is judged by."""
        if group.steps:
            return group.steps
        catalyst, project = self._catalyst, self._catalyst.logical.Project
        functions = iter(self._shape.functions)
        made = [
            self._of_buffers(column, functions, group.key)
            for column in catalyst.items(self._shape.aggregate.plan.aggregateExpressions())
        ]
        steps: list[Callable[[Any], Any]] = [partial(project, catalyst.seq([self._place, *made]))]
        for operator in reversed(self._shape.above):
            if operator.kind == "Project":
                steps.append(partial(project, catalyst.extended(operator.plan.projectList(), [self._place])))
            elif operator.kind == "Filter":
                steps.append(partial(catalyst.filter, operator.plan.condition()))
        fails = catalyst.alias(self._failing, fresh_name("fails"))
        observed = catalyst.alias(self._observed(), fresh_name("observed"))
        steps.append(partial(project, catalyst.seq([self._place, fails, observed])))
        group.steps = steps
        return steps

    def _of_buffers(self, expression: Any, functions: Iterator[Function], key: Mapping[int, Any]) -> Any:
        """An expression over the aggregate's groups, as one over the functions' buffers and the group's key."""
        catalyst = self._catalyst
        if class_name(expression) == "AggregateExpression":
            return next(functions).result
        for place, grouping in enumerate(catalyst.items(self._shape.aggregate.plan.groupingExpressions())):
            if expression.semanticEquals(grouping):
                if class_name(expression) == "AttributeReference":
                    return catalyst.alias(key[place], str(expression.name()), expression.exprId())
                return key[place]
        below = catalyst.items(expression.children())
        if not below:
            return expression
        changed = []
        for child in below:
            made = self._of_buffers(child, functions, key)
            changed.append(
                made.child() if class_name(made) == "Alias" and class_name(child) != "Alias" else made
            )
        return expression.withNewChildren(catalyst.seq(changed))

    def _observed(self) -> Any:
        """The number that the condition speaks of, as a floating-point one; null where there is none."""
        catalyst = self._catalyst
        double = catalyst.singleton(catalyst.jvm.org.apache.spark.sql.types, "DoubleType")
        numeric = "org.apache.spark.sql.types.NumericType"
        mentioned = catalyst.items(self._failing.references().toSeq())
        for attribute in mentioned:
            if catalyst.is_instance(attribute.dataType(), numeric):
                return catalyst.expressions.Cast(
                    attribute, double, catalyst.none, catalyst.expressions.EvalMode.LEGACY()
                )
        return catalyst.null(double)


@dataclass
class Group:
    """The aggregate's input of one failing row.

    Args:
        ids: for each source below the aggregate, of each row the number of its record; -1 where there is none.
        measures: of each function.
        key: by place of the grouping expressions, the group's value as a JVM literal.
        is_all: whether all rows are one group.
    """

    ids: Sequence[Array]
    measures: Sequence[Measure]
    key: Mapping[int, Any]
    is_all: bool

    def __post_init__(self) -> None:
        self.steps: list[Callable[[Any], Any]] = []
        self.size = len(self.ids[0])
        self._all_of_records = len(self.ids) == 1 and bool((self.ids[0] >= 0).all())
        self.slack = [slack for measure in self.measures for slack in measure.slack()]
        numbers = [np.unique(column[column >= 0]).astype(np.uint32) for column in self.ids]
        self.candidates = FrozenBitMap().union(*(FrozenBitMap(each) for each in numbers))
        self._orders = [np.argsort(column, kind="stable") for column in self.ids]
        self._sorted = [column[order] for column, order in zip(self.ids, self._orders, strict=True)]

    def part(self, subset: FrozenBitMap) -> Part:
        """The rows that are there when just some of the candidates are."""
        gone = self.candidates - subset
        if _FEW * len(gone) <= self.size:
            return Part(self._rows_of(gone), True)
        if len(self.ids) == 1 and _FEW * len(subset) <= self.size and self._all_of_records:
            return Part(self._rows_of(subset), False)
        # The last place is for rows without a record of some source.
        there = np.zeros(self.candidates.max() + 2, dtype=bool)
        there[_as_array(subset)] = True
        there[-1] = True
        inside = there[self.ids[0]]
        for column in self.ids[1:]:
            inside &= there[column]
        return Part(np.flatnonzero(inside), False)

    def is_empty(self, part: Part) -> bool:
        return len(part.rows) == (self.size if part.left_out else 0)

    def buffers(self, part: Part) -> list[Any]:
        """What the functions' buffers hold after some rows."""
        return [value for measure in self.measures for value in measure.buffer(part)]

    def orders(self) -> Iterator[Array]:
        """Numbers of the candidates of each source by the least, the greatest and the furthest values."""
        for column in self.ids:
            for measure in self.measures:
                values = measure.values
                there = ~np.isnan(values) & (column >= 0)
                if not there.any():
                    continue
                some, numbers = values[there], column[there]
                if some.min() == some.max():
                    continue
                for score in (some, -some, -np.abs(some - np.median(some))):
                    order = np.argsort(score, kind="stable")
                    yield _first_of_each(numbers[order]).astype(np.uint32)

    def _rows_of(self, numbers: FrozenBitMap) -> Array:
        """The places of the rows that stand on any of some records."""
        wanted = _as_array(numbers)
        found = []
        for order, column in zip(self._orders, self._sorted, strict=True):
            low, high = np.searchsorted(column, wanted, "left"), np.searchsorted(column, wanted, "right")
            many = high - low
            starts = np.repeat(low - np.concatenate(([0], np.cumsum(many)[:-1])), many)
            found.append(order[starts + np.arange(int(many.sum()))])
        if len(found) == 1:
            return np.sort(found[0])
        any_of = np.zeros(self.size, dtype=bool)
        for rows in found:
            any_of[rows] = True
        return np.flatnonzero(any_of)


def _as_array(numbers: FrozenBitMap) -> Array:
    return np.frombuffer(numbers.to_array(), dtype=np.uint32).astype(np.int64)


def _first_of_each(numbers: Array) -> Array:
    """Numbers, each where it stands first."""
    _, first = np.unique(numbers, return_index=True)
    kept: Array = numbers[np.sort(first)]
    return kept


def _variants(buffer: list[Any], slack: Sequence[float]) -> Iterator[list[Any]]:
    """A buffer, and what it may be instead."""
    yield buffer
    for place, off in enumerate(slack):
        if off and buffer[place] is not None:
            for value in (buffer[place] - off, buffer[place] + off):
                yield [*buffer[:place], value, *buffer[place + 1 :]]


# -- how it is made ----------------------------------------------------------------------------------


def closed_form(
    catalyst: Catalyst,
    root: Operator,
    sources: Mapping[Operator, SourceLeaf],
    failing: Any,
    rows: Sequence[Identity],
) -> ClosedForm | None:
    """The closed form of failing rows; None where they have none.

    Args:
        catalyst: of the pinned session.
        root: the dataflow over nothing but the candidates, whose ids are their numbers.
        sources: its sources.
        failing: a resolved condition over its columns.
        rows: the failing rows, by the hash of their group's key.
    """
    shape = shape_of(catalyst, root)
    if shape is None:
        return None
    grouping = catalyst.items(shape.aggregate.plan.groupingExpressions())
    below = Annotator(catalyst, sources).annotate(shape.aggregate.child)
    if not below.ids or not all(isinstance(column.origin, SourceLeaf) for column in below.ids):
        return None
    if any(map(is_session_window, grouping)):
        return None
    taken = [_fetched(catalyst, function) for function in shape.functions]
    key = catalyst.alias(
        catalyst.struct((str(i), each) for i, each in enumerate(grouping)), fresh_name("key")
    )
    hashes = [catalyst.alias(each, fresh_name("hash")) for each in hashed_key(catalyst, grouping)]
    named = [catalyst.alias(each, fresh_name("taken")) for each in taken]
    plan = catalyst.project([*(column.id for column in below.ids), *hashes, *named, key], below.plan)
    frame = catalyst.frame(plan)
    one, two = frame.columns[len(below.ids) : len(below.ids) + 2]
    frame = frame.where(F.col(one).isin([row[0] for row in rows]))
    table = frame.drop(frame.columns[-1]).toArrow()
    keys = _keys(catalyst, frame, one, two) if grouping else {}
    try:
        groups = dict(_groups(shape, table, len(below.ids), rows, keys))
    except NotInClosedFormError:
        return None
    return ClosedForm(catalyst, shape, failing, groups) if len(groups) == len(rows) else None


def _fetched(catalyst: Catalyst, function: Function) -> Any:
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


def _keys(catalyst: Catalyst, frame: Any, one: str, two: str) -> dict[Identity, dict[int, Any]]:
    """The groups' keys as literals, which never pass through Python."""
    key = frame.columns[-1]
    plan = catalyst.analyzed(frame.groupBy(one, two).agg(F.first(key)))
    kind = plan.output().last().dataType()
    found = {}
    for row in catalyst.rows(plan):
        struct = row.getStruct(2, kind.length())
        literal = catalyst.expressions.Literal(struct, kind)
        parts = {i: catalyst.field(literal, i) for i in range(kind.length())}
        found[row.getLong(0), row.getLong(1)] = parts
    return found


def _groups(
    shape: Shape,
    table: pa.Table,
    sources: int,
    rows: Sequence[Identity],
    keys: Mapping[Identity, dict[int, Any]],
) -> Iterator[tuple[Identity, Group]]:
    table = table.combine_chunks()
    one, two = (table.column(sources + i).to_numpy() for i in (0, 1))
    ids = [pc.fill_null(table.column(i), -1).to_numpy() for i in range(sources)]
    columns = [_column(table.column(sources + 2 + i), function) for i, function in enumerate(shape.functions)]
    is_all = not keys
    for row in rows:
        mine = np.flatnonzero((one == row[0]) & (two == row[1]))
        if not len(mine):
            return
        measures = [
            function.measure(numbers[mine], there[mine])
            for function, (numbers, there) in zip(shape.functions, columns, strict=True)
        ]
        yield row, Group([each[mine] for each in ids], measures, keys.get(row, {}), is_all)


def _column(column: pa.ChunkedArray, function: Function) -> tuple[Array, Array]:
    """Numbers, and where there are any; decimals as multiples of their last digit."""
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


def _arrow_type(kind: str) -> pa.DataType:
    if kind.startswith("decimal"):
        precision, scale = kind[len("decimal(") : -1].split(",")
        return pa.decimal128(int(precision), int(scale))
    named = {
        "tinyint": pa.int8(),
        "smallint": pa.int16(),
        "int": pa.int32(),
        "bigint": pa.int64(),
        "float": pa.float32(),
        "double": pa.float64(),
        "boolean": pa.bool_(),
    }
    return named[kind]


def _typed(value: Any, kind: pa.DataType) -> Any:
    if value is None:
        return None
    if pa.types.is_decimal(kind):
        return Decimal(value).scaleb(-kind.scale, Context(prec=kind.precision))
    if pa.types.is_boolean(kind):
        return bool(value)
    return float(value) if pa.types.is_floating(kind) else int(value)
