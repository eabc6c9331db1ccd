"""Keeps what a Spark of our own says while it starts and works out of the user's terminal."""

import contextlib
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator

from bigdebug.lineage.errors import UnreachableError

_STDERR = 2
_LAST_LINES = 20


@contextlib.contextmanager
def quiet_spark() -> Iterator[None]:
    """Send the standard error of the processes started within to a file that nobody keeps.

    Our own messages still reach the terminal. Where Spark can't be started, its last words follow, for
    they say why. BIGDEBUG_TRACEBACK=1 lets everything through.
    """
    if os.environ.get("BIGDEBUG_TRACEBACK") or not _is_real_stderr():
        yield
        return
    with contextlib.ExitStack() as undo:
        undo.enter_context(warnings.catch_warnings())
        # Of a job that Ctrl-C ended it would print all of Java's stack.
        warnings.filterwarnings("ignore", "toPandas attempted Arrow optimization")
        root, named = logging.getLogger(), _NamedOnly()
        root.addHandler(named)
        undo.callback(root.removeHandler, named)
        said = undo.enter_context(tempfile.TemporaryFile())
        terminal = os.dup(_STDERR)
        undo.callback(os.close, terminal)
        ours = sys.stderr
        sys.stderr = undo.enter_context(
            open(terminal, "w", buffering=1, encoding=ours.encoding, errors=ours.errors, closefd=False)
        )
        undo.callback(setattr, sys, "stderr", ours)
        undo.callback(os.dup2, terminal, _STDERR)
        os.dup2(said.fileno(), _STDERR)
        try:
            yield
        except UnreachableError:
            said.seek(0)
            lines = said.read().decode("utf-8", "replace").splitlines()
            sys.stderr.writelines(f"{line}\n" for line in lines[-_LAST_LINES:])
            raise


class _NamedOnly(logging.Handler):
    """Passes on what loggers with a name warn of. py4j logs to the root, with a traceback, where it is interrupted."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.name != "root" and logging.lastResort and record.levelno >= logging.lastResort.level:
            logging.lastResort.handle(record)


def _is_real_stderr() -> bool:
    try:
        return sys.stderr.fileno() == _STDERR
    except (OSError, ValueError, AttributeError):
        return False
