"""Computes anew what lies downstream of a point, with the operator there replaced by a function of the user's.

What the operator reads is computed once and kept in Spark, as long as the program's session lives or until Spark
needs the room: the next patch starts from there. The user's own frames, RDDs and files stay as they are.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pyspark.core.rdd import RDD
from pyspark.sql import DataFrame
from pyspark.storagelevel import StorageLevel

from bigdebug.breakpoints.points.answers import jobs_with_functions
from bigdebug.breakpoints.points.functions import function_argument
from bigdebug.breakpoints.points.inputs import inputs_of
from bigdebug.breakpoints.points.places import FramePlace, Place, RddPlace, subplan
from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.depth import deep_plans
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.failure import first_line
from bigdebug.lineage.output import Output, OutputRows
from bigdebug.lineage.pinned import pinned_session
from bigdebug.lineage.questions import bounded
from bigdebug.lineage.rdd import workers
from bigdebug.lineage.rdd.annotator import Annotator
from bigdebug.lineage.rdd.freezing import Frozen
from bigdebug.lineage.rdd.operator import RddOperator
from bigdebug.lineage.rdd.rows import RddRows
from bigdebug.lineage.rdd.travelling import travel_from_now_on
from bigdebug.lineage.recorder import Recorder, logger

_LOOKED_AT = 20
"""So many elements of an RDD tell what kind they are of."""

_NUMBERS = frozenset({"bool", "int", "float", "Decimal"})


@dataclass(frozen=True)
class Resumed:
    """Data downstream of a breakpoint, computed anew.

    Attributes:
        output: the output of the run that it is another version of; None of the breakpoint itself.
        data: a DataFrame, or an RDD: computed when it is asked.
    """

    output: Output | None
    data: Any = field(repr=False)


def resumed(spark: Any, recorder: Recorder, place: Place, patch: Callable[..., Any] | None) -> list[Resumed]:
    """See `Breakpoint.resume`.

    Args:
        spark: the attached session.
        recorder: what the program did so far.
        place: the point.
        patch: takes the place of the operator there.
    """
    if patch is not None and not callable(patch):
        raise BigDebugError(
            f"a patch is a function, not {type(patch).__name__}",
            hint="bp.resume(patch=lambda rows: rows.filter(…))",
        )
    if isinstance(place, RddPlace):
        return _resumed_rdds(recorder, place, patch)
    with deep_plans():
        return _resumed_frames(spark, recorder, place, patch)


# -- frames -------------------------------------------------------------------------------------------


def _resumed_frames(
    spark: Any, recorder: Recorder, place: FramePlace, patch: Callable[..., Any] | None
) -> list[Resumed]:
    catalyst = pinned_session(place.spark, place.rows.conf)
    patched = None
    if patch is not None:
        inputs = [_kept_frame(each) for each in inputs_of(spark, recorder, place)]
        patched = _patched(catalyst, place, patch, inputs)
    tag = None if place.node is None else recorder.tag(place.node)
    found = []
    for number, rows in list(recorder.rows.items()):
        if tag is None or not isinstance(rows, OutputRows):
            continue
        plan = _replaced(catalyst, rows.plan, tag, patched)
        if plan is not None:
            made = pinned_session(place.spark, rows.conf)
            given = bounded(made, OutputRows(plan, rows.session, rows.conf, rows.limit, rows.tail))
            found.append(Resumed(recorder.outputs[number - 1], made.frame(given)))
    return found or [Resumed(None, catalyst.frame(place.rows.plan if patched is None else patched))]


def _patched(catalyst: Catalyst, place: FramePlace, patch: Callable[..., Any], inputs: list[Any]) -> Any:
    """The plan of the patched step, with the columns under the names that what lies downstream knows them by."""
    frame = patch(*inputs)
    if not isinstance(frame, DataFrame):
        raise BigDebugError(
            f"the patch gave {type(frame).__name__}, not a DataFrame",
            hint="it is a function of the operator's input frames: "
            f"{len(inputs)} here, and gives a frame of the same columns",
        )
    was, now = catalyst.frame(place.rows.plan).schema, frame.schema
    differences = [
        f"column {i + 1} is {new.name} {new.dataType.simpleString()}, not {old.name} {old.dataType.simpleString()}"
        for i, (old, new) in enumerate(zip(was, now, strict=False))
        if (old.name, old.dataType.simpleString()) != (new.name, new.dataType.simpleString())
    ]
    if len(was) != len(now):
        differences.append(f"it has {len(now)} columns, not {len(was)}")
    if differences:
        raise BigDebugError(
            f"the patched step doesn't give what the operator gave: {'; '.join(differences[:3])}",
            hint=f"it must give: {', '.join(f'{each.name} {each.dataType.simpleString()}' for each in was)}",
        )
    plan = frame._jdf.queryExecution().analyzed()
    pairs = zip(catalyst.output(plan), catalyst.output(place.rows.plan), strict=True)
    return catalyst.project([catalyst.alias(new, str(old.name()), old.exprId()) for new, old in pairs], plan)


_kept: weakref.WeakKeyDictionary[Any, dict[str, Any]] = weakref.WeakKeyDictionary()


def _kept_frame(place: Place) -> Any:
    """A frame of what passes a point, computed once and kept; with columns of its own, for the patch's use."""
    if isinstance(place, RddPlace):
        raise BigDebugError(
            "the operator at this breakpoint makes a DataFrame of an RDD",
            hint="set the breakpoint at the RDD, or at what is made of the DataFrame",
        )
    spark = place.spark
    known = _kept.setdefault(spark, {})
    key = str(place.rows.plan.hashCode())
    frame = known.get(key)
    if frame is None or not frame._jdf.queryExecution().analyzed().sameResult(place.rows.plan):
        catalyst = Catalyst(spark)
        own = catalyst.frame(place.rows.plan)
        frame = known[key] = own.persist(StorageLevel.MEMORY_AND_DISK)
    return frame


