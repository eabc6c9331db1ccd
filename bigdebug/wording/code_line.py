"""The one line of the user's code that is shown for an operator."""

from collections.abc import Iterable, Sequence

from bigdebug.lineage.callsite import CallSite
from bigdebug.lineage.dataflow import Node

_GOES_ON = ("(", "[", "{", ",", "\\")


def code_line(site: CallSite | None, nodes: Iterable[Node]) -> str:
    """The part of a statement that makes a call, as one line.

    A call site keeps its statement whole and the call's line in the file, but not where the statement begins.
    That follows from the recorded calls of the statement, if they fit in one way only.

    Args:
        site: of the call.
        nodes: the recorded operators, among them the others of the same statement.

    Returns:
        The call's line, from its `groupBy(` on where it has one above; how the statement begins, where the
        line can't be told; empty without a text.
    """
    lines = site.text.splitlines() if site else []
    if site is None or len(lines) < 2:
        return "".join(lines)
    calls = [
        (node.call_site.line, node.operator.partition(" ")[0].split("."))
        for node in nodes
        if node.call_site
        and (node.call_site.file, node.call_site.text) == (site.file, site.text)
        and abs(node.call_site.line - site.line) < len(lines)
    ]
    starts = [
        start
        for start in range(site.line - len(lines) + 1, site.line + 1)
        if all(_stands_at(lines, line - start, words[-1]) for line, words in calls)
    ]
    if len(starts) != 1:
        return site.brief
    row = site.line - starts[0]
    groupings = {words[0] for line, words in calls if line == site.line and len(words) > 1}
    first = max(
        (above for above in range(row + 1) if any(_stands_at(lines, above, name) for name in groupings)),
        default=row,
    )
    told = " ".join(line.strip() for line in lines[first : row + 1])
    return f"{told} …" if told.endswith(_GOES_ON) else told


def _stands_at(lines: Sequence[str], row: int, method: str) -> bool:
    return 0 <= row < len(lines) and f"{method}(" in lines[row]
