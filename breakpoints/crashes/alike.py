"""Rows that a function of rows was given what was set aside of: found by Spark alone, without calling the function."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

from pyspark.sql import Column
from pyspark.sql import functions as F

from bigdebug.lineage.catalyst import Catalyst, class_name, fresh_name

MOST_ALIKE = 10_000
"""So many different inputs are looked for at most."""


def _whole(value: Any) -> int | None:
    return None if value is None or value != value else int(value)  # where null is, pandas has a float's NaN


def _number(value: Any) -> float:
    if value is None or math.isnan(value):
        raise ValueError("NaN, or null: pandas doesn't tell them apart")
    return float(value)


def _text(value: Any) -> str | None:
    return None if value is None or value != value else str(value)


def _truth(value: Any) -> bool | None:
    return None if value is None or value != value else bool(value)


_PLAIN: dict[str, Callable[[Any], Any]] = {
    "string": _text,
    "boolean": _truth,
    "double": _number,
    **dict.fromkeys(("tinyint", "smallint", "int", "bigint"), _whole),
}
"""By type how a value of a worker's is Python's own; others are taken as different everywhere."""


def _literal(value: Any, kind: str) -> str:
    """A value in SQL: one text of all of them is one call of Java's, not one for each."""
    if kind == "string":
        return f"cast(X'{value.encode().hex()}' as string)"  # whatever quotes mean in this session
    return f"cast('{value!r}' as {kind})"


def rows_alike(catalyst: Catalyst, function: Any, plan: Any, given: Sequence[Any]) -> Any | None:
    """The rows of a plan that a function is given some inputs of; None where Spark can't tell.

    Args:
        catalyst: of the pinned session.
        function: JVM expression of a Python function of a row's values.
        plan: JVM plan of the function's input.
        given: inputs: a value, or a tuple of several.
    """
    children = [
        each.value() if class_name(each) == "NamedArgumentExpression" else each
        for each in catalyst.items(function.children())
    ]
    types = [str(each.dataType().catalogString()) for each in children]
    if not children or not all(kind in _PLAIN for kind in types):
        return None
    if not all(each.deterministic() and not catalyst.holds(each, "PYTHON_UDF") for each in children):
        return None
    try:
        rows = {
            tuple(
                _PLAIN[kind](value)
                for kind, value in zip(types, one if len(types) > 1 else (one,), strict=True)
            )
            for one in given
        }
    except (TypeError, ValueError):
        return None
    if len(rows) > MOST_ALIKE:
        return None
    names = [fresh_name("given") for _ in types]
    wanted = [fresh_name("wanted") for _ in types]
    more = [catalyst.alias(each, name) for each, name in zip(children, names, strict=True)]
    frame = catalyst.frame(catalyst.project_more(more, plan))
    schema = ", ".join(f"{name} {kind}" for name, kind in zip(wanted, types, strict=True))
    if len(names) == 1 and (None,) not in rows:
        try:
            listed = ", ".join(_literal(value, types[0]) for (value,) in rows)
        except UnicodeEncodeError:  # half a surrogate pair, which no text of Spark's is
            return None
        alone = F.expr(f"`{names[0]}` in ({listed})")
        return catalyst.project(catalyst.output(plan), catalyst.analyzed(frame.where(alone)))
    few = F.broadcast(catalyst.spark.createDataFrame(list(rows), schema))
    same = reduce(
        Column.__and__,
        (F.col(one).eqNullSafe(F.col(other)) for one, other in zip(names, wanted, strict=True)),
    )
    found = catalyst.analyzed(frame.join(few, same, "left_semi"))
    return catalyst.project(catalyst.output(plan), found)
