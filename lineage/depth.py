"""Deep plans: a plan of hundreds of operators is hundreds of calls deep when it is walked."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# Three calls an operator, and the user's own stack below.
_DEEP = 20_000
_lock = threading.Lock()
_inside = 0
_before = 0


@contextmanager
def deep_plans() -> Iterator[None]:
    """Let Python recurse deeper while a plan is walked; the limit is the user's again afterwards."""
    global _inside, _before
    with _lock:
        if _inside == 0:
            _before = sys.getrecursionlimit()
            sys.setrecursionlimit(max(_before, _DEEP))
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                sys.setrecursionlimit(_before)
