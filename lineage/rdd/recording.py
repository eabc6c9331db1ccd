"""Records the RDDs a program asks for: each keeps what it was made with."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from operator import itemgetter
from types import FrameType
from typing import Any

from pyspark.core.rdd import RDD, PipelinedRDD
from pyspark.errors import PySparkException
from pyspark.sql import functions as F

from bigdebug.lineage.attachments import Attachment, attachments
from bigdebug.lineage.callsite import caller, mask_literals
from bigdebug.lineage.nodes import call_site
from bigdebug.lineage.output import OutputRows
from bigdebug.lineage.rdd.freezing import freeze_made
from bigdebug.lineage.rdd.hadoop import PATHS
from bigdebug.lineage.rdd.kinds import BY_SETTINGS, IN_FILES, OF_FRAME, SAMPLING
from bigdebug.lineage.rdd.operator import FrameRows, RddOperator, known_operator
from bigdebug.lineage.recorder import Recorder

_PATHS = {"path", "name"}
_signatures: dict[Callable[..., Any], inspect.Signature] = {}


def record_rdd(
    kind: str,
    method: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    result: Any,
    frame: FrameType,
    made: Callable[[RddOperator, Any], None] | None = None,
    label: str | None = None,
) -> None:
    """Record the RDDs that a method of an RDD returned, if their context is attached.

    Args:
        made: told of each operator and its RDD.
        label: as the user called it, where the kind is another.
    """
    given = bound(method, args, kwargs)
    subject = given.pop("self")
    inputs = [subject, *_rdds_in(given)] if isinstance(subject, RDD) else _rdds_in(given)
    arguments = {name: value for name, value in given.items() if not _holds_rdds(value)}
    for each in result if isinstance(result, list) else [result]:
        # partitionBy gives its own object back where nothing is to be done.
        if isinstance(each, RDD) and not any(each is one for one in inputs):
            attachment = attachments.of_context(each.ctx)
            if attachment is not None:
                operator = _record(attachment, kind, inputs, arguments, each, frame, label)
                if made is not None:
                    made(operator, each)


def record_source(
    kind: str,
    method: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    result: Any,
    frame: FrameType,
    made: Callable[[RddOperator, Any], None] | None = None,
) -> None:
    """Record the RDD that a method of a SparkContext read or made, if the context is attached.

    Args:
        made: told of the operator and its RDD.
    """
    attachment = attachments.of_context(result.ctx) if isinstance(result, RDD) else None
    if attachment is None:
        return
    given = bound(method, args, kwargs)
    context = given.pop("self")
    operator = RddOperator(kind, (), given, context)
    if isinstance(result, PipelinedRDD):  # a range, which Spark makes of its ends
        operator.arguments["numSlices"] = result.getNumPartitions()
    else:
        operator.arguments = {name: value for name, value in given.items() if name != "c"}  # may be large
        operator.source = result._jrdd, result._jrdd_deserializer
    if isinstance(given.get("conf"), dict):
        operator.arguments["conf"] = dict(given["conf"])  # what becomes of the program's own is no matter
    paths = [value for name, value in given.items() if name in _PATHS and isinstance(value, str)]
    if kind in BY_SETTINGS:
        paths = [value for name, value in (given["conf"] or {}).items() if name in PATHS]
    _add(attachment, operator, result, frame, paths if kind in IN_FILES else [])
    if made is not None:
        made(operator, result)


def bound(method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a call by name, with those left out."""
    signature = _signatures.get(method)
    if signature is None:
        signature = _signatures[method] = inspect.signature(method)
    call = signature.bind(*args, **kwargs)
    call.apply_defaults()
    return dict(call.arguments)


def record_frame_rdd(made_of: Any, rdd: Any, frame: FrameType, *, by_user: bool) -> None:
    """Record the RDD of a DataFrame, if the session of that is attached.

    Args:
        made_of: the DataFrame.
        rdd: PySpark makes it once for a DataFrame, and gives the same one ever after.
        frame: of the call.
        by_user: whether the user's code asked for it first; else it gets its node from what the user makes of it.
    """
    attachment = attachments.of(made_of._session)
    if attachment is None:
        return
    operator = RddOperator(OF_FRAME, (), {}, rdd.ctx)
    operator.source = rdd._jrdd, rdd._jrdd_deserializer
    rows = OutputRows(made_of._jdf.logicalPlan(), attachment.jsession, attachment.conf.clone())
    operator.frame = FrameRows(made_of.sparkSession, rows)
    operator.belong_to(rdd)
    if by_user:
        give_node(attachment, operator, frame)


