"""Where Spark sends a salted key: its Murmur3 hash of a key goes on over one more whole number."""

from __future__ import annotations

from typing import Any

from pyspark.sql import Column
from pyspark.sql import functions as F

_ALL = 0xFFFFFFFF


def salted_hash(hashed: int, salt: int) -> int:
    """Spark's hash of (key, salt) by its hash of the key, as a signed integer of 32 bits."""
    mixed = _rotated(salt * 0xCC9E2D51 & _ALL, 15) * 0x1B873593 & _ALL
    found = (_rotated((hashed & _ALL) ^ mixed, 13) * 5 + 0xE6546B64) & _ALL
    found ^= 4  # the number of bytes
    found ^= found >> 16
    found = found * 0x85EBCA6B & _ALL
    found ^= found >> 13
    found = found * 0xC2B2AE35 & _ALL
    found ^= found >> 16
    return found - (1 << 32) if found >> 31 else found


def salted_with_zero(hashed: Column) -> Column:
    """The same in Spark, for a salt of 0; without products that overflow, which ANSI mode refuses."""
    found = hashed.cast("long").bitwiseAND(_long(_ALL))
    found = _low(F.shiftleft(found, 13)).bitwiseOR(F.shiftright(found, 19))
    found = _low(found * 5 + _long(0xE6546B64)).bitwiseXOR(_long(4))
    found = found.bitwiseXOR(F.shiftright(found, 16))
    found = _times(found, 0x85EBCA6B)
    found = found.bitwiseXOR(F.shiftright(found, 13))
    found = _times(found, 0xC2B2AE35)
    found = found.bitwiseXOR(F.shiftright(found, 16))
    return F.when(found >= 1 << 31, found - (1 << 32)).otherwise(found).cast("int")


def _rotated(number: int, by: int) -> int:
    return (number << by | number >> (32 - by)) & _ALL


def _times(number: Column, factor: int) -> Column:
    low = number.bitwiseAND(_long(0xFFFF)) * _long(factor)
    high = (F.shiftright(number, 16) * _long(factor)).bitwiseAND(_long(0xFFFF))
    return _low(low + F.shiftleft(high, 16))


def _low(number: Column) -> Column:
    return number.bitwiseAND(_long(_ALL))


def _long(number: int) -> Any:
    return F.lit(number).cast("long")