def _replaced(catalyst: Catalyst, plan: Any, tag: str, patched: Any | None) -> Any | None:
    """A plan with the part that carries a tag replaced; None where no part does.

    Args:
        patched: stands in its place; None leaves it.
    """
    part = subplan(catalyst.spark, plan, tag)
    if part is None or patched is None:
        return None if part is None else plan

    def replaced(node: Any) -> Any:
        found = node.getTagValue(catalyst.tag)
        if found.isDefined() and found.get() == tag:
            if not node.output().equals(part.output()):
                raise BigDebugError(
                    "what passes this breakpoint is read several times, each under names of its own",
                    hint="set the breakpoint downstream of where it joins itself",
                )
            return patched
        children = catalyst.items(node.children())
        fresh = [replaced(each) for each in children]
        if all(one is other for one, other in zip(children, fresh, strict=True)):
            return node
        return node.withNewChildren(catalyst.seq(fresh))

    optimizer = catalyst.jvm.org.apache.spark.sql.catalyst.analysis
    whole = replaced(plan)
    # What couldn't be null before may be now.
    return catalyst.singleton(optimizer, "UpdateAttributeNullability").apply(whole)


# -- RDDs ---------------------------------------------------------------------------------------------


class _Patched(Annotator):
    """Makes RDDs anew from a point on, and takes the program's own above it."""

    def __init__(self, place: RddPlace, patched: Any) -> None:
        super().__init__(place.operator.context)
        self._point = place.operator
        self._patched = patched

    def plain(self, operator: RddOperator, given: Frozen) -> Any:
        return self._patched if operator is self._point else super().plain(operator, given)

    def _own(self, operator: RddOperator) -> Any | None:
        # Those downstream hold what the operator gave before.
        return None if self._point in operator.walk() else super()._own(operator)


def _resumed_rdds(recorder: Recorder, place: RddPlace, patch: Callable[..., Any] | None) -> list[Resumed]:
    operator = place.operator
    travel_from_now_on()  # what is made here is computed later, when somebody asks for it
    with jobs_with_functions(operator.context, "a patched step"):
        annotator = Annotator(operator.context)
        patched = (
            annotator.plain(operator, place.rows.frozen)
            if patch is None
            else _patched_rdd(annotator, place, patch)
        )
        if patch is not None:
            _require_same_kind(annotator, place, patched)
        again = _Patched(place, patched)
        found = []
        for number, rows in list(recorder.rows.items()):
            if isinstance(rows, RddRows) and operator in rows.operator.walk():
                found.append(Resumed(recorder.outputs[number - 1], again.plain(rows.operator, rows.frozen)))
    return found or [Resumed(None, patched)]


def _patched_rdd(annotator: Annotator, place: RddPlace, patch: Callable[..., Any]) -> Any:
    operator = place.operator
    if not operator.inputs:
        raise BigDebugError(
            f"{operator.described()} is a source: there is nothing a patch could be called with",
            hint="set the breakpoint at the next operator: bp.next()",
        )
    inputs = [_kept_rdd(annotator, each, place.rows.frozen) for each in operator.inputs]
    name = function_argument(operator)
    if name is not None:
        once = _Patched(place, None)
        first, *others = inputs
        return getattr(first, operator.kind)(*others, **{**once.arguments(operator, {}), name: patch})
    made = patch(*inputs)
    if not isinstance(made, RDD):
        raise BigDebugError(
            f"the patch gave {type(made).__name__}, not an RDD",
            hint=f"{operator.described()} calls no function, or several: a patch is a function of its input RDDs",
        )
    return made


def _kept_rdd(annotator: Annotator, operator: RddOperator, frozen: Frozen) -> Any:
    """The RDD of an operator, computed once and kept."""
    kept: Any = operator.__dict__.get("_kept_for_patches")
    if kept is None:
        own = operator.rdd
        if own is not None and own.is_cached:
            return own
        plain = annotator.plain(operator, frozen)
        # One of our own, for whether the program's is kept is the program's to say.
        kept = RDD.map(plain, workers.itself, True).persist(StorageLevel.MEMORY_AND_DISK)
        operator.__dict__["_kept_for_patches"] = kept
    return kept


def _require_same_kind(annotator: Annotator, place: RddPlace, patched: Any) -> None:
    """Elements of an RDD have no schema: the first ones must be of the kinds that they were of."""
    try:
        was = {_kind(each) for each in annotator.plain(place.operator, place.rows.frozen).take(_LOOKED_AT)}
    except Exception as error:  # that it fails may be why there is a patch
        logger.debug("the operator's own elements can't be computed: %s", first_line(error))
        return
    now = {_kind(each) for each in patched.take(_LOOKED_AT)}
    if was and not now <= was | {"None"}:
        raise BigDebugError(
            f"the patched step gives {', '.join(sorted(now - was))}, where the operator gave {', '.join(sorted(was))}",
            hint="what lies downstream goes by that; patch the operators there, too",
        )


def _kind(element: Any) -> str:
    name = type(element).__name__
    if name in _NUMBERS:
        return "a number"
    if isinstance(element, tuple):
        return f"a tuple of {len(element)}"
    return "None" if element is None else name
