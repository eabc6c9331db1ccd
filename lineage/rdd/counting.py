"""How many elements each operator of an RDD program gave."""

from __future__ import annotations

from bigdebug.lineage.asking import jobs_of_ours
from bigdebug.lineage.rdd.annotator import Annotator, frozen_for
from bigdebug.lineage.rdd.freezing import Frozen
from bigdebug.lineage.rdd.operator import RddOperator
from bigdebug.lineage.rdd.rows import RddRows
from bigdebug.lineage.rdd.trace import require_understood
from bigdebug.lineage.rdd.travelling import travelling


def elements_of_operators(rows: RddRows) -> dict[int, int]:
    """By number of the recorded operator, how many elements it gave for an output.

    One job for each operator; what lies below a shuffle is computed once, for all above it.

    Args:
        rows: what the action was about; where it gave some of the elements, all of them are counted.
    """
    require_understood(rows.operator)
    given: dict[RddOperator, Frozen] = {rows.operator: rows.frozen}
    waiting = [rows.operator]
    while waiting:
        operator = waiting.pop()
        for below in operator.inputs:
            if below not in given:
                given[below] = frozen_for(operator, given[operator])
                waiting.append(below)
    context = rows.operator.context
    annotator = Annotator(context)
    found: dict[int, int] = {}
    with jobs_of_ours(context, "elements of operators"), travelling():
        for operator in sorted(given, key=lambda each: -each.serial):
            node = operator.node
            if node is not None and node.id and node.id not in found:
                found[node.id] = int(annotator.plain(operator, given[operator]).count())
    return found
