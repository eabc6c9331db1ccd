"""Puts the guards of watchpoints into what actions compute, and hands on what comes of it."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any

from pyspark import cloudpickle
from pyspark.core.rdd import RDD

from bigdebug.breakpoints.watch.catching import OUTPUT
from bigdebug.breakpoints.watch.frames import standing_in, with_guards
from bigdebug.breakpoints.watch.rdds import HiddenError, WithGuards, watched_below
from bigdebug.breakpoints.watch.travelling import MODULES
from bigdebug.breakpoints.watch.watchpoint import Watchpoint
from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.depth import deep_plans
from bigdebug.lineage.nodes import subject_frame
from bigdebug.lineage.rdd.operator import RddOperator, operator_of
from bigdebug.lineage.rdd.travelling import travel_from_now_on
from bigdebug.lineage.recorder import Recorder
from bigdebug.lineage.run import OutputHandle

_UNTOLD = frozenset({"toLocalIterator", "foreach", "foreachPartition"})
"""Actions that run the frame's own execution, of whose end Spark tells nobody, or too early."""


class Watched:
    """The watchpoints of a recording, and the rewriter of its actions while there are any.

    Args:
        recorder: what the program does.
    """

    def __init__(self, recorder: Recorder) -> None:
        self.watchpoints: list[Watchpoint] = []
        self._recorder = recorder
        self._lock = threading.RLock()
        self._rdds: dict[tuple[tuple[int, int], ...], WithGuards] = {}

    def add(self, watchpoint: Watchpoint) -> None:
        """Have its guard in all actions from now on."""
        # Functions of ours are in the program's own RDDs, whenever Spark takes these.
        travel_from_now_on()
        for module in MODULES:
            cloudpickle.register_pickle_by_value(module)
        with self._lock:
            self.watchpoints.append(watchpoint)
            self._recorder.rewriter = self

    def hear(self, header: dict[str, Any], body: bytes) -> None:
        """A worker tells of a watchpoint."""
        number = header["watch"]
        for each in self.watchpoints:
            if each.number == number:
                each.hear(header, body)

    def rewritten(self, output: OutputHandle, subject: Any) -> Any | None:
        """See `lineage.hooks.Rewriter`."""
        active = [each for each in self.watchpoints if each.active]
        if not active:
            return None
        if isinstance(subject, RDD):
            return self._rewritten_rdd(output, subject, active)
        frame, _ = subject_frame(subject)
        if frame is None:
            return None
        with deep_plans():
            return self._rewritten_frame(output, subject, frame, active)

    # -- frames ---------------------------------------------------------------------------------------

    def _rewritten_frame(
        self, output: OutputHandle, subject: Any, frame: Any, active: list[Watchpoint]
    ) -> Any | None:
        catalyst = Catalyst(frame.sparkSession)
        by_number = {each.number: each for each in active}
        guards = [guard for each in active if (guard := each.frame_guard(catalyst.spark)) is not None]
        found = with_guards(catalyst, frame._jdf.logicalPlan(), guards) if guards else None
        if found is None:
            return None
        for key in found.hidden:
            by_number[key].note(
                "what the program has cached is read from the cache: records below it aren't counted, not even "
                "when the cache is filled"
            )
        if found.frame is None:
            return None
        in_place = [guard.key for guard in guards if guard.places]
        made = standing_in(subject, found.frame)
        if made is None:
            for key in in_place:
                by_number[key].note(f"what {type(subject).__name__} writes isn't counted")
            return None
        called_on, execution, put_back = made
        untold = self._recorder.outputs[output.number - 1].action in _UNTOLD
        for each in found.observed:
            each.execution = execution if untold else None
            by_number[each.key].observed(output.number, each)
        output.then.append(put_back)
        self._mark(output, frame._session._sc, [by_number[key] for key in in_place])
        return called_on

    # -- RDDs -----------------------------------------------------------------------------------------

    def _rewritten_rdd(self, output: OutputHandle, rdd: Any, active: list[Watchpoint]) -> Any | None:
        operator = operator_of(rdd)
        if operator is None:
            return None
        stands = {each: watched_below(operator, each.stands_at) for each in active}
        in_place = [each for each, operators in stands.items() if operators]
        if not in_place:
            return None
        try:
            made = self._guarded(rdd.ctx, in_place, stands).standing_in(operator)
        except HiddenError as problem:
            for each in in_place:
                each.note(f"output {output.number} isn't counted: {problem.message}")
            return None
        self._mark(output, rdd.ctx, in_place)
        return made

    def _guarded(
        self, context: Any, in_place: list[Watchpoint], stands: dict[Watchpoint, list[RddOperator]]
    ) -> WithGuards:
        """The maker of RDDs with these guards; the same one as for the action before, if nothing has changed."""
        guards: dict[RddOperator, list[Any]] = {}
        for each in in_place:
            for place, operator in enumerate(sorted(stands[each], key=lambda one: one.serial)):
                guards.setdefault(operator, []).append(each.watching(place))
        key = (
            *sorted((each.number, each.version) for each in in_place),
            *sorted((operator.serial, len(guards[operator])) for operator in guards),
        )
        with self._lock:
            known = self._rdds.get(key)
            if known is None:
                for other in self._rdds.values():
                    other.forget()
                known = WithGuards(context, guards)
                self._rdds = {key: known}
            return known

    # -- what comes of it -----------------------------------------------------------------------------

    def _mark(self, output: OutputHandle, context: Any, in_place: list[Watchpoint]) -> None:
        """Have the tasks of this thread's jobs know the output, until the action has ended."""
        before = context.getLocalProperty(OUTPUT)
        context.setLocalProperty(OUTPUT, str(output.number))

        def ended() -> None:
            if context._jsc is not None:
                context.setLocalProperty(OUTPUT, before)
            for each in in_place:
                each.action_ended(output.number)

        output.then.append(partial(ended))
