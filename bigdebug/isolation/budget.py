"""How long a search for culprits goes on."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bigdebug.lineage.errors import BigDebugError

_SECONDS = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(?:s|sec|seconds?)?\s*")
_REPLAYS = re.compile(r"\s*(\d+)\s*replays?\s*")


@dataclass(frozen=True)
class Budget:
    """What a search may take; the best found by then is its answer.

    Attributes:
        seconds: since it began; None for as many as it takes.
        replays: subsets that are tried; None for as many as it takes. The round in which they are used up is ended.
    """

    seconds: float | None = None
    replays: int | None = None

    @classmethod
    def of(cls, given: Budget | float | str | None) -> Budget:
        """As it is given: a number of seconds, or text: `30`, `30 s`, `50 replays`.

        Raises:
            BigDebugError: it is neither.
        """
        if given is None:
            return cls()
        if isinstance(given, cls):
            return given
        if isinstance(given, str):
            if told := _REPLAYS.fullmatch(given):
                return cls(replays=int(told[1]))
            if told := _SECONDS.fullmatch(given):
                return cls(float(told[1]))
        elif isinstance(given, int | float) and not isinstance(given, bool) and given >= 0:
            return cls(float(given))
        raise BigDebugError(
            f"{given!r} is no budget", hint='give a number of seconds from 0 on, or text such as "50 replays"'
        )

    def left(self, seconds: float) -> float | None:
        """How many seconds are left after so many; None where they don't count."""
        return None if self.seconds is None else self.seconds - seconds

    def is_spent(self, seconds: float, replays: int) -> bool:
        """Whether it is used up after so many seconds and replays."""
        return (self.seconds is not None and seconds > self.seconds) or (
            self.replays is not None and replays >= self.replays
        )
