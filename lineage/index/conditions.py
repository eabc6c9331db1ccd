"""A condition over an output's columns, evaluated without Spark: a subset of SQL, and just what Spark makes of it.

Comparisons of a column with a literal, `and`, `or`, `not`, `in`, `between`, `like`, `is null`. What Spark would
convert in ways of its own (a text compared with a number, a pattern with an escape) is left to Spark.
"""

from __future__ import annotations

import datetime
import re
import struct
from collections.abc import Sequence
from decimal import Context, Decimal
from functools import reduce
from typing import Any

import pyarrow as pa

from bigdebug.lineage.errors import BigDebugError, UnknownNameError
from bigdebug.lineage.index.manifest import OutputColumn
from bigdebug.lineage.index.masks import Field, Mask, always
from bigdebug.lineage.moments import moment, wall_time

_OPPOSITE = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
_SWAPPED = {"==": "==", "!=": "!=", "<": ">", ">": "<", "<=": ">=", ">=": "<="}
# Of sqlglot's nodes, what each may say; the method for each has its name.
_TWO = frozenset({"this", "expression"})
_KNOWN = {
    **dict.fromkeys(("And", "Or", "EQ", "NEQ", "LT", "LTE", "GT", "GTE", "NullSafeEQ"), _TWO),
    **dict.fromkeys(("Is", "Like"), _TWO | {"negate"}),
    **dict.fromkeys(("Paren", "Not", "Boolean", "Column"), frozenset({"this"})),
    "Between": frozenset({"this", "low", "high", "negate"}),
    "In": frozenset({"this", "expressions", "negate"}),
}
_WHOLE = {"tinyint": pa.int8(), "smallint": pa.int16(), "int": pa.int32(), "bigint": pa.int64()}
_EXACT = Context(prec=80)
_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)")


class NeedsSparkError(BigDebugError):
    """Only Spark knows what it means."""


def parse_condition(
    text: str, columns: Sequence[OutputColumn], time_zone: str, *, case_sensitive: bool
) -> Mask:
    """A condition over the columns as they are stored.

    Args:
        text: SQL.
        columns: the output's.
        time_zone: what timestamps are meant in.
        case_sensitive: whether names are told apart by case.

    Raises:
        NeedsSparkError: it isn't of the subset.
        UnknownNameError: it names a column that the output doesn't have.
    """
    # A backslash and a double quote mean different things under different settings of Spark.
    if "\\" in text or '"' in text:
        raise NeedsSparkError("it holds a backslash or a double quote")
    from sqlglot import parse_one
    from sqlglot.errors import SqlglotError

    try:
        tree = parse_one(text, read="spark")
    except (SqlglotError, RecursionError):
        raise NeedsSparkError("the condition isn't SQL that it knows") from None
    return _Condition(columns, time_zone, case_sensitive).of(tree, False)


