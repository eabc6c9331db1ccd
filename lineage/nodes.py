"""Records the operators a program calls, and marks their plans so that they are found again."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any

from pyspark.core.rdd import RDD
from pyspark.sql.classic.dataframe import DataFrame
from pyspark.sql.group import GroupedData

from bigdebug.lineage.attachments import Attachment, attachments
from bigdebug.lineage.callsite import CallSite, caller, capture
from bigdebug.lineage.checkpoints import CHECKPOINTS, keep_checkpoint
from bigdebug.lineage.rdd.joints import keep_joint
from bigdebug.lineage.rdd.operator import operator_of
from bigdebug.lineage.transposed import keep_transposed

logger = logging.getLogger("bigdebug")

_NODE = "_bigdebug_node"
_GROUPED = "_bigdebug_grouped"
_WRITTEN = "_bigdebug_written"

# Told apart from data at hand: reading it again runs the user's code again.
FROM_RDD = "createDataFrame of an RDD"

# Readers whose strings aren't paths, and where a name may stand for a view made by recorded operators.
_PATHLESS = {"createDataFrame", "emptyDataFrame", "range", "jdbc"}
_BY_NAME = {"table", "sql"}

# Operators that may give back the very plan they were called on (a name that isn't there to be renamed, a hint
# that Spark doesn't know): only there is it worth three calls into the JVM to ask whether it has a tag already.
_MAY_REUSE = {
    "alias", "checkpoint", "createDataFrame", "drop", "dropna", "hint", "localCheckpoint", "observe", "to",
    "toDF", "withColumnRenamed", "withColumnsRenamed", "withWatermark",
}  # fmt: skip


@dataclass(frozen=True)
class Operation:
    """A method that returns frames.

    Attributes:
        label: as users write it: `filter`, `read.parquet`.
        name: the method's name.
        reader: its strings name what is read.
    """

    label: str
    name: str
    reader: bool = False


def complain(problem: Exception) -> None:
    """Say once that something couldn't be recorded."""
    every = attachments.all()
    if every:
        every[-1].recorder.failed(problem)
    else:
        logger.debug("not recorded", exc_info=problem)


def record_operator(
    operation: Operation, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any, frame: FrameType
) -> None:
    """Record the frames that a call returned, if their session is attached.

    RDDs belong to their context: what one becomes in another session (PySpark's `toDF` uses the one made last)
    is recorded too, for traces to go on from there.
    """
    made = result if isinstance(result, list) else [result]
    for each in made:
        if isinstance(each, DataFrame):
            attachment = attachments.of(each._session)
            if attachment is None and _given_rdd(operation, args, kwargs) is not None:
                attachment = attachments.of_context(each._sc)
            if attachment is not None:
                _record_frame(attachment, operation, args, kwargs, each, frame)


def _record_frame(
    attachment: Attachment,
    operation: Operation,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    made: DataFrame,
    frame: FrameType,
) -> None:
    recorder = attachment.recorder
    parents: list[int] = []
    search: list[Any] = []
    for each in () if operation.name == "createDataFrame" else _frames_in(args, kwargs):
        parent = node_id_of(attachment, each)
        if parent is not None:
            parents.append(parent)
        elif attachments.of(each._session) is attachment:
            search.append(each._jdf.logicalPlan())
    parents += _nodes_of_rdds(attachment, args, kwargs)
    plan = made._jdf.logicalPlan()
    if operation.name in _BY_NAME:
        search.append(plan)
    subject = args[0] if args else None
    grouped = subject.__dict__.get(_GROUPED) if hasattr(subject, "__dict__") else None
    label = caller(frame)[1] or (f"{grouped}.{operation.label}" if grouped else operation.label)
    given = _given_rdd(operation, args, kwargs)
    if given is not None:
        label = FROM_RDD
    paths = _strings(operation.name, args, kwargs) if _has_paths(operation) else ()
    node = recorder.add_node(label, call_site(attachment, frame), parents, paths)
    if operation.name in _MAY_REUSE:
        mark(attachment, plan, recorder.tag(node))
    elif made is not subject:
        plan.setTagValue(attachment.tag, recorder.tag(node))
    made.__dict__[_NODE] = recorder.tag(node)
    recorder.live[node.id] = made
    if label == FROM_RDD:
        keep_joint(given, plan, node, recorder.tag(node))
    if operation.name in CHECKPOINTS and isinstance(subject, DataFrame):
        keep_checkpoint(subject.sparkSession, subject._jdf.queryExecution().analyzed(), plan)
    if operation.name == "transpose":
        keep_transposed(made._sc._jvm, plan, made._jdf.queryExecution().logical())
    if search:
        recorder.find_parents(node, attachment.tag, search)


