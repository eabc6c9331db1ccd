"""The bytes between driver and workers: who is at the other end is proven first, then each message is.

At the start both ends send a random challenge and answer the other's with a code made of it and the run's key
(HMAC, RFC 2104), the worker first: the driver tells nothing to whom it doesn't know. A message is its length, a code
made with the connection's own key and the message's number, a header in JSON, and a body. A message that was changed,
left out or sent again ends the connection. Travels by value to Spark's Python workers.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import socket
import struct
import threading
from contextlib import suppress
from typing import Any

HANDSHAKE_SECONDS = 5.0
SEND_SECONDS = 2.0
"""How long a message may wait for an end that doesn't read; the connection is given up then."""

MOST_BYTES = 64 << 20
"""A message may be so large."""

_NONCE = _CODE = 32
_GREETING = b"bigdebug 1\n"
_LENGTHS, _LENGTHS_BYTES = ">II", 8  # a format, for a Struct can't be pickled

Message = tuple[dict[str, Any], bytes]
"""A header, and a body that says nothing of itself."""


class RefusedError(Exception):
    """The other end doesn't know the key, or doesn't talk as we do."""


class Wire:
    """One connection whose ends know each other. One thread may read while others write.

    Args:
        connection: the socket, after the handshake.
        sending, receiving: the keys of the two directions.
    """

    def __init__(self, connection: socket.socket, sending: bytes, receiving: bytes) -> None:
        self._connection = connection
        self._sending, self._receiving = sending, receiving
        self._sent = self._received = 0
        self._lock = threading.Lock()
        self.closed = False
        connection.settimeout(None)
        with suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            # Only for what is sent: a reader waits for as long as there is nothing to read.
            whole = int(SEND_SECONDS)
            limit = struct.pack("ll", whole, int((SEND_SECONDS - whole) * 1e6))
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, header: dict[str, Any], body: bytes = b"") -> None:
        """Send a message.

        Raises:
            OSError: the other end has gone, or doesn't read; the connection is closed.
            ValueError: the message is too large.
        """
        head = json.dumps(header, separators=(",", ":")).encode("ascii")
        if len(head) + len(body) > MOST_BYTES:
            raise ValueError(f"a message of {len(head) + len(body):,} bytes is too large")
        lengths = struct.pack(_LENGTHS, len(head), len(body))
        with self._lock:
            if self.closed:
                raise OSError("the connection is closed")
            code = _code(self._sending, self._sent, lengths, head, body)
            self._sent += 1
            try:
                self._connection.sendall(b"".join((lengths, code, head, body)))
            except OSError:
                self.close()  # part of the message may be on its way: nothing after it would make sense
                raise

    def receive(self) -> Message:
        """The next message; waits for it.

        Raises:
            OSError: the other end has gone.
            RefusedError: the message isn't what the other end sent.
        """
        lengths = _exactly(self._connection, _LENGTHS_BYTES)
        head_length, body_length = struct.unpack(_LENGTHS, lengths)
        if head_length + body_length > MOST_BYTES:
            raise RefusedError(f"a message of {head_length + body_length:,} bytes is too large")
        code = _exactly(self._connection, _CODE)
        head = _exactly(self._connection, head_length)
        body = _exactly(self._connection, body_length)
        if not hmac.compare_digest(code, _code(self._receiving, self._received, lengths, head, body)):
            raise RefusedError("a message was changed on its way")
        self._received += 1
        header: dict[str, Any] = json.loads(head)
        return header, body

    def close(self) -> None:
        """End the connection; who waits for a message is told so."""
        self.closed = True
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        with suppress(OSError):
            self._connection.close()


def called(host: str, port: int, key: bytes, seconds: float = HANDSHAKE_SECONDS) -> Wire:
    """A worker's connection to the driver.

    Args:
        host, port: of the driver.
        key: the run's.
        seconds: it may take so long.

    Raises:
        OSError: the driver can't be reached.
        RefusedError: what answers isn't the driver.
    """
    connection = socket.create_connection((host, port), timeout=seconds)
    try:
        if _exactly(connection, len(_GREETING)) != _GREETING:
            raise RefusedError("what answers isn't bigdebug")
        theirs = _exactly(connection, _NONCE)
        ours = os.urandom(_NONCE)
        connection.sendall(ours + _answer(key, b"worker", theirs, ours))
        if not hmac.compare_digest(_exactly(connection, _CODE), _answer(key, b"driver", ours, theirs)):
            raise RefusedError("what answers doesn't know the run's key")
        return Wire(
            connection,
            _answer(key, b"from worker", theirs, ours),
            _answer(key, b"from driver", theirs, ours),
        )
    except BaseException:
        connection.close()
        raise


def answered(connection: socket.socket, key: bytes, seconds: float = HANDSHAKE_SECONDS) -> Wire:
    """The driver's end of a connection that somebody opened; `called` has the arguments, and the errors."""
    connection.settimeout(seconds)
    ours = os.urandom(_NONCE)
    connection.sendall(_GREETING + ours)
    theirs = _exactly(connection, _NONCE)
    if not hmac.compare_digest(_exactly(connection, _CODE), _answer(key, b"worker", ours, theirs)):
        raise RefusedError("it doesn't know the run's key")
    connection.sendall(_answer(key, b"driver", theirs, ours))
    return Wire(
        connection, _answer(key, b"from driver", ours, theirs), _answer(key, b"from worker", ours, theirs)
    )


def _answer(key: bytes, role: bytes, challenge: bytes, other: bytes) -> bytes:
    return hmac.new(key, b"|".join((_GREETING, role, challenge, other)), hashlib.sha256).digest()


def _code(key: bytes, number: int, *parts: bytes) -> bytes:
    found = hmac.new(key, number.to_bytes(8, "big"), hashlib.sha256)
    for part in parts:
        found.update(part)
    return found.digest()


def _exactly(connection: socket.socket, count: int) -> bytes:
    found = bytearray()
    while len(found) < count:
        part = connection.recv(min(count - len(found), 1 << 20))
        if not part:
            raise ConnectionError("the other end has gone")
        found += part
    return bytes(found)