class _Condition:
    def __init__(self, columns: Sequence[OutputColumn], time_zone: str, case_sensitive: bool) -> None:
        self._columns = columns
        self._time_zone = time_zone
        self._case_sensitive = case_sensitive

    def of(self, node: Any, negated: bool) -> Mask:
        """An expression for a node or, negated, for its opposite; three-valued as in SQL.

        Negations are carried down to the comparisons, where NaN is seen to.
        """
        kind = type(node).__name__
        said = {name for name, value in node.args.items() if value not in (None, False, [])}
        if not said <= _KNOWN.get(kind, frozenset()):
            raise NeedsSparkError(f"this {kind.upper()} isn't known without Spark")
        negated ^= "negate" in said
        found: Mask = getattr(self, f"_{kind.lower()}")(node, negated)
        return found

    # -- connectives --------------------------------------------------------------------------------

    def _paren(self, node: Any, negated: bool) -> Mask:
        return self.of(node.this, negated)

    def _not(self, node: Any, negated: bool) -> Mask:
        return self.of(node.this, not negated)

    def _and(self, node: Any, negated: bool) -> Mask:
        left, right = self.of(node.this, negated), self.of(node.expression, negated)
        return left | right if negated else left & right

    def _or(self, node: Any, negated: bool) -> Mask:
        left, right = self.of(node.this, negated), self.of(node.expression, negated)
        return left & right if negated else left | right

    def _boolean(self, node: Any, negated: bool) -> Mask:
        return always(bool(node.this) is not negated)

    # -- predicates ---------------------------------------------------------------------------------

    def _column(self, node: Any, negated: bool) -> Mask:
        column, field = self._field(node)
        if column.type != "boolean":
            raise NeedsSparkError(f"{column.name} is no condition")
        return ~field.itself() if negated else field.itself()

    def _is(self, node: Any, negated: bool) -> Mask:
        column, field = self._field(node.this)
        what = type(node.expression).__name__
        if what == "Null":
            return field.is_valid() if negated else field.is_null()
        if what == "Boolean" and column.type == "boolean":
            holds = field.compared("==", bool(node.expression.this), pa.bool_()) & field.is_valid()
            return ~holds if negated else holds
        raise NeedsSparkError(f"IS {what.upper()} isn't known without Spark")

    def _eq(self, node: Any, negated: bool) -> Mask:
        return self._comparison(node, "==", negated)

    def _neq(self, node: Any, negated: bool) -> Mask:
        return self._comparison(node, "!=", negated)

    def _lt(self, node: Any, negated: bool) -> Mask:
        return self._comparison(node, "<", negated)

    def _lte(self, node: Any, negated: bool) -> Mask:
        return self._comparison(node, "<=", negated)

    def _gt(self, node: Any, negated: bool) -> Mask:
        return self._comparison(node, ">", negated)

    def _gte(self, node: Any, negated: bool) -> Mask:
        return self._comparison(node, ">=", negated)

    def _nullsafeeq(self, node: Any, negated: bool) -> Mask:
        _, field = self._field(node.this)
        same = self._compared(node.this, "==", node.expression)
        return ~same | field.is_null() if negated else same & field.is_valid()

    def _between(self, node: Any, negated: bool) -> Mask:
        low, high = node.args["low"], node.args["high"]
        if negated:
            return self._compared(node.this, "<", low) | self._compared(node.this, ">", high)
        return self._compared(node.this, ">=", low) & self._compared(node.this, "<=", high)

    def _in(self, node: Any, negated: bool) -> Mask:
        if not node.expressions:
            raise NeedsSparkError("IN with a query isn't known without Spark")
        each = [self._compared(node.this, "!=" if negated else "==", item) for item in node.expressions]
        return reduce((lambda a, b: a & b) if negated else (lambda a, b: a | b), each)

    def _like(self, node: Any, negated: bool) -> Mask:
        column, field = self._field(node.this)
        pattern = node.expression
        if column.type != "string" or type(pattern).__name__ != "Literal" or not pattern.is_string:
            raise NeedsSparkError("this LIKE isn't known without Spark")
        found = field.like(str(pattern.this))
        return ~found if negated else found

    # -- comparisons --------------------------------------------------------------------------------

    def _comparison(self, node: Any, sign: str, negated: bool) -> Mask:
        if negated:
            sign = _OPPOSITE[sign]
        if type(node.this).__name__ == "Column":
            return self._compared(node.this, sign, node.expression)
        return self._compared(node.expression, _SWAPPED[sign], node.this)

    def _field(self, node: Any) -> tuple[OutputColumn, Field]:
        """A column of the output, and the field that it is stored as."""
        if type(node).__name__ != "Column" or len(node.parts) != 1:
            raise NeedsSparkError("only a comparison of a column with a value is known without Spark")
        name = str(node.name)
        found = [column for column in self._columns if self._same(column.name, name)]
        if not found:
            raise UnknownNameError(
                f"where names the column {name!r}, which the output doesn't have",
                hint=f"the columns are: {', '.join(column.name for column in self._columns)}",
            )
        if len(found) > 1:
            raise NeedsSparkError(f"more than one column is called {name}")
        (column,) = found
        if column.stored is None:
            raise NeedsSparkError(f"the values of {column.name} ({column.type}) aren't in the index")
        return column, Field(column.stored)

    def _same(self, name: str, other: str) -> bool:
        return name == other if self._case_sensitive else name.casefold() == other.casefold()

    def _compared(self, node: Any, sign: str, value: Any) -> Mask:
        column, field = self._field(node)
        literal = _literal(value)
        kind = column.type
        if kind in _WHOLE:
            return _of_numbers(field, sign, literal, _WHOLE[kind], 0)
        if kind.startswith("decimal("):
            precision, scale = map(int, kind[8:-1].split(","))
            return _of_numbers(field, sign, literal, pa.decimal128(precision, scale), scale)
        if kind in ("float", "double"):
            return _of_floats(field, sign, literal, kind)
        if kind == "boolean" and isinstance(literal, bool) and sign in ("==", "!="):
            return field.compared(sign, literal, pa.bool_())
        if kind == "string" and type(literal) is str:
            return field.compared(sign, literal, pa.string())
        if kind == "date" and isinstance(literal, str | datetime.date):
            return field.compared(sign, _date(literal), pa.date32())
        if kind in ("timestamp", "timestamp_ntz") and isinstance(literal, str | _Moment):
            zone = "UTC" if kind == "timestamp" else None
            moment = _moment(str(literal), self._time_zone if zone else None)
            return field.compared(sign, moment, pa.timestamp("us", zone))
        raise NeedsSparkError(
            f"{column.name} is {kind}, which Spark would convert to compare it with {value}"
        )


