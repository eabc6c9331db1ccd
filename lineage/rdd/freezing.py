"""Functions as they were when Spark took them.

PySpark pickles the functions of a chain when a shuffle or an action is asked for. What they refer to may be
something else when a trace is asked for (k-means assigns its centres anew in every round), so a recording pickles
them, too, at the same moment. Accumulators are left out: a trace mustn't count into the program's own.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from pyspark.accumulators import Accumulator
from pyspark.cloudpickle import CloudPickler
from pyspark.core.broadcast import Broadcast

from bigdebug.lineage.rdd.kinds import SHUFFLING
from bigdebug.lineage.rdd.operator import RddOperator
from bigdebug.lineage.rdd.standins import SilentAccumulator

SHARED = frozenset({"partitionFunc"})
"""Arguments that are told apart by identity: Spark doesn't shuffle again for the same function."""

MOST_BYTES = 16 << 20
"""Functions that refer to more than this aren't kept: that is data, which belongs into an RDD or a broadcast."""


@dataclass(frozen=True)
class Pickled:
    """Arguments as they were.

    Attributes:
        data: the pickle.
        broadcasts: the broadcast variables that it names.
        counting: there were accumulators in it.
    """

    data: bytes
    broadcasts: tuple[Any, ...] = ()
    counting: bool = False

    def thawed(self, stand_in: Callable[[Any], Any] = lambda variable: variable) -> Any:
        """What was pickled, once more.

        Args:
            stand_in: gives what shall stand for a broadcast variable.
        """
        return _Unpickler(self.data, [stand_in(variable) for variable in self.broadcasts]).load()


_silenced: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()
"""By function that is told apart by identity what stands for it; None where it counts nothing."""

Frozen = dict[RddOperator, Pickled]
"""The arguments of operators as they were when Spark took them."""


def frozen_for(operator: RddOperator, given: Frozen) -> Frozen:
    """The functions to use for an operator: those given, unless Spark had taken its own before."""
    if operator not in given and operator.frozen is not None:
        return operator.frozen
    return given


class _Pickler(CloudPickler):  # type: ignore[misc]
    """Pickles as Spark does, but for accumulators and broadcast variables."""

    def __init__(self, file: Any) -> None:
        super().__init__(file)
        self.broadcasts: list[Any] = []
        self.counting = False

    def persistent_id(self, value: Any) -> Any:
        if not isinstance(value, Broadcast):
            return None
        for number, known in enumerate(self.broadcasts):
            if known is value:
                return number
        self.broadcasts.append(value)
        return len(self.broadcasts) - 1

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, Accumulator):
            self.counting = True
            return SilentAccumulator, (value.accum_param.zero(value._value),)
        return super().reducer_override(value)


class _Unpickler(pickle.Unpickler):
    def __init__(self, data: bytes, broadcasts: list[Any]) -> None:
        super().__init__(io.BytesIO(data))
        self._broadcasts = broadcasts

    def persistent_load(self, number: Any) -> Any:
        return self._broadcasts[number]


def pickled(value: Any) -> Pickled:
    """Pickle functions and what they refer to."""
    buffer = io.BytesIO()
    pickler = _Pickler(buffer)
    pickler.dump(value)
    return Pickled(buffer.getvalue(), tuple(pickler.broadcasts), pickler.counting)


def shared_arguments(operator: RddOperator) -> dict[str, Any]:
    """The arguments of an operator that are told apart by identity, without accumulators of the program's."""
    return {name: _silent(value) for name, value in operator.arguments.items() if name in SHARED}


def _silent(function: Any) -> Any:
    try:
        if function not in _silenced:
            taken = pickled(function)
            _silenced[function] = taken.thawed() if taken.counting else None
        return _silenced[function] or function
    except Exception:
        return function  # one that can't be kept by weak reference, or not be pickled


def freeze(operators: Iterable[RddOperator]) -> Frozen:
    """Freeze what Spark takes when RDDs are computed: the functions down to where it has taken them already.

    Args:
        operators: of the RDDs.
    """
    kept = [operator for operator in _not_taken(operators) if operator.inputs and _is_kept(operator)]
    # Computed once and kept: whatever comes later reads what these functions gave. What is below them comes first.
    for operator in sorted(kept, key=lambda each: each.serial):
        operator.frozen = {each: arguments_now(each) for each in [operator, *_not_taken(operator.inputs)]}
    return {operator: arguments_now(operator) for operator in _not_taken(operators)}


def _not_taken(operators: Iterable[RddOperator]) -> list[RddOperator]:
    """The operators from some down to where Spark has taken the functions already."""
    found: dict[RddOperator, None] = {}
    waiting = list(operators)
    while waiting:
        operator = waiting.pop()
        if operator not in found and operator.frozen is None:
            found[operator] = None
            waiting += operator.inputs
    return list(found)


def freeze_made(operator: RddOperator) -> None:
    """Freeze what Spark took when an operator was called, where it takes functions then."""
    if operator.kind in SHUFFLING:
        operator.frozen = {operator: arguments_now(operator), **freeze(operator.inputs)}


def freeze_computed(operator: RddOperator) -> Frozen:
    """Freeze what Spark takes when it computes the very RDD, which it does once for as long as that lives."""
    if operator.computed is None:
        operator.computed = freeze([operator])
    return operator.computed


def _is_kept(operator: RddOperator) -> bool:
    rdd = operator.rdd
    return rdd is not None and bool(rdd.is_cached or rdd.is_checkpointed)


def arguments_now(operator: RddOperator) -> Pickled:
    """The arguments of an operator as they are now, but for those that are told apart by identity."""
    given = {name: value for name, value in operator.arguments.items() if name not in SHARED}
    try:
        found = pickled(given)
    except Exception as error:
        which = next(filter(None, map(_unpicklable, given.values())), "a function")
        operator.problem = (
            f"{operator.described()} has {which} that can't be pickled ({type(error).__name__}: {error})"
        )
        return pickled({})
    if len(found.data) > MOST_BYTES:
        operator.problem = f"{operator.described()} has a function that refers to over 16 MB of data"
        return pickled({})
    return found


def _unpicklable(value: Any) -> str | None:
    """What a function that can't be pickled is called, and where it begins; None of all else."""
    code = getattr(value, "__code__", None)
    if code is None:
        return None
    try:
        pickled({"function": value})
    except Exception:
        name = "a lambda" if value.__name__ == "<lambda>" else f"the function {value.__qualname__}"
        return f"{name} (of {Path(code.co_filename).name}:{code.co_firstlineno})"
    return None
