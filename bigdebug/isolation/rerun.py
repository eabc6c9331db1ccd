"""A recorded output, computed again from other records: what a written test calls where no function builds it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pyspark import SparkContext
from pyspark.sql import DataFrame, SparkSession

from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.finding import find_source
from bigdebug.lineage.identity import SourceLeaf
from bigdebug.lineage.operators import Operator
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
    wanted = {find_source(leaves, name).operator: frame for name, frame in inputs.items()}
    catalyst = question.catalyst
    return catalyst.frame(_fed(catalyst, question.root, question.sources, wanted))


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
    fed = _Fed(
        spark.sparkContext, {find_source(sources, name).operator: each for name, each in inputs.items()}
    )
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


def _fed(
    catalyst: Catalyst,
    operator: Operator,
    sources: Mapping[Operator, SourceLeaf],
    inputs: Mapping[Operator, DataFrame],
) -> object:
    """The plan of an operator over other records."""
    if operator in inputs:
        plan = catalyst.analyzed(inputs[operator])
        columns = zip(catalyst.output(operator.plan), catalyst.output(plan), strict=True)
        renamed = [catalyst.alias(new, old.name(), old.exprId()) for old, new in columns]
        return catalyst.project(renamed, plan)
    if not operator.children:
        return operator.plan
    children = [_fed(catalyst, child, sources, inputs) for child in operator.children]
    return operator.plan.withNewChildren(catalyst.seq(children))
