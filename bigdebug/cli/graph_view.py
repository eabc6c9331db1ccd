"""Draws how an output came about, from the action down to its sources."""

from collections.abc import Mapping
from dataclasses import dataclass

from bigdebug.lineage.dataflow import Node


@dataclass(frozen=True)
class GraphLine:
    """One line of the drawing: rails, what stands there, and where it is in the user's code."""

    rails: str
    text: str
    call_site: str


def draw_graph(nodes: Mapping[int, Node], top: int) -> list[GraphLine]:
    """Draw the operators above and at `top`.

    The first input of an operator goes on straight below it, so that a long chain (also one of joins)
    stays at the margin; its other inputs branch off to the right. What was drawn already is named again,
    not drawn again.

    Args:
        nodes: all operators by id.
        top: the operator to start from.

    Returns:
        The lines from the top down.
    """
    lines: list[GraphLine] = []
    _draw(nodes, top, "", "", lines, set())
    return lines


def _draw(
    nodes: Mapping[int, Node], top: int, first: str, rest: str, lines: list[GraphLine], drawn: set[int]
) -> None:
    node_id: int | None = top
    rails = first
    while node_id is not None:
        node = nodes.get(node_id)
        if node is None:
            lines.append(GraphLine(f"{rails}? ", f"{node_id} (not recorded)", ""))
            return
        site = node.call_site.label if node.call_site else ""
        if node_id in drawn:
            lines.append(GraphLine(f"{rails}↑ ", f"{describe(node)} (above)", site))
            return
        drawn.add(node_id)
        lines.append(GraphLine(f"{rails}{'○' if node.parents else '●'} ", describe(node), site))
        for branch in node.parents[1:]:
            _draw(nodes, branch, f"{rest}├─", f"{rest}│ ", lines, drawn)
        node_id = node.parents[0] if node.parents else None
        rails = rest


def describe(node: Node) -> str:
    """`4 join`, `1 read.parquet orders.parquet`."""
    return " ".join((str(node.id), node.operator, *node.paths))
