"""A recorded output, computed again from other records: what a written test calls where no function builds it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pyspark import SparkContext
from pyspark.sql import DataFrame, SparkSession

from bigdebug.isolation.rdd.candidates import same_records
from bigdebug.isolation.reading import Reading
from bigdebug.isolation.same_records import reading_as
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.finding import find_source
from bigdebug.lineage.postmortem import Replay, open_output
from bigdebug.lineage.rdd.annotator import Annotator
from bigdebug.lineage.rdd.freezing import Frozen
from bigdebug.lineage.rdd.operator import RddOperator
from bigdebug.lineage.rdd.postmortem import RddReplay
from bigdebug.lineage.rdd.reading import sources_in
from bigdebug.lineage.rdd.trace import contributing_in_order
from bigdebug.lineage.store import Store


def rerun(
    spark: SparkSession, store: str, run: str, output: int, inputs: Mapping[str, DataFrame]
) -> DataFrame:
    """The rows that an output would have had of other records.

    Args:
        spark: a live session.
        store: where runs are kept.
        run: a run's id.
        output: its number.
        inputs: by source its records; other sources are read as they are.

    Raises:
        RunNotFoundError, RecipeError: there is no such output, or it can't be computed again.
        BigDebugError: it is one of an RDD.
    """
    replay = _opened(spark, store, run, output)
    if not isinstance(replay, Replay):
        raise BigDebugError("an output of an RDD can't be computed from other records")
    question = replay.question()
    leaves = list(question.sources.values())
    given = {find_source(leaves, name): frame for name, frame in inputs.items()}
    catalyst = question.catalyst
    reading = Reading(catalyst, question.root, question.sources, question.root)
    rows = {}
    for leaf, first in reading.readers.items():
        frame = given.get(leaf, given.get(first))
        if frame is not None:
            rows[leaf.operator] = (leaf, reading_as(catalyst, catalyst.analyzed(frame), leaf))
    root, _ = reading.of(rows)
    return catalyst.frame(root.plan)


def rerun_elements(
    spark: SparkSession, store: str, run: str, output: int, inputs: Mapping[str, Sequence[Any]]
) -> list[Any]:
    """The elements that an RDD's output would have had of other records.

    Args:
        spark: a live session.
        store: where runs are kept.
        run: a run's id.
        output: its number.
        inputs: by source its records; other sources are read as they are.

    Raises:
        RunNotFoundError, RecipeError: there is no such output, or it can't be computed again.
        BigDebugError: it is one of a DataFrame.
    """
    replay = _opened(spark, store, run, output)
    if isinstance(replay, Replay):
        raise BigDebugError("an output of a DataFrame isn't made of elements: call rerun")
    rows = replay.question().rows
    sources = sources_in(contributing_in_order(rows.operator))
    given = {find_source(sources, name).operator: each for name, each in inputs.items()}
    alike = {same_records(operator): each for operator, each in given.items()}
    rows_of = {
        source.operator: given.get(source.operator, alike.get(same_records(source.operator)))
        for source in sources
    }
    fed = _Fed(spark.sparkContext, {source: each for source, each in rows_of.items() if each is not None})
    elements: list[Any] = fed.plain(rows.operator, rows.frozen).collect()
    return elements


def _opened(spark: SparkSession, store: str, run: str, output: int) -> Replay | RddReplay:
    found = Store(store).find(run)
    return open_output(found, found.output(str(output)), allow_changed=True, spark=spark)


class _Fed(Annotator):
    """Makes RDDs of operators over other records."""

    def __init__(self, context: SparkContext, inputs: Mapping[RddOperator, Sequence[Any]]) -> None:
        super().__init__(context)
        self._inputs = inputs

    def plain(self, operator: RddOperator, given: Frozen) -> Any:
        if operator in self._inputs:
            return self.context.parallelize(self._inputs[operator], 2)
        return super().plain(operator, given)

    def _own(self, operator: RddOperator) -> Any | None:
        return None
