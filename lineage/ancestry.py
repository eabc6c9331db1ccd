"""Finds which recorded operators a plan is built on where Python can't tell: views in SQL, other libraries.

Walking a plan costs several calls into the JVM a node, so that is done on a thread beside the program.
"""

import logging
import queue
import threading
from collections.abc import Callable, Sequence
from typing import Any

logger = logging.getLogger("bigdebug")

_MOST_VISITED = 400

_Question = tuple[int, Any, Sequence[Any]]


class Ancestry:
    """Looks for the nearest tagged plans below a plan.

    Args:
        node_id: the id of the node that a tag names, or None for a tag that isn't the recorder's.
        found: called on the thread with the id that asked and the ids found.
    """

    def __init__(
        self, node_id: Callable[[str], int | None], found: Callable[[int, Sequence[int]], None]
    ) -> None:
        self._node_id = node_id
        self._found = found
        self._waiting: queue.SimpleQueue[_Question | threading.Event | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._lock = threading.RLock()

    def find(self, id: int, key: Any, plans: Sequence[Any]) -> None:
        """Look for the parents of a node.

        Args:
            id: the node that asks; its own tag is no parent.
            key: the JVM `TreeNodeTag` that plans are tagged with.
            plans: JVM plans to begin with.
        """
        with self._lock:
            if self._closed:
                return
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="bigdebug ancestry", daemon=True)
                self._thread.start()
            self._waiting.put((id, key, plans))

    def settle(self, timeout: float) -> None:
        """Wait until all that was asked is answered."""
        done = threading.Event()
        with self._lock:
            if self._closed or self._thread is None:
                return
            self._waiting.put(done)
        done.wait(timeout)

    def close(self) -> None:
        """End the thread when it has answered what was asked."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._waiting.put(None)

    def _work(self) -> None:
        while (asked := self._waiting.get()) is not None:
            if isinstance(asked, threading.Event):
                asked.set()
                continue
            id, key, plans = asked
            try:
                parents = self._nearest(id, key, plans)
                if parents:
                    self._found(id, parents)
            except Exception as error:
                # The session may have been stopped meanwhile; the graph lacks an edge, nothing else.
                logger.debug("no parents found for operator %d", id, exc_info=error)

    def _nearest(self, id: int, key: Any, plans: Sequence[Any]) -> list[int]:
        found: list[int] = []
        left = list(plans)
        for _ in range(_MOST_VISITED):
            if not left:
                break
            plan = left.pop(0)
            tag = plan.getTagValue(key)
            parent = self._node_id(tag.get()) if tag.isDefined() else None
            if parent is not None and parent != id:
                found.append(parent)
            else:
                left += [*_items(plan.children()), *_items(plan.subqueries())]
        return found


def _items(seq: Any) -> list[Any]:
    return [seq.apply(i) for i in range(seq.size())]
