"""The live features of a recording: its breakpoints and watchpoints."""

from __future__ import annotations

import threading
import weakref

from bigdebug.breakpoints.channel.channels import close_channels
from bigdebug.breakpoints.points.breakpoint import Breakpoint
from bigdebug.breakpoints.watch.captures import Captures
from bigdebug.breakpoints.watch.rewriting import Watched
from bigdebug.lineage.recorder import Recorder


class Live:
    """What is in use of one recording.

    Attributes:
        breakpoints: in the order they were set.
        watched: its watchpoints.
        captures: of these, in the store.
    """

    def __init__(self, recorder: Recorder) -> None:
        self.breakpoints: list[Breakpoint] = []
        self.watched = Watched(recorder)
        self.captures = Captures(recorder)

    def close(self) -> None:
        """The recording ends."""
        for each in self.watched.watchpoints:
            each.remove()
        self.captures.close()


_live: weakref.WeakKeyDictionary[Recorder, Live] = weakref.WeakKeyDictionary()
_lock = threading.Lock()


def live_of(recorder: Recorder) -> Live:
    """The live features of a recording."""
    with _lock:
        found = _live.get(recorder)
        if found is None:
            found = _live[recorder] = Live(recorder)
        return found


def close_live(recorder: Recorder) -> None:
    """End them, where there are any, and be reached no more."""
    with _lock:
        found = _live.pop(recorder, None)
    if found is not None:
        found.close()
    close_channels(recorder)
