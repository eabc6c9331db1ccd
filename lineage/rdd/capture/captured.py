"""Puts taps into a program's RDDs as it asks for them, where what they note can be told apart."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from pyspark.core.rdd import RDD, PipelinedRDD

from bigdebug.lineage.attachments import attachments
from bigdebug.lineage.rdd import workers
from bigdebug.lineage.rdd.capture.heads import Head, KeyHead, PairHead, PlaceHead
from bigdebug.lineage.rdd.capture.joined import joined, telling_foot
from bigdebug.lineage.rdd.capture.merging import MergingRDD
from bigdebug.lineage.rdd.capture.taps import (
    Cell,
    Function,
    given_foot,
    headed_above,
    headed_below,
    keyed_foot,
)
from bigdebug.lineage.rdd.joining import join
from bigdebug.lineage.rdd.kinds import JOINS, KEYED, RECORD_WISE, VALUE_ACTIONS
from bigdebug.lineage.rdd.operator import RddOperator
from bigdebug.lineage.rdd.recording import bound
from bigdebug.lineage.rdd.travelling import travel_from_now_on
from bigdebug.lineage.recorder import Recorder

_KEY = "_bigdebug_captured"
_STAND_IN = "_bigdebug_stand_in"

# Record-wise operators that give one element each, and those that leave keys as they are.
_ONE_FOR_ONE = frozenset({"map", "mapValues", "keyBy", "keys", "values"})
_KEY_KEEPING = frozenset({"mapValues", "flatMapValues", "filter"})

_GIVEN = frozenset({"collect", "count", "saveAsTextFile", "saveAsPickleFile"})
_TAPPED = KEYED | JOINS | {"groupBy", "distinct"}
# Those of one job over all elements.
_VALUES = VALUE_ACTIONS - {"histogram", "sumApprox", "meanApprox"}


@dataclass(frozen=True)
class Captured:
    """How the elements of an RDD can be told by what they were made of.

    Attributes:
        head: of the chain that makes them.
        cell: of the same; None where no chain has begun.
        again: a new chain over its elements, once they are kept, can have the same head.
        few: of most records nothing may come out of the chain.
    """

    head: Head
    cell: Cell | None
    again: bool
    few: bool = False


@dataclass(frozen=True)
class Tap:
    """A foot that was put in.

    Attributes:
        folder: of its notes, within the run's folder of indexes.
        rdd: with the foot.
        head: of its chain.
        stands_for: the JVM's RDD that the program's action would have computed, where that is known.
    """

    folder: str
    rdd: Any
    head: Head
    stands_for: Any = field(default=None, compare=False)


@dataclass
class Tapping:
    """A call of a method with taps at its inputs.

    Attributes:
        method, args, kwargs: what to call, and with what.
        cell: of the chain that begins with what a join makes; None for a boundary, whose number it takes.
        key: gives the key of an element that a boundary made; None takes its first part.
        taps: the feet that note what comes out.
        tellers: the feet that have it travel.
    """

    method: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    taps: tuple[Tap, ...] = ()
    cell: Cell | None = None
    key: Callable[[Any], Any] | None = None
    tellers: tuple[Tap, ...] = ()

    def recorded(self, operator: RddOperator, made: Any) -> None:
        """Have chains over what the operator made know its elements."""
        operator.taps, operator.tellers = self.taps, self.tellers
        if self.cell is not None:
            made.__dict__[_KEY] = Captured(self.cell.head, self.cell, False)
        else:
            head = KeyHead(operator.serial, self.key)
            cell = Cell(head)
            made.func = headed_above(cell, made.func)
            made.__dict__[_KEY] = Captured(head, cell, True)


def tapping(
    kind: str, method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Tapping | None:
    """A call of a method of an RDD with taps at its inputs; None where there can't be any.

    Args:
        kind: the operator's.
        method: the method as PySpark has it.
        args, kwargs: it is called with.
    """
    if kind not in _TAPPED or not args:
        return None
    attachment = attachments.of_context(args[0].ctx)
    if attachment is None or not _captures(attachment.recorder):
        return None
    try:
        given = bound(method, args, kwargs)
    except TypeError:  # as the method itself will say
        return None
    rdd = given.pop("self")
    if kind in JOINS:
        return _join_tapping(attachment.recorder, kind, rdd, given)
    if kind == "groupBy":
        function = given.pop("f")
        pairs = RDD.map(rdd, lambda element: (function(element), element))
        follow("map", rdd, pairs)
        rdd, kind = pairs, "groupByKey"
    if kind == "distinct":
        key, made = workers.itself, PipelinedRDD
    else:
        key, made = None, MergingRDD
        method = getattr(MergingRDD, kind)
    tap = _tap(attachment.recorder, rdd, lambda cell, place: keyed_foot(cell, place, key), made)
    return None if tap is None else Tapping(method, (tap.rdd,), given, taps=(tap,), key=key)


def _join_tapping(recorder: Recorder, kind: str, rdd: Any, given: dict[str, Any]) -> Tapping | None:
    other = given["other"]
    if not isinstance(other, RDD):
        return None
    left = _tap(recorder, rdd, lambda cell, place: telling_foot(cell, 0, place))
    right = _tap(recorder, other, lambda cell, place: telling_foot(cell, 1, place))
    if left is None or right is None:
        return None
    cell = Cell(PairHead(left.head, right.head))
    args = left.rdd, right.rdd, given["numPartitions"], joined(cell, kind)
    return Tapping(join, args, {}, cell=cell, tellers=(left, right))


def action_tap(recorder: Recorder, action: str, rdd: Any) -> Tap | None:
    """A tap at what an action computes; None where there can't be one.

    Args:
        recorder: of the run.
        action: the action.
        rdd: acted on.
    """
    if not _captures(recorder):
        return None
    if action in _VALUES:
        return _tap(recorder, rdd, lambda cell, place: keyed_foot(cell, place, workers.nothing_of))
    if action not in _GIVEN:
        return None
    if action not in ("collect", "saveAsPickleFile"):
        return _tap(recorder, rdd, _given_foot(rdd))
    if not _goes_on(rdd):
        # Spark gives what it has read or kept without a function of Python, which might not be able to take it.
        return None
    # These compute the very RDD: Spark takes its functions the first time, and so for all times.
    known: Tap | None = rdd.__dict__.get(_STAND_IN)
    if known is not None and RDD.isLocallyCheckpointed(rdd):
        return None
    if known is None and getattr(rdd, "_jrdd_val", None) is None:
        known = _tap(recorder, rdd, _given_foot(rdd))
        if known is not None:
            known = rdd.__dict__[_STAND_IN] = replace(known, stands_for=rdd._jrdd)
            known.rdd._jrdd  # noqa: B018
    return known


def ended_well(tap: Tap | None) -> None:
    """Have an RDD be as one that an action computed, where a tap stood in for it."""
    if tap is not None and tap.stands_for is not None:
        # Spark does so after a job: what is marked later on isn't checkpointed any more.
        tap.stands_for.rdd().doCheckpoint()


def recorded_source(operator: RddOperator, made: Any) -> None:
    """Have chains over a source know its records by their places."""
    attachment = attachments.of_context(made.ctx)
    if attachment is None or not _captures(attachment.recorder):
        return
    head = PlaceHead(operator.serial)
    cell = None
    if isinstance(made, PipelinedRDD):  # a range, whose elements a function makes
        cell = Cell(head)
        made.func = headed_above(cell, made.func)
    made.__dict__[_KEY] = Captured(head, cell, True)
    travel_from_now_on()


def recorded_operator(operator: RddOperator, made: Any) -> None:
    """Have what an operator made know the head of its chain."""
    if operator.kind in RECORD_WISE:
        (below,) = operator.inputs
        if below.rdd is not None:
            follow(operator.kind, below.rdd, made)


def follow(kind: str, below: Any, made: Any) -> None:
    """Have what a record-wise operator made know the head of its chain, which may begin here."""
    captured = _captured(below)
    if captured is None or kind not in RECORD_WISE:
        return
    cell = captured.cell
    if not _goes_on(below):
        if not captured.again:
            return
        cell = Cell(captured.head)
        made.func = headed_below(cell, made.func)
    keeping = kind in (_ONE_FOR_ONE if isinstance(captured.head, PlaceHead) else _KEY_KEEPING)
    if isinstance(captured.head, KeyHead) and captured.head.key is not None:
        keeping = kind == "filter"  # elements are their own keys
    few = kind == "filter" or (captured.few and kind in _ONE_FOR_ONE and _goes_on(below))
    made.__dict__[_KEY] = Captured(captured.head, cell, captured.again and keeping, few)


def with_foot(
    rdd: Any, foot: Callable[[Cell], Function], made: type[PipelinedRDD] = PipelinedRDD
) -> Any | None:
    """An RDD of the same elements, with a foot at its chain; None where its head isn't known.

    Args:
        made: of what class.
    """
    captured = _captured(rdd)
    if captured is None:
        return None
    if captured.cell is not None and _goes_on(rdd):
        return made(rdd, foot(captured.cell), True)
    if not captured.again:
        return None
    cell = Cell(captured.head)
    return made(rdd, headed_below(cell, foot(cell)), True)


def _tap(
    recorder: Recorder,
    rdd: Any,
    foot: Callable[[Cell, tuple[bytes, str]], Function],
    made: type[PipelinedRDD] = PipelinedRDD,
) -> Tap | None:
    if _captured(rdd) is None:
        return None
    folder = recorder.next_tap()
    filesystem, path = recorder.tables.place(folder)
    place = pickle.dumps(filesystem), path
    tapped = with_foot(rdd, lambda cell: foot(cell, place), made)
    return None if tapped is None else Tap(folder, tapped, _head_of(rdd))


def _captures(recorder: Recorder) -> bool:
    return recorder.capture == "full" and recorder.tables is not None and not recorder.redact


def _given_foot(rdd: Any) -> Callable[[Cell, tuple[bytes, str]], Function]:
    captured = _captured(rdd)
    few = captured is not None and captured.few
    return lambda cell, place: given_foot(cell, place, few)


def _captured(rdd: Any) -> Captured | None:
    found: Captured | None = rdd.__dict__.get(_KEY)
    return found


def _head_of(rdd: Any) -> Head:
    captured = _captured(rdd)
    assert captured is not None
    return captured.head


def _goes_on(rdd: Any) -> bool:
    """Whether a function over an RDD goes into the same chain."""
    return isinstance(rdd, PipelinedRDD) and rdd._is_pipelinable()
