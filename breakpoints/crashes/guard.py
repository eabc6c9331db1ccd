"""What is told of failed actions: it finds the records that made them fail, and keeps what it found."""

from __future__ import annotations

import sys
import threading
from types import FrameType
from typing import Any

from bigdebug.breakpoints.crashes.crash import Crash, Culprits, event_of, report
from bigdebug.breakpoints.crashes.failures import Failure, failure_of
from bigdebug.breakpoints.crashes.guarding import Guarding
from bigdebug.breakpoints.crashes.policies import Policies
from bigdebug.breakpoints.crashes.time_limit import budget
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.hooks import GuardedCall
from bigdebug.lineage.output import Output, OutputRows
from bigdebug.lineage.recorder import Recorder, logger

MOST_KEPT = 10_000
"""So many crashes are kept for `session.crashes`; the oldest go first."""

_searching = threading.local()


class CrashGuard:
    """Finds the culprits of a run's failed actions.

    Args:
        recorder: of the run.

    Attributes:
        policies: what is to become of culprits.
        crashes: those found so far.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._lock = threading.Lock()
        self.policies = Policies()
        self.guarding = Guarding(recorder, self.policies, self.found)
        self.frame_guarding: Any = None
        self.crashes: list[Crash] = []

    def failed(self, number: int, spark: Any, error: BaseException, acted: Any = None) -> None:
        """Look for the culprits of an action that has failed; they are noted on the error. Never raises."""
        if not isinstance(error, Exception) or getattr(_searching, "on", False):
            return
        _searching.on = True
        try:
            seconds = self.policies.default.seconds
            failure = failure_of(error)
            if failure is not None and seconds > 0:
                self._search(number, spark, error, failure, seconds, acted)
        except KeyboardInterrupt:
            logger.warning("the search for the culprits of output %d was interrupted", number)
        except Exception as problem:
            self._recorder.failed(problem)
        finally:
            _searching.on = False

    def guarded_call(
        self, kind: str, args: tuple[Any, ...], kwargs: dict[str, Any], method: Any, frame: FrameType
    ) -> GuardedCall | None:
        """A call of an RDD's method with a guard in it; None where nothing is to be guarded."""
        return self.guarding.call(kind, args, kwargs, method, frame)

    def guarded_action(self, running: Any, label: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Begin an action that has guards in it: a method to call in its place and its arguments, or None."""
        if running.acted is not None:
            return self.guarding.action(running, label, args, kwargs)
        if not self.policies.any_guards:
            return None
        return self._frames().action(running, label, args, kwargs)

    def guarded_plan(self, attachment: Any, label: str, frame: Any) -> Any:
        """The JVM plan of a DataFrame with guards in it; None where nothing is to be guarded, or can be."""
        if not self.policies.any_guards:
            return None
        try:
            return self._frames().plan(attachment, label, frame)
        except Exception as problem:
            self._recorder.failed(problem)
            return None

    def retry(self, quarantine: Any, patch: Any) -> Any:
        """What an output is of just the quarantined records; see `CrashHandling.retry`."""
        from bigdebug.breakpoints.crashes.quarantine import require_quarantine
        from bigdebug.breakpoints.crashes.retrying import operator_in, retried_frame, retried_rdd

        output, guarded = operator_in(require_quarantine(quarantine), self.guarding.guarded)
        rows = self._recorder.rows.get(output)
        if rows is None:
            raise BigDebugError(
                f"the pipeline of output {output} is no longer at hand", hint="run the action once more"
            )
        if guarded.operator is not None:
            return retried_rdd(quarantine, guarded, rows, patch)
        spark, plan = self._frames().plain[output]
        return retried_frame(quarantine, guarded, spark, plan, self._recorder.node_of, patch)

    def _frames(self) -> Any:
        from bigdebug.breakpoints.crashes.frame_guarding import FrameGuarding

        if self.frame_guarding is None:
            self.frame_guarding = FrameGuarding(self._recorder, self.policies, self.guarding)
        return self.frame_guarding

    def ended(self, running: Any) -> None:
        """An action with guards in it is over; never raises."""
        try:
            (self.guarding if running.frame is None else self._frames()).ended(running)
        except Exception as problem:
            self._recorder.failed(problem)

    def found(self, culprits: Culprits, number: int, policy: str = "raise", **more: Any) -> None:
        """Keep culprits."""
        crashes = [_with(each, output=number, policy=policy) for each in culprits.crashes]
        with self._lock:
            self.crashes += crashes
            del self.crashes[:-MOST_KEPT]
        masked = bool(self._recorder.redact)
        self._recorder.add_crash(event_of(culprits, number, policy, masked=masked, **more))

    def _search(
        self, number: int, spark: Any, error: BaseException, failure: Failure, seconds: float, acted: Any
    ) -> None:
        rows = self._recorder.rows.get(number)
        if rows is None:
            return
        expired = threading.Event()
        try:
            culprits = self._culprits(number, spark, rows, failure, seconds, expired, acted)
        except BigDebugError as problem:
            if expired.is_set():
                _say(error, f"bigdebug: the record behind this wasn't found within {seconds:g} s")
            else:
                _say(error, f"bigdebug: the record behind this can't be told: {problem}")
            return
        if culprits is None:
            return
        self.found(culprits, number)
        _say(error, report(culprits))

    def _culprits(
        self,
        number: int,
        spark: Any,
        rows: Any,
        failure: Failure,
        seconds: float,
        expired: threading.Event,
        acted: Any,
    ) -> Culprits | None:
        output = self._recorder.outputs[number - 1]
        if isinstance(rows, OutputRows):
            return self._in_frames(output, spark, rows, failure, seconds, expired)
        if failure.kind == "expression":
            return None
        from bigdebug.breakpoints.crashes.rdds import RddSearch
        from bigdebug.lineage.asking import jobs_of_ours

        search = RddSearch(rows, acted, failure, self._recorder.node_of)
        with (
            jobs_of_ours(rows.operator.context, "the elements that made an action fail") as group,
            budget(rows.operator.context, group, seconds, expired),
        ):
            return search.culprits()

    def _in_frames(
        self,
        output: Output,
        spark: Any,
        rows: OutputRows,
        failure: Failure,
        seconds: float,
        expired: threading.Event,
    ) -> Culprits | None:
        from bigdebug.breakpoints.crashes.frames import FrameSearch
        from bigdebug.lineage.asking import asking
        from bigdebug.lineage.questions import question_about

        question = question_about(spark, rows, self._recorder.node_of, action=output)
        with (
            asking(question.catalyst, "the records that made an action fail") as group,
            budget(spark.sparkContext, group, seconds, expired),
        ):
            return FrameSearch(question, failure).culprits()


def _with(crash: Crash, **changes: Any) -> Crash:
    from dataclasses import replace

    return replace(crash, **changes)


def _say(error: BaseException, text: str) -> None:
    """Note something on an error, and print it: a program may catch the error and print its text alone."""
    error.add_note(text)
    if sys.stderr is not None:
        print(text, file=sys.stderr)
