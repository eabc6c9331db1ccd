"""A program on just the records that some of its rows come from."""

from __future__ import annotations

from collections.abc import Iterator
from operator import itemgetter
from typing import Any

from bigdebug.isolation.reading import Reading
from bigdebug.isolation.same_records import reading_as
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.operators import Operator
from bigdebug.lineage.questions import Question
from bigdebug.lineage.rdd.conditions import predicate_of
from bigdebug.lineage.rdd.mixed import frames_below
from bigdebug.lineage.rdd.operator import RddOperator
from bigdebug.lineage.rdd.questions import RddQuestion
from bigdebug.lineage.rdd.reading import sources_in
from bigdebug.lineage.rdd.trace import RddTrace, contributing_in_order
from bigdebug.lineage.trace import Trace


class Behind:
    """A dataflow over the records behind some of its rows.

    Args:
        question: about the dataflow.
        where: which of its rows: SQL text or a Column.

    Attributes:
        root: the dataflow.

    Raises:
        BigDebugError: it can't be traced, or no row is such.
    """

    def __init__(self, question: Question, where: Any) -> None:
        # Kept, for its rows are read later.
        self._trace = Trace(question.catalyst, question.root, question.sources, where)
        if not self._trace.matched:
            raise _nothing(where)
        catalyst = question.catalyst
        rows = {
            leaf.operator: (
                leaf,
                # Behind a source's columns stands the record's place.
                reading_as(catalyst, catalyst.analyzed(records.frame()), leaf),
            )
            for leaf, records in self._trace.found_records.items()
        }
        reading = Reading(catalyst, question.root, question.sources, question.root)
        self.root, _ = reading.of(rows)
        self._known = dict(_pairs(self.root, question.root))

    def of(self, operator: Operator) -> Operator:
        """The operator of the whole dataflow that one of this stands for."""
        return self._known[operator]


def _pairs(new: Operator, old: Operator) -> Iterator[tuple[Operator, Operator]]:
    yield new, old
    for here, there in zip(new.children, old.children, strict=False):
        yield from _pairs(here, there)


class ElementsBehind:
    """The records behind some elements of an RDD's program.

    Args:
        question: about the program.
        where: which elements: a function of one, or the text of an expression in Python of `x`.

    Attributes:
        records: by source the RDD of them.

    Raises:
        BigDebugError: the program can't be traced, no element is such, or rows of DataFrames are below.
    """

    def __init__(self, question: RddQuestion, where: Any) -> None:
        rows = question.rows
        if frames_below([rows.operator], question.lookup):
            raise BigDebugError(
                "where can't be asked of an RDD that is made of rows of a DataFrame",
                hint="leave it out: then all records are timed",
            )
        self._trace = RddTrace(rows, predicate_of(where))  # its records are read later
        if not self._trace.matched:
            raise _nothing(where)
        self.records: dict[RddOperator, Any] = {
            source.operator: self._trace.placed_records(source.name).map(itemgetter(3))
            for source in sources_in(contributing_in_order(rows.operator))
        }


def _nothing(where: Any) -> BigDebugError:
    told = where if isinstance(where, str) else "the condition"
    return BigDebugError(f"no row is such: {told}", hint="the condition speaks of the output's columns")
