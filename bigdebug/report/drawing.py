"""The dataflow as an inline SVG drawing."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from bigdebug.lineage.value_text import visible
from bigdebug.report.content import Content
from bigdebug.report.layout import HEIGHT, WIDTH, place

MOST_DRAWN = 150
_CELLS = 24


@dataclass(frozen=True)
class Box:
    """An operator, or an output, in the drawing.

    Attributes:
        kind: `source`, `operator` or `output`; `failed` for an output that failed.
        x, y: its left and upper edge.
        title: the whole of what it says, for who can't see it, or points at it.
        lines: two lines of text that fit into it.
        link: the part of the page that tells more.
    """

    kind: str
    x: float
    y: float
    title: str
    lines: tuple[str, str]
    link: str


@dataclass(frozen=True)
class Drawing:
    """All of it.

    Attributes:
        width, height: in pixels.
        boxes: the operators and outputs.
        paths: the lines between them, as SVG path data.
    """

    width: int
    height: int
    boxes: Sequence[Box]
    paths: Sequence[str]
    box_width: int = WIDTH
    box_height: int = HEIGHT


def draw(content: Content) -> Drawing | None:
    """Draw what leads to the outputs; None where that is nothing, or too much for a picture."""
    operators = {f"o{each['id']}": each for each in content["operators"]}
    outputs = {f"r{each['number']}": each for each in content["outputs"] if f"o{each['node']}" in operators}
    reached: set[str] = set()
    waiting = [f"o{each['node']}" for each in outputs.values()]
    while waiting:
        name = waiting.pop()
        if name in operators and name not in reached:
            reached.add(name)
            waiting += [f"o{parent}" for parent in operators[name]["parents"]]
    if not reached or len(reached) + len(outputs) > MOST_DRAWN:
        return None
    parents = _in_order(
        {name: [f"o{p}" for p in operators[name]["parents"] if f"o{p}" in reached] for name in reached}
    )
    parents |= {name: [f"o{each['node']}"] for name, each in outputs.items()}
    placed = place(parents)
    boxes = [
        _output_box(outputs[name], *placed.boxes[name])
        if name in outputs
        else _operator_box(operators[name], *placed.boxes[name])
        for name in parents
    ]
    return Drawing(placed.width, placed.height, boxes, [_path(points) for points in placed.lines.values()])


def _in_order(parents: dict[str, list[str]]) -> dict[str, list[str]]:
    """Parents first. An operator may read one that was recorded after it."""
    ordered: dict[str, list[str]] = {}
    for start in sorted(parents, key=lambda name: int(name[1:])):
        waiting, under = [start], set()
        while waiting:
            name = waiting[-1]
            missing = [each for each in parents[name] if each not in ordered and each not in under]
            if name in ordered or not missing:
                waiting.pop()
                ordered.setdefault(name, [each for each in parents[name] if each in ordered])
            else:
                under.add(name)
                waiting += missing
    return ordered


def _operator_box(node: Content, x: float, y: float) -> Box:
    name = visible(" ".join((node["operator"], *node["paths"])))
    site = _site(node)
    return Box(
        "operator" if node["parents"] else "source",
        x,
        y,
        f"operator {node['id']}: {name}{f', {site}' if site else ''}",
        (_cut(f"{node['id']} {node['operator']} {_last_parts(node['paths'])}"), _cut(site)),
        f"operator-{node['id']}",
    )


def _output_box(output: Content, x: float, y: float) -> Box:
    what = visible(" ".join(filter(None, (output["action"], output["target"]))))
    failed = output["status"] == "failed"
    rows = "" if output["rows"] is None else f"{output['rows']:,} row{'' if output['rows'] == 1 else 's'}"
    told = ", ".join(filter(None, ("failed" if failed else "", rows, _site(output))))
    return Box(
        "failed" if failed else "output",
        x,
        y,
        f"output {output['number']}: {what}{f', {told}' if told else ''}",
        (
            _cut(f"output {output['number']}: {output['action']}"),
            _cut("failed" if failed else rows or _site(output)),
        ),
        f"output-{output['number']}",
    )


def _last_parts(paths: Sequence[str]) -> str:
    return " ".join(path.rstrip("/").rpartition("/")[2] for path in paths)


def _site(entry: Content) -> str:
    site = entry["call_site"]
    return visible(f"{site['file'].replace(chr(92), '/').rpartition('/')[2]}:{site['line']}") if site else ""


def _cut(text: str) -> str:
    """So much of a text as fits: wide characters take two cells."""
    text, room = visible(text).strip(), _CELLS
    kept: list[str] = []
    for char in text:
        room -= 2 if unicodedata.east_asian_width(char) in "WF" else 1
        if room < 0:
            return "".join(kept[:-1]) + "…"
        kept.append(char)
    return text


def _path(points: Sequence[tuple[float, float]]) -> str:
    """A line that leaves and arrives upright, and passes its bends."""
    (x, y), *rest = points
    parts = [f"M{x:.1f} {y:.1f}"]
    for to_x, to_y in rest:
        middle = (y + to_y) / 2
        parts.append(f"C{x:.1f} {middle:.1f} {to_x:.1f} {middle:.1f} {to_x:.1f} {to_y:.1f}")
        x, y = to_x, to_y
    return "".join(parts)
