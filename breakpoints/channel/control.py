"""The way into a live session from a second terminal: a Unix socket in its run's folder, for its owner only.

A request is one line of JSON, `{"do": command, …}`; the answer another: `{"answer": …}` or `{"error": …, "hint": …}`.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import socket
import stat
import struct
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from bigdebug.lineage.errors import BigDebugError, UnreachableError

logger = logging.getLogger("bigdebug")

Command = Callable[[dict[str, Any]], Any]
"""Takes a request, gives what JSON can hold; a `BigDebugError` reaches who asked."""

SOCKET = "control.sock"
ELSEWHERE = "control.json"
"""Where the socket lies, if its path in the run's folder is too long for the system."""

_MOST_PATH = 100
"""The system's own limit is 107 bytes, on some 103."""
_REQUEST_SECONDS = 5.0
_MOST_BYTES = 1 << 20
_MOST_AT_ONCE = 16


class Control:
    """Answers requests from outside while a session is attached.

    Args:
        folder: the run's.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._commands: dict[str, Command] = {}
        self._listener: socket.socket | None = None
        self._path: Path | None = None
        self._elsewhere: Path | None = None
        self._process = os.getpid()
        self._at_once = threading.BoundedSemaphore(_MOST_AT_ONCE)

    @property
    def opened(self) -> bool:
        """Whether it listens."""
        return self._listener is not None

    def on(self, command: str, function: Command) -> None:
        """Have a function answer a command, on a thread of the request's own."""
        self._commands[command] = function

    def open(self) -> bool:
        """Listen; whether that is possible here."""
        if not hasattr(socket, "AF_UNIX"):
            return False
        try:
            path = self._folder / SOCKET
            if len(os.fsencode(path)) > _MOST_PATH:
                self._elsewhere = Path(tempfile.mkdtemp(prefix="bigdebug-"))  # mode 0700
                path = self._elsewhere / SOCKET
                _write_private(self._folder / ELSEWHERE, json.dumps({"socket": str(path)}).encode())
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            # Nobody may connect before its mode is set: that takes `listen`.
            listener.bind(os.fspath(path))
            self._path = path
            os.chmod(path, 0o600)
            listener.listen(8)
        except OSError as error:
            logger.warning("the run can't be reached from another terminal: %s", error)
            self.close()
            return False
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), name="bigdebug control", daemon=True).start()
        return True

    def close(self) -> None:
        """Listen no more, and leave no file behind."""
        listener, self._listener = self._listener, None
        if listener is not None:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        if os.getpid() != self._process:
            return  # a forked child: the files are the parent's
        if self._path is not None:
            self._path.unlink(missing_ok=True)
        if self._elsewhere is not None:
            (self._folder / ELSEWHERE).unlink(missing_ok=True)
            shutil.rmtree(self._elsewhere, ignore_errors=True)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            if not self._at_once.acquire(blocking=False):
                connection.close()
                continue
            threading.Thread(
                target=self._serve, args=(connection,), name="bigdebug request", daemon=True
            ).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection:
                connection.settimeout(_REQUEST_SECONDS)
                if not _is_ours(connection):
                    logger.warning("another user's request to the run was refused")
                    return
                answer = self._answer(_line(connection))
                connection.sendall(json.dumps(answer, default=str).encode("ascii") + b"\n")
        except (OSError, ValueError) as error:
            logger.debug("a request couldn't be answered", exc_info=error)
        finally:
            self._at_once.release()

    def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
            function = self._commands.get(request["do"])
        except (ValueError, KeyError, TypeError):
            return {"error": "the request can't be read", "hint": None}
        if function is None:
            return {
                "error": f"the run doesn't know the command {request['do']!r}",
                "hint": "it was begun by another version of bigdebug",
            }
        try:
            return {"answer": function(request)}
        except BigDebugError as error:
            return {"error": error.message, "hint": error.hint}
        except Exception as error:
            logger.debug("a request failed", exc_info=error)
            return {"error": f"{type(error).__name__}: {error}", "hint": None}


def ask(folder: Path, command: str, *, seconds: float = 60.0, **request: Any) -> Any:
    """Have a live session do something.

    Args:
        folder: of its run.
        command: what.
        seconds: to wait for the answer.
        request: what belongs to it, as JSON can hold it.

    Raises:
        UnreachableError: no session of that run is alive here, or it took too long.
        BigDebugError: it couldn't do it; says why.
    """
    path = _socket_of(folder)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(seconds)
            connection.connect(os.fspath(path))
            connection.sendall(json.dumps({"do": command, **request}).encode("ascii") + b"\n")
            answer = json.loads(_line(connection))
    except TimeoutError:
        raise UnreachableError(
            f"the run didn't answer within {seconds:.0f} seconds", hint="ask again, or give it more time"
        ) from None
    except (OSError, ValueError) as error:
        raise UnreachableError(
            f"the run {folder.name} isn't there to be asked ({error})",
            hint="only a program that still runs can be: `bigdebug runs` tells which do",
        ) from None
    if "error" in answer:
        raise BigDebugError(answer["error"], hint=answer.get("hint"))
    return answer["answer"]


def _socket_of(folder: Path) -> Path:
    path = folder / SOCKET
    with suppress(OSError, ValueError, KeyError, TypeError):
        path = Path(json.loads((folder / ELSEWHERE).read_bytes())["socket"])
    if not hasattr(socket, "AF_UNIX"):
        raise UnreachableError("this system has no Unix sockets", hint="ask in the program itself")
    try:
        found = path.lstat()
    except OSError:
        raise UnreachableError(
            f"the run {folder.name} can't be reached: no session of it is attached on this machine",
            hint="only a program that still runs can be asked: `bigdebug runs` tells which do",
        ) from None
    if not stat.S_ISSOCK(found.st_mode) or found.st_uid != os.geteuid():
        raise UnreachableError(f"{path} isn't a socket of yours", hint="ask as the user who runs the program")
    return path


def _write_private(path: Path, data: bytes) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)


def _is_ours(connection: socket.socket) -> bool:
    """Whether the other end runs as the same user, where the system tells."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return True  # the socket's mode and that of its folder have to do
    _, user, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, option, 12))
    return bool(user == os.geteuid())


def _line(connection: socket.socket) -> bytes:
    found = bytearray()
    while not found.endswith(b"\n"):
        part = connection.recv(1 << 16)
        if not part:
            raise ConnectionError("it hung up")
        found += part
        if len(found) > _MOST_BYTES * 16:
            raise ValueError("it is too long")
    return bytes(found)
