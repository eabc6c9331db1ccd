"""The elements of a recorded RDD's output once more, as rows that can be compared with another run's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyspark.sql import SparkSession
from pyspark.sql import types as T

from bigdebug.lineage.asking import jobs_of_ours
from bigdebug.lineage.pinned import pinned_session
from bigdebug.lineage.rdd import literals, tabled, workers
from bigdebug.lineage.rdd.annotator import Annotator
from bigdebug.lineage.rdd.doubts import doubts_about, doubts_about_taken
from bigdebug.lineage.rdd.frames import Frame
from bigdebug.lineage.rdd.kinds import COGROUPS, KEYED, KEYED_VALUES
from bigdebug.lineage.rdd.operator import RddOperator
from bigdebug.lineage.rdd.rows import RddRows
from bigdebug.lineage.rdd.some_rows import only_given
from bigdebug.lineage.rdd.trace import require_understood
from bigdebug.lineage.rdd.travelling import travelling
from bigdebug.lineage.rows_again import RowsAgain

_TYPES = {tabled.WHOLE: T.LongType(), tabled.FLOATING: T.DoubleType(), tabled.OTHER: T.StringType()}


def elements_computed(
    spark: SparkSession, rows: RddRows, frames: Mapping[RddOperator, Frame], notes: Sequence[str]
) -> RowsAgain:
    """An output's elements as its recipe computes them.

    Pairs have the columns `key` and `value`, other elements the column `x`. A column of numbers alone holds these,
    any other its values as text, as Python spells them.

    Args:
        spark: a session of the context that the operators belong to.
        rows: what the action was about.
        frames: the DataFrames below, by the operators that give their rows.
        notes: what is already known to make the elements others than those that the run gave.

    Raises:
        UnsupportedOperatorError: an operator isn't understood.
        BigDebugError: Spark couldn't compute them.
    """
    require_understood(rows.operator)
    catalyst = pinned_session(spark)
    context = rows.operator.context
    with jobs_of_ours(context, "the elements of a run"), travelling(literals, tabled):
        annotator = Annotator(context)
        plain = annotator.plain(rows.operator, rows.frozen)
        given = only_given(rows, plain.map(workers.with_no_ids, True), annotator)
        elements = given.elements.map(workers.element_of)
        kinds = elements.aggregate(*tabled.kinds_of_all())
        names = ["key", "value"] if len(kinds) == 2 else ["x"]
        columns = [
            T.StructField(name, _TYPES[kind])
            for name, kind in zip(names, kinds or [tabled.OTHER], strict=True)
        ]
        table = catalyst.spark.createDataFrame(
            elements.map(tabled.row_of(kinds)), T.StructType(columns), verifySchema=False
        )
    found = [
        *notes,
        *doubts_about(rows.operator, opaque=False),
        *doubts_about_taken(rows),
        *given.doubts,
    ]
    for frame in frames.values():
        found += frame.question.doubts()
    key = ("key",) if len(kinds) == 2 and _is_grouped(rows.operator) else ()
    return RowsAgain(catalyst, table, key, tuple(dict.fromkeys(found)), condition)


def condition(
    names: Sequence[str], kinds: Mapping[str, T.DataType], texts: Sequence[str | None]
) -> str | None:
    """A condition in Python that holds for elements with just these values in some columns.

    Args:
        names: of the columns.
        kinds: their types by name.
        texts: of their values.

    Returns:
        None where a value can't be written in Python.
    """
    told = [text if text is not None else "None" for text in texts]
    if not names or not all(map(literals.is_literal, told)):
        return None
    return " and ".join(f"{name} == {text}" for name, text in zip(names, told, strict=True))


def _is_grouped(operator: RddOperator) -> bool:
    """Whether there is a pair for each key."""
    while operator.kind in ("mapValues", "filter"):
        (operator,) = operator.inputs
    return operator.kind in KEYED | COGROUPS | KEYED_VALUES | {"groupBy"}
