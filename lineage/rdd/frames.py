"""DataFrames that a trace of RDDs goes through: their rows as elements, and a trace of those on the way.

A DataFrame that shuffles may give its rows in another order each time. So it is computed once with its ids, each
row is numbered, and kept: elements carry the number, and the trace goes on from the kept rows of the numbers that
are on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pyspark.sql import DataFrame

from bigdebug.lineage.annotate import Annotator as RowAnnotator
from bigdebug.lineage.annotated import Annotated
from bigdebug.lineage.asking import asking
from bigdebug.lineage.beside import Beside
from bigdebug.lineage.catalyst import Catalyst, fresh_name
from bigdebug.lineage.identity import SourceLeaf
from bigdebug.lineage.mapped import scans
from bigdebug.lineage.operators import NodeLookup, Operator
from bigdebug.lineage.pushdown import unpushed
from bigdebug.lineage.questions import question_about
from bigdebug.lineage.rdd import placing, workers
from bigdebug.lineage.rdd.annotator import Annotator, has_fixed_order
from bigdebug.lineage.rdd.freezing import Frozen, frozen_for
from bigdebug.lineage.rdd.joints import joints_among, rows_of_elements
from bigdebug.lineage.rdd.operator import RddOperator
from bigdebug.lineage.rdd.travelling import travelling
from bigdebug.lineage.segments import RowSet, Segment, fetch, semi_joined
from bigdebug.lineage.trace import Trace
from bigdebug.lineage.where import RowsOf, Where

# Operators that leave rows where they are.
_IN_PLACE = frozenset({"Project", "Filter", "ResolvedHint"})


@dataclass(frozen=True)
class Numbered:
    """A DataFrame's rows with their ids and their numbers.

    Attributes:
        annotated: the plan, and the id columns.
        number: JVM attribute of it: the number of the row.
    """

    annotated: Annotated
    number: Any


class Frame:
    """The DataFrame behind a `df.rdd` on the way of a trace.

    Args:
        operator: that gives its rows as elements.
        lookup: gives the recorded node of a tag's value.
        beside: what counts as contributors, too.

    Attributes:
        question: about it.
        trace: of the rows that were asked for.
        joints: by leaf, the operators that made DataFrames of RDDs: there the way goes on.
    """

    def __init__(self, operator: RddOperator, lookup: NodeLookup, beside: Beside | None = None) -> None:
        assert operator.frame is not None
        question = question_about(
            operator.frame.spark,
            operator.frame.rows,
            lookup,
            names=operator.frame.names,
            notes=operator.frame.notes,
            influence=beside.influence if beside else False,
        )
        self.operator = operator
        self.question = question
        self._catalyst = question.catalyst
        self._root = question.root
        self._keys: RowSet | None = None
        self.persisted: list[DataFrame] = []
        self.joints = joints_among(operator.context, question.sources.values())
        self._beside = beside
        self.trace = self._traced()

    def again(self) -> Frame:
        """The same DataFrame, its rows numbered as they are, for a question about others of them."""
        made = copy(self)
        made.__dict__["numbered"] = self.numbered
        made._keys, made.persisted = None, []
        made.trace = made._traced()
        made.trace.number_as(self.trace)
        return made

    def in_order(self) -> bool:
        """Whether the rows come in the same partitions and order whenever they are computed."""
        below = self._root
        while below.kind in _IN_PLACE:
            below = below.child
        source = self.trace._leaves.get(below)
        if source is None or below.kind == "LocalRelation":
            return False
        if source in self.joints:
            return has_fixed_order(self.joints[source])
        # Of files in folders by a column's value, those that a filter leaves out move the others together.
        return source.kind in ("memory", "range") or (
            source.in_files and bool(below.plan.relation().partitionSchema().isEmpty())
        )

    @cached_property
    def numbered(self) -> Numbered:
        """Its rows with their ids and their numbers, computed once."""
        return numbered_rows(self.trace._annotator, self._root)

    def elements(self, leaf: int) -> Any:
        """The annotated RDD of its rows, each with its number as the id of that leaf."""
        with asking(self._catalyst, "rows of a DataFrame"):
            return rows_with_numbers(self._catalyst, self._root, self.numbered).map(
                workers.framed(leaf), True
            )

    def ask(self, numbers: Any) -> None:
        """Trace the rows of these numbers, an RDD."""
        catalyst = self._catalyst
        with asking(catalyst, "rows of a DataFrame"):
            frame = catalyst.spark.createDataFrame(numbers.distinct().map(workers.alone), "number long")
            plan = catalyst.analyzed(frame)
            found = fetch(catalyst, plan, catalyst.output(plan), valued=False)
            assert found is not None
            self._keys = found[0]
            if found[1] is not None:
                self.persisted.append(found[1])

    def arrivals(self) -> Iterator[tuple[RddOperator, Any]]:
        """Where that leads to RDDs: the operators that made DataFrames of them, and the ids of the rows."""
        with asking(self._catalyst, "rows of a DataFrame"):
            for leaf, joint in self.joints.items():
                ids = places_on(self.trace, leaf)
                if ids is not None:
                    yield joint, ids

    def own_sources(self) -> list[SourceLeaf]:
        """Its sources but for those where the way goes on."""
        return [leaf for leaf in self.trace._leaves.values() if leaf not in self.joints]

    def ask_for_nothing(self) -> None:
        """Where the way didn't come by."""
        if self._keys is None:
            self.ask(self.operator.context.emptyRDD())

    def _traced(self) -> _TraceOfKept:
        question = self.question
        trace = _TraceOfKept(
            question.catalyst,
            question.root,
            question.sources,
            RowsOf(lambda _, __: Where(self._narrow, is_condition=False)),
            question.notes,
            beside=self._beside,
        )
        trace.kept = lambda: self.numbered.annotated
        return trace

    def _narrow(self, kept: Annotated) -> Any:
        self.ask_for_nothing()
        keys, number = self._keys, self.numbered.number
        assert keys is not None
        catalyst = self._catalyst
        return semi_joined(
            catalyst,
            kept.plan,
            keys,
            lambda columns: [catalyst.same(unpushed(catalyst, number), columns[0])],
        )


