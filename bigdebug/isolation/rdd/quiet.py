"""What the program's functions print in a replay isn't printed: they may run thousands of times."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class _NotHere:
    """A stream that drops what one thread writes, and passes on what others do."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._thread = threading.get_ident()

    def write(self, text: str) -> int:
        if threading.get_ident() == self._thread:
            return len(text)
        return int(self._stream.write(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def unheard() -> Iterator[None]:
    """Drop what this thread prints meanwhile."""
    before = sys.stdout
    sys.stdout = _NotHere(before)
    try:
        yield
    finally:
        sys.stdout = before
