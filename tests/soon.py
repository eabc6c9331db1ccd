"""Waiting for what comes soon."""

import time
from collections.abc import Callable


def soon(holds: Callable[[], object], seconds: float = 60.0) -> bool:
    """Whether something holds before so many seconds are over."""
    until = time.monotonic() + seconds
    while not holds() and time.monotonic() < until:
        time.sleep(0.01)
    return bool(holds())
