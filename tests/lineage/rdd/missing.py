"""What an answer to why elements are missing says, in a form that can be compared."""

from __future__ import annotations

from typing import Any


def counted(why_not: Any) -> list[tuple[str, int, int]]:
    """Its operators, and how many elements that match enter and leave each."""
    return [(step.operator, step.rows_in, step.rows_out) for step in why_not.steps]


def told(why_not: Any) -> tuple[str | None, list[tuple[Any, str]]]:
    """The operator to blame, and what it dropped with the reasons."""
    name = why_not.culprit.operator if why_not.culprit else None
    return name, [(each.row["value"], "; ".join(each.reasons)) for each in why_not.dropped]
