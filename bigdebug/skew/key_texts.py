"""Keys of any type as texts, by which keys of all shuffles can be counted in one job, and back to values."""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql import types as T


def text_of_key(column: Column, data_type: T.DataType) -> Column:
    """A text that is equal just where Spark takes two values for one key.

    Args:
        column: the key, zeros of floating-point numbers normalized.
        data_type: its type.
    """
    if isinstance(data_type, T.StringType) and data_type.collation != "UTF8_BINARY":
        return F.hex(F.call_function("collation_key", column))
    if isinstance(data_type, T.BinaryType):
        return F.hex(column)
    if isinstance(data_type, T.TimestampType):
        # Its text would be the same for two hours when clocks are set back.
        return F.unix_micros(column).cast("string")
    if isinstance(data_type, T.StructType | T.ArrayType):
        return F.to_json(column, {"ignoreNullFields": "false"})
    return column.cast("string")


def size_of(column: Column, data_type: T.DataType) -> tuple[int, Column | None]:
    """How many bytes a value takes in a row that Spark shuffles: a fixed part, and one that varies."""
    if isinstance(data_type, T.StringType | T.BinaryType | T.CharType | T.VarcharType):
        return 8, _padded(F.octet_length(column))
    if isinstance(data_type, T.DecimalType):
        return 8 if data_type.precision <= 18 else 24, None
    if isinstance(data_type, T.StructType | T.ArrayType | T.MapType):
        return 8, _padded(F.octet_length(column.cast("string")))
    return 8, None


def _padded(length: Column) -> Column:
    """Spark keeps values of any length in words of eight bytes."""
    return F.coalesce((length + 7).bitwiseAND(F.lit(-8)), F.lit(0))


def value_of_key(text: str | None, data_type: T.DataType) -> Any:
    """The value of a text that `text_of_key` gave; the text itself where its type has no plain value."""
    read = _READERS.get(type(data_type))
    if text is None or read is None:
        return text
    with suppress(ValueError, ArithmeticError):
        return read(text)
    return text


def _timestamp(text: str) -> datetime.datetime:
    seconds, micros = divmod(int(text), 1_000_000)
    return datetime.datetime.fromtimestamp(seconds).replace(microsecond=micros)


_READERS: dict[type[T.DataType], Callable[[str], Any]] = {
    T.ByteType: int,
    T.ShortType: int,
    T.IntegerType: int,
    T.LongType: int,
    T.FloatType: float,
    T.DoubleType: float,
    T.DecimalType: decimal.Decimal,
    T.BooleanType: lambda text: text == "true",
    T.DateType: datetime.date.fromisoformat,
    T.TimestampType: _timestamp,
    T.TimestampNTZType: datetime.datetime.fromisoformat,
    T.BinaryType: bytes.fromhex,
}

_DEFAULTS = frozenset(
    {
        "", "0", "-1", "0.0", "-1.0", "nan", "null", "none", "nil", "n/a", "na", "-", "?", "unknown", "undefined",
        "default", "missing", "anonymous", "guest", "1970-01-01", "1900-01-01", "0001-01-01", "9999-12-31",
        "00000000-0000-0000-0000-000000000000",
    }
)  # fmt: skip


def is_default(value: Any) -> bool:
    """Whether a value is one that programs write where they know none."""
    if isinstance(value, datetime.datetime):
        return value.time() == datetime.time() and is_default(value.date())
    return value is not None and not isinstance(value, bool) and str(value).strip().lower() in _DEFAULTS
