"""Values of records as JSON, and as a person reads them."""

import base64
import datetime
import json
import math
import unicodedata
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from bigdebug.lineage.finding import numbered


def json_value(value: Any) -> Any:
    """A value that JSON can hold.

    Decimals, timestamps and their kin become text, binary becomes base64, NaN and infinities become text;
    a struct becomes an object, and so does a map, with its keys as text.
    """
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else _not_finite(value)
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return f"PT{_plain_number(value.total_seconds())}S"
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(bytes(value)).decode("ascii")
    if isinstance(value, Mapping):
        return {_json_key(key): json_value(item) for key, item in value.items()}
    names = getattr(value, "__fields__", None)
    if isinstance(value, tuple) and names:
        return dict(zip(numbered(names), map(json_value, value), strict=False))
    if isinstance(value, list | tuple | set | frozenset):
        return [json_value(item) for item in value]
    for convert in ("toPython", "tolist"):  # a variant; NumPy's arrays and numbers
        if hasattr(value, convert):
            return json_value(getattr(value, convert)())
    return str(value)


def _not_finite(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _plain_number(value: float) -> str:
    return f"{value:.6f}".rstrip("0").rstrip(".")


def _json_key(key: Any) -> str:
    plain = json_value(key)
    return plain if isinstance(plain, str) else json.dumps(plain)


def json_text(content: object) -> str:
    """JSON as a command prints it: valid whatever the values and the terminal's encoding."""
    return json.dumps(content, indent=2, allow_nan=False)


def text_value(value: Any) -> str:
    """A value as it stands in a table: on one line, with nothing invisible in it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return visible(value) if value else '""'
    if isinstance(value, bytes | bytearray | memoryview):
        return f"0x{bytes(value).hex()}"
    if isinstance(value, datetime.datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, datetime.timedelta):
        return str(value)
    plain = json_value(value)
    return visible(plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False))


def visible(text: str) -> str:
    """Text in which control characters, which could also steer a terminal, are spelled out."""
    return "".join(
        char.encode("unicode_escape").decode("ascii") if _unprintable(char) else char for char in text
    )


def _unprintable(char: str) -> bool:
    return unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")