def numbered_rows(annotator: RowAnnotator, root: Operator) -> Numbered:
    """The rows of a DataFrame with their ids and their numbers, which stay the same however often they are read.

    Args:
        annotator: gives the rows their ids.
        root: the DataFrame's dataflow.
    """
    catalyst = annotator.catalyst
    below = annotator.annotate(root)
    number = catalyst.alias(catalyst.expressions.MonotonicallyIncreasingID(), fresh_name("number"))
    plan = catalyst.project_more([*below.attributes, number], below.plan, root.plan)
    if not scans(annotator, root):
        # Its RDD keeps the rows when a job first comes by, and gives them up when nobody holds it any more.
        plan = catalyst.analyzed(catalyst.frame(plan).localCheckpoint(eager=False))
    return Numbered(Annotated(plan, below.ids), number.toAttribute())


def rows_with_numbers(catalyst: Catalyst, root: Operator, numbered: Numbered) -> Any:
    """An RDD of a DataFrame's rows, each beside its number."""
    own = catalyst.output(root.plan)
    row = catalyst.alias(catalyst.struct((each.name(), each) for each in own), fresh_name("row"))
    return catalyst.frame(catalyst.project([row, numbered.number], numbered.annotated.plan)).rdd


class _TraceOfKept(Trace):
    """A trace of rows of a DataFrame that was kept."""

    kept: Any

    def number_as(self, other: Trace) -> None:
        """Go by the ids of another trace of the same rows."""
        self._annotators, self._annotator = other._annotators, other._annotator
        self._top = Segment(self._catalyst, self._annotator, self._root, self._where.narrow)

    @cached_property
    def _first(self) -> Segment:
        annotated: Annotated = self.kept()
        if annotated.ids:
            self._top.take_kept(annotated)
        else:
            found = fetch(self._catalyst, self._top.narrow(annotated), [], valued=False)
            assert found is not None
            self._top.preset(found[0], ())
        return self._top


def places_on(trace: Trace, leaf: SourceLeaf) -> Any | None:
    """An RDD of the partitions and places of a leaf's rows on a trace; None where there are none."""
    records = trace._records.get(leaf)
    if records is None or not records.count:
        return None
    catalyst, rows = trace._catalyst, records.rows
    plan = catalyst.project([catalyst.output(rows.plan)[0]], rows.plan)
    return catalyst.frame(plan).rdd.map(placing.place_of_number)


def take_elements_once(
    annotator: Annotator, catalyst: Catalyst, joints: Mapping[SourceLeaf, RddOperator]
) -> None:
    """Have leaves hold the rows of elements that are kept, where these come in another order each time.

    Args:
        annotator: of the RDDs below.
        catalyst: of the session that the leaves belong to.
        joints: by leaf, the operator that made a DataFrame of an RDD.
    """
    for leaf, joint in joints.items():
        if not has_fixed_order(joint.inputs[0]):
            leaf.make_once = _maker(annotator, catalyst, leaf, joint)


def _maker(annotator: Annotator, catalyst: Catalyst, leaf: SourceLeaf, joint: RddOperator) -> Any:
    def make() -> Any:
        frozen = joint.frozen or {}
        own = leaf.operator.plan
        with travelling():
            rdd = annotator.kept_input(joint, frozen)
            functions = annotator.arguments(joint, frozen)["functions"]
            plan = rows_of_elements(catalyst, rdd, functions, str(own.schema().json()))
        number = catalyst.alias(catalyst.expressions.MonotonicallyIncreasingID(), fresh_name("id"))
        pairs = zip(catalyst.output(plan), catalyst.output(own), strict=True)
        columns = [catalyst.alias(new, old.name(), old.exprId()) for new, old in pairs]
        return catalyst.project([*columns, number], plan)

    return make


def functions_given(
    tops: Mapping[RddOperator, Frozen],
    frames: Mapping[RddOperator, Frame],
    read: Callable[[RddOperator], Iterable[RddOperator]],
) -> dict[RddOperator, Frozen]:
    """All operators of a program, on through DataFrames, with the functions given to each.

    Args:
        tops: those that it begins with, and the functions given to these.
        frames: the DataFrames below, as `frames_below` found them.
        read: gives of the others those inputs where it goes on.
    """
    given = dict(tops)
    waiting = list(tops)
    while waiting:
        operator = waiting.pop()
        if operator in frames:
            below = {each: each.frozen or {} for each in frames[operator].joints.values()}
        else:
            below = {each: frozen_for(operator, given[operator]) for each in read(operator)}
        for each, frozen in below.items():
            if each not in given:
                given[each] = frozen
                waiting.append(each)
    return given
