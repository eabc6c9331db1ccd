"""A command in a real terminal: what is typed, and how soon the screen has changed."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Sequence
from types import TracebackType

_QUIET_SECONDS = 0.15
"""When nothing more has been drawn for so long, all of a change has been."""
KEYS = {
    "down": b"\x1b[B",
    "end": b"\x1b[F",
    "enter": b"\r",
    "home": b"\x1b[H",
    "pagedown": b"\x1b[6~",
    "pageup": b"\x1b[5~",
    "right": b"\x1b[C",
    "space": b" ",
}


class Terminal:
    """A command that runs in a terminal of its own while the context lasts.

    Args:
        command: and its arguments; Ctrl-Q ends it.
        columns, lines: of the terminal.
    """

    def __init__(self, command: Sequence[str], columns: int = 100, lines: int = 30) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        environment = {**os.environ, "COLUMNS": str(columns), "LINES": str(lines), "TERM": "xterm-256color"}
        self._seen = b""
        self.began = time.perf_counter()
        self._process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True
        )
        os.close(theirs)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.write(self._ours, b"\x11")  # Ctrl-Q
        deadline = time.monotonic() + 5
        while self._process.poll() is None and time.monotonic() < deadline:
            self._read(0.05)
        self._process.kill()
        self._process.wait()
        os.close(self._ours)

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
        os.write(self._ours, KEYS.get(key) or key.encode())
        last = None
        while self._read(_QUIET_SECONDS if last else 4 * _QUIET_SECONDS):
            last = time.perf_counter()
        return last and last - began

    def _read(self, seconds: float) -> bool:
        """Whether anything was drawn within some time."""
        if not select.select([self._ours], [], [], seconds)[0]:
            return False
        try:
            self._seen += os.read(self._ours, 65536)
        except OSError:  # the command has ended
            return False
        return True
