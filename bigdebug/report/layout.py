"""Places the operators of a dataflow in rows, sources at the top, and the lines between them.

The layers of Sugiyama's method: rows by the longest way from a source, lines that span several rows bent at each,
and some rounds of sorting each row by the mean place of its neighbours (Sugiyama et al. 1981).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

WIDTH, HEIGHT = 196, 44
_GAP, _BEND = 24, 12
_DOWN = 84
_ROUNDS = 8


@dataclass(frozen=True)
class Placed:
    """Where everything stands, in pixels.

    Attributes:
        width, height: of the whole.
        boxes: of each node the left and upper edge.
        lines: of each pair (parent, node) the points that its line goes through, downward.
    """

    width: int
    height: int
    boxes: dict[str, tuple[float, float]]
    lines: dict[tuple[str, str], list[tuple[float, float]]]


def place(parents: Mapping[str, Sequence[str]]) -> Placed:
    """Lay a graph without cycles out.

    Args:
        parents: of each node; all of them nodes themselves, and before it.
    """
    row_of: dict[str, int] = {}
    for node, above in parents.items():
        row_of[node] = max((row_of[each] + 1 for each in above), default=0)
    rows, links, ways = _with_bends(parents, row_of)
    _sort(rows, links)
    centres = _centres(rows)
    width = max((sum(map(_width, row)) + _GAP * (len(row) - 1) for row in rows), default=0)
    boxes = {node: (centres[node] - WIDTH / 2, row_of[node] * _DOWN + 1.0) for node in parents}
    lines = {}
    for (start, end), bends in ways.items():
        points = [(centres[start], boxes[start][1] + HEIGHT)]
        for row, bend in enumerate(bends, start=row_of[start] + 1):  # straight past the boxes of a row
            points += [(centres[bend], row * _DOWN + 1.0), (centres[bend], row * _DOWN + 1.0 + HEIGHT)]
        lines[start, end] = [*points, (centres[end], boxes[end][1])]
    height = max(0, len(rows) - 1) * _DOWN + HEIGHT + 2
    return Placed(round(width) + 2, height, boxes, lines)


_Ways = dict[tuple[str, str], list[str]]


def _with_bends(
    parents: Mapping[str, Sequence[str]], row_of: Mapping[str, int]
) -> tuple[list[list[str]], dict[str, list[str]], _Ways]:
    """The rows, with a place for each line that goes through; the neighbours above; the bends of each line."""
    rows: list[list[str]] = [[] for _ in range(max(row_of.values(), default=-1) + 1)]
    above: dict[str, list[str]] = {}
    ways: _Ways = {}
    for node in parents:
        rows[row_of[node]].append(node)
        above[node] = []
    for node, its_parents in parents.items():
        for parent in dict.fromkeys(its_parents):
            bends = [f"{parent}>{node}@{row}" for row in range(row_of[parent] + 1, row_of[node])]
            for row, bend in enumerate(bends, start=row_of[parent] + 1):
                rows[row].append(bend)
            way = [parent, *bends, node]
            for upper, lower in pairwise(way):
                above.setdefault(lower, []).append(upper)
            ways[parent, node] = bends
    return rows, above, ways


def _sort(rows: list[list[str]], above: Mapping[str, Sequence[str]]) -> None:
    """Each row by the mean place of its neighbours above, then below, some times."""
    below: dict[str, list[str]] = {}
    for lower, uppers in above.items():
        for upper in uppers:
            below.setdefault(upper, []).append(lower)
    for turn in range(_ROUNDS):
        neighbours = below if turn % 2 else above
        for row in reversed(rows) if turn % 2 else rows:
            centres = _centres(rows)
            means = {
                node: sum(centres[each] for each in near) / len(near)
                if (near := neighbours.get(node))
                else centres[node]
                for node in row
            }
            row.sort(key=means.__getitem__)


def _centres(rows: Sequence[Sequence[str]]) -> dict[str, float]:
    """Every row centred."""
    widest = max((sum(map(_width, row)) + _GAP * (len(row) - 1) for row in rows), default=0)
    centres = {}
    for row in rows:
        left = (widest - sum(map(_width, row)) - _GAP * (len(row) - 1)) / 2 + 1
        for node in row:
            centres[node] = left + _width(node) / 2
            left += _width(node) + _GAP
    return centres


def _width(node: str) -> int:
    return _BEND if "@" in node else WIDTH
