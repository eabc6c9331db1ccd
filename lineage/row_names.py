"""Conditions in SQL that name single rows by the values of some of their columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql import types as T

from bigdebug.lineage.sql_names import named

_NUMBERS = (T.ByteType, T.ShortType, T.IntegerType, T.LongType, T.BooleanType)
_BY_TEXT = (
    T.DecimalType,
    T.FloatType,
    T.DoubleType,
    T.DateType,
    T.TimestampType,
    T.TimestampNTZType,
    T.YearMonthIntervalType,
    T.DayTimeIntervalType,
)


def value_text(column: Column, kind: T.DataType) -> Column:
    """A value as text that `condition` makes a literal of. Worked out by Spark: Python would lose some values."""
    if isinstance(kind, T.BinaryType):
        return F.hex(column)
    if isinstance(kind, T.TimestampType):
        # With its offset: the other run's time zone may be another.
        return F.date_format(column, "yyyy-MM-dd HH:mm:ss.SSSSSSXXX")
    return column.cast("string") if _is_told(kind) else F.lit(None).cast("string")


def condition(
    names: Sequence[str], kinds: Mapping[str, T.DataType], texts: Sequence[str | None]
) -> str | None:
    """A condition on columns that holds for rows with just these values.

    Args:
        names: of the columns.
        kinds: their types by name.
        texts: of their values, as `value_text` gives them.

    Returns:
        SQL; None where a column's values can't be written as literals.
    """
    if not names or not all(_is_told(kinds[name]) for name in names):
        return None
    return " and ".join(_is(name, kinds[name], text) for name, text in zip(names, texts, strict=True))


def _is_told(kind: T.DataType) -> bool:
    return isinstance(kind, (T.StringType, T.BinaryType, *_NUMBERS, *_BY_TEXT))


def _is(name: str, kind: T.DataType, text: str | None) -> str:
    column = named(name)
    return f"{column} is null" if text is None else f"{column} = {_literal(kind, text)}"


def _literal(kind: T.DataType, text: str) -> str:
    if isinstance(kind, _NUMBERS):
        return text
    if isinstance(kind, T.BinaryType):
        return f"X'{text}'"
    escaped = "".join({"\\": "\\\\", "'": "\\'"}.get(sign, sign) for sign in text)
    if isinstance(kind, T.StringType):
        return f"'{escaped}'"
    if isinstance(kind, T.DateType):
        return f"date '{escaped}'"
    return f"cast('{escaped}' as {kind.simpleString()})"
