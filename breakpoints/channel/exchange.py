"""The driver's end of the connections to its Python workers: listens only while a live feature is in use."""

from __future__ import annotations

import itertools
import logging
import secrets
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any

from bigdebug.breakpoints.channel.link import Address
from bigdebug.breakpoints.channel.wire import Message, RefusedError, Wire, answered

logger = logging.getLogger("bigdebug")

Handler = Callable[[dict[str, Any], bytes], Message | None]
"""Takes what a worker said: its header and body. Answers where that was a question."""

_MOST_STRANGERS = 64
"""So many connections may be about to prove who they are."""
_KEY_BYTES = 32


class Exchange:
    """Hears what workers say on a topic, and tells them things. Thread safe; a fault in it ends no job.

    Args:
        host: what workers reach the driver by.
        bind: the address to listen at, where it is another one.
    """

    def __init__(self, host: str, bind: str | None = None) -> None:
        self._host = host
        self._bind = bind or host
        self._key = secrets.token_bytes(_KEY_BYTES)
        self._lock = threading.RLock()
        self._users = 0
        self._listener: socket.socket | None = None
        self._port = 0
        self._wires: set[Wire] = set()
        self._handlers: dict[str, Handler] = {}
        self._said: dict[str, Message] = {}
        self._strangers = threading.BoundedSemaphore(_MOST_STRANGERS)
        self._numbers = itertools.count(1)
        self._complained: set[str] = set()

    @classmethod
    def of_context(cls, context: Any) -> Exchange:
        """An exchange for the workers of a SparkContext, at the driver's own address."""
        conf = context._jsc.sc().conf()  # PySpark's own would fetch every setting, one by one
        host = conf.get("spark.driver.host", "") or "127.0.0.1"
        return cls(str(host), str(conf.get("spark.driver.bindAddress", "")) or None)

    # -- in use or not --------------------------------------------------------------------------------

    def open(self) -> None:
        """A live feature begins to use it: the first one has it listen. `close` ends that."""
        with self._lock:
            self._users += 1
            if self._listener is None:
                try:
                    self._listen()
                except OSError as error:
                    self._complain(
                        "listen",
                        "workers can't talk to the driver while they run (%s:%s: %s); what they caught comes "
                        "when their tasks end",
                        self._bind,
                        self._port,
                        error,
                    )

    def close(self) -> None:
        """A live feature is done with it; the last one has it hear nothing any more."""
        with self._lock:
            self._users = max(self._users - 1, 0)
            if self._users == 0:
                self.shut()

    def shut(self) -> None:
        """Hear nothing any more, whoever still uses it."""
        with self._lock:
            listener, self._listener = self._listener, None
            wires, self._wires = self._wires, set()
        if listener is not None:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # wakes who waits for a connection
            listener.close()
        for wire in wires:
            wire.close()

    @property
    def listening(self) -> bool:
        """Whether workers can connect now."""
        return self._listener is not None

    @property
    def address(self) -> Address:
        """What a worker needs to connect; holds the run's key."""
        return self._host, self._port, self._key

    def __enter__(self) -> Exchange:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    # -- what is said ---------------------------------------------------------------------------------

    def on(self, topic: str, handler: Handler) -> None:
        """Have a function told what workers say on a topic.

        Args:
            topic: what it is about.
            handler: called on a thread of the worker's connection; of questions on one of the question's own, so
                that it may take its time: the worker waits only as long as it wants to.
        """
        with self._lock:
            self._handlers[topic] = handler

    def off(self, topic: str) -> None:
        """Have nobody told any more."""
        with self._lock:
            self._handlers.pop(topic, None)

    def publish(self, topic: str, header: dict[str, Any], body: bytes = b"") -> None:
        """Tell all workers something, those that connect later, too.

        Args:
            topic: what it is about; what was said on it before is replaced.
            header: as JSON can hold it.
            body: data, or code.
        """
        with self._lock:
            whole = {"topic": topic, **header, "said": next(self._numbers)}
            self._said[topic] = whole, body
        self._tell(whole, body)

    def withdraw(self, topic: str) -> None:
        """Take back what was said on a topic."""
        with self._lock:
            self._said.pop(topic, None)
            whole = {"topic": topic, "withdrawn": True, "said": next(self._numbers)}
        self._tell(whole, b"")

    def _tell(self, header: dict[str, Any], body: bytes) -> None:
        with self._lock:
            wires = list(self._wires)
        for wire in wires:
            # One that doesn't read is given up after its time, and on none of them do the others wait for long.
            with suppress(OSError, ValueError):
                wire.send(header, body)

    # -- connections ----------------------------------------------------------------------------------

    def _listen(self) -> None:
        family = socket.getaddrinfo(self._bind, None, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((self._bind, self._port), family=family, backlog=128)
        self._port = listener.getsockname()[1]  # kept: functions in the program hold it
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), name="bigdebug exchange", daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, peer = listener.accept()
            except OSError:
                return
            if not self._strangers.acquire(blocking=False):
                connection.close()
                continue
            threading.Thread(
                target=self._greet, args=(connection, peer), name="bigdebug worker", daemon=True
            ).start()

    def _greet(self, connection: socket.socket, peer: Any) -> None:
        try:
            wire = answered(connection, self._key)
        except (RefusedError, OSError) as error:
            connection.close()
            logger.warning("a connection from %s was refused: %s", peer[0], error)
            return
        finally:
            self._strangers.release()
        with self._lock:
            if self._listener is None:
                wire.close()
                return
            said = list(self._said.values())
            self._wires.add(wire)
        try:
            for header, body in said:
                wire.send(header, body)
            while True:
                self._hear(wire, *wire.receive())
        except (OSError, ValueError, RefusedError):
            pass
        finally:
            wire.close()
            with self._lock:
                self._wires.discard(wire)

    def _hear(self, wire: Wire, header: dict[str, Any], body: bytes) -> None:
        if "ask" in header:
            threading.Thread(
                target=self._answer, args=(wire, header, body), name="bigdebug question", daemon=True
            ).start()
        else:
            self._handled(header, body)

    def _answer(self, wire: Wire, header: dict[str, Any], body: bytes) -> None:
        found = self._handled(header, body) or ({"unanswered": True}, b"")
        with suppress(OSError, ValueError):
            wire.send({**found[0], "answer": header["ask"]}, found[1])

    def _handled(self, header: dict[str, Any], body: bytes) -> Message | None:
        handler = self._handlers.get(header.get("topic", ""))
        if handler is None:
            return None
        try:
            return handler(header, body)
        except Exception as error:
            self._complain(
                f"handler {type(error).__name__}", "what a worker said wasn't understood: %r", error
            )
            return None

    def _complain(self, key: str, message: str, *values: Any) -> None:
        if key not in self._complained:
            self._complained.add(key)
            logger.warning(message, *values)
