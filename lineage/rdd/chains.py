"""Chains: operators one over the other that each call a function with one element at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bigdebug.lineage.rdd.freezing import Frozen, frozen_for
from bigdebug.lineage.rdd.kinds import RECORD_WISE
from bigdebug.lineage.rdd.operator import RddOperator

if TYPE_CHECKING:
    from bigdebug.lineage.rdd.annotator import Annotator


@dataclass(frozen=True)
class Chain:
    """A chain, which may be of no operator at all.

    Attributes:
        bottom: the operator whose elements the first one reads.
        frozen: the functions that the bottom is given.
        operators: from the bottom up, each with the functions that it is given.
    """

    bottom: RddOperator
    frozen: Frozen
    operators: tuple[tuple[RddOperator, Frozen], ...]

    def over(self, elements: Any, annotator: Annotator) -> Any:
        """What the chain makes of an RDD of the bottom's elements."""
        for operator, frozen in self.operators:
            elements = getattr(elements, operator.kind)(**annotator.arguments(operator, frozen))
        return elements


def chain_below(top: RddOperator, frozen: Frozen) -> Chain:
    """The longest chain that ends with an operator.

    Args:
        top: the operator.
        frozen: the functions that it is given.
    """
    operators: list[tuple[RddOperator, Frozen]] = []
    while top.kind in RECORD_WISE and len(top.inputs) == 1:
        frozen = frozen_for(top, frozen)
        operators.append((top, frozen))
        (top,) = top.inputs
    return Chain(top, frozen, tuple(reversed(operators)))
