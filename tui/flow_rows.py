"""The lines of a drawn dataflow as rows: its outputs and operators, with their counts, marks, places and code."""

from __future__ import annotations

from collections.abc import Sequence

from bigdebug.lineage.store import StoredRun
from bigdebug.tui.cells import Cell, Column, Row
from bigdebug.tui.copying import Shown
from bigdebug.tui.graph import GraphRow
from bigdebug.tui.marks import Marks
from bigdebug.wording.code_line import code_line
from bigdebug.wording.quantities import duration

_MOST_PATH = 24
COLUMNS = (
    Column("", width=3, style="grid--mark"),
    Column("dataflow", most=44),
    Column("rows in", right=True),
    Column("rows out", right=True),
    Column("at", most=24),
    Column("code", most=100, style="grid--dim"),
)
_STATUS = {"done": "grid--good", "failed": "grid--bad"}


class FlowRows:
    """The lines of the drawing as rows of a grid.

    Args:
        run: the run.
        lines: of the drawing.
        counted: rows that operators gave, by their ids.
        marks: of the run.
    """

    def __init__(
        self, run: StoredRun, lines: Sequence[GraphRow], counted: dict[int, int], marks: Marks
    ) -> None:
        self.lines = lines
        self._nodes = run.nodes
        self._outputs = {each.number: each for each in run.outputs}
        self._counted = counted
        self._marks = marks
        self._made: dict[int, Row] = {}

    @property
    def count(self) -> int:
        return len(self.lines)

    def row(self, index: int) -> Row:
        if index not in self._made:
            line = self.lines[index]
            self._made[index] = self._output(line) if line.output is not None else self._operator(line)
        return self._made[index]

    def _output(self, line: GraphRow) -> Row:
        output = self._outputs[line.output or 0]
        name = f"{output.action} {output.target}" if output.target else output.action
        took = "" if output.seconds is None else f"  {duration(output.seconds)}"
        rows = "" if output.rows is None else f"{output.rows:,}"
        said = f"{output.status}{took}"
        if output.missing:
            said += f", {output.missing:,} left out"
        if output.error:
            said += f"  {output.error}"
        elif output.recipe == "unavailable":
            said += f"  no recipe: {output.recipe_problem or 'not known why'}"
        return (
            "",
            Cell(f"{line.rails} output {output.number}: {name}", "grid--strong"),
            "",
            rows,
            output.call_site.label if output.call_site else "",
            Cell(said, _STATUS.get(output.status, "grid--live")),
        )

    def _operator(self, line: GraphRow) -> Row:
        node = self._nodes[line.node or 0]
        label = node.call_site.label if node.call_site else ""
        if line.folded:
            text = f"{line.rails} {line.folded} operators, {node.operator} … (Space unfolds)"
            return ("", Cell(text, "grid--dim"), "", self._rows(node.id), label, "")
        text = " ".join((f"{line.rails} {node.id}", node.operator, *map(_shortened, node.paths)))
        entering = [self._counted.get(parent) for parent in node.parents]
        told = [count for count in entering if count is not None]
        rows_in = f"{sum(told):,}" if told and len(told) == len(entering) else ""
        code = code_line(node.call_site, self._nodes.values())
        return (self._marks.of(label), text, rows_in, self._rows(node.id), label, code)

    def _rows(self, node: int) -> str:
        count = self._counted.get(node)
        return "" if count is None else f"{count:,}"

    def shown(self) -> Shown:
        """What is copied."""
        names = [column.title or "marks" for column in COLUMNS]
        table = [
            [each.text if isinstance(each, Cell) else each for each in self.row(index)]
            for index in range(self.count)
        ]
        return Shown(names, table)


def _shortened(path: str) -> str:
    """A path as the user wrote it; the end of a long one."""
    return path if len(path) <= _MOST_PATH else "…/" + path.rstrip("/").rpartition("/")[2]
