"""Running the pipeline on subsets of its candidates, and what becomes of the failing rows there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from py4j.protocol import Py4JJavaError
from pyroaring import FrozenBitMap
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from bigdebug.isolation.candidate_set import CandidateSet, batches, subset_numbers
from bigdebug.isolation.candidates import Candidates
from bigdebug.isolation.closed_groups import closed_groups
from bigdebug.isolation.failing import FailingGroups, FailingRow, Found, Identity, first_groups
from bigdebug.isolation.gathering import Gathering
from bigdebug.isolation.keyed import boundary_of, keyed, members_of
from bigdebug.isolation.proposals import orders_of
from bigdebug.isolation.ranking import Ranking
from bigdebug.isolation.reach import without_last_limits
from bigdebug.isolation.reading import Reading
from bigdebug.isolation.search import Outcome
from bigdebug.isolation.shape import shape_of
from bigdebug.isolation.splits import split_evenly
from bigdebug.isolation.tagged import NotBatchedError
from bigdebug.isolation.tagging import Tagger
from bigdebug.lineage.annotate import Annotator
from bigdebug.lineage.annotated import Annotated, Boundary
from bigdebug.lineage.asking import raise_if_interrupted
from bigdebug.lineage.catalyst import Catalyst, fresh_name
from bigdebug.lineage.identity import SourceLeaf
from bigdebug.lineage.index.given import given_groups
from bigdebug.lineage.keys import hashed_key
from bigdebug.lineage.operators import Operator
from bigdebug.lineage.records import SourceRecords, as_dict
from bigdebug.lineage.trace import Trace
from bigdebug.lineage.where import RowsOf, Where


class Replays:
    """The pipeline on subsets of the candidates of its sources.

    Args:
        catalyst: of the pinned session.
        root: the dataflow of the output.
        sources: its sources.
        failing: a resolved condition over the root's columns.

    Attributes:
        catalyst: the same.
        count: how many subsets were tried.
        without_rows: what became of a row that isn't there.
    """

    without_rows = Outcome.ABSENT

    def __init__(
        self, catalyst: Catalyst, root: Operator, sources: dict[Operator, SourceLeaf], failing: Any
    ) -> None:
        self.catalyst = self._catalyst = catalyst
        self._output = root
        self._holds_windows = any(operator.kind == "Window" for operator in root.walk())
        self._sources = sources
        self._failing = failing
        self._root = without_last_limits(catalyst, root)
        self._reading = Reading(catalyst, self._root, sources, self._root)
        self._known: dict[FrozenBitMap, dict[Identity, Outcome]] = {}
        self._one_by_one: str | None = None
        self.count = 0

    @property
    def reads_again(self) -> bool:
        """Whether records of a source are read by another one, too."""
        return any(leaf is not first for leaf, first in self._reading.readers.items())

    @property
    def notes(self) -> list[str]:
        """What a person must know of the replays."""
        found = self._reading.notes
        if self._one_by_one is not None:
            found.append(
                f"{self._one_by_one} can't tell parts of the candidates apart: each was a job of its own"
            )
        return found

    def _identified(self, annotated: Annotated, tagger: Tagger | None) -> list[Any]:
        """Two named expressions that tell an annotated output row from others, the same in every replay."""
        catalyst = self._catalyst
        parts: list[Any] = []
        for column in annotated.ids:
            if isinstance(column.origin, Boundary):
                boundary = column.origin
                if tagger is not None:
                    parts += tagger.natural_key(boundary, column.id)
                else:
                    parts += [catalyst.field(column.id, i) for i in range(len(boundary.grouping))]
            else:
                parts.append(column.id)
        return [catalyst.alias(each, fresh_name("row")) for each in hashed_key(catalyst, parts)]

    def outcomes(
        self,
        subsets: Sequence[FrozenBitMap],
        rows: Sequence[Identity],
        candidates: CandidateSet,
        *,
        together: bool = False,
    ) -> list[dict[Identity, Outcome]]:
        """What becomes of each row in each subset; those tried before aren't tried again.

        Args:
            subsets: of the candidates.
            rows: that are followed.
            candidates: the records.
            together: only if a job can have many subsets.

        Raises:
            NotBatchedError: it can't, which wasn't known before.
        """
        fresh = [each for each in dict.fromkeys(subsets) if not self._tells(each, rows)]
        for batch in batches(fresh):
            self._try(batch, rows, candidates, together=together)
        return [self._known[each] for each in subsets]

    def identities(self, trace: Trace, most: int, execution: Any | None = None) -> list[Identity]:
        """Up to so many of the rows that fail in the output itself, by a trace of them."""
        annotated = trace.matched_rows
        if self._holds_windows:
            # The trace goes back to all rows of a window's partition; here a row is told by its own records.
            root, annotator = self._output, Annotator(self._catalyst, self._sources)
            top = annotator.annotate(root)
            if execution is not None:
                top = given_groups(annotator, root, top, execution) or top
            annotated = Annotated(self._catalyst.filter(self._failing, top.plan), top.ids)
        named = self._identified(annotated, None)
        frame = self._catalyst.frame(self._catalyst.project(named, annotated.plan))
        return [(row[0], row[1]) for row in frame.distinct().limit(most).collect()]

    def failing_rows(self, identities: Sequence[Identity], candidates: Candidates) -> list[FailingRow]:
        """Those rows that fail again when the pipeline runs on all candidates."""
        catalyst = self._catalyst
        root, sources = self._rebuilt(candidates.everything, candidates)
        annotated = Annotator(catalyst, sources).annotate(root)
        identity = self._identified(annotated, None)
        plan = catalyst.project([*identity, self._value()], catalyst.filter(self._failing, annotated.plan))
        one, two, row = catalyst.frame(plan).columns
        known = catalyst.frame(plan).where(F.col(one).isin([each[0] for each in identities]))
        found = {
            (each[0], each[1]): as_dict(each[2])
            for each in known.groupBy(one, two).agg(F.first(row).alias(row)).collect()
        }
        return [FailingRow(each, found[each]) for each in identities if each in found]

    def traced_groups(self, trace: Trace, most: int, execution: Any | None = None) -> FailingGroups:
        """Up to so many of the rows that fail, and their candidates, by a trace of them."""
        candidates = self.candidates(trace.found_records)
        identities = self.identities(trace, most, execution) if trace.matched else []
        found = self.failing_rows(identities, candidates) if identities else []
        return FailingGroups(trace.matched, found, candidates)

    def failing_groups(
        self, most: int, execution: Any | None = None, *, closed: bool = True
    ) -> FailingGroups | None:
        """Up to so many of the rows that fail, and their candidates, where rows are groups of records.

        None where the dataflow is another: it has no closed form and more than one source.

        Args:
            most: rows that are told.
            execution: the JVM `QueryExecution` of the output, which may still have what it shuffled.
            closed: make do with what a closed form takes, where there is one.
        """
        catalyst = self._catalyst
        shape = shape_of(catalyst, self._root) if closed and not self._reading.whole else None
        if shape is not None:
            split_evenly(catalyst, self._sources.values())  # what has a closed form hangs on no order
        of_one = keyed(catalyst, self._root, self._sources)
        grouped = shape or of_one
        if grouped is None:
            return None
        annotator = Annotator(catalyst, self._sources)
        top = boundary_of(annotator, self._output, grouped.aggregate)
        if top is None:
            return None
        annotated, boundary, key = top
        given = None if execution is None else given_groups(annotator, self._output, annotated, execution)
        if given is not None:
            annotated, key = given, given.ids[0].id
        identity = self._identified(annotated, None)
        plan = catalyst.project(
            [key, *identity, self._value()], catalyst.filter(self._failing, annotated.plan)
        )
        count, told, keys = first_groups(catalyst, plan, most, all_one=not boundary.grouping)
        closing = None
        if shape is not None:
            closing = closed_groups(
                catalyst,
                self._root,
                self._sources,
                shape,
                self._failing,
                [row.identity for row in told],
                boundary,
                keys,
                self._reading.readers,
            )

        def each_known() -> FailingGroups | None:
            if closing is not None and (full := closing.full()):
                return FailingGroups(count, told, *full)
            if of_one is None:
                return None
            gathering = Gathering(catalyst)
            point = gathering.by_key(of_one, self._sources[of_one.source], boundary, keys)
            if point is None:
                return None
            return FailingGroups(count, told, Candidates(catalyst, gathering, [point]))

        if closing is not None and (lumped := closing.lumped()):
            return FailingGroups(count, told, *lumped, finer=each_known)
        return each_known()

    def members(self, rows: Sequence[FailingRow], candidates: Candidates) -> dict[Identity, FrozenBitMap]:
        """The candidates that each of the failing rows comes from."""
        identities = [row.identity for row in rows]
        if len(rows) > 1 and not self._holds_windows and not self._reading.whole:
            root, sources = self._rebuilt(candidates.everything, candidates, numbered=True)
            found = members_of(self._catalyst, root, sources, identities)
            if found is not None:
                return found
        return {identity: self._behind(identity, len(rows), candidates) for identity in identities}

    def _behind(self, row: Identity, rows: int, candidates: Candidates) -> FrozenBitMap:
        """The candidates that one of so many failing rows comes from."""
        if rows == 1:
            return candidates.everything
        if self._holds_windows:
            return candidates.everything  # there rows of one partition decide about one another
        root, sources = self._rebuilt(candidates.everything, candidates)
        asked = RowsOf(lambda *_: Where(lambda top: self._only(row, top), is_condition=False))
        trace = Trace(self._catalyst, root, sources, asked)
        found = FrozenBitMap()
        for stand in candidates.stands:
            if stand.leaf.operator in self._reading.whole:
                found = found | stand.numbers
        for leaf, records in trace.found_records.items():
            found = found | candidates.numbers_of(leaf.name, records.rows)
        return found

    def orders(self, candidates: Candidates) -> list[Ranking]:
        """Orders of the candidates in which to suspect them."""
        root, sources = self._rebuilt(candidates.everything, candidates, numbered=True)
        return orders_of(self._catalyst, root, sources, candidates)

    def of_candidates(
        self, subset: FrozenBitMap, candidates: Candidates
    ) -> tuple[Operator, dict[Operator, SourceLeaf]]:
        """The dataflow over some of the candidates, whose ids are their numbers, and its sources."""
        return self._rebuilt(subset, candidates, numbered=True)

    def candidates(self, records: dict[SourceLeaf, SourceRecords]) -> Candidates:
        """The candidates of records on the trace."""
        return Candidates.of_records(self._catalyst, records, self._reading)

    # -- inside -------------------------------------------------------------------------------------

    def _value(self) -> Any:
        """An output row as a struct."""
        catalyst = self._catalyst
        columns = catalyst.output(self._output.plan)
        return catalyst.alias(
            catalyst.struct((column.name(), column) for column in columns), fresh_name("value")
        )

    def _only(self, row: Identity, top: Annotated) -> Any:
        """The annotated rows of one identity."""
        catalyst = self._catalyst
        named = self._identified(top, None)
        plan = catalyst.project_more(named, top.plan)
        literal = catalyst.singleton(catalyst.expressions, "Literal")
        same = [
            catalyst.expressions.EqualTo(each.toAttribute(), catalyst.as_long(literal.apply(value)))
            for each, value in zip(named, row, strict=True)
        ]
        return catalyst.filter(catalyst.all_of(same), plan)

    def _tells(self, subset: FrozenBitMap, rows: Sequence[Identity]) -> bool:
        known = self._known.get(subset)
        return known is not None and all(row in known for row in rows)

    def _try(
        self,
        batch: Sequence[FrozenBitMap],
        rows: Sequence[Identity],
        candidates: CandidateSet,
        *,
        together: bool = False,
    ) -> None:
        if self._one_by_one is None and (len(batch) > 1 or candidates.only_together):
            try:
                found = self._together(batch, rows, candidates)
            except NotBatchedError as error:
                self._one_by_one = str(error)
                if together:
                    raise
            except (PySparkException, Py4JJavaError):
                raise_if_interrupted()
                if len(batch) > 1:
                    # One of them can't be computed; which, their halves tell.
                    half = len(batch) // 2
                    self._try(batch[:half], rows, candidates)
                    self._try(batch[half:], rows, candidates)
                    return
            else:
                self._learn(batch, found, rows)
                return
        for subset in batch:
            try:
                alone = self._alone(subset, rows, candidates.full)
            except (PySparkException, Py4JJavaError):
                raise_if_interrupted()
                self._known[subset] = dict.fromkeys(rows, Outcome.UNRESOLVED)
                self.count += 1
            else:
                self._learn([subset], alone, rows)

    def _learn(self, batch: Sequence[FrozenBitMap], found: Found, rows: Sequence[Identity]) -> None:
        for number, subset in enumerate(batch):
            known = self._known.setdefault(subset, {})
            for row in rows:
                known[row] = found.get((number, row), self.without_rows)
        self.count += len(batch)

    def _together(
        self, batch: Sequence[FrozenBitMap], rows: Sequence[Identity], candidates: CandidateSet
    ) -> Found:
        catalyst = self._catalyst
        tagger = Tagger(
            catalyst,
            candidates.members(batch),
            lambda: subset_numbers(catalyst, len(batch)),
            len(batch),
            self._sources,
            self._reading.subqueries,
        )
        tagged = tagger.tagged(self._root)
        if tagged.subset is None:
            raise NotBatchedError("no candidate is below")
        annotated = Annotator(catalyst, tagger.sources, apart=tagger.numbers).annotate(tagged.operator)
        return self._read(annotated, tagger, tagged.subset, rows)

    def _alone(self, subset: FrozenBitMap, rows: Sequence[Identity], candidates: Candidates) -> Found:
        root, sources = self._rebuilt(subset, candidates)
        return self._read(Annotator(self._catalyst, sources).annotate(root), None, None, rows)

    def _rebuilt(
        self, subset: FrozenBitMap, candidates: Candidates, *, numbered: bool = False
    ) -> tuple[Operator, dict[Operator, SourceLeaf]]:
        """The dataflow with no other records of the sources than a subset's, and its sources.

        Args:
            numbered: the records' ids are their numbers among the candidates.
        """
        stored = candidates.numbered if numbered else candidates.alone
        return self._reading.of(
            {point.operator: (point.stand.leaf, stored(point, subset)) for point in candidates.points}
        )

    def _subset(self, number: Any | None) -> Any:
        """The number of a row's subset as a named expression; 0 where there is one subset."""
        catalyst = self._catalyst
        zero = catalyst.as_long(catalyst.literal(0))
        return catalyst.alias(zero if number is None else number, fresh_name("subset"))

    def _read(
        self,
        annotated: Annotated,
        tagger: Tagger | None,
        subset: Any | None,
        rows: Sequence[Identity],
    ) -> Found:
        catalyst = self._catalyst
        identity = self._identified(annotated, tagger)
        number = self._subset(subset)
        fails = catalyst.alias(self._failing, fresh_name("fails"))
        plan = catalyst.project([number, *identity, fails], annotated.plan)
        frame = catalyst.frame(plan)
        found = frame.where(F.col(frame.columns[1]).isin([row[0] for row in rows]))
        return {
            (row[0], (row[1], row[2])): Outcome.FAILED if row[3] else Outcome.PASSED
            for row in _any_failing(found).collect()
        }


def _any_failing(frame: DataFrame) -> DataFrame:
    """By subset and identity, whether a row of it fails; for null it doesn't."""
    subset, one, two, fails = frame.columns
    return frame.groupBy(subset, one, two).agg(F.max(F.coalesce(F.col(fails), F.lit(False)).cast("int")))
