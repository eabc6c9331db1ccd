"""Which outputs of a run were made of what an operator gave."""

from __future__ import annotations

from bigdebug.lineage.output import Output
from bigdebug.lineage.store import StoredRun


def made_of(run: StoredRun, node: int) -> set[int]:
    """An operator, and all that read what it gave."""
    found = {node}
    for number, each in sorted(run.nodes.items()):
        if found.intersection(each.parents):
            found.add(number)
    return found


def output_for(run: StoredRun, node: int) -> Output | None:
    """An output that can be computed again and was made of what an operator gave: the nearest one."""
    below = made_of(run, node)
    found = [each for each in run.outputs if each.recipe == "stored" and each.node in below]
    return min(found, key=lambda each: (each.node or 0, each.number), default=None)
