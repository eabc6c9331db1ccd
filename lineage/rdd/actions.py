"""Records the actions on RDDs: an output each, from its start to its end."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import FrameType
from typing import Any

from bigdebug.lineage.actions import Running, watched_rows
from bigdebug.lineage.attachments import attachments
from bigdebug.lineage.callsite import caller
from bigdebug.lineage.dataflow import Node
from bigdebug.lineage.nodes import call_site, complain
from bigdebug.lineage.rdd.capture.captured import action_tap, ended_well
from bigdebug.lineage.rdd.capturing import capture_rdd
from bigdebug.lineage.rdd.operator import RddOperator, known_operator
from bigdebug.lineage.rdd.recording import adopt, bound, give_node
from bigdebug.lineage.rdd.rows import rows_of_action


class RunningOnRdd(Running):
    """An action on an RDD that has begun."""

    def capture(self) -> None:
        capture_rdd(self.recorder, self.output.number, self.tap, None)


_RETURN_ROWS = {
    "collect",
    "collectWithJobGroup",
    "collectAsMap",
    "take",
    "top",
    "takeOrdered",
    "takeSample",
    "lookup",
}


def begin_rdd_action(
    action: str, method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], frame: FrameType
) -> Running | None:
    """Record that an action begins, if the context of its RDD is attached."""
    attachment = attachments.of_context(args[0].ctx) if args else None
    if attachment is None:
        return None
    given = bound(method, args, kwargs)
    operator = known_operator(given.pop("self"))
    site = call_site(attachment, frame)
    acted = RddOperator(action, (operator,), given, operator.context, Node(0, action, site))
    target = given.get("path")
    recorder = attachment.recorder
    give_node(attachment, operator, frame)
    adopt(recorder, operator)
    output = recorder.add_output(
        caller(frame)[1] or action,
        node=operator.node.id if operator.node else None,
        call_site=site,
        started=time.time(),
        rows=rows_of_action(acted),
        spark=attachment.spark,
        target=target if isinstance(target, str) else None,
    )
    running = RunningOnRdd(recorder, output, None)
    running.acted = acted
    try:
        running.tap = action_tap(recorder, action, args[0])
    except Exception as problem:
        complain(problem)
    if running.tap is None:
        running.rewrite(args[0])
    return running


def finish_rdd_action(action: str, running: Running, result: Any, error: BaseException | None) -> Any:
    """Record how an action ended; what the user gets in place of its result, which is almost always that."""
    try:
        if error is None:
            ended_well(running.tap)
        else:
            running.failed(error)
            return result
        if action == "toLocalIterator":
            return watched_rows(result, running)
        if action in _RETURN_ROWS:
            running.output.end("done", rows=len(result))
        elif action == "count":
            running.output.end("done", rows=result)
        elif action == "first":
            running.output.end("done", rows=1)
        else:
            running.output.end("done")
        capture_rdd(running.recorder, running.output.number, running.tap, result)
    except Exception as problem:
        complain(problem)
    return result
