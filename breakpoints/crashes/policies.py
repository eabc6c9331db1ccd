"""What is to become of records that crash an operator: the session's policy, and those of single operators."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bigdebug.lineage.callsite import CallSite
from bigdebug.lineage.errors import BigDebugError

POLICIES = ("raise", "skip", "repair", "pause")
SEARCH_SECONDS = 60.0
"""So long the culprits of a failed job are looked for."""


PAUSE_SECONDS = 300.0
"""So long a task waits to be told what is to become of the records that it has set aside."""
MOST_HELD = 1_000
"""So many records a task sets aside."""


class _WrongPolicyError(BigDebugError, ValueError):
    """A policy that doesn't exist, or that lacks what it needs."""


@dataclass(frozen=True)
class Policy:
    """What is to become of records that crash an operator.

    Attributes:
        name: one of `POLICIES`.
        repair: of `repair`, a function of what the operator's function is given and of the error, whose result
            is tried once more; or a value that stands for the function's result.
        timeout: of `raise` how many seconds to look for culprits, of `pause` how long to wait for an answer.
        held: of `pause`, how many records a task sets aside.
    """

    name: str = "raise"
    repair: Any = None
    timeout: float | None = None
    held: int = MOST_HELD

    @property
    def guards(self) -> bool:
        """Whether something has to be put in before a job runs."""
        return self.name != "raise"

    @property
    def seconds(self) -> float:
        """How long culprits of a failed job are looked for."""
        return SEARCH_SECONDS if self.timeout is None or self.name != "raise" else self.timeout


class Policies:
    """The policies of a run: one for all operators, and others for some."""

    def __init__(self) -> None:
        self._default = Policy()
        self._by_operator: dict[str, Policy] = {}
        self.version = 0

    def set(
        self,
        name: str,
        *,
        repair: Any = None,
        operator: str | None = None,
        timeout: float | None = None,
        held: int = MOST_HELD,
    ) -> None:
        """Set the policy of all operators without one of their own, or of one.

        Args:
            name: one of `POLICIES`.
            repair: see `Policy`.
            operator: its call site (`etl.py:42`) or its name (`map`).
            timeout: see `Policy`.
            held: see `Policy`.

        Raises:
            BigDebugError: there is no such policy, or `repair` is missing or isn't used.
        """
        if name not in POLICIES:
            raise _WrongPolicyError(
                f"the policy can't be {name!r}", hint='it is "raise", "skip", "repair" or "pause"'
            )
        if name == "repair" and repair is None:
            raise _WrongPolicyError(
                "a record can't be repaired with nothing",
                hint='on_crash("repair", repair=a function of the input and the error, or a value for the output)',
            )
        if name != "repair" and repair is not None:
            raise _WrongPolicyError(
                f"the policy {name!r} repairs nothing", hint='on_crash("repair", repair=…)'
            )
        policy = Policy(name, repair, timeout, held)
        if operator is None:
            self._default = policy
        else:
            self._by_operator[operator] = policy
        self.version += 1

    def of(self, operator: str, call_site: CallSite | None) -> Policy:
        """The policy of an operator."""
        if self._by_operator:
            labels = (call_site.label, f"{call_site.file}:{call_site.line}") if call_site else ()
            for key in (*labels, operator):
                if key in self._by_operator:
                    return self._by_operator[key]
        return self._default

    @property
    def default(self) -> Policy:
        """The policy of operators without one of their own."""
        return self._default

    @property
    def otherwise(self) -> str:
        """What holds where nobody answers a pause: the default policy, which a repair is no answer for."""
        return "skip" if self._default.name == "skip" else "raise"

    @property
    def any_guards(self) -> bool:
        """Whether some operator has to be guarded before a job runs."""
        return self._default.guards or any(each.guards for each in self._by_operator.values())


Repair = Callable[[Any, BaseException], Any]
