"""Ends a Java that is left alone because its Python was interrupted while it started.

PySpark has Java ignore Ctrl-C: it ends when Python, whose pipe it reads, has gone. But it begins to read only
after it has told its address in a folder that PySpark takes away when it is interrupted. Then Java can tell it
nowhere, and stays for ever.
"""

import subprocess
from collections.abc import Iterator
from contextlib import suppress
from types import TracebackType
from typing import Any

_PATIENCE_SECONDS = 5.0


def end_starting_java(error: BaseException) -> None:
    """End the Java that PySpark was waiting for when an error, most likely an interrupt, was raised.

    Args:
        error: what was raised; its traceback tells of the process. Any other error does nothing.
    """
    for process in _awaited(error):
        if process.poll() is None:
            process.terminate()
            try:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(_PATIENCE_SECONDS)
            finally:
                process.kill()  # does nothing to one that has ended


def _awaited(error: BaseException | None) -> Iterator["subprocess.Popen[Any]"]:
    """Every process whose start the error broke off, also where another error was raised on top of it."""
    while error is not None:
        launching = False
        for variables, module, function in _frames(error.__traceback__):
            launching = launching or (module, function) == ("pyspark.java_gateway", "launch_gateway")
            # Popen's own frame, where the interrupt came before PySpark got the process in hand.
            process = variables.get("self" if module == "subprocess" else "proc")
            if launching and isinstance(process, subprocess.Popen) and process.pid:
                yield process
        error = error.__cause__ or error.__context__


def _frames(traceback: TracebackType | None) -> Iterator[tuple[dict[str, Any], str, str]]:
    while traceback is not None:
        frame = traceback.tb_frame
        yield frame.f_locals, frame.f_globals.get("__name__", ""), frame.f_code.co_name
        traceback = traceback.tb_next
