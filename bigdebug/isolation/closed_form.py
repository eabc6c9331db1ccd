"""What becomes of failing rows in any part of the candidates, without running the pipeline.

Of an aggregate with a closed form the values that its functions took are fetched once; of any part of them it is then
told what the functions' buffers hold, and Spark's own expressions make the row of it, on the driver, without a job.

The influence of single records is that of leaving one out, as in "Prism" (SoCC 2026).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Context, Decimal
from functools import cached_property, partial
from itertools import islice
from typing import Any

import pyarrow as pa
from py4j.protocol import Py4JJavaError
from pyroaring import FrozenBitMap
from pyspark.errors import PySparkException

from bigdebug.isolation.groups import Group, Identity
from bigdebug.isolation.measures import Part
from bigdebug.isolation.ranking import Ranking
from bigdebug.isolation.search import Outcome
from bigdebug.isolation.sending import Sending
from bigdebug.isolation.shape import Function, Shape
from bigdebug.lineage.catalyst import Catalyst, class_name, fresh_name
from bigdebug.lineage.segments import RowSet, local_relation

_ROUNDED = 1e-6
"""How far two sums may be apart, relatively, whose numbers were added up in different orders."""
_TOGETHER = 4_096
"""Rows that Spark's expressions are given at once."""

_Buffered = tuple[Group, list[Any]]


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
        keys: JVM literal: the groups' keys, an array of structs in the order of the groups' numbers.
    """

    def __init__(
        self, catalyst: Catalyst, shape: Shape, failing: Any, groups: Mapping[Identity, Group], keys: Any
    ) -> None:
        self._keys = keys
        self._catalyst = catalyst
        self._shape = shape
        self._failing = failing
        self._groups = groups

    def candidates(self, row: Identity) -> FrozenBitMap:
        """The numbers of the records that a row comes from."""
        return self._groups[row].candidates

    def rankings(self, row: Identity) -> list[Ranking]:
        """Of a row's candidates, the most extreme values first."""
        return list(self._groups[row].rankings())

    def is_exact(self, row: Identity) -> bool:
        """Whether no rounding can decide about a row, whatever part of its candidates is there."""
        return not any(self._groups[row].slack)

    def gives(self, rows: Mapping[Identity, Mapping[str, Any]]) -> bool:
        """Whether all candidates of each row together give what it is, as far as it is judged by a number.

        Args:
            rows: that fail, and their columns in their order.
        """
        if self._judged_by is None:
            return False
        _, judged = self._judged_by
        told = self.told([(row, self.candidates(row)) for row in rows])
        for (row, value), here in zip(rows.items(), told, strict=True):
            known = list(value.values())[judged]
            if here.outcome is not Outcome.FAILED or here.observed is None or known is None:
                return False
            off = 0.0 if self.is_exact(row) else _ROUNDED
            if not math.isclose(here.observed, float(known), rel_tol=off):
                return False
        return True

    def outcomes(self, wanted: Sequence[tuple[Identity, FrozenBitMap]]) -> list[Outcome]:
        """What becomes of rows, each in a subset of the candidates."""
        return [told.outcome for told in self.told(wanted)]

    def told(self, wanted: Sequence[tuple[Identity, FrozenBitMap]]) -> list[Told]:
        """The same, and how sure it is."""
        return self._told((row, self._groups[row].part(subset)) for row, subset in wanted)

    def influences(self, asked: Mapping[Identity, Sequence[int]]) -> dict[Identity, dict[int, float | None]]:
        """By how much each record alone changes what its row is judged by: with it, less without it.

        Args:
            asked: by row the numbers of records.
        """
        wanted: list[tuple[Identity, Part]] = []
        for row, numbers in asked.items():
            group = self._groups[row]
            wanted += [(row, group.part(group.candidates)), *((row, group.without(n)) for n in numbers)]
        told = iter(self._told(wanted))
        found: dict[Identity, dict[int, float | None]] = {}
        for row, numbers in asked.items():
            whole = next(told).observed
            without = [next(told).observed for _ in numbers]
            found[row] = {
                n: None if whole is None or less is None else whole - less
                for n, less in zip(numbers, without, strict=True)
            }
        return found

    # -- inside -------------------------------------------------------------------------------------

    @cached_property
    def _buffers(self) -> list[Any]:
        return [attribute for function in self._shape.functions for attribute in function.buffer]

    def _told(self, wanted: Iterable[tuple[Identity, Part]]) -> list[Told]:
        parts = iter(wanted)
        found: list[Told] = []
        while some := list(islice(parts, _TOGETHER)):
            found += self._evaluated(some)
        return found

    def _evaluated(self, wanted: Sequence[tuple[Identity, Part]]) -> list[Told]:
        buffers: dict[int, _Buffered] = {}
        for place, (row, part) in enumerate(wanted):
            group = self._groups[row]
            # Without rows there is no group, unless all rows are one.
            if group.is_all or not group.is_empty(part):
                buffers[place] = (group, group.buffers(part))
        found: dict[int, Told] = {}
        self._evaluate(buffers, found)
        nothing = Told(Outcome.ABSENT, True, None)
        return [found.get(place, nothing) for place in range(len(wanted))]

    def _evaluate(self, buffers: dict[int, _Buffered], found: dict[int, Told]) -> None:
        if not buffers:
            return
        given: list[list[Any]] = []
        places: list[int] = []
        for place, (group, buffer) in buffers.items():
            for variant in _variants(buffer, group.slack):
                given.append([group.number, *variant])
                places.append(place)
        try:
            rows = self._rows(given)
        except (PySparkException, Py4JJavaError):
            if len(buffers) == 1:
                found.update(dict.fromkeys(buffers, Told(Outcome.UNRESOLVED, True, None)))
                return
            keys = list(buffers)
            for half in (keys[: len(keys) // 2], keys[len(keys) // 2 :]):
                self._evaluate({key: buffers[key] for key in half}, found)
            return
        absent = (Outcome.ABSENT, None)
        for number, place in enumerate(places):
            outcome, observed = rows.get(number, absent)
            if place not in found:
                found[place] = Told(outcome, True, observed)
            elif found[place].outcome is not outcome:
                found[place] = Told(found[place].outcome, False, found[place].observed)

    def _rows(self, given: Sequence[Sequence[Any]]) -> dict[int, tuple[Outcome, float | None]]:
        """By place, what becomes of a row whose group has some number after some buffers."""
        catalyst = self._catalyst
        kinds = [pa.int64(), *self._kinds]
        columns = [pa.array(range(len(given)), pa.int64())]
        columns += [pa.array([_typed(row[i], kind) for row in given], kind) for i, kind in enumerate(kinds)]
        names = [f"c{i}" for i in range(len(columns))]
        plan = self._sending.plan(pa.record_batch(columns, names=names))
        if class_name(plan) == "LocalRelation":
            plan = local_relation(catalyst, self._given_as, plan.data())
        else:
            renamed = catalyst.named_as(catalyst.output(plan), catalyst.items(self._given_as))
            plan = catalyst.project(renamed, plan)
        for made in self._steps:
            plan = made(plan)
        return {
            place: (Outcome.FAILED if fails else Outcome.PASSED, observed)
            for place, fails, observed in self._worked_out(plan)
        }

    def _worked_out(self, plan: Any) -> Iterator[tuple[int, bool | None, float | None]]:
        """The rows of a plan of some that are at hand."""
        catalyst = self._catalyst
        optimizer = catalyst.jvm.org.apache.spark.sql.catalyst.optimizer
        working_out, worked = catalyst.singleton(optimizer, "ConvertToLocalRelation"), plan
        # Some expressions must be made others before they can be worked out.
        with suppress(PySparkException, Py4JJavaError):
            for _ in self._steps:  # the lowest one each time
                worked = working_out.apply(worked)
        if class_name(worked) != "LocalRelation":
            yield from map(tuple, catalyst.frame(plan).collect())
            return
        # As Spark's optimizer would do; the rest of a query takes as long once more.
        rows = RowSet(catalyst, worked, 0, True)
        for text in rows.texts(catalyst.output(worked)):
            place, fails, observed = text.split(",")
            yield int(place), fails == "true", None if observed == "null" else float(observed)

    def _number(self, name: str) -> Any:
        """A new attribute for whole numbers."""
        zero = self._catalyst.literal(0)
        return self._catalyst.alias(self._catalyst.as_long(zero), fresh_name(name)).toAttribute()

    @cached_property
    def _sending(self) -> Sending:
        return Sending(self._catalyst)

    @cached_property
    def _place(self) -> Any:
        return self._number("place")

    @cached_property
    def _group(self) -> Any:
        return self._number("group")

    @cached_property
    def _given_as(self) -> Any:
        """What is given of each row: its place, its group, and what the functions' buffers hold."""
        return self._catalyst.seq([self._place, self._group, *self._buffers])

    @cached_property
    def _kinds(self) -> list[pa.DataType]:
        return [_arrow_type(str(attribute.dataType().catalogString())) for attribute in self._buffers]

    @cached_property
    def _steps(self) -> list[Callable[[Any], Any]]:
        """From a plan of buffers to one of their places, whether the row fails, and what it is judged by."""
        catalyst, project = self._catalyst, self._catalyst.logical.Project
        functions = iter(self._shape.functions)
        made = [
            self._of_buffers(column, functions)
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
        return steps

    def _of_buffers(self, expression: Any, functions: Iterator[Function]) -> Any:
        """An expression over the aggregate's groups, as one over the functions' buffers and the group's key."""
        catalyst = self._catalyst
        if class_name(expression) == "AggregateExpression":
            return next(functions).result
        for place, grouping in enumerate(catalyst.items(self._shape.aggregate.plan.groupingExpressions())):
            if expression.semanticEquals(grouping):
                part = catalyst.field(self._key, place)
                if class_name(expression) == "AttributeReference":
                    return catalyst.alias(part, str(expression.name()), expression.exprId())
                return part
        below = catalyst.items(expression.children())
        if not below:
            return expression
        changed = []
        for child in below:
            made = self._of_buffers(child, functions)
            changed.append(
                made.child() if class_name(made) == "Alias" and class_name(child) != "Alias" else made
            )
        return expression.withNewChildren(catalyst.seq(changed))

    @cached_property
    def _key(self) -> Any:
        """The key of a row's group, as a struct."""
        return self._catalyst.expressions.GetArrayItem(self._keys, self._group, False)

    @cached_property
    def _judged_by(self) -> tuple[Any, int] | None:
        """The first number that the condition speaks of: its attribute, and its place among the columns."""
        catalyst = self._catalyst
        top = self._shape.above[0] if self._shape.above else self._shape.aggregate
        places = {catalyst.attribute_key(each): i for i, each in enumerate(catalyst.output(top.plan))}
        numeric = "org.apache.spark.sql.types.NumericType"
        for attribute in catalyst.items(self._failing.references().toSeq()):
            if catalyst.is_instance(attribute.dataType(), numeric):
                return attribute, places[catalyst.attribute_key(attribute)]
        return None

    def _observed(self) -> Any:
        """The number that a row is judged by, as a floating-point one; null where there is none."""
        catalyst = self._catalyst
        double = catalyst.singleton(catalyst.jvm.org.apache.spark.sql.types, "DoubleType")
        if self._judged_by is None:
            return catalyst.null(double)
        attribute, _ = self._judged_by
        legacy = catalyst.expressions.EvalMode.LEGACY()
        return catalyst.expressions.Cast(attribute, double, catalyst.none, legacy)


def _variants(buffer: list[Any], slack: Sequence[float]) -> Iterator[list[Any]]:
    """A buffer, and what it may be instead."""
    yield buffer
    for place, off in enumerate(slack):
        if off and buffer[place] is not None:
            for value in (buffer[place] - off, buffer[place] + off):
                yield [*buffer[:place], value, *buffer[place + 1 :]]


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
