"""Values as Python source, for rows that stand in a file of code."""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from pyspark.sql import Row
from pyspark.sql import types as T


class NoLiteralError(Exception):
    """A value of a kind that has no source."""


def source_of(value: Any) -> str:
    """The source of an expression that gives a value.

    Raises:
        NoLiteralError: there is none.
    """
    if isinstance(value, str) and value.isprintable():
        return json.dumps(value, ensure_ascii=False)
    if value is None or isinstance(value, bool | int | str | bytes):
        return repr(value)
    if isinstance(value, bytearray):
        return f"bytearray({bytes(value)!r})"
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else f'float("{value}")'
    if isinstance(value, Decimal):
        return f'Decimal("{value}")'
    if isinstance(value, datetime.datetime):
        # Spark takes one without a zone for local time, which is another elsewhere.
        return repr(value.astimezone(datetime.UTC))
    if isinstance(value, datetime.date):
        return repr(value)
    if isinstance(value, Row | tuple):
        inner = ", ".join(map(source_of, value))
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    if isinstance(value, list):
        return f"[{', '.join(map(source_of, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{source_of(k)}: {source_of(v)}" for k, v in value.items()) + "}"
    raise NoLiteralError(type(value).__name__)


def imports_of(sources: Sequence[str]) -> list[str]:
    """The import lines that some sources need."""
    text = "\n".join(sources)
    found = ["import datetime"] if "datetime." in text else []
    return [*found, "from decimal import Decimal"] if "Decimal(" in text else found


def has_literals(data_type: T.DataType) -> bool:
    """Whether values of a type go through Python source and back."""
    if isinstance(data_type, T.ArrayType):
        return has_literals(data_type.elementType)
    if isinstance(data_type, T.MapType):
        return has_literals(data_type.keyType) and has_literals(data_type.valueType)
    if isinstance(data_type, T.StructType):
        return all(has_literals(field.dataType) for field in data_type.fields)
    return isinstance(
        data_type,
        T.StringType
        | T.CharType
        | T.VarcharType
        | T.BooleanType
        | T.IntegralType
        | T.FractionalType
        | T.DateType
        | T.TimestampType
        | T.BinaryType,
    )
