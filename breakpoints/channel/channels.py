"""The channels of one recording: each made when it is first needed, all closed when the recording ends."""

from __future__ import annotations

import threading
import weakref
from typing import Any

from bigdebug.breakpoints.channel.control import Control
from bigdebug.breakpoints.channel.exchange import Exchange
from bigdebug.lineage.recorder import Recorder


class Channels:
    """How a recording's session is reached from elsewhere.

    Attributes:
        control: answers a second terminal; None where the run isn't in a folder of this machine.
    """

    def __init__(self, recorder: Recorder) -> None:
        folder = recorder.folder
        self.control = None if folder is None else Control(folder)
        self._exchanges: dict[int, tuple[Any, Exchange]] = {}
        self._lock = threading.Lock()

    def exchange(self, context: Any) -> Exchange:
        """What talks to the workers of a SparkContext. Listens to nobody before it is opened."""
        with self._lock:
            known = self._exchanges.get(id(context))
            if known is None or known[0] is not context:
                known = self._exchanges[id(context)] = context, Exchange.of_context(context)
            return known[1]

    def close(self) -> None:
        """Be reached no more."""
        if self.control is not None:
            self.control.close()
        with self._lock:
            for _, exchange in self._exchanges.values():
                exchange.shut()
            self._exchanges.clear()


_channels: weakref.WeakKeyDictionary[Recorder, Channels] = weakref.WeakKeyDictionary()
_lock = threading.Lock()


def channels_of(recorder: Recorder) -> Channels:
    """The channels of a recording; made where there are none yet."""
    with _lock:
        found = _channels.get(recorder)
        if found is None:
            found = _channels[recorder] = Channels(recorder)
        return found


def close_channels(recorder: Recorder) -> None:
    """Close them, where there are any."""
    with _lock:
        found = _channels.pop(recorder, None)
    if found is not None:
        found.close()
