"""Values as workers tell them: data that JSON can hold, never pickles: a driver reads them without running code.

Python's own kinds of values come back as they were. Any other object comes as its text. Travels by value to Spark's
Python workers.
"""

from __future__ import annotations

import base64
import datetime
import decimal
import reprlib
from typing import Any

MOST_BYTES = 1 << 20
"""A larger value comes as its beginning."""
_MOST_DEPTH = 60
_TEXT = 1_000

_TIMES: dict[str, Any] = {
    "datetime": datetime.datetime,
    "date": datetime.date,
    "time": datetime.time,
}


class NotPlainError(Exception):
    """A value that can't be told as data."""


class Shown:
    """Stands for a value that came as text only: its class isn't Python's own, or it is too large.

    Attributes:
        kind: the name of its class.
        text: its beginning.
    """

    def __init__(self, kind: str, text: str) -> None:
        self.kind = kind
        self.text = text

    def __repr__(self) -> str:
        return self.text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Shown) and (self.kind, self.text) == (other.kind, other.text)

    def __hash__(self) -> int:
        return hash((self.kind, self.text))


def told(value: Any, most: int = MOST_BYTES) -> Any:
    """A value as JSON can hold it; `heard` gives it back. Never raises.

    Args:
        value: any.
        most: so many bytes, roughly.
    """
    try:
        return _Teller(most).plain(value, 0)
    except Exception:
        return {"?": [_kind(value), text_of(value)]}


def heard(data: Any) -> Any:
    """The value that `told` told."""
    if isinstance(data, list):
        return [heard(each) for each in data]
    if not isinstance(data, dict):
        return data
    ((kind, inner),) = data.items()
    if kind == "?":
        return Shown(*inner)
    if kind == "tuple":
        return tuple(heard(each) for each in inner)
    if kind == "dict":
        return {heard(key): heard(value) for key, value in inner}
    if kind == "set":
        return {heard(each) for each in inner}
    if kind == "frozenset":
        return frozenset(heard(each) for each in inner)
    if kind == "float":
        return float(inner)
    if kind == "bytes":
        return base64.b64decode(inner)
    if kind == "bytearray":
        return bytearray(base64.b64decode(inner))
    if kind == "Decimal":
        return decimal.Decimal(inner)
    if kind == "timedelta":
        return datetime.timedelta(*inner)
    if kind in _TIMES:
        return _TIMES[kind].fromisoformat(inner)
    if kind == "Row":
        return _row(*inner)
    raise ValueError(f"no value of ours: {kind}")


def text_of(value: Any, most: int = _TEXT) -> str:
    """What a person is shown of a value. Never raises, and never writes out all of a large one.

    Args:
        value: any.
        most: characters.
    """
    shown = reprlib.Repr()
    shown.maxstring = shown.maxother = most
    shown.maxlong = 100
    shown.maxlist = shown.maxtuple = shown.maxdict = shown.maxset = shown.maxfrozenset = 20
    try:
        if isinstance(value, bytes | bytearray) and len(value) > most:
            return f"{bytes(value[: most // 4])!r}… ({len(value):,} bytes)"
        text = shown.repr(value)
    except Exception as error:
        return f"<{_kind(value)} that can't be shown: {type(error).__name__}>"
    return text if len(text) <= most else text[: most - 1] + "…"


class _Teller:
    def __init__(self, most: int) -> None:
        self._left = most

    def plain(self, value: Any, depth: int) -> Any:
        kind = type(value)
        self._left -= 8 if kind in (bool, int, float, type(None)) else 16
        if self._left < 0 or depth > _MOST_DEPTH:
            raise NotPlainError("it is too large")
        if value is None or kind is bool:
            return value
        if kind is int:
            self._left -= value.bit_length() >> 3
            if value.bit_length() > 10_000:  # Python itself doesn't read longer ones
                raise NotPlainError("it is too large")
            return value
        if kind is float:
            return value if value - value == 0.0 else {"float": repr(value)}
        if kind is str:
            self._take(len(value))
            return value
        if kind in (bytes, bytearray):
            self._take(len(value))
            return {kind.__name__: base64.b64encode(value).decode("ascii")}
        if kind is list:
            return [self.plain(each, depth + 1) for each in value]
        if kind in (tuple, set, frozenset):
            return {kind.__name__: [self.plain(each, depth + 1) for each in value]}
        if kind is dict:
            pairs = [[self.plain(key, depth + 1), self.plain(each, depth + 1)] for key, each in value.items()]
            return {"dict": pairs}
        return self._of_a_library(value, kind, depth)

    def _of_a_library(self, value: Any, kind: type, depth: int) -> Any:
        if kind is decimal.Decimal:
            return {"Decimal": str(value)}
        if kind is datetime.timedelta:
            return {"timedelta": [value.days, value.seconds, value.microseconds]}
        if kind.__name__ in _TIMES and kind is _TIMES[kind.__name__]:
            zone = getattr(value, "tzinfo", None)
            if zone is not None and type(zone) is not datetime.timezone:
                raise NotPlainError("its time zone has rules of its own")
            return {kind.__name__: value.isoformat()}
        if kind.__name__ == "Row" and kind.__module__.startswith("pyspark."):
            fields = list(getattr(value, "__fields__", ()))
            return {"Row": [fields, [self.plain(each, depth + 1) for each in tuple(value)]]}
        raise NotPlainError(f"it is a {_kind(value)}")

    def _take(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise NotPlainError("it is too large")


def _kind(value: Any) -> str:
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _row(fields: list[str], values: list[Any]) -> Any:
    from pyspark.sql import Row

    row = Row(*map(heard, values))
    if fields:
        row.__fields__ = fields
    return row
