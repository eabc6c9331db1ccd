"""Rows to show as examples, with the columns that matter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bigdebug.lineage.catalyst import Catalyst, fresh_name
from bigdebug.lineage.finding import numbered
from bigdebug.lineage.operators import Operator

MOST = 5
"""How many examples."""

_FIRST_COLUMNS = 8


@dataclass(frozen=True)
class Dropped:
    """A row that an operator dropped.

    Attributes:
        row: the columns of it that the conditions speak of, by name.
        reasons: why it was dropped, as text.
        near: of a join, keys of the other side that it would have matched but for case, blanks or type.
    """

    row: dict[str, Any]
    reasons: list[str]
    near: list[dict[str, Any]] = field(default_factory=list)


def sampled(
    catalyst: Catalyst,
    operator: Operator,
    plan: Any,
    shown: Mapping[str, Any],
    values: Sequence[Any] = (),
) -> list[tuple[dict[str, Any], list[Any]]]:
    """A few rows of a plan, and what expressions give for them.

    Args:
        catalyst: of the session.
        operator: whose rows they are.
        plan: gives the rows to choose from.
        shown: the columns to show, by key; where there are none, the first few.
        values: expressions over the operator's columns.
    """
    every = catalyst.output(operator.plan)
    columns = [each for each in every if catalyst.attribute_key(each) in shown] or every[:_FIRST_COLUMNS]
    aliased = [catalyst.alias(each, fresh_name("shown")) for each in [*columns, *values]]
    # The limit comes first: what the expressions cost is for these rows only.
    rows = catalyst.frame(catalyst.project(aliased, catalyst.limit(MOST, plan))).collect()
    names = numbered([str(column.name()) for column in columns])
    return [(dict(zip(names, row, strict=False)), list(row[len(names) :])) for row in rows]
