"""Rows that aren't what was expected: those that differ from an expected frame's, are too many in it, or missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from bigdebug.isolation.features import text_literal
from bigdebug.isolation.output_key import looked_up
from bigdebug.lineage.catalyst import Catalyst, fresh_name
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.natural_key import natural_key
from bigdebug.lineage.operators import Operator
from bigdebug.lineage.questions import Question
from bigdebug.lineage.records import as_dict
from bigdebug.lineage.sql_names import quoted
from bigdebug.lineage.unlike import unlike
from bigdebug.lineage.whynot import WhyNot

MOST_MISSING = 5
"""Missing rows that are told."""


@dataclass(frozen=True)
class Differing:
    """The rows of an output that aren't what was expected.

    Attributes:
        failing: a condition over the output's columns, true of the first of them.
        key: the columns that rows are compared by.
        count: how many rows differ or are too many.
        missing: the first of the rows that were expected and aren't there.
        missing_count: how many these are.
    """

    failing: Column
    key: tuple[str, ...]
    count: int
    missing: tuple[dict[str, Any], ...]
    missing_count: int


def differing(catalyst: Catalyst, root: Operator, expected: DataFrame, most: int) -> Differing:
    """Compare an output with what was expected; by its grouping columns, or by whole rows where it has none.

    Args:
        catalyst: of the pinned session.
        root: the dataflow of the output.
        expected: with the same columns, in any order.
        most: how many differing rows are told apart.

    Raises:
        BigDebugError: the columns aren't the same, or expected rows have the same key.
    """
    output = catalyst.frame(root.plan)
    names = output.columns
    if len(set(names)) < len(names) or sorted(names) != sorted(expected.columns):
        raise BigDebugError(
            f"the expected frame has the columns {', '.join(expected.columns)}, the output {', '.join(names)}",
            hint="give a frame with the output's columns; their names must differ",
        )
    key = natural_key(catalyst, root) or tuple(names)
    wanted = catalyst.frame(expected._jdf.queryExecution().analyzed())
    kinds = {field.name: field.dataType for field in output.schema.fields}
    wanted = wanted.select(*(F.col(quoted(name)).cast(kinds[name]).alias(name) for name in names))
    if len(key) < len(names) and wanted.groupBy(*map(quoted, key)).count().where("count > 1").take(1):
        raise BigDebugError(
            f"expected rows have the same {', '.join(key)}, by which they are compared",
            hint="give one expected row for each group",
        )
    have, want = fresh_name("have"), fresh_name("want")
    ours = output.select(F.struct(*map(quoted, names)).alias(have))
    theirs = wanted.distinct().select(F.struct(*map(quoted, names)).alias(want))
    same_key = [F.col(have)[name].eqNullSafe(F.col(want)[name]) for name in key]
    both = ours.join(theirs, reduce(Column.__and__, same_key), "full")
    others = [name for name in names if name not in key]
    apart = [unlike(F.col(have)[name], F.col(want)[name], kinds[name]) for name in others]
    wrong = F.col(have).isNotNull() & reduce(Column.__or__, apart, F.col(want).isNull())
    found = both.where(wrong | F.col(have).isNull()).persist()
    try:
        count = found.where(F.col(have).isNotNull()).count()
        missing = found.where(F.col(have).isNull())
        first = missing.select(f"{want}.*").limit(MOST_MISSING).collect()
        failing = _condition(catalyst, output, found.where(F.col(have).isNotNull()).limit(most), key, kinds)
        return Differing(failing, key, count, tuple(map(as_dict, first)), missing.count())
    finally:
        found.unpersist()


def told_of_missing(question: Question, differing: Differing) -> Iterator[str]:
    """What became of expected rows that aren't there, in words."""
    for row in differing.missing:
        where = condition_of(row, differing.key)
        yield f"an expected row is missing: {where}; {_why_not(question, where)}"
    more = differing.missing_count - len(differing.missing)
    if more:
        yield f"{more:,} more expected rows are missing"


def condition_of(row: Mapping[str, Any], key: Sequence[str]) -> str:
    """SQL that is true of rows with the same key.

    Args:
        row: its columns by name.
        key: names of columns.
    """
    return " and ".join(f"{quoted(name)} <=> {_sql(row[name])}" for name in key)


def _why_not(question: Question, where: str) -> str:
    try:
        culprit = WhyNot(question, where).culprit
    except BigDebugError as error:
        return f"why can't be told: {error}"
    if culprit is None:
        return "why can't be told"
    if not culprit.rows_in:
        return f"no record of {culprit.operator} would have made it"
    at = f" at {culprit.call_site.label}" if culprit.call_site else ""
    return f"{culprit.operator}{at} dropped what would have made it"


def _condition(
    catalyst: Catalyst, output: DataFrame, rows: DataFrame, key: Sequence[str], kinds: dict[str, Any]
) -> Column:
    """True of the output's rows that have the key of some rows and aren't what was expected of it."""
    have, want = rows.columns
    entry = F.struct(
        F.struct(*(F.col(have)[name].alias(name) for name in key)).alias("key"),
        F.struct(F.col(want).isNotNull().alias("there"), F.col(want).alias("row")).alias("wanted"),
    )
    wanted = looked_up(catalyst, output, rows.select(entry.alias("entry")).distinct(), key)
    apart = [
        unlike(output[quoted(name)], wanted["row"][name], kind)
        for name, kind in kinds.items()
        if name not in key
    ]
    return wanted.isNotNull() & reduce(Column.__or__, apart, ~wanted["there"])


def _sql(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool | int | float):
        return str(value).lower()
    return text_literal(str(value))
