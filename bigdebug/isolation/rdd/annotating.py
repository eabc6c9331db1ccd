"""The program on a subset of its candidates: its operators, called on local RDDs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pyspark.core.rdd import RDD

from bigdebug.isolation.ranking import CoarseError
from bigdebug.isolation.rdd.copies import copied
from bigdebug.isolation.rdd.local import LocalContext, LocalRdd
from bigdebug.isolation.rdd.lumps import Lumps
from bigdebug.isolation.rdd.partials import COMBINING, MutableError, Partials
from bigdebug.isolation.rdd.points import Chosen, Held, Point
from bigdebug.lineage.rdd import workers
from bigdebug.lineage.rdd.annotator import Annotator, Marks
from bigdebug.lineage.rdd.freezing import SHARED, Frozen, Pickled, frozen_for, pickled, shared_arguments
from bigdebug.lineage.rdd.operator import RddOperator
from bigdebug.lineage.rdd.standins import BroadcastValue

_SMALL = 1 << 16
"""Bytes of a pickle that is opened again for each replay: its functions then keep nothing from one to the next."""

Asked = tuple[RddOperator, int]
"""An operator, and with which functions it is asked for: the identity of these."""


@dataclass
class Material:
    """What all replays share.

    Attributes:
        context: of the local RDDs.
        points: what candidates give where replays begin.
        constants: the RDDs that candidates have no part in, but decide about them.
        shared: the operators that several others read.
        annotator: the trace's, which gave leaves their numbers.
        in_runs: what combines elements by key keeps what runs of them give.
        lumps: by what combines elements what it is given, where much of that is only known together.
        coarse: operators whose elements are therefore not known.
        above: by what combines elements what it is given of all candidates, where that isn't a point.
    """

    context: LocalContext
    points: Mapping[Asked, Point]
    constants: Mapping[Asked, Held]
    shared: frozenset[RddOperator]
    annotator: Annotator
    in_runs: bool = False
    lumps: Mapping[Asked, Lumps] = field(default_factory=dict)
    coarse: frozenset[Asked] = frozenset()
    above: dict[Asked, Point] = field(default_factory=dict)
    _partials: dict[Asked, Partials | None] = field(default_factory=dict)
    _taken: dict[Asked, Pickled] = field(default_factory=dict)
    _opened: dict[Asked, Any] = field(default_factory=dict)
    _broadcast: dict[int, BroadcastValue] = field(default_factory=dict)

    def arguments(self, operator: RddOperator, frozen: Frozen) -> dict[str, Any]:
        """The arguments of an operator, anew for each replay unless they are large."""
        key = operator, id(frozen)
        if key in self._opened:
            found: dict[str, Any] = dict(self._opened[key])
            return found
        if key not in self._taken:
            self._taken[key] = frozen[operator] if operator in frozen else pickled(_own(operator))
        taken = self._taken[key]
        found = taken.thawed(self._stand_in)
        if len(taken.data) > _SMALL:
            self._opened[key] = found
        return found

    def given(self, operator: RddOperator, frozen: Frozen) -> Point | None:
        """What an operator with one input is given of all candidates; None where that isn't known."""
        (below,) = operator.inputs
        return self.points.get((below, id(frozen_for(below, frozen))), self.above.get((operator, id(frozen))))

    def partials(self, operator: RddOperator, frozen: Frozen) -> Partials | None:
        """What is known of runs of the elements that an operator combines; None where nothing is kept."""
        if not self.in_runs or operator.kind not in COMBINING:
            return None
        key = operator, id(frozen)
        if key not in self._partials:
            point = self.given(operator, frozen)
            self._partials[key] = None if point is None else Partials.of(point)
        return self._partials[key]

    def _stand_in(self, variable: Any) -> Any:
        """A broadcast value of our own: a function that changes it must not change the program's."""
        if id(variable) not in self._broadcast:
            self._broadcast[id(variable)] = BroadcastValue(copied(variable.value))
        return self._broadcast[id(variable)]


