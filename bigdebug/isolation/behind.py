"""Records behind the rows that a program hands on from RDDs to DataFrames, or the other way round.

Replays begin at such rows. Where each was made of one record alone, and each record gave one row at most, whatever
holds of rows holds of their records, and these are shown. Else the rows are, and a note says what stands between.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from pyroaring import FrozenBitMap
from pyspark.sql import DataFrame, SparkSession

from bigdebug.isolation.inputs import Input, elements_input, frame_input
from bigdebug.isolation.rdd.candidates import frame_of, same_records
from bigdebug.isolation.same_records import first_readers
from bigdebug.lineage.asking import jobs_of_ours
from bigdebug.lineage.callsite import CallSite
from bigdebug.lineage.finding import numbered
from bigdebug.lineage.identity import SourceLeaf
from bigdebug.lineage.location import TracedRecord
from bigdebug.lineage.rdd import placing, workers
from bigdebug.lineage.rdd.doubts import doubts_about
from bigdebug.lineage.rdd.frames import Frame, take_elements_once
from bigdebug.lineage.rdd.joints import joints_among
from bigdebug.lineage.rdd.kinds import INTO_FRAME, MOVING, NUMBERING, OF_FRAME, RECORD_WISE, SAMPLING, UNIONS
from bigdebug.lineage.rdd.mixed import (
    Frames,
    MixedTrace,
    all_operators,
    followed,
    frames_below,
    in_order_of_names,
)
from bigdebug.lineage.rdd.operator import RddOperator
from bigdebug.lineage.rdd.packing import named
from bigdebug.lineage.rdd.reading import Place, RddSource, require_all_unchanged
from bigdebug.lineage.rdd.travelling import travelling

if TYPE_CHECKING:
    from bigdebug.isolation.candidate_set import CandidateSet
    from bigdebug.isolation.rdd.candidates import RddCandidates
    from bigdebug.lineage.questions import Question

Shown: TypeAlias = "CandidateSet | RddCandidates | RecordsBehind"
"""What gives the records that candidates are shown as."""

_ONE_EACH = (
    (RECORD_WISE - {"flatMap", "flatMapValues"}) | SAMPLING | MOVING | NUMBERING | UNIONS | {INTO_FRAME}
)
_ROW_EACH = frozenset(
    {"Project", "Filter", "ResolvedHint", "Union", "Sort", "Repartition", "RepartitionByExpression"}
)
_ALL = 1 << 62


class Behind:
    """What rows at a joint were made of.

    Args:
        top: the operator that made a DataFrame of an RDD, or the rows of one elements.
        frames: the DataFrames below, and others.

    Attributes:
        annotator: gives the rows their places, where these may differ from time to time.
        described: the operator, for messages.
        names: of the sources.
        in_between: what makes several rows of a record, or a row of several; None where rows are made of one each.
        call_sites: where the operators stand that made the rows, those of sources left out.
        doubts: why the rows may have been others when the program ran.
    """

    def __init__(self, top: RddOperator, frames: Frames) -> None:
        frames = {each: frames[each] for each in in_order_of_names([top], frames) if each.kind == OF_FRAME}
        self._top = top
        self._frames = frames
        self._asked: list[MixedTrace] = []  # what they keep in Spark is needed for as long as this is
        self._numbering = MixedTrace([top], frames)
        self.annotator = self._numbering.walk.annotator
        self.described = top.described()
        self.names = self._numbering.names
        self.in_between = next(_in_between(top, frames), None)
        self.call_sites = list(_call_sites(top, frames))
        self.doubts = list(dict.fromkeys(_doubts(top, frames)))

    @property
    def tells_each(self) -> bool:
        """Whether it can be told which record a row was made of: there is no DataFrame on the way."""
        return not self._frames

    def each(self, places: Sequence[Place]) -> dict[Place, TracedRecord]:
        """By place of a row the record that it was made of, where that can be told."""
        top, annotator = self._top, self.annotator
        wanted: dict[int, set[int]] = {}
        for partition, place in places:
            wanted.setdefault(partition, set()).add(place)
        with jobs_of_ours(top.context, "the records of rows"), travelling():
            (annotated,) = annotator.inputs(top, top.frozen or {})
            picking = annotated.mapPartitionsWithIndex(placing.ids_at(wanted), True)
            found = list(top.context.runJob(picking, workers.itself, sorted(wanted)))
        sources = {source.operator: source for source in self._numbering.found_sources}
        behind: dict[RddSource, dict[Place, Place]] = {}
        for place, ids in found:
            ((leaf, own),) = (each for each in named(ids) if each[0] >= 0)  # the others are marks
            behind.setdefault(sources[annotator.of_leaf(leaf)], {})[place] = own
        return {
            place: record
            for source, own in behind.items()
            for place, record in zip(own, self._numbering.at(source, list(own.values())), strict=True)
        }

    def trace(self, places: Sequence[Place]) -> MixedTrace:
        """What rows at some places were made of."""
        top = self._top
        names: list[Any] = list(places)
        if top.kind == OF_FRAME:
            names = list(map(placing.number_of, places))
        ids = top.context.parallelize(names, min(len(names), 8) or 1)
        frames = {operator: frame.again() for operator, frame in self._frames.items()}
        made = MixedTrace([top], frames, seeds=lambda: {top: ids}, annotator=self.annotator)
        self._asked.append(made)
        return made


def behind_frames(question: Question) -> dict[SourceLeaf, Behind]:
    """By source of a DataFrame that was made of an RDD, what its rows were made of. They keep their places from now on.

    Raises:
        SourceChangedError: a file isn't what it was.
        BigDebugError: a DataFrame below an RDD can't be traced.
    """
    joints = followed(joints_among(question.catalyst.spark.sparkContext, question.sources.values()))
    tops = list(dict.fromkeys(joints.values()))
    frames = frames_below(tops, question.lookup)
    require_all_unchanged(all_operators(tops, frames), None)
    behind = {top: Behind(top, frames) for top in tops}
    for leaf, top in joints.items():
        take_elements_once(behind[top].annotator, question.catalyst, {leaf: top})
    return {leaf: behind[top] for leaf, top in joints.items()}


def shown_as_records(
    candidates: CandidateSet | RddCandidates, behind: Mapping[Any, Behind], spark: SparkSession
) -> Shown:
    """Candidates as the records that they are, or were made of."""
    return RecordsBehind(candidates, behind, spark) if behind else candidates


def doubts_of_rows(behind: Mapping[Any, Behind]) -> list[str]:
    """Why rows may have been others when the program ran."""
    return list(dict.fromkeys(doubt for each in behind.values() for doubt in each.doubts))


def told_of_rows(behind: Mapping[Any, Behind]) -> list[str]:
    """Which sources are shown as rows, and why."""
    return [
        f"what is named of {source.name} are rows, as {each.described}: between them and the records that they were "
        f"made of stands {each.in_between}, which doesn't make one of one; a trace of them leads there"
        for source, each in behind.items()
        if each.in_between is not None
    ]


class _Rows(Protocol):
    """The candidates of one source."""

    @property
    def leaf(self) -> Any: ...
    @property
    def numbers(self) -> FrozenBitMap: ...


class RecordsBehind:
    """Candidates, shown as the records that they were made of.

    Args:
        candidates: the candidates.
        behind: by source of theirs what its rows were made of; those that weren't made of one record each stay rows.
        spark: for DataFrames of records.
    """

    def __init__(
        self, candidates: CandidateSet | RddCandidates, behind: Mapping[Any, Behind], spark: SparkSession
    ) -> None:
        self._candidates = candidates
        self._all = behind  # what they keep in Spark is needed still
        self._behind = {leaf: each for leaf, each in behind.items() if each.in_between is None}
        self._spark = spark
        self._traces: dict[tuple[Any, FrozenBitMap, int | None], MixedTrace] = {}
        self._names = _names(candidates, self._behind)

    def records(self, numbers: FrozenBitMap, limit: int) -> list[tuple[int | None, TracedRecord]]:
        """Up to so many records of each source that some candidates were made of; these not with their numbers."""
        found: list[tuple[int | None, TracedRecord]] = []
        for stand, mine in self._parts(numbers):
            if stand.leaf not in self._behind:
                found += self._candidates.records(mine, limit)
                continue
            names = self._names[stand.leaf]
            behind = self._behind[stand.leaf]
            mine_found: list[tuple[int | None, TracedRecord]]
            if behind.tells_each:
                rows = self._candidates.records(mine, limit)
                each = behind.each([_place(row) for _, row in rows])
                mine_found = [(number, each[_place(row)]) for number, row in rows]
            else:
                mine_found = [(None, record) for record in self._traced(stand, mine, limit).collect(limit)]
            found += [(number, replace(record, source=names[record.source])) for number, record in mine_found]
        return found

    def leaves(self, numbers: FrozenBitMap) -> list[Any]:
        """The sources that some candidates were made of."""
        if not numbers:
            return list(self._candidates.leaves(numbers))
        found: list[Any] = []
        for stand, mine in self._parts(numbers):
            if stand.leaf not in self._behind:
                found.append(stand.leaf)
                continue
            names = self._names[stand.leaf]
            sources = self._traced(stand, mine, None).sources
            found += [replace(each, name=names[each.name]) for each in sources if each.count]
        return found

    def frame(self, numbers: FrozenBitMap, source: Any) -> DataFrame:
        """The records of a source that some candidates were made of."""
        for stand, mine in self._parts(numbers):
            if stand.leaf is source:
                return self._candidates.frame(mine, source)
            below = {name: own for own, name in self._names.get(stand.leaf, {}).items()}
            if source.name in below:
                return self._of_trace(self._traced(stand, mine, None), below[source.name])
        return self._candidates.frame(numbers, source)

    def inputs(
        self, target: Path, numbers: FrozenBitMap, constants: set[str], redact: Sequence[str] = ()
    ) -> dict[Any, list[Input]]:
        """By source of rows the records that some candidates were made of, as a written test has them.

        Args:
            target: the test's file.
            numbers: of the candidates.
            constants: names that are taken.
            redact: columns whose values must not be written.

        Raises:
            BigDebugError: they can't be written down.
        """
        found: dict[Any, list[Input]] = {}
        for stand in self._candidates.stands:
            if stand.leaf not in self._behind:
                continue
            names, trace = self._names[stand.leaf], self._traced(stand, numbers & stand.numbers, None)
            found[stand.leaf] = [
                *(
                    elements_input(each, names[each.name], trace.collect_source(each.name, _ALL), constants)
                    for each in trace.found_sources
                ),
                *(
                    frame_input(target, leaf, names[name], trace.records(name), constants, redact)
                    for name, leaf in trace.frame_sources
                ),
            ]
        return found

    def call_sites(self) -> list[CallSite | None]:
        """Where operators stand that made rows of records."""
        return [site for each in self._behind.values() for site in each.call_sites]

    @property
    def tells_each(self) -> bool:
        """Whether records come with the numbers of the candidates that were made of them."""
        return all(each.tells_each for each in self._behind.values())

    @property
    def are_all_records(self) -> bool:
        """Whether no candidates are shown as rows."""
        return len(self._behind) == len(self._all)

    # -- inside -------------------------------------------------------------------------------------

    def _parts(self, numbers: FrozenBitMap) -> Iterator[tuple[_Rows, FrozenBitMap]]:
        for stand in self._candidates.stands:
            mine = numbers & stand.numbers
            if mine:
                yield stand, mine

    def _traced(self, stand: _Rows, numbers: FrozenBitMap, limit: int | None) -> MixedTrace:
        key = stand.leaf, numbers, limit
        if key not in self._traces:
            rows = self._candidates.records(numbers, len(numbers) if limit is None else limit)
            places = [_place(record) for _, record in rows]
            self._traces[key] = self._behind[stand.leaf].trace(places)
        return self._traces[key]

    def _of_trace(self, trace: MixedTrace, source: str) -> DataFrame:
        if any(source == name for name, _ in trace.frame_sources):
            return trace.records(source)
        return frame_of(self._spark, trace.collect_source(source, _ALL))


def _names(
    candidates: CandidateSet | RddCandidates, behind: Mapping[Any, Behind]
) -> dict[Any, dict[str, str]]:
    """By source of rows what the sources behind it are called, beside the others."""
    stands = candidates.stands
    taken = [stand.leaf.name for stand in stands if stand.leaf not in behind]
    found: dict[Any, dict[str, str]] = {}
    for stand in stands:
        if stand.leaf in behind:
            own = behind[stand.leaf].names
            shown = numbered([*taken, *(name.partition("#")[0] for name in own)])[len(taken) :]
            found[stand.leaf] = dict(zip(own, shown, strict=True))
            taken += shown
    return found


def _place(record: TracedRecord) -> Place:
    partition, position = record.location.partition, record.location.position
    assert partition is not None
    assert position is not None
    return partition, position


def _call_sites(top: RddOperator, frames: Frames) -> Iterator[CallSite | None]:
    for operator in in_order_of_names([top], frames):
        if operator.inputs or operator.kind == OF_FRAME:
            yield operator.call_site
        if operator.kind == OF_FRAME:
            question = frames[operator].question
            own = [each for each in question.root.walk() if each.node is not None and each.node.id]
            yield from (each.call_site for each in own if each not in question.sources)


def _doubts(top: RddOperator, frames: Frames) -> Iterator[str]:
    """Why rows may have been others, whatever a trace of them is worth."""
    joints = [top] if top.kind == INTO_FRAME else []
    for frame in frames.values():
        yield from frame.question.doubts()
        joints += frame.joints.values()
    for joint in dict.fromkeys(joints):
        yield from doubts_about(joint, opaque=False)


def _in_between(top: RddOperator, frames: Frames) -> Iterator[str]:
    """What makes several rows of a record, or a row of several."""
    read: set[Hashable] = set()
    waiting = [(top, top)]
    while waiting:
        operator, reader = waiting.pop()
        key = operator if operator.inputs else same_records(operator)
        if key in read:
            yield reader.described()  # each record of it comes by twice
            return
        read.add(key)
        if operator.kind == OF_FRAME:
            yield from _rows_in_between(frames[operator])
            waiting += [(joint, operator) for joint in frames[operator].joints.values()]
        elif operator.inputs and operator.kind not in _ONE_EACH:
            yield operator.described()
        waiting += [(below, operator) for below in operator.inputs]


def _rows_in_between(frame: Frame) -> Iterator[str]:
    question = frame.question
    root = question.root
    for operator in root.walk():
        if operator.children and operator.kind not in _ROW_EACH:
            yield operator.described()
    readers = first_readers(question.catalyst, list(question.sources.values()))
    if any(leaf is not first for leaf, first in readers.items()):
        yield root.described()
