"""What the operator at a point reads: the points right above it."""

from __future__ import annotations

from typing import Any

from bigdebug.breakpoints.points.places import FramePlace, Place, RddPlace, place_of_node, subplan
from bigdebug.lineage.output import OutputRows
from bigdebug.lineage.rdd.freezing import frozen_for
from bigdebug.lineage.rdd.rows import RddRows
from bigdebug.lineage.recorder import Recorder


def inputs_of(spark: Any, recorder: Recorder, place: Place) -> list[Place]:
    """The points whose records the operator at a point reads, in the order it was given them.

    Args:
        spark: the attached session.
        recorder: what the program did so far.
        place: the point.
    """
    if isinstance(place, RddPlace):
        frozen = frozen_for(place.operator, place.rows.frozen)
        return [RddPlace(RddRows(each, frozen), each.node, each.rdd) for each in place.operator.inputs]
    if place.node is None:
        return []
    recorder.settle()
    node = recorder.dataflow.get(place.node.id) or place.node
    found: list[Place] = []
    for number in node.parents:
        parent = recorder.dataflow.get(number)
        plan = None if parent is None else subplan(place.spark, place.rows.plan, recorder.tag(parent))
        if plan is not None and parent is not None:
            rows = OutputRows(plan, place.rows.session, place.rows.conf)
            found.append(FramePlace(place.spark, rows, parent))
            continue
        elsewhere = place_of_node(spark, recorder, number)
        if elsewhere is not None:
            found.append(elsewhere)
    return found