def record_frame_texts(made_of: Any, rdd: Any, frame: FrameType) -> None:
    """Record the RDD of a DataFrame's rows as JSON: what `to_json` makes of each row says where its text is from.

    Args:
        made_of: the DataFrame.
        rdd: Spark's own, which isn't the one of that function's results.
        frame: of the call.
    """
    attachment = attachments.of(made_of._session)
    if attachment is None or not made_of.columns:
        return
    try:
        texts = made_of.select(F.to_json(F.struct("*")).alias("value"))
    except PySparkException:
        return  # of a type that `to_json` doesn't take
    rows = texts.rdd
    below = known_operator(rows)
    if below.frame is not None:
        node = made_of._jdf.queryExecution().analyzed().getTagValue(attachment.tag)
        if node.isDefined():
            below.frame.rows.plan.setTagValue(attachment.tag, node.get())
    operator = RddOperator("map", (below,), {"f": itemgetter(0), "preservesPartitioning": False}, rdd.ctx)
    _add(attachment, operator, rdd, frame, [], "toJSON")
    rdd.__dict__["_bigdebug_rows"] = rows  # lives as long


def give_node(attachment: Attachment, operator: RddOperator, frame: FrameType) -> None:
    """Have the RDD of a DataFrame in the dataflow, where it isn't yet."""
    if operator.frame is None or operator.node is not None or attachment.jsession is None:
        return
    found = operator.frame.rows.plan.getTagValue(attachment.tag)
    parent = attachment.recorder.node_id(None if found.isEmpty() else str(found.get()))
    site = call_site(attachment, frame)
    operator.node = attachment.recorder.add_node("rdd", site, [] if parent is None else [parent])
    operator.tag = attachment.recorder.tag(operator.node)


def _record(
    attachment: Attachment,
    kind: str,
    inputs: list[Any],
    arguments: dict[str, Any],
    made: Any,
    frame: FrameType,
    label: str | None,
) -> RddOperator:
    operator = RddOperator(kind, tuple(map(known_operator, inputs)), arguments, made.ctx)
    if kind in SAMPLING:
        # The seed may be Spark's own choice: what holds it is kept in place of the arguments.
        operator.arguments = {"sampler": _own_function(made).__self__}
    _add(attachment, operator, made, frame, [], label)
    return operator


def _add(
    attachment: Attachment,
    operator: RddOperator,
    made: Any,
    frame: FrameType,
    paths: list[str],
    called: str | None = None,
) -> None:
    for below in operator.inputs:
        give_node(attachment, below, frame)
        adopt(attachment.recorder, below)
    parents = [below.node.id for below in operator.inputs if below.node is not None]
    name = called or operator.kind.rpartition(".")[2]
    label = caller(frame)[1] or ("union" if name == "__add__" else name)
    operator.node = attachment.recorder.add_node(label, call_site(attachment, frame), parents, paths)
    operator.tag = attachment.recorder.tag(operator.node)
    attachment.recorder.live[operator.node.id] = made
    operator.belong_to(made)
    operator.live_with(made)
    freeze_made(operator)


def adopt(recorder: Recorder, operator: RddOperator) -> None:
    """Have an operator that an earlier recording saw, and those below it, in this one, too."""
    if operator.node is None or recorder.node_id(operator.tag) is not None:
        return
    for each in reversed(list(operator.walk())):
        if each.node is not None and recorder.node_id(each.tag) is None:
            site = each.call_site
            if site is not None and recorder.redact:
                site = replace(site, text=mask_literals(site.text))
            parents = [below.node.id for below in each.inputs if below.node is not None]
            each.node = recorder.add_node(each.label, site, parents, each.node.paths)
            each.tag = recorder.tag(each.node)


def _own_function(made: Any) -> Any:
    """The function of a pipelined RDD without those of the chain below it."""
    function = made.func
    if getattr(function, "__self__", None) is None:
        names = function.__code__.co_freevars
        function = function.__closure__[names.index("func")].cell_contents
    return function


def _rdds_in(given: dict[str, Any]) -> list[Any]:
    found: list[Any] = []
    for value in given.values():
        if isinstance(value, RDD):
            found.append(value)
        elif _holds_rdds(value):
            found += value
    return found


def _holds_rdds(value: Any) -> bool:
    if isinstance(value, RDD):
        return True
    return isinstance(value, list | tuple) and bool(value) and all(isinstance(each, RDD) for each in value)
