"""Draws how an output came about, from the action down to its sources."""

from collections.abc import Mapping
from dataclasses import dataclass

from bigdebug.lineage.dataflow import Node


@dataclass(frozen=True)
class GraphLine:
    """One line of the drawing.

    Attributes:
        rails: what leads there.
        text: what stands there.
        call_site: where it is in the user's code.
        rows: how many rows it gave, where that was counted.
    """

    rails: str
    text: str
    call_site: str
    rows: int | None = None


def draw_graph(nodes: Mapping[int, Node], top: int, rows: Mapping[int, int] | None = None) -> list[GraphLine]:
    """Draw the operators above and at `top`.

    The first input of an operator goes on straight below it, so that a long chain (also one of joins)
    stays at the margin; its other inputs branch off to the right. What was drawn already is named again,
    not drawn again.

    Args:
        nodes: all operators by id.
        top: the operator to start from.
        rows: how many rows operators gave, by id.

    Returns:
        The lines from the top down.
    """
    lines: list[GraphLine] = []
    _draw(nodes, top, "", "", lines, set(), rows or {})
    return lines


def _draw(
    nodes: Mapping[int, Node],
    top: int,
    first: str,
    rest: str,
    lines: list[GraphLine],
    drawn: set[int],
    rows: Mapping[int, int],
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
        mark = "○" if node.parents else "●"
        lines.append(GraphLine(f"{rails}{mark} ", describe(node), site, rows.get(node_id)))
        for branch in node.parents[1:]:
            _draw(nodes, branch, f"{rest}├─", f"{rest}│ ", lines, drawn, rows)
        node_id = node.parents[0] if node.parents else None
        rails = rest


def describe(node: Node) -> str:
    """`4 join`, `1 read.parquet orders.parquet`."""
    return " ".join((str(node.id), node.operator, *node.paths))
