"""A command in a real terminal: what is typed, and how soon the screen has changed."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType

import pexpect

_QUIET_SECONDS = 0.15
"""When nothing more has been drawn for so long, all of a change has been."""
_MOST_BYTES = 65_536
KEYS = {
    "down": "\x1b[B",
    "end": "\x1b[F",
    "enter": "\r",
    "home": "\x1b[H",
    "pagedown": "\x1b[6~",
    "pageup": "\x1b[5~",
    "right": "\x1b[C",
    "space": " ",
}


class Terminal:
    """A command that runs in a terminal of its own while the context lasts.

    Args:
        command: and its arguments; Ctrl-Q ends it.
        columns, lines: of the terminal.
    """

    def __init__(self, command: Sequence[str], columns: int = 100, lines: int = 30) -> None:
        self._seen = b""
        self.began = time.perf_counter()
        environment = {**os.environ, "TERM": "xterm-256color"}
        self._process = pexpect.spawn(
            command[0], [*command[1:]], dimensions=(lines, columns), env=environment
        )
        self._process.delaybeforesend = None

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.sendcontrol("q")
        with suppress(pexpect.TIMEOUT):
            self._process.expect(pexpect.EOF, timeout=5)
        self._process.close(force=True)

    def until(self, pattern: bytes, seconds: float = 60.0) -> float:
        """Wait until something has been drawn since the last key; gives the seconds since the start."""
        while not re.search(pattern, self._seen):
            self._read(0.05)
            if time.perf_counter() - self.began > seconds:
                raise TimeoutError(self._seen[-2000:].decode("utf-8", "replace"))
        return time.perf_counter() - self.began

    def press(self, key: str) -> float | None:
        """Seconds from a key until the last of what it changes is drawn; None where it changes nothing.

        Args:
            key: by its name, or a character.
        """
        self._seen = b""
        began = time.perf_counter()
        self._process.send(KEYS.get(key, key))
        last = None
        while self._read(_QUIET_SECONDS if last else 4 * _QUIET_SECONDS):
            last = time.perf_counter()
        return last and last - began

    def _read(self, seconds: float) -> bool:
        """Whether anything was drawn within some time."""
        try:
            self._seen += self._process.read_nonblocking(_MOST_BYTES, seconds)
        except (pexpect.TIMEOUT, pexpect.EOF):
            return False
        return True
