"""A worker's end of the connection to the driver: one a worker process, used by its tasks one after the other.

Nothing here waits for the driver but `ask`, and that for as long as it is told. The connection is made on a thread of
its own; what is said before it stands is kept, as far as it is little. What can't be told is lost: whoever must be
sure tells it by a Spark accumulator, too. Travels by value to Spark's Python workers.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from bigdebug.breakpoints.channel.wire import Message, RefusedError, Wire, called

Address = tuple[str, int, bytes]
"""Host and port of the driver, and the run's key."""

Follower = Callable[[dict[str, Any], bytes], None]
"""Takes what the driver says: its header and body. Must not raise."""

_LINKS = "_bigdebug_links"
_AGAIN_SECONDS = (0.2, 1.0, 5.0, 30.0)
"""How long to wait before the next try to reach the driver."""
_MOST_KEPT = 1_000
_MOST_KEPT_BYTES = 16 << 20


class Link:
    """What the tasks of a worker process say to the driver, and what it said to them. Thread safe.

    Args:
        address: of the driver.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self._process = os.getpid()
        self._wire: Wire | None = None
        self._changed = threading.Condition()
        self._kept: deque[tuple[dict[str, Any], bytes]] = deque()
        self._kept_bytes = 0
        self._latest: dict[str, Message] = {}
        self._answers: dict[int, Message | None] = {}
        self._asked = 0
        self._said: dict[str, int] = {}
        self._followers: dict[str, list[Follower]] = {}
        self._ended: float | None = None
        self._thread = threading.Thread(target=self._run, name="bigdebug link", daemon=True)
        self._thread.start()

    @property
    def usable(self) -> bool:
        """Whether the driver may still be reached by it: a forked child has its memory, not its thread."""
        return self._process == os.getpid() and self._ended is None

    @property
    def stale(self) -> bool:
        """Whether it is time to try anew."""
        if self._process != os.getpid():
            return True
        return self._ended is not None and time.monotonic() - self._ended > _AGAIN_SECONDS[-1]

    @property
    def connected(self) -> bool:
        """Whether the driver is there now."""
        return self._wire is not None

    def latest(self, topic: str) -> Message | None:
        """What the driver said last on a topic; None where it said nothing, or has taken it back."""
        return self._latest.get(topic)

    def follow(self, topic: str, follower: Follower) -> None:
        """Have a function told what the driver says on a topic: what it said last at once, the rest as it comes.

        Args:
            topic: what it is about.
            follower: told the header and the body; called on a thread of the link's.
        """
        with self._changed:
            self._followers.setdefault(topic, []).append(follower)
            known = self._latest.get(topic)
        if known is not None:
            follower(*known)

    def leave(self, topic: str, follower: Follower) -> None:
        """Have it told no more."""
        with self._changed:
            if follower in self._followers.get(topic, ()):
                self._followers[topic].remove(follower)

    def send(self, topic: str, header: dict[str, Any], body: bytes = b"") -> bool:
        """Tell the driver something; whether it is on its way, or kept until the driver is there."""
        return self._send({"topic": topic, **header}, body)

    def ask(self, topic: str, header: dict[str, Any], body: bytes = b"", *, seconds: float) -> Message | None:
        """Ask the driver something, and wait for the answer.

        Args:
            topic: what it is about.
            header: the question, as JSON can hold it.
            body: and its data.
            seconds: to wait at most.

        Returns:
            The answer; None where the driver can't be reached, or took too long.
        """
        until = time.monotonic() + seconds
        with self._changed:
            self._asked += 1
            number = self._asked
            self._answers[number] = None
        try:
            with self._changed:
                while self._wire is None and self.usable and time.monotonic() < until:
                    self._changed.wait(min(0.5, max(until - time.monotonic(), 0.0)))
                wire = self._wire
            if wire is None:
                return None
            try:
                wire.send({"topic": topic, **header, "ask": number}, body)
            except (OSError, ValueError):
                return None
            with self._changed:
                while self._answers[number] is None and self._wire is wire and time.monotonic() < until:
                    self._changed.wait(min(0.5, max(until - time.monotonic(), 0.0)))
                answer = self._answers[number]
            return None if answer is None or "unanswered" in answer[0] else answer
        finally:
            with self._changed:
                del self._answers[number]

    def _send(self, header: dict[str, Any], body: bytes) -> bool:
        wire = self._wire
        if wire is not None:
            try:
                wire.send(header, body)
                return True
            except (OSError, ValueError):
                return False
        with self._changed:
            full = len(self._kept) >= _MOST_KEPT or self._kept_bytes + len(body) > _MOST_KEPT_BYTES
            if full or not self.usable:
                return False
            self._kept.append((header, body))
            self._kept_bytes += len(body)
            return True

    def _run(self) -> None:
        waits = iter(_AGAIN_SECONDS)
        while True:
            try:
                wire = called(*self._address)
            except RefusedError:
                break  # another run's driver, or none of ours: it won't know us the next time either
            except OSError:
                wait = next(waits, None)
                if wait is None:
                    break
                time.sleep(wait)
                continue
            waits = iter(_AGAIN_SECONDS)
            self._listen(wire)
        with self._changed:
            self._ended = time.monotonic()
            self._kept.clear()
            self._changed.notify_all()

    def _listen(self, wire: Wire) -> None:
        try:
            with self._changed:
                kept = list(self._kept)
                self._kept.clear()
                self._kept_bytes = 0
            for header, body in kept:
                wire.send(header, body)
            with self._changed:
                self._wire = wire
                self._changed.notify_all()
            while True:
                header, body = wire.receive()
                self._take(header, body)
        except (OSError, RefusedError, ValueError):
            pass
        finally:
            wire.close()
            with self._changed:
                self._wire = None
                self._changed.notify_all()

    def _take(self, header: dict[str, Any], body: bytes) -> None:
        followers: list[Follower] = []
        with self._changed:
            number = header.get("answer")
            if number is not None:
                if number in self._answers:
                    self._answers[number] = header, body
                    self._changed.notify_all()
                return
            topic, said = header.get("topic", ""), header.get("said", 0)
            if said <= self._said.get(topic, -1):
                return  # what was said before may come after
            self._said[topic] = said
            if header.get("withdrawn"):
                self._latest.pop(topic, None)
            else:
                # One assignment: tasks read it without a lock.
                self._latest[topic] = header, body
                followers = list(self._followers.get(topic, ()))
        for each in followers:
            each(header, body)


def link_to(address: Address) -> Link:
    """This process's link to a driver; made where there is none, and never waited for."""
    # This module comes anew with each task, by value: what outlives a task has to stand elsewhere.
    links: dict[Address, Link] = sys.__dict__.setdefault(_LINKS, {})
    known = links.get(address)
    if known is None or known.stale:
        known = links[address] = Link(address)
    return known
