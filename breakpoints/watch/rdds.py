"""Guards in a program of RDDs: an action computes RDDs made anew from the watched one on, of the program's functions.

They are made once for a set of guards, so that what Spark has shuffled for one action it uses for the next, and are
kept in memory as long as the program keeps its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pyspark.core.rdd import RDD

from bigdebug.breakpoints.watch.catching import Watching
from bigdebug.breakpoints.watch.pacing import paced
from bigdebug.breakpoints.watch.wrapping import MadeThere
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.rdd.annotator import Annotator
from bigdebug.lineage.rdd.freezing import Frozen, arguments_now
from bigdebug.lineage.rdd.kinds import OF_FRAME, UNKNOWN
from bigdebug.lineage.rdd.operator import RddOperator


class HiddenError(BigDebugError):
    """A guard can't stand in what an action computes; says why."""


class WithGuards(Annotator):
    """Makes RDDs with guards in them.

    Args:
        context: the SparkContext.
        guards: by watched operator what its tasks need to know.
    """

    def __init__(self, context: Any, guards: Mapping[RddOperator, list[Watching]]) -> None:
        super().__init__(context)
        self._guards = guards
        self._below: dict[RddOperator, bool] = {}
        self._made: list[tuple[RddOperator, Any]] = []

    def standing_in(self, operator: RddOperator) -> Any:
        """What an action computes in the place of an operator's RDD.

        Raises:
            HiddenError: it can't be made anew without computing something else than the program does.
        """
        if any(_keeps(each) != made.is_cached for each, made in self._made):
            # Spark takes a chain of functions for one as long as nothing in it is kept: made anew, as that is now.
            self.forget()
        return self.plain(operator, {})

    def plain(self, operator: RddOperator, given: Frozen) -> Any:
        key = operator, 0
        if key not in self._plain:
            guards = self._guards.get(operator, ())
            if self._is_below(operator) or any(each.by_time for each in guards):
                self._require_same(operator)
                made = self._rebuilt(operator, given)
                own = operator.rdd
                if own is not None and own.is_cached:
                    made.persist(own.getStorageLevel())
                self._made.append((operator, made))
            else:
                made = operator.rdd or self._above(operator, given)
            for watching in guards:
                if not watching.by_time:
                    made = RDD.mapPartitionsWithIndex(made, watching.elements, True)
            self._plain[key] = made
        return self._plain[key]

    def arguments(self, operator: RddOperator, frozen: Frozen) -> dict[str, Any]:
        # The program's own functions, with its accumulators: it is its job.
        arguments = dict(operator.arguments)
        for watching in self._guards.get(operator, ()):
            if watching.by_time and "f" in arguments:
                flat = operator.kind.startswith("flatMap")
                arguments["f"] = MadeThere(paced, watching, arguments["f"], flat)
        return arguments

    def forget(self) -> None:
        """Give back what is kept in memory."""
        for _, made in self._made:
            if made.is_cached:
                made.unpersist()
        self._made.clear()
        self._plain.clear()

    def _above(self, operator: RddOperator, given: Frozen) -> Any:
        if operator.kind in (OF_FRAME, UNKNOWN) or operator.problem:
            raise HiddenError(f"{operator.described()} can't be made anew")
        return self._rebuilt(operator, given)

    def _is_below(self, operator: RddOperator) -> bool:
        """Whether it reads, in the end, what is watched."""
        if operator not in self._below:
            self._below[operator] = any(
                each in self._guards for each in operator.walk() if each is not operator
            )
        return self._below[operator]

    def _require_same(self, operator: RddOperator) -> None:
        rdd = operator.rdd
        if rdd is not None and (rdd.is_checkpointed or rdd.isCheckpointed() or rdd.isLocallyCheckpointed()):
            raise HiddenError(
                f"{operator.described()} has a checkpoint, which stands for all that lies above it"
            )
        if operator.kind == UNKNOWN:
            raise HiddenError("it reads an RDD that wasn't recorded")
        taken = None if operator.frozen is None else operator.frozen.get(operator)
        if taken is not None and taken.data != arguments_now(operator).data:
            raise HiddenError(
                f"the function of {operator.described()} refers to something that has changed since it was called"
            )


def _keeps(operator: RddOperator) -> bool:
    """Whether the program keeps its RDD in memory now."""
    rdd = operator.rdd
    return rdd is not None and bool(rdd.is_cached)


def watched_below(operator: RddOperator, stands_at: Callable[[RddOperator], bool]) -> list[RddOperator]:
    """The operators that a watchpoint stands at, among one and those above it: on each way the nearest one."""
    found: dict[RddOperator, None] = {}
    seen = {operator}
    waiting = [operator]
    while waiting:
        each = waiting.pop()
        if stands_at(each):
            found[each] = None
            continue
        for below in each.inputs:
            if below not in seen:
                seen.add(below)
                waiting.append(below)
    return list(found)
