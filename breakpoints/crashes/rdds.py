"""The elements that crash an operator of an RDD program: the operator's input again, with a guard in its place."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from typing import Any

from pyspark import cloudpickle

from bigdebug.breakpoints.crashes import holding, merging, partition_guards, partitions, workers
from bigdebug.breakpoints.crashes.crash import MOST_LISTED, Crash, Culprits
from bigdebug.breakpoints.crashes.failures import Failure
from bigdebug.breakpoints.crashes.frames import raised_of
from bigdebug.breakpoints.crashes.lost_workers import Notes
from bigdebug.breakpoints.crashes.placing import MOST_PLACED, MOST_TRACED, Place, Placing
from bigdebug.breakpoints.crashes.suspects import codes_of, is_in
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.location import TracedRecord
from bigdebug.lineage.operators import NodeLookup
from bigdebug.lineage.rdd import placing
from bigdebug.lineage.rdd import workers as tracing
from bigdebug.lineage.rdd.annotator import Annotator, output_key
from bigdebug.lineage.rdd.freezing import Frozen, frozen_for
from bigdebug.lineage.rdd.kinds import BY_PARTITION, OF_FRAME, RECORD_WISE
from bigdebug.lineage.rdd.mixed import Frames, MixedTrace, frames_below
from bigdebug.lineage.rdd.operator import RddOperator
from bigdebug.lineage.rdd.packing import named
from bigdebug.lineage.rdd.reading import RddSource, sources_in
from bigdebug.lineage.rdd.rows import RddRows
from bigdebug.lineage.rdd.trace import RddTrace, contributing_in_order
from bigdebug.lineage.rdd.travelling import travelling

logger = logging.getLogger("bigdebug")

BY_ELEMENT = RECORD_WISE - {"keys", "values"} | {"foreach", "groupBy", "sortBy"}
"""Kinds of operators whose function is called with one element."""

_FUNCTION = {"sortBy": "keyfunc"}
_MOST_BEHIND = 20
MOST_OF_PARTITION = 20
"""Of so many elements of a partition it is told that they crash a function of it, which is called anew for each."""


class RddSearch:
    """Finds the elements that made an action on an RDD fail. Runs within `jobs_of_ours`.

    Args:
        rows: what the action is about.
        acted: the action, as an operator over that of the RDD; None where it isn't known.
        failure: what it raised.
        lookup: gives the recorded node of a tag's value.
    """

    def __init__(
        self, rows: RddRows, acted: RddOperator | None, failure: Failure, lookup: NodeLookup
    ) -> None:
        self._rows = rows
        self._acted = acted
        self._failure = failure
        self._lookup = lookup
        self._given: Frozen = rows.frozen
        self._context = rows.operator.context
        self._frames: Frames = {}

    def culprits(self) -> Culprits | None:
        """The culprits of the first operator that has some, up from the sources; None where none has."""
        self._frames = frames_below([self._rows.operator], self._lookup)
        self._annotator = Annotator(self._context, self._frames)
        operators = sorted(self._rows.operator.walk(), key=lambda each: each.serial)
        if self._acted is not None and self._acted is not self._rows.operator:
            operators.append(self._acted)
        blamed = None
        with travelling(workers, holding, merging, partitions, partition_guards):
            for operator in operators:
                functions, merge = self._functions(operator), self._merge(operator)
                of_sparks_own = merge is not None and not functions  # of which no code stands in the error
                if not of_sparks_own and not any(map(self._may_be, functions)):
                    continue
                if self._failure.kind == "worker":
                    found = self._lost(operator, functions[0]) if functions else None
                elif merge is not None:
                    found = self._merged(operator, merge)
                else:
                    found = self._of(operator, functions[0])
                if found is not None:
                    return found
                if any(is_in(each, self._failure.frames) for each in functions):
                    blamed = operator
        if blamed is None:
            return None
        note = "its function works on more than one record at a time: no record alone is to blame"
        return Culprits(blamed.label, blamed.call_site, [], 0, [note])

    # -- inside -------------------------------------------------------------------------------------

    def _functions(self, operator: RddOperator) -> list[Any]:
        arguments = self._arguments(operator)
        first = arguments.get(_FUNCTION.get(operator.kind, "f"))
        others = [each for each in arguments.values() if callable(each) and each is not first]
        return [*([] if first is None else [first]), *others]

    def _arguments(self, operator: RddOperator) -> dict[str, Any]:
        if operator is self._acted and operator is not self._rows.operator:
            return operator.arguments
        return self._annotator.arguments(operator, frozen_for(operator, self._frozen_at(operator)))

    def _frozen_at(self, wanted: RddOperator) -> Frozen:
        """The functions in effect at an operator."""
        waiting = [(self._rows.operator, self._given)]
        seen = set()
        while waiting:
            operator, given = waiting.pop()
            frozen = frozen_for(operator, given)
            if operator is wanted:
                return frozen
            if operator not in seen:
                seen.add(operator)
                waiting += [(below, frozen) for below in operator.inputs]
        return self._given

    def _may_be(self, function: Any) -> bool:
        """Whether the error may be of a function."""
        if self._failure.kind == "worker":
            return True
        return is_in(function, self._failure.frames) or not codes_of(function)

    def _of(self, operator: RddOperator, function: Any) -> Culprits | None:
        notes: list[str] = []
        if operator.kind in BY_ELEMENT:
            guard: Any = workers.crashing(workers.call_of(operator.kind, function), MOST_LISTED)
        elif operator.kind in partition_guards.KINDS:
            whole = partition_guards.by_index(operator.kind, function)
            guard = partition_guards.crashing_in_partitions(whole, MOST_OF_PARTITION)
        else:
            return None
        (below,) = operator.inputs
        annotated = self._annotator.annotated(below, self._frozen_at(operator))
        parts = annotated.mapPartitionsWithIndex(guard).collect()
        if not parts:
            return None
        count = sum(part[1] for part in parts)
        found = [each for part in parts for each in part[0]][:MOST_LISTED]
        if operator.kind in partition_guards.KINDS and any(part[1] == MOST_OF_PARTITION for part in parts):
            notes.append(f"of each partition {MOST_OF_PARTITION} are looked for; there may be more")
        return self._told(operator, found, count, notes)

    def _merge(self, operator: RddOperator) -> merging.Merge | None:
        """How an operator makes one value of many elements."""
        return merging.merge_of(operator.kind, self._arguments(operator))

    def _merged(self, operator: RddOperator, merge: merging.Merge) -> Culprits | None:
        """The elements that can't be merged with the others of their key."""
        (below,) = operator.inputs
        annotated = self._annotator.annotated(below, self._frozen_at(operator))
        notes = []
        if merge.keyed:
            values = annotated.map(tracing.element_of)
            failing = values.combineByKey(*merging.tried(merge)).filter(merging.went_wrong).keys()
            keys = failing.take(MOST_LISTED + 1)
            if len(keys) > MOST_LISTED:
                keys = keys[:MOST_LISTED]
                notes.append(f"more keys have some: told of {MOST_LISTED}")
            of_key = merging.of_key(frozenset(keys))
            pairs = annotated.filter(of_key).map(merging.by_key)
        else:
            pairs = annotated.map(merging.together)
        heaps = pairs.combineByKey(*merging.heaping(merge, MOST_LISTED))
        parts = heaps.mapPartitions(merging.odd_ones(MOST_LISTED)).collect()
        if not parts:
            return None
        if not all(clear for _, _, clear in parts):
            notes.append("of a key with as many records that go together as others that do, all are named")
        notes.append(
            "these can't be merged with the other records" + (" of their key" if merge.keyed else "")
        )
        found = [each for part in parts for each in part[0]][:MOST_LISTED]
        return self._told(operator, found, sum(part[1] for part in parts), notes)

    def _lost(self, operator: RddOperator, function: Any) -> Culprits | None:
        """What the tasks held whose worker died."""
        if operator.kind not in BY_ELEMENT:
            return None
        annotated = self._annotator.annotated(operator.inputs[0], self._frozen_at(operator))
        with Notes() as notes:
            guard = holding.held(workers.call_of(operator.kind, function), notes.folder)
            lost = notes.of_lost(annotated.mapPartitionsWithIndex(guard).count)
        if not lost:
            return None
        error = json.dumps(
            {"kind": "WorkerLost", "message": "the Python worker died", "traceback": "", "together": 1}
        )
        partitions = ", ".join(str(partition) for partition, _ in lost)
        return self._told(
            operator,
            [(element, ids, error) for _, (element, ids) in lost],
            len(lost),
            [f"the worker died while it held this record, of partition {partitions}; there may be more such"],
        )

    def _told(
        self, operator: RddOperator, found: Sequence[workers.Found], count: int, notes: Sequence[str]
    ) -> Culprits:
        (below,) = operator.inputs
        said = set(notes)
        places = self._places([ids for _, ids, _ in found], below)
        crashes = [
            Crash(
                cloudpickle.loads(element),
                place.location,
                operator.label,
                operator.call_site,
                raised_of(error, said),
                records=place.records,
                neighbours=place.neighbours,
            )
            for (element, _, error), place in zip(found, places, strict=True)
        ]
        return Culprits(operator.label, operator.call_site, crashes, count, sorted(said))

    def _places(self, every: Sequence[Any], below: RddOperator) -> list[Place]:
        """Where annotated elements come from."""
        places: list[list[Place]] = [[] for _ in every]
        wanted: dict[RddOperator, list[tuple[int, Any]]] = {}
        for number, ids in enumerate(every):
            for leaf, name in named(ids):
                if leaf >= 0:
                    wanted.setdefault(self._annotator.of_leaf(leaf), []).append((number, name))
        sources = {each.operator: each for each in sources_in(contributing_in_order(below))}
        for operator, asked in wanted.items():
            names = [name for _, name in asked]
            if operator.kind == OF_FRAME:
                found = self._in_frame(operator, names)
            elif operator in sources:
                found = self._in_source(sources[operator], names)
            else:
                found = self._behind(operator, names)
            for (number, _), place in zip(asked, found, strict=True):
                places[number].append(place)
        return [_of_all(each) for each in places]

    def _in_source(self, source: RddSource, names: Sequence[tuple[int, int]]) -> list[Place]:
        shown = list(dict.fromkeys(names))[:MOST_PLACED]
        near = [(partition, place + step) for partition, place in shown for step in (-1, 1)]
        wanted: dict[int, set[int]] = {}
        for partition, place in [*names, *near]:
            if place >= 0:
                wanted.setdefault(partition, set()).add(place)
        picking = source.rdd.mapPartitionsWithIndex(placing.picked(wanted))
        values = list(self._context.runJob(picking, tracing.itself, sorted(wanted)))
        by_place = {
            place: TracedRecord(source.name, location, value)
            for (place, value), location in zip(values, source.locations(values), strict=True)
        }
        return [
            Place(
                by_place[name].location,
                (by_place[name],),
                tuple(
                    by_place[beside]
                    for step in (-1, 1)
                    if name in shown and (beside := (name[0], name[1] + step)) in by_place
                ),
            )
            for name in names
        ]

    def _in_frame(self, operator: RddOperator, names: Sequence[Any]) -> list[Place]:
        """Of rows of a DataFrame, by their numbers."""
        frame = self._frames[operator]
        catalyst, numbered = frame.trace._catalyst, frame.numbered
        columns = [numbered.number, *(column.id for column in numbered.annotated.ids)]
        plan = catalyst.project(columns, numbered.annotated.plan)
        listed = ", ".join(f"{name}L" for name in dict.fromkeys(names))
        rows = catalyst.frame(plan).filter(f"{numbered.number.name()} in ({listed})").collect()
        found = Placing(catalyst, frame.trace._annotator, numbered.annotated).of([row[1:] for row in rows])
        by_number = {row[0]: place for row, place in zip(rows, found, strict=True)}
        return [by_number.get(name, Place()) for name in names]

    def _behind(self, boundary: RddOperator, names: Sequence[Any]) -> list[Place]:
        """What stems from elements of a grouping operator: traced one by one, for a few."""
        if boundary.kind in BY_PARTITION:
            return [Place() for _ in names]
        rows = RddRows(boundary, self._frozen_at(boundary))
        found: list[Place] = []
        for name in names[:MOST_TRACED]:
            where = tracing.of_group(output_key(boundary), name)
            if self._frames:
                trace: RddTrace = MixedTrace([boundary], self._frames, rows, where)
            else:
                trace = RddTrace(rows, where)
            try:
                records = trace.collect(_MOST_BEHIND)
            except BigDebugError as error:
                logger.debug("no records behind a culprit", exc_info=error)
                records = []
            alone = records[0].location if len(records) == 1 else None
            found.append(Place(alone, tuple(records)))
        return [*found, *(Place() for _ in names[MOST_TRACED:])]


def _of_all(places: Sequence[Place]) -> Place:
    """What an element stems from that has several ids."""
    records = tuple(record for place in places for record in place.records)
    known = [place.location for place in places if place.location is not None]
    return Place(
        known[0] if known else None,
        records,
        tuple(neighbour for place in places for neighbour in place.neighbours),
    )
