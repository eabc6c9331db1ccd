"""Keeps the terminal for the app alone: what Spark and Java say goes to a file that nobody keeps."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from typing import IO

_LAST_BYTES = 8_000
_LAST_LINES = 12


class Said:
    """What processes that were started within said on standard output and standard error."""

    def __init__(self, file: IO[bytes] | None) -> None:
        self._file = file

    def last(self) -> str:
        """Its last lines."""
        if self._file is None:
            return ""
        number = self._file.fileno()
        size = os.fstat(number).st_size
        data = os.pread(number, _LAST_BYTES, max(size - _LAST_BYTES, 0))
        return "\n".join(data.decode("utf-8", "replace").splitlines()[-_LAST_LINES:])


@contextlib.contextmanager
def own_terminal() -> Iterator[Said]:
    """Give the app the terminal, and everything else in this process, and what it starts, a file.

    Textual draws on `sys.__stderr__`, in a browser on `sys.__stdout__`: these go on to the terminal.
    """
    try:
        numbers = [sys.__stdout__.fileno(), sys.__stderr__.fileno()]  # type: ignore[union-attr]
    except (OSError, ValueError, AttributeError):
        numbers = []
    if numbers != [1, 2]:
        yield Said(None)
        return
    with contextlib.ExitStack() as undo:
        said = undo.enter_context(tempfile.TemporaryFile())
        for name, number in (("__stdout__", 1), ("__stderr__", 2)):
            stream = getattr(sys, name)
            stream.flush()
            terminal = os.dup(number)
            undo.callback(os.close, terminal)
            undo.callback(os.dup2, terminal, number)
            ours = undo.enter_context(
                open(terminal, "w", encoding=stream.encoding, errors="replace", closefd=False)
            )
            undo.callback(setattr, sys, name, stream)
            setattr(sys, name, ours)
            os.dup2(said.fileno(), number)
        yield Said(said)
