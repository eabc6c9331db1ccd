"""Conditions in SQL for what a person points at: a row, a cell that is wrong."""

from __future__ import annotations

import datetime
import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from bigdebug.lineage.sql_names import named
from bigdebug.tui.pages import Field

_WHOLE = ("tinyint", "smallint", "int", "bigint")


def literal(value: Any, kind: str) -> str | None:
    """A value as an SQL literal of a type; None where there is none."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if kind in _WHOLE:
        return str(value)
    if isinstance(value, str) and (kind == "string" or kind.startswith(("char", "varchar"))):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"
    if isinstance(value, Decimal):
        return f"{value:f}BD"
    if isinstance(value, float):
        if not math.isfinite(value):
            return f"double('{value}')"
        return f"{value!r}D" if kind == "double" else f"float('{value!r}')"
    if isinstance(value, datetime.datetime):
        word = "timestamp" if kind == "timestamp" else "timestamp_ntz"
        return f"{word}'{value.isoformat(sep=' ')}'"
    if isinstance(value, datetime.date):
        return f"date'{value.isoformat()}'"
    if isinstance(value, bytes):
        return f"X'{value.hex()}'"
    return None


def equal(field: Field, value: Any) -> str | None:
    """A condition that holds for one value of a column."""
    text = literal(value, field.kind)
    if text is None:
        return None
    if value is None:
        return f"{named(field.name)} is null"
    if isinstance(value, float) and math.isnan(value):
        return f"isnan({named(field.name)})"
    return f"{named(field.name)} = {text}"


def of_row(
    fields: Sequence[Field], row: Sequence[Any], others: Sequence[Sequence[Any]], cell: int | None = None
) -> str:
    """A condition for one row: its first columns that tell it from other rows.

    Args:
        fields: the columns.
        row: its values.
        others: the rows that it is told from, itself among them or not.
        cell: a column that it shall not speak of, if it can do without.

    Returns:
        SQL; empty where no column can be compared.
    """
    usable = [
        (place, text)
        for place, (field, value) in enumerate(zip(fields, row, strict=True))
        if (text := equal(field, value)) is not None
        and sum(each.name.lower() == field.name.lower() for each in fields) == 1
    ]
    # Keys are texts, dates and whole numbers; what was computed are the others.
    usable.sort(key=lambda each: (each[0] == cell, isinstance(row[each[0]], float | Decimal), each[0]))
    chosen: list[tuple[int, str]] = []
    left = [other for other in others if list(other) != list(row)]
    for place, text in usable:
        fewer = [other for other in left if _same(other[place], row[place])]
        if len(fewer) < len(left) or not chosen:
            chosen.append((place, text))
            left = fewer
        if not left and chosen:
            break
    return " and ".join(text for _, text in sorted(chosen))


def _same(one: Any, other: Any) -> bool:
    return bool(one == other) or one is other


def of_element(text: str) -> str:
    """A condition in Python for one element of an RDD, of its text as `json.dumps` or the text itself."""
    import json

    try:
        value = json.loads(text)
    except ValueError:
        return f"x == {text!r}"
    if isinstance(value, list) and len(value) == 2 and isinstance(value[0], str | int):
        return f"key == {value[0]!r}"
    if isinstance(value, int | float | bool) or value is None:
        return f"x == {value!r}"
    return f"x == {text!r}"


FAULTS = {
    "large": "this is too large",
    "small": "this is too small",
    "missing": "this shouldn't be null",
    "there": "this row shouldn't be there",
    "value": "this value is wrong",
}
"""What can be wrong with a cell, by the name of the fault."""


def failing(
    fault: str, fields: Sequence[Field], row: Sequence[Any], cell: int, others: Sequence[Sequence[Any]]
) -> str:
    """A condition that holds as long as a cell is wrong.

    Args:
        fault: one of `FAULTS`.
        fields: the columns.
        row: the cell's row.
        cell: the column's number.
        others: rows around it: how large is too large they tell, by the value in the middle.
    """
    which = of_row(fields, row, others, cell)
    field, name = fields[cell], named(fields[cell].name)
    keys = [part for part in [which] if part]
    if fault == "there":
        return which
    if fault == "missing":
        return " and ".join([*keys, f"{name} is null"])
    if fault == "value":
        return " and ".join([*keys, equal(field, row[cell]) or f"{name} is not null"])
    bound = _bound(fault, row[cell], [other[cell] for other in others])
    return " and ".join([*keys, f"{name} {'>' if fault == 'large' else '<'} {literal(bound, field.kind)}"])


def _bound(fault: str, value: Any, others: Sequence[Any]) -> Any:
    """A value that a right one lies on this side of: zero for what is negative, else the one in the middle."""
    if isinstance(value, int | float | Decimal) and fault == "small" and value < 0:
        return type(value)(0)
    known = sorted(other for other in others if other is not None and type(other) is type(value))
    if not known:
        return value
    middle = known[len(known) // 2]
    beyond = middle < value if fault == "large" else middle > value
    return middle if beyond else value
