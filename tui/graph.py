"""Draws a dataflow as a graph with lanes, the outputs first, a line for each operator; long chains can be folded."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from bigdebug.lineage.dataflow import Node
from bigdebug.lineage.output import Output

FOLD_ABOVE = 60
"""Graphs of more operators begin with their chains folded."""

_SHORTEST_CHAIN = 4
_MOST_LANES = 12


@dataclass(frozen=True)
class GraphRow:
    """A line of the drawing.

    Attributes:
        rails: the lanes, with the mark of the line's own node.
        node: the operator; of a folded chain its topmost; None for an output whose operator isn't known.
        output: the number of the output, where the line is one's.
        folded: how many operators stand for each other here; 0 of one that isn't folded.
    """

    rails: str
    node: int | None
    output: int | None = None
    folded: int = 0


def chains(nodes: Mapping[int, Node], keep: Collection[int]) -> dict[int, list[int]]:
    """The chains that can be folded, by the id of their topmost operator, each from the top down.

    Args:
        nodes: all operators.
        keep: those that must be seen.
    """
    children: dict[int, int] = {}
    for node in nodes.values():
        for parent in node.parents:
            children[parent] = children.get(parent, 0) + 1
    inner = {
        number
        for number, node in nodes.items()
        if len(node.parents) == 1
        and node.parents[0] in nodes
        and children.get(number, 0) <= 1
        and number not in keep
    }
    found: dict[int, list[int]] = {}
    below = {nodes[number].parents[0] for number in inner}
    for top in inner:
        if top in below:
            continue
        chain = [top]
        while nodes[chain[-1]].parents[0] in inner:
            chain.append(nodes[chain[-1]].parents[0])
        if len(chain) >= _SHORTEST_CHAIN:
            found[top] = chain
    return found


def draw(
    nodes: Mapping[int, Node], outputs: Collection[Output], folded: Mapping[int, list[int]]
) -> list[GraphRow]:
    """Draw a run's dataflow: children above, what they read below, sources at the ends of the lanes.

    Args:
        nodes: all operators by id.
        outputs: of the run.
        folded: the chains that are drawn as one line, as `chains` gives them.
    """
    hidden = {number for chain in folded.values() for number in chain[1:]}
    acted: dict[int | None, list[Output]] = {}
    for output in outputs:
        acted.setdefault(output.node if output.node in nodes else None, []).append(output)
    lanes: list[int | None] = []
    rows: list[GraphRow] = []
    for output in reversed(acted.get(None, [])):
        rows.append(GraphRow("▣", None, output.number))
    for number in sorted(nodes, reverse=True):  # an operator's number is above those of what it reads
        if number in hidden:
            continue
        for output in reversed(acted.get(number, [])):
            rows.append(_output_row(lanes, number, output.number))
        chain = folded.get(number)
        last = chain[-1] if chain else number
        parents = [each for each in nodes[last].parents if each in nodes]
        mark = "┋" if chain else ("○" if nodes[number].parents else "●")
        rails = _step(lanes, number, parents, mark)
        rows.append(GraphRow(rails, number, None, len(chain) if chain else 0))
    return rows


def _output_row(lanes: list[int | None], number: int, output: int) -> GraphRow:
    """An output stands on a lane that leads to its operator; one that is there already is joined."""
    free = next((place for place, each in enumerate(lanes) if each is None), len(lanes))
    signs = ["│" if each is not None else " " for each in lanes]
    if free == len(lanes):
        lanes.append(number)
        signs.append("▣")
    else:
        lanes[free] = number
        signs[free] = "▣"
    return GraphRow(" ".join(signs[:_MOST_LANES]), None, output)


def _step(lanes: list[int | None], number: int, parents: list[int], mark: str) -> str:
    """Draw a node, and let the lanes go on to what it reads."""
    own = [place for place, each in enumerate(lanes) if each == number]
    if not own:
        free = next((place for place, each in enumerate(lanes) if each is None), len(lanes))
        if free == len(lanes):
            lanes.append(None)
        own = [free]
    here, merged = own[0], own[1:]
    before = list(lanes)
    for place in own:
        lanes[place] = None
    opened: list[int] = []
    joined: list[int] = []
    if parents:
        lanes[here] = parents[0]
        for parent in parents[1:]:
            if parent in lanes:
                joined.append(lanes.index(parent))
                continue
            taken = {here, *merged}
            free = next(
                (p for p, each in enumerate(lanes) if each is None and p > here and p not in taken),
                len(lanes),
            )
            if free == len(lanes):
                lanes.append(None)
            lanes[free] = parent
            opened.append(free)
    ends = [*merged, *opened, *joined]
    first, last = min([here, *ends]), max([here, *ends])
    signs = []
    for place in range(max(len(lanes), len(before))):
        passing = place < len(before) and before[place] is not None and place not in own
        between = first < place < last
        if place == here:
            sign = mark
        elif place in merged:
            sign = "┴" if place < last else "╯"
        elif place in opened:
            sign = "┬" if place < last else "╮"
        elif place in joined:
            sign = "├" if place < here else "┤"
            if between:
                sign = "┼"
        elif passing:
            sign = "┼" if between else "│"
        else:
            sign = "─" if between else " "
        signs.append(sign)
    while lanes and lanes[-1] is None:
        lanes.pop()
    text = ""
    for place, sign in enumerate(signs[:_MOST_LANES]):
        text += sign + ("─" if first <= place < last else " ")
    return text.rstrip()
