"""What replays of an RDD program are made of, worked out in Spark before the first."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from bigdebug.isolation.rdd.annotating import Asked, Material, read_by_several
from bigdebug.isolation.rdd.candidates import MOST_CANDIDATES, RddCandidates
from bigdebug.isolation.rdd.gathering import OnePass, fetched
from bigdebug.isolation.rdd.local import LocalContext
from bigdebug.isolation.rdd.points import Held, fetched_all
from bigdebug.isolation.rdd.replayable import goes_by_partition
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.rdd import placing
from bigdebug.lineage.rdd.annotator import Annotator, contributing
from bigdebug.lineage.rdd.freezing import Frozen, frozen_for
from bigdebug.lineage.rdd.kinds import SUBTRACTING
from bigdebug.lineage.rdd.operator import RddOperator
from bigdebug.lineage.rdd.rows import RddRows

_MANY = 64
"""Partitions from which on those that hold nothing are left out, where that makes no difference."""


@dataclass
class Plan:
    """What replays run.

    Attributes:
        begins: the operators where they begin, with the functions that these are given.
        asked: those above, with the same.
        constant: what these subtract.
        seen: all of them but for that.
    """

    begins: dict[Asked, Frozen] = field(default_factory=dict)
    asked: dict[RddOperator, Frozen] = field(default_factory=dict)
    constant: dict[Asked, Frozen] = field(default_factory=dict)
    seen: set[Asked] = field(default_factory=set)


def plan_of(rows: RddRows, points: Collection[RddOperator]) -> Plan:
    """What replays run.

    Args:
        rows: what is asked about.
        points: where they begin.
    """
    plan = Plan()
    waiting: list[tuple[RddOperator, Frozen]] = [(rows.operator, rows.frozen)]
    while waiting:
        operator, given = waiting.pop()
        frozen = frozen_for(operator, given)
        key = operator, id(frozen)
        if key in plan.seen:
            continue
        plan.seen.add(key)
        if operator in points:
            plan.begins[key] = frozen
            continue
        plan.asked.setdefault(operator, frozen)
        waiting += [(below, frozen) for below in contributing(operator)]
        if operator.kind in SUBTRACTING:
            taken = operator.inputs[1]
            plan.constant[taken, id(frozen_for(taken, frozen))] = frozen
    return plan


def material_of(
    plan: Plan,
    operators: list[RddOperator],
    annotator: Annotator,
    candidates: RddCandidates,
    passed: OnePass | None,
) -> Material:
    """What replays begin with. Runs jobs for what isn't known yet.

    Args:
        plan: what they run.
        operators: the same, the last one first.
        annotator: of the trace.
        candidates: of the failing elements.
        passed: what is known of these.

    Raises:
        BigDebugError: what the program subtracts is too much to be held here.
    """
    held = _constants(plan, annotator)
    shared = read_by_several(operators)
    if passed is not None and passed.in_lumps:
        operator, lumps = passed.lumps(annotator, candidates)
        known = {(operator, id(plan.asked[operator])): lumps}
        context, coarse = LocalContext(annotator.context), frozenset(plan.begins)
        return Material(context, {}, held, shared, annotator, lumps=known, coarse=coarse)
    points = {}
    for key, frozen in plan.begins.items():
        if passed is not None:
            points[key] = passed.point(key[0], annotator, candidates)
        else:
            points[key] = fetched(annotator.annotated(key[0], frozen), annotator, candidates)
    many = max((len(point.held.bounds) for point in points.values()), default=0) > _MANY
    context = LocalContext(annotator.context, compact=many and not goes_by_partition(operators))
    return Material(context, points, held, shared, annotator)


def _constants(plan: Plan, annotator: Annotator) -> dict[Asked, Held]:
    held = {}
    for (operator, number), frozen in plan.constant.items():
        if (operator, number) in plan.seen:
            continue  # candidates have a part in it, too: it is what these make of it
        plain = annotator.plain(operator, frozen)
        count = sum(plain.mapPartitions(placing.counted).collect())
        if count > MOST_CANDIDATES:
            raise BigDebugError(
                f"{operator.described()} gives {count:,} elements, which are subtracted: they are too many to "
                "be held in the driver's process",
                hint="subtract fewer, or ask about the RDD below",
            )
        held[operator, number] = fetched_all(plain)
    return held