def _given_rdd(operation: Operation, args: tuple[Any, ...], kwargs: dict[str, Any]) -> RDD[Any] | None:
    """The RDD that a DataFrame was made of."""
    given = kwargs.get("data", args[1] if len(args) > 1 else None)
    return given if operation.name == "createDataFrame" and isinstance(given, RDD) else None


def call_site(attachment: Attachment, frame: FrameType) -> CallSite | None:
    """The user's line, without values where the recorder must not store any."""
    return capture(frame, masked=bool(attachment.recorder.redact))


def mark(attachment: Attachment, plan: Any, tag: str) -> None:
    """Tag a plan, unless it is tagged: then the call has only used again what another operator made."""
    if attachment.recorder.node_id(_tag_of(attachment, plan)) is None:
        plan.setTagValue(attachment.tag, tag)


def node_id_of(attachment: Attachment, frame: DataFrame) -> int | None:
    """The node that made a frame, as far as its own object or the top of its plan tells."""
    # By __dict__: a missing attribute of a DataFrame is looked for among its columns, in the JVM.
    known = attachment.recorder.node_id(frame.__dict__.get(_NODE))
    if known is None and attachments.of(frame._session) is attachment:
        known = attachment.recorder.node_id(_tag_of(attachment, frame._jdf.logicalPlan()))
    return known


def _tag_of(attachment: Attachment, plan: Any) -> str | None:
    found = plan.getTagValue(attachment.tag)
    return None if found.isEmpty() else str(found.get())


def keep_beside(name: str, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
    """Remember what an object between two calls doesn't keep: how it is grouped, what it writes where."""
    if name in ("writeTo", "mergeInto"):
        table = kwargs.get("table", args[1] if len(args) > 1 else None)
        result.__dict__[_WRITTEN] = (args[0], table)
    else:
        before = args[0].__dict__.get(_GROUPED) if args else None
        result.__dict__[_GROUPED] = f"{before}.{name}" if before else name


def subject_frame(subject: Any) -> tuple[DataFrame | None, str | None]:
    """The frame that an action's object is about, and the table that is known to be written."""
    if isinstance(subject, DataFrame):
        return subject, None
    known: dict[str, Any] = getattr(subject, "__dict__", {})
    kept: tuple[DataFrame, str | None] | None = known.get(_WRITTEN)
    if kept is not None:
        return kept
    frame = known.get("_df")
    return (frame if isinstance(frame, DataFrame) else None), None


def _nodes_of_rdds(attachment: Attachment, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[int]:
    """The nodes that made the RDDs that a frame is made of."""
    for value in (*args, *kwargs.values()):
        operator = operator_of(value) if isinstance(value, RDD) else None
        number = attachment.recorder.node_id(operator.tag) if operator is not None else None
        if number is not None:
            yield number


def _frames_in(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[DataFrame]:
    for value in (*args, *kwargs.values()):
        if isinstance(value, DataFrame):
            yield value
        elif isinstance(value, list | tuple):
            yield from (each for each in value if isinstance(each, DataFrame))
        elif isinstance(value, dict):
            yield from (each for each in value.values() if isinstance(each, DataFrame))
        elif isinstance(value, GroupedData):
            yield value._df
        elif hasattr(value, "__dict__"):
            inner = value.__dict__
            for key in ("df", "_df"):
                if isinstance(inner.get(key), DataFrame):
                    yield inner[key]
            for key in ("_gd1", "_gd2"):
                if isinstance(inner.get(key), GroupedData):
                    yield inner[key]._df


def _has_paths(operation: Operation) -> bool:
    return operation.reader and operation.name not in _PATHLESS and not operation.label.startswith("tvf.")


def _strings(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[str]:
    """The paths or the name that a reader was given, as the user wrote them."""
    given = list(args[1:] if name == "parquet" else args[1:2])
    given = given or [kwargs[key] for key in ("path", "paths", "tableName") if key in kwargs]
    found: list[str] = []
    for value in given:
        many = value if isinstance(value, list | tuple) else [value]
        found += [each for each in many if isinstance(each, str)]
    return found
