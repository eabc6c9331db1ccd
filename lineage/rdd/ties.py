"""Whether the elements that an action took first might be others, because some that were sorted rank alike."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from bigdebug.lineage.rdd import passing, placing, workers
from bigdebug.lineage.rdd.annotator import Annotator
from bigdebug.lineage.rdd.chains import Chain, chain_below
from bigdebug.lineage.rdd.kinds import SORTING
from bigdebug.lineage.rdd.rows import RddRows


def ties_at_the_end(rows: RddRows, annotator: Annotator, partition: int, taken: int) -> bool:
    """Whether what lies behind the last element that was taken ranks as something does that lies behind the next one.

    Nothing is said of elements that weren't sorted.

    Args:
        rows: what the action was about: a sorted RDD, or what functions of one element at a time made of one.
        annotator: of the program.
        partition: the last that elements were taken of.
        taken: how many were taken of it.
    """
    chain = chain_below(rows.operator, rows.frozen)
    if chain.bottom.kind not in SORTING or not taken:
        return False
    context = rows.operator.context
    ordered = annotator.annotated(chain.bottom, chain.frozen).map(workers.element_of, True)
    cell = passing.Cell()
    passed = chain.over(ordered.mapPartitionsWithIndex(passing.noted(cell), True), annotator)
    behind = passed.mapPartitionsWithIndex(passing.behind(cell, partition, {taken - 1, taken}))
    near: list[tuple[int, Any]] = context.runJob(behind, workers.itself, [partition])
    if len(near) == 2 and near[0][0] == near[1][0]:
        # Of what was made of one element only a part was taken: any beside it that ranks alike might have been first.
        place = near[0][0]
        picked = ordered.mapPartitionsWithIndex(placing.picked({partition: {place - 1, place, place + 1}}))
        near = [(at, element) for (_, at), element in context.runJob(picked, workers.itself, [partition])]
    rank = _rank(chain, annotator)
    ranks = [rank(element) for _, element in near]
    return any(bool(one == other) for one, other in pairwise(ranks))


def _rank(chain: Chain, annotator: Annotator) -> Callable[[Any], Any]:
    """What the elements were sorted by."""
    own = annotator.arguments(chain.bottom, chain.frozen).get("keyfunc") or workers.itself
    return workers.of_element(own) if chain.bottom.kind == "sortByKey" else own
