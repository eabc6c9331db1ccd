"""How many elements each operator of an RDD program gave."""

from __future__ import annotations

from collections.abc import Mapping

from bigdebug.lineage.asking import jobs_of_ours
from bigdebug.lineage.counting import rows_of_operators
from bigdebug.lineage.rdd.annotator import Annotator
from bigdebug.lineage.rdd.frames import Frame, functions_given
from bigdebug.lineage.rdd.freezing import Frozen
from bigdebug.lineage.rdd.kinds import INTO_FRAME
from bigdebug.lineage.rdd.operator import RddOperator
from bigdebug.lineage.rdd.trace import require_understood
from bigdebug.lineage.rdd.travelling import travelling


def elements_of_operators(
    tops: Mapping[RddOperator, Frozen], frames: Mapping[RddOperator, Frame]
) -> dict[int, int]:
    """By number of the recorded operator, how many elements, or rows, it gave for an output.

    One job for each operator of RDDs; what lies below a shuffle is computed once, for all above it.

    Args:
        tops: the operators to begin with, and the functions given to each; where an action gave some of the
            elements, all of them are counted.
        frames: the DataFrames below, as `frames_below` found them.
    """
    for top in tops:
        require_understood(top)
    given = functions_given(tops, frames, lambda operator: operator.inputs)
    (context,) = {top.context for top in tops}
    annotator = Annotator(context)
    found: dict[int, int] = {}
    with jobs_of_ours(context, "elements of operators"), travelling():
        for operator in sorted(given, key=lambda each: -each.serial):
            node = operator.node
            if node is not None and node.id and node.id not in found and operator.kind != INTO_FRAME:
                found[node.id] = int(annotator.plain(operator, given[operator]).count())
    for frame in frames.values():
        found = {**rows_of_operators(frame.question), **found}
    return found
