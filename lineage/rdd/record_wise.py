"""Functions of whole partitions that users declare to go record by record. Loads no Spark."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.rdd.kinds import OPAQUE
from bigdebug.lineage.rdd.operator import RddOperator

_DECLARED = "bigdebug_record_wise"

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


def record_wise(function: FunctionT) -> FunctionT:
    """Declare that a function of whole partitions goes record by record: a decorator.

    For functions given to `mapPartitions` and `mapPartitionsWithIndex` of which each element that they give stems
    from the one element that they read last before, as of a generator that opens a connection and then looks up
    one element after the other. Traces through them are exact then, and not to all that was read before. The
    function itself comes back, so that Spark's workers need not have bigdebug.

    Only the function's author knows whether that is so. What shows that it isn't is refused when a trace runs it:
    an element that is given before one was read, or after the end of the partition (as by a function that
    gathers elements and gives the last ones at the end).

    Args:
        function: of a partition, or of its number and it.

    Raises:
        BigDebugError: it takes no attribute, as functions written in C don't.
    """
    try:
        setattr(function, _DECLARED, True)
    except AttributeError:
        raise BigDebugError(
            f"{function!r} can't be declared record-wise, for it takes no attributes",
            hint="declare a function written in Python that calls it",
        ) from None
    return function


def declared_as(function: Any, other: FunctionT) -> FunctionT:
    """Another function, declared record-wise if one is."""
    return record_wise(other) if getattr(function, _DECLARED, False) else other


def is_declared(operator: RddOperator) -> bool:
    """Whether an operator calls a function of whole partitions that goes record by record."""
    return operator.kind in OPAQUE and bool(getattr(operator.arguments.get("f"), _DECLARED, False))


def is_opaque(operator: RddOperator) -> bool:
    """Whether only its function knows what an operator made an element of."""
    return operator.kind in OPAQUE and not is_declared(operator)
