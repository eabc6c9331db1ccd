"""What a session offers about records that crash functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from bigdebug.lineage.recorder import Recorder

if TYPE_CHECKING:
    from bigdebug.breakpoints.crashes.crash import Crash
    from bigdebug.breakpoints.crashes.guard import CrashGuard
    from bigdebug.breakpoints.crashes.pausing import Paused
    from bigdebug.breakpoints.crashes.quarantine import Quarantine


class CrashHandling:
    """The part of a `Session` that is about records that crash functions."""

    _recorder: Recorder

    def on_crash(
        self,
        policy: str,
        *,
        repair: Any = None,
        operator: str | None = None,
        timeout: float | None = None,
        held: int = 1_000,
    ) -> None:
        """Say what is to become of records that crash a function of the program, from now on.

        Args:
            policy: `raise`: the job fails as it would, and the error says which records it was. `skip`: they go
                to quarantine, and the job goes on without them. `repair`: it goes on with what `repair` makes of
                them. `pause`: a task of an RDD sets them aside, and asks at its end; a function of a
                DataFrame asks as it happens.
            repair: a function of what the crashed function was given and of the error, whose result is tried once
                more; or a value that stands for the crashed function's result.
            operator: only of this operator: its call site (`etl.py:42`) or its name (`map`).
            timeout: of `raise` how many seconds the culprits of a failed job are looked for (60 if left out, 0
                for not at all); of `pause` how many a task waits for an answer (300). After that the policy of all
                operators holds, if it is `skip`; else the job fails.
            held: of `pause`, how many records a task sets aside at most.

        Raises:
            BigDebugError: there is no such policy, or it lacks what it needs.
        """
        if policy != "raise":
            self._guard.guarding.place("quarantine")
        self._guard.policies.set(policy, repair=repair, operator=operator, timeout=timeout, held=held)

    @property
    def crashes(self) -> list[Crash]:
        """The records that crashed functions so far, as far as they are listed."""
        return list(self._guard.crashes)

    @property
    def paused(self) -> list[Paused]:
        """What tasks have set aside and wait to be told about, under `pause`."""
        waiting: list[Paused] = self._guard.guarding.pausing.waiting
        return waiting

    @property
    def quarantine(self) -> Quarantine:
        """The records that were left out of outputs so far, in the run's folder."""
        return self._guard.guarding.quarantine

    def retry(self, quarantine: Quarantine, patch: Callable[..., Any] | None = None) -> Any:
        """Compute an output of just the quarantined records, with a mended function.

        Args:
            quarantine: of one operator and output: `session.quarantine`, or a part of it
                (`session.quarantine.of(output=3)`).
            patch: the function in place of the one that they crashed; None for the same once more.

        Returns:
            A DataFrame or RDD of what the rest of the pipeline makes of them; of `foreach` nothing.

        Raises:
            BigDebugError: they are of several operators, or can't be computed; says why and what to do.
        """
        return self._guard.retry(quarantine, patch)

    @property
    def _guard(self) -> CrashGuard:
        return cast("CrashGuard", self._recorder.crash_guard)
