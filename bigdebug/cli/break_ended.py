"""Breakpoints in a run whose program has ended: computed again in a Spark of our own."""

from __future__ import annotations

from typing import Any

from bigdebug.breakpoints.channel.values import told
from bigdebug.breakpoints.points.places import split_call_site, stands_at
from bigdebug.lineage.asking import asking
from bigdebug.lineage.errors import BigDebugError, UnknownNameError
from bigdebug.lineage.postmortem import Replay, open_output
from bigdebug.lineage.store import StoredRun
from bigdebug.lineage.where import rows_where


def break_ended(run: StoredRun, at: str, when: str | None, limit: int) -> dict[str, Any]:
    """What passed the operator at a call site, as `described_breakpoint` tells it.

    Args:
        run: the run.
        at: the call site.
        when: which rows, in SQL; None for all.
        limit: how many of them.

    Raises:
        UnknownNameError: no operator of the run stands there.
        BigDebugError: no output that can be computed again was made of what it gave.
    """
    file, line = split_call_site(at)
    nodes = {number for number, node in run.nodes.items() if stands_at(node, file, line)}
    if not nodes:
        raise UnknownNameError(
            f"no operator at {at} was recorded", hint=f"bigdebug show {run.run_id} tells where they stand"
        )
    below = _made_of(run, nodes)
    spark = None
    for output in reversed(run.outputs):
        if output.recipe != "stored" or output.node not in below:
            continue
        replay = open_output(run, output, spark=spark)
        spark = replay.spark
        if not isinstance(replay, Replay):
            continue
        question = replay.question()
        for operator in question.root.walk():
            if operator.node is not None and operator.node.id in nodes:
                return _looked(question.catalyst, operator, at, when, limit)
    raise BigDebugError(
        f"no output of DataFrames that can be computed again was made of what {at} gave",
        hint="of RDDs, look while the program runs",
    )


def _looked(catalyst: Any, operator: Any, at: str, when: str | None, limit: int) -> dict[str, Any]:
    condition = rows_where(catalyst, operator, when, "the breakpoint", "when").condition
    plan = operator.plan if condition is None else catalyst.filter(condition, operator.plan)
    with asking(catalyst, "records at a breakpoint"):
        rows = catalyst.frame(plan).limit(limit).collect()
        count = len(rows) if len(rows) < limit else catalyst.frame(plan).count()
    site = operator.call_site
    return {
        "number": None,
        "at": at,
        "operator": operator.node.operator,
        "call_site": site.label if site else None,
        "when": when,
        "reached": True,
        "count": int(count),
        "records": [told(row.asDict()) for row in rows],
    }


def _made_of(run: StoredRun, nodes: set[int]) -> set[int]:
    """Some operators, and all that read what these gave."""
    found = set(nodes)
    for number, node in sorted(run.nodes.items()):
        if found.intersection(node.parents):
            found.add(number)
    return found