def _own(operator: RddOperator) -> dict[str, Any]:
    """Its arguments in the program, but for those that are told apart by identity."""
    return {name: value for name, value in operator.arguments.items() if name not in SHARED}


class LocalAnnotator(Annotator):
    """Makes local RDDs of operators, each once.

    Args:
        material: of all replays.
        chosen: the subset of the candidates.
    """

    def __init__(self, material: Material, chosen: Chosen) -> None:
        super().__init__(material.context)
        self._material = material
        self._chosen = chosen

    def leaf(self, operator: RddOperator) -> int:
        return self._material.annotator.leaf(operator)

    def annotated(self, operator: RddOperator, given: Frozen, marks: Marks | None = None) -> Any:
        key = operator, id(frozen_for(operator, given))
        point, constant = self._material.points.get(key), self._material.constants.get(key)
        if point is not None:
            return point.annotated(self.context, self._chosen)
        if constant is not None:
            return _whole(self.context, constant).map(workers.with_no_ids, True)
        self._require_known(key)
        return self._own_copy(operator, super().annotated(operator, given))

    def plain(self, operator: RddOperator, given: Frozen) -> Any:
        key = operator, id(frozen_for(operator, given))
        point, constant = self._material.points.get(key), self._material.constants.get(key)
        if point is not None:
            return point.plain(self.context, self._chosen)
        if constant is not None:
            return _whole(self.context, constant)
        self._require_known(key)
        return self._own_copy(operator, super().plain(operator, given))

    def kept_input(self, operator: RddOperator, given: Frozen) -> Any:
        """The elements that an operator reads: here they come in the same order each time."""
        return self.plain(operator.inputs[0], frozen_for(operator, given))

    def arguments(self, operator: RddOperator, frozen: Frozen) -> dict[str, Any]:
        key = operator, id(frozen)
        if key not in self._arguments:
            self._arguments[key] = {
                **self._material.arguments(operator, frozen),
                **shared_arguments(operator),
            }
        return self._arguments[key]

    # -- inside -------------------------------------------------------------------------------------

    def _require_known(self, key: Asked) -> None:
        if key in self._material.coarse:
            raise CoarseError

    def _own_copy(self, operator: RddOperator, found: LocalRdd) -> LocalRdd:
        """Where several operators read the same elements, each has copies: in Spark, too, it has its own."""
        return found.copied() if operator in self._material.shared else found

    def _own(self, operator: RddOperator) -> Any | None:
        return None

    def _rebuilt(self, operator: RddOperator, frozen: Frozen) -> Any:
        lumps = self._material.lumps.get((operator, id(frozen)))
        if lumps is not None:
            lumped = lumps.rdd(self._material.context, self._chosen)
            return getattr(lumped, operator.kind)(**self.arguments(operator, frozen))
        partials = self._material.partials(operator, frozen)
        first = None if partials is None else partials.rdd(self._material.context, self._chosen)
        if first is not None:
            try:
                return getattr(first, operator.kind)(**self.arguments(operator, frozen))
            except MutableError:
                self._material.in_runs = False
        return super()._rebuilt(operator, frozen)

    def _tally(self, operator: RddOperator) -> None:
        """A subset's records aren't counted."""

    def _function(self, operator: RddOperator, plain: Any, arguments: dict[str, Any]) -> Any:
        if operator.kind == "pipe":
            return workers.by_partition_only(RDD.pipe(_Catching(), **arguments))
        return super()._function(operator, plain, arguments)


class _Catching:
    """Gives the function that PySpark would call with each partition."""

    def mapPartitions(self, function: Callable[[Any], Any]) -> Callable[[Any], Any]:  # noqa: N802
        return function


def _whole(context: LocalContext, held: Held) -> LocalRdd:
    positions = np.arange(len(held))
    return LocalRdd(context, held.split(held.at(positions), positions, compact=False))


def read_by_several(operators: list[RddOperator]) -> frozenset[RddOperator]:
    """The operators that several of some others read, or one of them twice."""
    readers = Counter(below for operator in operators for below in operator.inputs)
    return frozenset(operator for operator, count in readers.items() if count > 1)