class _Moment(str):
    """The text of a timestamp literal."""


class _Double(float):
    """A number written with an exponent."""


def _literal(node: Any) -> str | bool | Decimal | _Double | datetime.date | _Moment:
    kind = type(node).__name__
    if kind == "Boolean":
        return bool(node.this)
    if kind == "Neg":
        number = _literal(node.this)
        if isinstance(number, _Double):
            return _Double(-number)
        if isinstance(number, Decimal):
            return -number
    elif kind == "Literal" and node.is_string:
        return str(node.this)
    elif kind == "Literal":
        text = str(node.this)
        if re.fullmatch(r"\d+|\d*\.\d+|\d+\.", text):
            return Decimal(text)
        if re.fullmatch(r"(\d+|\d*\.\d+|\d+\.)[eE][-+]?\d+", text):
            return _Double(text)
    elif kind == "Cast" and type(node.this).__name__ == "Literal" and node.this.is_string:
        to = str(node.to.this.name)
        if to == "DATE":
            return _date(str(node.this.this))
        if to in ("TIMESTAMP", "TIMESTAMPTZ", "TIMESTAMPLTZ"):
            return _Moment(node.this.this)
    raise NeedsSparkError(f"the value {node} isn't known without Spark")


def _date(value: str | datetime.date) -> datetime.date:
    if isinstance(value, datetime.date):
        return value
    if _DATE.fullmatch(value):
        try:
            return datetime.date.fromisoformat(value)
        except ValueError:
            pass
    raise NeedsSparkError(f"{value!r} is no plain date")


def _moment(text: str, time_zone: str | None) -> datetime.datetime:
    """A timestamp's text as a moment, in UTC; without a time zone as it is."""
    try:
        return moment(text, time_zone) if time_zone else wall_time(text)
    except ValueError as error:
        raise NeedsSparkError(str(error)) from None


def _of_numbers(field: Field, sign: str, literal: Any, kind: Any, scale: int) -> Mask:
    """A comparison of whole numbers or decimals, exact whatever the literal's own type."""
    if not isinstance(literal, Decimal):
        raise NeedsSparkError("a number is compared with something that Spark would convert")
    all_of_them, none = field.same_always(True), field.same_always(False)  # with nulls still null
    units = literal.scaleb(scale, _EXACT)
    whole = int(units.to_integral_value(rounding="ROUND_FLOOR"))
    if whole != units:
        if sign in ("==", "!="):
            return none if sign == "==" else all_of_them
        sign, whole = ("<=", whole) if sign in ("<", "<=") else (">=", whole + 1)
    most = 2 ** (kind.bit_width - 1) - 1 if pa.types.is_integer(kind) else 10**kind.precision - 1
    least = -most - 1 if pa.types.is_integer(kind) else -most
    if not least <= whole <= most:
        # Spark's optimizer doesn't always leave null what is compared with a number of no use.
        raise NeedsSparkError(f"{literal} is beyond the column's type")
    value: Any = whole if pa.types.is_integer(kind) else Decimal(whole).scaleb(-scale, _EXACT)
    return field.compared(sign, value, kind)


def _of_floats(field: Field, sign: str, literal: Any, kind: str) -> Mask:
    """A comparison of floating-point numbers: NaN is equal to itself and above all others."""
    if not isinstance(literal, Decimal | _Double):
        raise NeedsSparkError("a number is compared with something that Spark would convert")
    value = float(literal)
    if kind == "float" and isinstance(literal, Decimal) and literal == literal.to_integral_value():
        value = struct.unpack("f", struct.pack("f", value))[0]  # Spark compares it as a float
    compared = field.compared_as_double(sign, value)
    return compared | field.is_nan() if sign in (">", ">=") else compared
