"""Conditions over the columns of a table, with three-valued logic: which rows hold, and which row groups may.

Made of pyarrow's compute functions. Its own expressions and data sets would do the same, but load pandas, which
takes longer than most questions.
"""

from __future__ import annotations

import datetime
import struct
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

Bounds = Callable[[str], tuple[Any, Any] | None]
"""Gives the least and the greatest value of a column in a row group, where these are known."""

_FUNCTIONS = {
    "==": pc.equal,
    "!=": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}
_EXACT = Context(prec=80)


@dataclass(frozen=True)
class Mask:
    """A condition.

    Attributes:
        columns: those it is over.
        of: gives, for a table, whether it holds for each row: true, false or null.
        may: whether it may hold for a row of a row group, by the bounds of its columns.
    """

    columns: frozenset[str]
    of: Callable[[pa.Table], Any]
    may: Callable[[Bounds], bool] = lambda _: True

    def __and__(self, other: Mask) -> Mask:
        return Mask(
            self.columns | other.columns,
            lambda table: pc.and_kleene(self.of(table), other.of(table)),
            lambda bounds: self.may(bounds) and other.may(bounds),
        )

    def __or__(self, other: Mask) -> Mask:
        return Mask(
            self.columns | other.columns,
            lambda table: pc.or_kleene(self.of(table), other.of(table)),
            lambda bounds: self.may(bounds) or other.may(bounds),
        )

    def __invert__(self) -> Mask:
        return Mask(self.columns, lambda table: pc.invert(self.of(table)))


@dataclass(frozen=True)
class Field:
    """A column of a table."""

    name: str

    def compared(self, sign: str, value: Any, kind: Any) -> Mask:
        """A comparison with a value of the column's own Arrow type."""
        scalar = constant(value, kind)

        def may(bounds: Bounds) -> bool:
            known = bounds(self.name) if _bounded(kind) else None
            return known is None or _may(sign, value, *known)

        return Mask(
            frozenset({self.name}), lambda table: _FUNCTIONS[sign](table.column(self.name), scalar), may
        )

    def compared_as_double(self, sign: str, value: float) -> Mask:
        """A comparison of a floating-point column, as IEEE 754 has it: never true of NaN, but for `!=`."""
        scalar = constant(value, pa.float64())
        return self._mask(lambda column: _FUNCTIONS[sign](column.cast(pa.float64()), scalar))

    def same_always(self, truth: bool) -> Mask:
        """True, or false, of every value; null of null."""
        return self._mask(lambda column: (pc.equal if truth else pc.not_equal)(column, column))

    def itself(self) -> Mask:
        return self._mask(lambda column: column)

    def is_null(self) -> Mask:
        return self._mask(pc.is_null)

    def is_valid(self) -> Mask:
        return self._mask(pc.is_valid)

    def is_nan(self) -> Mask:
        return self._mask(pc.is_nan)

    def like(self, pattern: str) -> Mask:
        return self._mask(lambda column: pc.match_like(column, pattern))

    def _mask(self, of: Callable[[Any], Any]) -> Mask:
        return Mask(frozenset({self.name}), lambda table: of(table.column(self.name)))


def always(truth: bool) -> Mask:
    """The same of every row."""
    repeated = constant(truth, pa.bool_())
    return Mask(frozenset(), lambda table: pa.repeat(repeated, table.num_rows), lambda _: truth)


def constant(value: Any, kind: Any) -> pa.Scalar:
    """A value of an Arrow type. `pyarrow.scalar` would load pandas."""
    if isinstance(value, str):
        data = value.encode("utf-8", "surrogatepass")
        parts = [struct.pack("<2i", 0, len(data)), data]
    elif isinstance(value, float):
        parts = [struct.pack("<d", value)]
    else:
        width = 1 if pa.types.is_boolean(kind) else kind.bit_width // 8
        parts = [_units(value, kind).to_bytes(width, "little", signed=True)]
    return pa.Array.from_buffers(kind, 1, [None, *map(pa.py_buffer, parts)])[0]


def _units(value: Any, kind: Any) -> int:
    """A whole number, decimal, date or time as Arrow holds it."""
    if isinstance(value, datetime.datetime):
        epoch = datetime.datetime(1970, 1, 1, tzinfo=value.tzinfo)
        return (value - epoch) // datetime.timedelta(microseconds=1)
    if isinstance(value, datetime.date):
        return (value - datetime.date(1970, 1, 1)).days
    if isinstance(value, Decimal):
        return int(value.scaleb(kind.scale, _EXACT))
    return int(value)


def _bounded(kind: Any) -> bool:
    """Whether pyarrow gives bounds of a type as values that compare like the type's own."""
    return any(test(kind) for test in (pa.types.is_integer, pa.types.is_string, pa.types.is_date))


def _may(sign: str, value: Any, least: Any, greatest: Any) -> bool:
    try:
        if sign == "==":
            return bool(least <= value <= greatest)
        if sign in ("<", "<="):
            return bool(least < value) if sign == "<" else bool(least <= value)
        if sign in (">", ">="):
            return bool(greatest > value) if sign == ">" else bool(greatest >= value)
    except TypeError:
        return True
    return True
