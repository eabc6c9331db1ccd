"""The directed graph of operators a run asked for."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bigdebug.lineage.callsite import CallSite

if TYPE_CHECKING:
    import networkx

MOST_NODES = 10_000
"""How many operators a dataflow keeps; a service that runs for weeks forgets the oldest."""


@dataclass(frozen=True)
class Node:
    """One operator of the dataflow: one DataFrame.

    Attributes:
        id: unique within the run, from 1.
        operator: the method as the user called it: `filter`, `groupBy.agg`, `read.parquet`, `sql`, …
        call_site: where it stands in the user's code.
        parents: ids of the nodes it reads.
        paths: paths as the user wrote them, for a reader.
    """

    id: int
    operator: str
    call_site: CallSite | None
    parents: tuple[int, ...] = ()
    paths: tuple[str, ...] = ()


class Dataflow:
    """The operators recorded so far. Bounded and thread safe.

    Args:
        most: how many nodes to keep; above that the oldest are dropped.
    """

    def __init__(self, most: int = MOST_NODES) -> None:
        self._most = most
        # Reentrant: a signal handler of the user's may record while this thread is in the middle of it.
        self._lock = threading.RLock()
        self._nodes: dict[int, Node] = {}
        self._last = 0
        self._graph: networkx.DiGraph[int] | None = None

    def add(
        self,
        operator: str,
        call_site: CallSite | None,
        parents: Iterable[int] = (),
        paths: Iterable[str] = (),
    ) -> Node:
        """Append an operator; its id is the next number."""
        with self._lock:
            self._last += 1
            node = Node(self._last, operator, call_site, tuple(dict.fromkeys(parents)), tuple(paths))
            self._nodes[node.id] = node
            self._graph = None
            if len(self._nodes) > self._most:
                del self._nodes[next(iter(self._nodes))]
            return node

    def link(self, id: int, parents: Iterable[int]) -> Node | None:
        """Add parents that were found later; the node as it is then, or None where it has been dropped."""
        with self._lock:
            node = self._nodes.get(id)
            if node is not None:
                node = replace(node, parents=tuple(dict.fromkeys((*node.parents, *parents))))
                self._nodes[id] = node
                self._graph = None
            return node

    def get(self, id: int) -> Node | None:
        """The node of that id, unless it has been dropped."""
        return self._nodes.get(id)

    def nodes(self) -> list[Node]:
        """All nodes kept, in the order they were recorded."""
        with self._lock:
            return list(self._nodes.values())

    def __len__(self) -> int:
        return len(self._nodes)

    def graph(self) -> "networkx.DiGraph[int]":
        """A snapshot: ids with the attributes `operator`, `call_site`, `paths`; edges from parent to child.

        The same object is returned until something is recorded, so it costs nothing to ask again.
        """
        import networkx

        with self._lock:
            if self._graph is None:
                graph: networkx.DiGraph[int] = networkx.DiGraph()
                for node in self._nodes.values():
                    graph.add_node(
                        node.id, operator=node.operator, call_site=node.call_site, paths=node.paths
                    )
                for node in self._nodes.values():
                    graph.add_edges_from((p, node.id) for p in node.parents if p in self._nodes)
                self._graph = graph
            return self._graph
