"""Where in a dataflow a point stands: the plan of a frame, or an operator of RDDs, with the node that asked for it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import networkx as nx
from pyspark.core.rdd import RDD
from pyspark.sql import DataFrame

from bigdebug.lineage.catalyst import NODE_TAG
from bigdebug.lineage.dataflow import Node
from bigdebug.lineage.errors import BigDebugError, UnknownNameError
from bigdebug.lineage.output import Output, OutputRows
from bigdebug.lineage.rdd.operator import RddOperator, known_operator, operator_of
from bigdebug.lineage.rdd.rows import RddRows, rows_of_rdd
from bigdebug.lineage.recorder import Recorder

_CALL_SITE = re.compile(r"(?P<file>.+):(?P<line>\d+)")


@dataclass(frozen=True)
class FramePlace:
    """A point where rows of a DataFrame pass.

    Attributes:
        spark: the PySpark session that its plan belongs to.
        rows: its analyzed plan, and the settings it runs with.
        node: the operator that made it, where that was recorded.
        action: the output whose rows these are, where it was asked for by that.
    """

    spark: Any
    rows: OutputRows
    node: Node | None
    action: Output | None = None


@dataclass(frozen=True)
class RddPlace:
    """A point where elements of an RDD pass.

    Attributes:
        rows: the operator, and its functions as Spark took them.
        node: the operator that made it, where that was recorded.
        rdd: the program's own RDD, where somebody holds it.
    """

    rows: RddRows
    node: Node | None
    rdd: Any | None

    @property
    def operator(self) -> RddOperator:
        return self.rows.operator


Place = FramePlace | RddPlace


def place_of(spark: Any, recorder: Recorder, data: Any) -> Place:
    """Where some data passes.

    Args:
        spark: the attached session.
        recorder: what the program did so far.
        data: a DataFrame, an RDD, an `Output` of the run, or a call site (`etl.py:42`).

    Raises:
        UnknownNameError: nothing that was recorded stands there.
        BigDebugError: it is nothing that data passes, or its plan is no longer at hand.
    """
    if isinstance(data, str):
        return place_at(spark, recorder, data)
    if isinstance(data, Output):
        return _place_of_output(spark, recorder, data)
    if isinstance(data, RDD):
        operator = known_operator(data)
        return RddPlace(rows_of_rdd(operator), operator.node, data)
    if isinstance(data, DataFrame) and hasattr(data, "_jdf"):
        plan = data._jdf.logicalPlan()
        session = data.sparkSession
        return FramePlace(
            session, OutputRows(plan, session._jsparkSession, None), _node_of(recorder, session, data, plan)
        )
    raise BigDebugError(
        f"records don't pass through {type(data).__name__}",
        hint='pass a DataFrame, an RDD, one of session.outputs, or a call site such as "etl.py:42"',
    )


def place_at(spark: Any, recorder: Recorder, call_site: str) -> Place:
    """The point that the last operator at a call site made.

    Args:
        spark, recorder: as `place_of` has them.
        call_site: file and line, the file's path or the last part of it.

    Raises:
        UnknownNameError: no operator that was recorded stands there.
        BigDebugError: its plan is no longer at hand.
    """
    nodes = nodes_at(recorder, call_site)
    if not nodes:
        raise UnknownNameError(
            f"no operator at {call_site} was recorded so far",
            hint="the line is that where the operator's name stands: session.graph has them all",
        )
    for node in reversed(nodes):
        found = place_of_node(spark, recorder, node.id)
        if found is not None:
            return found
    raise BigDebugError(
        f"what {nodes[-1].operator} at {call_site} made is no longer at hand",
        hint="hold the frame in a variable, or ask after an action on what was made of it",
    )


def nodes_at(recorder: Recorder, call_site: str) -> list[Node]:
    """The operators at a call site, in the order they were recorded.

    Raises:
        UnknownNameError: it is no call site.
    """
    file, line = split_call_site(call_site)
    return [node for node in recorder.dataflow.nodes() if stands_at(node, file, line)]


def split_call_site(text: str) -> tuple[str, int]:
    """File and line of a call site.

    Raises:
        UnknownNameError: it is none.
    """
    found = _CALL_SITE.fullmatch(text.strip())
    if found is None:
        raise UnknownNameError(
            f"{text!r} is no call site", hint="file and line of an operator, such as etl.py:42"
        )
    return found["file"].replace("\\", "/"), int(found["line"])


def stands_at(node: Node, file: str, line: int) -> bool:
    """Whether an operator stands at a line of a file, whose path may lack its beginning."""
    site = node.call_site
    if site is None or site.line != line:
        return False
    known = site.file.replace("\\", "/")
    return known == file or known.endswith("/" + file.removeprefix("./"))


def place_of_node(spark: Any, recorder: Recorder, number: int) -> Place | None:
    """The point that a recorded operator made; None where neither its frame nor a plan that holds it is at hand.

    Args:
        spark, recorder: as `place_of` has them.
        number: the id of the operator's node.
    """
    node = recorder.dataflow.get(number)
    live = recorder.live.get(number)
    if live is not None:
        place = place_of(spark, recorder, live)
        return place if isinstance(place, RddPlace) else FramePlace(place.spark, place.rows, node)
    recorder.settle()
    graph: nx.DiGraph[int] = recorder.dataflow.graph()
    if node is None or number not in graph:
        return None
    below = {number, *nx.descendants(graph, number)}
    for output, rows in reversed(list(recorder.rows.items())):
        if recorder.outputs[output - 1].node not in below:
            continue
        found = _within(spark, recorder, node, rows)
        if found is not None:
            return found
    for each in sorted(below - {number}, reverse=True):
        made = recorder.live.get(each)
        if made is not None:
            place = place_of(spark, recorder, made)
            found = _within(spark, recorder, node, place.rows)
            if found is not None:
                return found
    return None


def subplan(spark: Any, plan: Any, tag: str) -> Any | None:
    """The topmost part of a plan that carries an operator's tag; None where there is none.

    Args:
        spark: the PySpark session.
        plan: a JVM plan.
        tag: as the recorder gives it.
    """
    key = spark._jvm.org.apache.spark.sql.catalyst.trees.TreeNodeTag(NODE_TAG)
    level = [plan]
    while level:
        below = []
        for each in level:
            found = each.getTagValue(key)
            if found.isDefined() and found.get() == tag:
                return each
            children = each.children()
            below += [children.apply(i) for i in range(children.length())]
        level = below
    return None


def _within(spark: Any, recorder: Recorder, node: Node, rows: Any) -> Place | None:
    """An operator's point within the plan of an output, or the operators of one."""
    if isinstance(rows, RddRows):
        for operator in rows.operator.walk():
            if operator.node is not None and operator.node.id == node.id:
                return RddPlace(RddRows(operator, rows.frozen), node, operator.rdd)
            if operator.frame is not None:
                found = _within(operator.frame.spark, recorder, node, operator.frame.rows)
                if found is not None:
                    return found
        return None
    plan = subplan(spark, rows.plan, recorder.tag(node))
    if plan is None:
        return None
    return FramePlace(spark, OutputRows(plan, rows.session, rows.conf), node)


def _place_of_output(spark: Any, recorder: Recorder, output: Output) -> Place:
    rows = recorder.rows.get(output.number) if output.run_id == recorder.run_id else None
    if rows is None:
        raise BigDebugError(
            f"the plan of output {output.number} of run {output.run_id} is no longer at hand",
            hint="ask about one of the last outputs of this run",
        )
    node = None if output.node is None else recorder.dataflow.get(output.node)
    if isinstance(rows, RddRows):
        return RddPlace(rows, node, rows.operator.rdd if rows.action is None else None)
    return FramePlace(spark, rows, node, output)


def _node_of(recorder: Recorder, session: Any, frame: Any, plan: Any) -> Node | None:
    tag = frame.__dict__.get("_bigdebug_node")
    if tag is None:
        key = session._jvm.org.apache.spark.sql.catalyst.trees.TreeNodeTag(NODE_TAG)
        found = plan.getTagValue(key)
        tag = None if found.isEmpty() else str(found.get())
    return None if tag is None else recorder.node_of(tag)


def node_of_rdd(rdd: Any) -> Node | None:
    """The node that asked for an RDD."""
    operator = operator_of(rdd)
    return None if operator is None else operator.node
