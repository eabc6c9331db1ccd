"""The rows of an output or operator, computed by Spark for a table: the first soon, then all, in pages on disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bigdebug.lineage import value_text as values
from bigdebug.lineage.asking import asking, jobs_of_ours
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.output import Output
from bigdebug.lineage.questions import Question
from bigdebug.lineage.rdd.annotator import Annotator
from bigdebug.lineage.rdd.conditions import predicate_of
from bigdebug.lineage.rdd.kinds import KEYED_VALUES, VALUE_ACTIONS
from bigdebug.lineage.rdd.questions import RddQuestion
from bigdebug.lineage.rdd.travelling import travelling
from bigdebug.lineage.store import StoredRun
from bigdebug.lineage.where import rows_where
from bigdebug.tui.engine import Engine, Work
from bigdebug.tui.pages import ArrowPages, Field, Pages, ParquetPages
from bigdebug.wording import elements as elements_text

FIRST = 1_000
"""Rows that are shown as soon as they are there."""

MOST_IN_MEMORY = 100_000
"""Rows that are kept in memory, where they mustn't go to disk or Spark's disk isn't ours."""

_BLOCK_BYTES = 1 << 20
_PLAIN = (
    "string", "boolean", "tinyint", "smallint", "int", "bigint", "float", "double", "decimal", "date", "timestamp",
    "timestamp_ntz", "binary", "array", "struct", "map",
)  # fmt: skip


@dataclass(frozen=True)
class Wanted:
    """Which rows.

    Attributes:
        node: the id of an operator whose rows they are; None for the output's.
        where: a condition in SQL, of an RDD's elements one in Python; empty for all.
        order: the number of the column to sort by; None for the rows' own order.
        descending: the largest first.
    """

    node: int | None = None
    where: str = ""
    order: int | None = None
    descending: bool = False


def first_rows(engine: Engine, run: StoredRun, output: Output, wanted: Wanted, work: Work) -> Pages:
    """The first rows, or all where there are few. On the engine's thread.

    Raises:
        BigDebugError: they can't be computed; says why.
    """
    asked = engine.open(run, output, work)
    question = asked.opened()
    work.say("Computing the first rows")
    with _asking(question, "rows"):
        frame = _frame(engine, question, wanted)
        fields = fields_of(frame)
        table = storable(frame).limit(FIRST + 1).toArrow()
    if table.num_rows <= FIRST:
        return ArrowPages(fields, table)
    return ArrowPages(fields, table.slice(0, FIRST), complete=False)


def all_rows(engine: Engine, run: StoredRun, output: Output, wanted: Wanted, work: Work) -> Pages:
    """All rows, in pages on disk. On the engine's thread.

    Raises:
        BigDebugError: they can't be computed; says why.
    """
    asked = engine.open(run, output, work)
    question = asked.opened()
    work.say("Computing all rows")
    with _asking(question, "all rows"):
        frame = _frame(engine, question, wanted)
        fields = fields_of(frame)
        stored = storable(frame)
        master = str(frame.sparkSession.sparkContext.master)
        if run.redact or not master.startswith("local"):
            table = stored.limit(MOST_IN_MEMORY + 1).toArrow()
            complete = table.num_rows <= MOST_IN_MEMORY
            return ArrowPages(fields, table.slice(0, MOST_IN_MEMORY), complete=complete)
        folder = engine.folder() / "rows"
        # Small blocks: a page takes the reading of one.
        writer = stored.write.option("parquet.block.size", str(_BLOCK_BYTES)).option("compression", "snappy")
        writer.parquet(folder.as_uri())
    return ParquetPages(fields, folder)


def _asking(question: Question | RddQuestion, what: str) -> Any:
    if isinstance(question, Question):
        return asking(question.catalyst, what)
    return jobs_of_ours(question.rows.operator.context, what)


def _frame(engine: Engine, question: Question | RddQuestion, wanted: Wanted) -> Any:
    if isinstance(question, RddQuestion):  # noqa: SIM108 - mypy follows this form only
        frame = _elements(engine, question, wanted)
    else:
        frame = _rows(question, wanted)
    if wanted.order is not None:
        from pyspark.sql import functions as F

        names = [f"c{place}" for place in range(len(frame.columns))]
        column = F.col(names[wanted.order])
        ordered = column.desc_nulls_last() if wanted.descending else column.asc_nulls_last()
        frame = frame.toDF(*names).orderBy(ordered).toDF(*frame.columns)
    return frame


def _rows(question: Question, wanted: Wanted) -> Any:
    operator = question.root
    if wanted.node is not None:
        found = (each for each in question.root.walk() if each.node and each.node.id == wanted.node)
        operator = next(found, None)  # type: ignore[assignment]
        if operator is None:
            raise BigDebugError(
                "the rows of this operator can't be told apart in the plan",
                hint="look at those of the operator after it, or of the output",
            )
    plan = operator.plan
    if wanted.where:
        told = rows_where(question.catalyst, operator, wanted.where, "these rows", "filter")
        if not told.is_condition:
            raise BigDebugError(
                f"{wanted.where!r} is no condition on one row",
                hint="leave window functions and generators out of it",
            )
        plan = question.catalyst.filter(told.condition, plan)
    return question.catalyst.frame(plan)


def _elements(engine: Engine, question: RddQuestion, wanted: Wanted) -> Any:
    """Elements of an RDD as a frame: pairs have a key and a value, others are one column."""
    operator = question.rows.operator
    if wanted.node is not None:
        found = (each for each in operator.walk() if each.node and each.node.id == wanted.node)
        operator = next(found, operator)
    if operator.kind in VALUE_ACTIONS or operator.kind in KEYED_VALUES:
        raise BigDebugError(
            f"{operator.described()} gave one value, and no elements that can be listed",
            hint="trace it, or look at the elements of the operator before it",
        )
    with travelling(values, elements_text):
        elements = Annotator(operator.context).plain(operator, question.rows.frozen)
        condition = predicate_of(wanted.where or None)
        if condition is not None:
            elements = elements.filter(condition)
        shown = elements.map(elements_text.shown)
        spark = engine.spark
        assert spark is not None
        return spark.createDataFrame(shown, "value string", verifySchema=False)


def fields_of(frame: Any) -> list[Field]:
    return [Field(each.name, each.dataType.simpleString()) for each in frame.schema.fields]


def storable(frame: Any) -> Any:
    """The frame with columns of one name each, and of types that Arrow and Parquet have."""
    from pyspark.sql import functions as F
    from pyspark.sql import types as T

    names = [f"c{place}" for place in range(len(frame.columns))]
    kinds: Sequence[Any] = [each.dataType for each in frame.schema.fields]
    columns = []
    for name, kind in zip(names, kinds, strict=True):
        column = F.col(name)
        simple = isinstance(kind, T.StringType) or kind.simpleString().startswith(_PLAIN)
        odd = any(word in kind.simpleString() for word in ("interval", "void", "variant", "udt"))
        columns.append(column if simple and not odd else column.cast("string").alias(name))
    return frame.toDF(*names).select(*columns)
