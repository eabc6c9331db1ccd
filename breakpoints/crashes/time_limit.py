"""A limit on the time that jobs of ours take."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any


@contextmanager
def budget(context: Any, group: str, seconds: float, expired: threading.Event) -> Iterator[None]:
    """Cancel a job group when its time is up.

    Args:
        context: the SparkContext.
        group: of our jobs.
        seconds: how long they may take.
        expired: is set then.
    """

    def cancel() -> None:
        expired.set()
        with suppress(Exception):  # Spark may have gone
            context.cancelJobGroup(group)

    timer = threading.Timer(seconds, cancel)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
