"""Is an output row there again when its query runs on the row's traced records alone?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cached_property, reduce
from typing import Any

from pyspark.sql import Column, DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.operators import Operator
from bigdebug.lineage.output import OutputRows
from bigdebug.lineage.questions import Question, question_about, trace_rows
from bigdebug.lineage.recipe.archive import Recipe
from bigdebug.lineage.recipe.building import build_recipe, open_recipe
from bigdebug.lineage.trace import Trace


class Judged:
    """A query over sources of which each stands in one file or place.

    Args:
        spark: the session.
        frame: the query.
    """

    def __init__(self, spark: SparkSession, frame: DataFrame) -> None:
        self._spark = spark
        self._frame = frame
        self._catalyst = Catalyst(spark)

    @cached_property
    def rows(self) -> list[Row]:
        """The output."""
        return self._frame.collect()

    def wheres(self, most: int) -> Iterator[tuple[Row, Column]]:
        """Up to so many rows, from all of the output, each with the condition that it alone fulfils."""
        distinct = list(dict.fromkeys(self.rows))
        for row in distinct[:: max(1, len(distinct) // most)][:most]:
            equal = [F.col(f"`{name}`").eqNullSafe(F.lit(row[name])) for name in row.__fields__]
            yield row, reduce(Column.__and__, equal)

    def key_of(self, row: Row) -> Column | None:
        """The condition that a person would name a row by: its first columns, as few as tell it from the others."""
        others = [other for other in self.rows if other != row]
        equal = []
        for i, name in enumerate(row.__fields__):
            if not others:
                break
            others = [other for other in others if other[i] == row[i]]
            column = F.col(f"`{name}`")
            equal.append(column.isNull() if row[i] is None else column == F.lit(row[i]))
        return reduce(Column.__and__, equal) if equal else None

    def judge(self, most: int) -> int:
        """Hold up to so many rows' traces against replays.

        Returns:
            How many rows were judged.
        """
        judged = 0
        for row, where in self.wheres(most):
            trace = trace_rows(self._spark, self._output(), _nothing, where)
            times = Counter(self.rows)[row]
            assert trace.matched == times, row
            assert trace.exact, trace.notes
            again = Counter(tuple(each) for each in self.replayed(trace))
            assert again[tuple(row)] >= times, (row, again)
            judged += 1
        return judged

    def judge_reopened(self) -> None:
        """Hold a trace from a recipe that went through bytes against the live one."""
        for _, where in self.wheres(1):
            live = trace_rows(self._spark, self._output(), _nothing, where)
            recipe = Recipe.from_bytes(build_recipe(self._spark, self._output(), _nothing).to_bytes())
            session = self._spark.newSession()
            opened = open_recipe(session, recipe)
            reopened = trace_rows(session, opened.rows, _nothing, where, names=opened.names)
            assert _told(reopened) == _told(live)

    def replayed(self, trace: Trace) -> list[Row]:
        """What the query gives on the traced records; what only influences is kept whole."""
        question = question_about(self._spark, self._output(), _nothing)
        traced = {source.name for source in trace.sources}
        plan = self._rebuilt(question, trace, traced, question.root)
        return question.catalyst.frame(plan).collect()

    def _rebuilt(self, question: Question, trace: Trace, traced: set[str], operator: Operator) -> Any:
        catalyst = question.catalyst
        leaf = question.sources.get(operator)
        if leaf is not None and leaf.name in traced:
            records = catalyst.analyzed(trace.records(leaf.name))
            columns = zip(
                catalyst.output(operator.plan), catalyst.output(records), strict=False
            )  # less `_record`
            return catalyst.project(
                [catalyst.alias(record, own.name(), own.exprId()) for own, record in columns], records
            )
        children = [self._rebuilt(question, trace, traced, child) for child in operator.children]
        return operator.plan.withNewChildren(catalyst.seq(children)) if children else operator.plan

    def _output(self) -> OutputRows:
        return OutputRows(self._catalyst.analyzed(self._frame), self._spark._jsparkSession, None)


def _nothing(_: str) -> None:
    return None


def _told(trace: Trace) -> list[Any]:
    return [
        trace.matched,
        [(each.name, each.count, each.files) for each in trace.sources],
        repr(trace.collect(50)),
    ]
