"""RDDs that were made before a policy was set, made once more with guards: for the actions that come after."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bigdebug.lineage.rdd.annotator import Annotator
from bigdebug.lineage.rdd.freezing import Frozen
from bigdebug.lineage.rdd.kinds import UNKNOWN
from bigdebug.lineage.rdd.operator import RddOperator

Made = Callable[[RddOperator, Any, dict[str, Any]], Any | None]
"""Gives the RDD of an operator with a guard, of its input's RDD and its arguments; None where nothing is guarded."""


class Rebuilding(Annotator):
    """Makes RDDs once more, with guards where the program has none. What has none to get stays the program's own.

    Args:
        context: the SparkContext.
        lacks_guard: whether an operator has to be guarded, and isn't.
        guarded: makes the RDD of such an operator.
    """

    def __init__(self, context: Any, lacks_guard: Callable[[RddOperator], bool], guarded: Made) -> None:
        super().__init__(context)
        self._lacks_guard = lacks_guard
        self._guarded = guarded

    def can(self, operator: RddOperator) -> bool:
        """Whether there is something to guard, and all of it can be made once more."""
        every = list(operator.walk())
        if any(each.kind == UNKNOWN or each.problem for each in every):
            return False
        return any(map(self._lacks_guard, every))

    def _own(self, operator: RddOperator) -> Any | None:
        return None if any(map(self._lacks_guard, operator.walk())) else operator.rdd

    def _rebuilt(self, operator: RddOperator, frozen: Frozen) -> Any:
        made = None
        if self._lacks_guard(operator):
            below = self.plain(operator.inputs[0], frozen)
            made = self._guarded(operator, below, self.arguments(operator, frozen))
        if made is None:
            made = super()._rebuilt(operator, frozen)
        kept = operator.rdd
        if kept is not None and kept.is_cached:
            made = made.persist(kept.getStorageLevel())
        return made
