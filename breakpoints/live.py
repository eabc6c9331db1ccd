"""The live features of a recording: its breakpoints and watchpoints."""

from __future__ import annotations

import threading
import weakref
from typing import Any

from bigdebug.lineage.recorder import Recorder


class Live:
    """What is in use of one recording.

    Attributes:
        breakpoints: in the order they were set.
    """

    def __init__(self) -> None:
        self.breakpoints: list[Any] = []


_live: weakref.WeakKeyDictionary[Recorder, Live] = weakref.WeakKeyDictionary()
_lock = threading.Lock()


def live_of(recorder: Recorder) -> Live:
    """The live features of a recording."""
    with _lock:
        return _live.setdefault(recorder, Live())
