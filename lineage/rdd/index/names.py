"""What names a record, or a group, in files: numbers for places, bytes for keys.

Two keys have the same name just where Python takes them for equal, as Spark's groupings do: 1, 1.0 and True are one
key. Travels by value to Spark's Python workers, which need not have bigdebug.
"""

from __future__ import annotations

import datetime
import enum
from collections.abc import Iterable
from typing import Any

from bigdebug.lineage.rdd.known_keys import NAN

PARTITION_SHIFT = 40
PLACE_MASK = (1 << PARTITION_SHIFT) - 1

UNEQUAL = b"!"
"""What the names of keys that aren't equal to themselves begin with."""


class UnnameableError(TypeError):
    """Whether a key is equal to another, only its own class knows."""


def place_number(place: tuple[int, int]) -> int:
    """Partition and place in it as one number."""
    return place[0] << PARTITION_SHIFT | place[1]


def place_of(number: int) -> tuple[int, int]:
    """The way back."""
    return number >> PARTITION_SHIFT, number & PLACE_MASK


def name_of(key: Any) -> bytes:
    """The name of a key.

    Raises:
        UnnameableError: its equality is of a class's own.
    """
    if type(key) is str and key != NAN:
        return b"s" + key.encode("utf-8", "surrogatepass")
    parts: list[bytes] = []
    unequal = _encode(key, parts.append)
    return (UNEQUAL if unequal else b"") + b"".join(parts)


def _encode(key: Any, add: Any) -> bool:
    """Add the parts of a key's name; whether it isn't equal to itself."""
    if key is None:
        add(b"0")
    elif isinstance(key, str):
        if key == NAN:
            add(b"n")
            return True
        add(_sized(b"s", key.encode("utf-8", "surrogatepass")))
    elif isinstance(key, tuple):
        add(b"(%d" % len(key))
        return _encode_all(key, add)
    elif isinstance(key, bytes):
        add(_sized(b"b", key))
    elif isinstance(key, frozenset):
        add(b"{%d" % len(key))
        for name in sorted(map(name_of, key)):
            add(_sized(b"e", name))
    elif isinstance(key, datetime.date | datetime.time | datetime.timedelta):
        add(_moment(key))
    elif isinstance(key, enum.Enum) and not isinstance(key, int):
        kind = type(key)
        add(_sized(b"c", f"{kind.__module__}.{kind.__qualname__}.{key.name}".encode()))
    else:
        return _encode_number(key, add)
    return False


def _encode_all(keys: Iterable[Any], add: Any) -> bool:
    unequal = False
    for each in keys:
        unequal |= _encode(each, add)
    return unequal


def _encode_number(key: Any, add: Any) -> bool:
    """Numbers of all kinds are equal where their values are."""
    ratio = getattr(key, "as_integer_ratio", None)
    if ratio is None and hasattr(key, "__index__"):  # numpy's whole numbers
        ratio = key.__index__().as_integer_ratio
    if ratio is None:
        kind = f"{type(key).__module__}.{type(key).__qualname__}"
        raise UnnameableError(f"keys of type {kind} have an equality of their own")
    if key != key:
        add(b"n")
        return True
    try:
        over, under = ratio()
    except OverflowError:  # infinite
        add(b"+;" if key > 0 else b"-;")
        return False
    add(b"i%d;" % over if under == 1 else b"r%d/%d;" % (over, under))
    return False


def _moment(key: Any) -> bytes:
    if isinstance(key, datetime.datetime):
        if key.utcoffset() is not None:
            return _sized(b"z", key.astimezone(datetime.UTC).isoformat().encode())
        return _sized(b"d", key.isoformat().encode())
    if isinstance(key, datetime.timedelta):
        return b"u%d,%d,%d;" % (key.days, key.seconds, key.microseconds)
    if isinstance(key, datetime.time) and key.tzinfo is not None:
        raise UnnameableError("times of a day with a time zone have an equality of their own")
    return _sized(b"t" if isinstance(key, datetime.time) else b"D", key.isoformat().encode())


def _sized(kind: bytes, content: bytes) -> bytes:
    return kind + b"%d:" % len(content) + content
