"""Salting: which side of a shuffle takes the salt, and what the counts of its partitions come to."""

from __future__ import annotations

from bigdebug.skew.finding import Finding

_SALTED = {
    "LeftOuter": 0,
    "LeftSemi": 0,
    "LeftAnti": 0,
    "ExistenceJoin": 0,
    "RightOuter": 1,
}
"""By kind of join the side whose rows are all kept: it takes the salt, the rows of the other are repeated for it."""


def salted_side(finding: Finding) -> int | None:
    """The side whose hot keys are split up; None where neither can be."""
    if len(finding.sides) == 1:
        return 0
    if finding.join == "FullOuter" or not finding.join:
        return None  # rows that meet nothing would be there several times
    if finding.join in _SALTED:
        return _SALTED[finding.join]
    held = [sum(key.sides[side.name] for key in finding.hot_keys) for side in finding.sides]
    return held.index(max(held))


def can_be_salted(finding: Finding) -> bool:
    """Whether splitting up the hot keys of a shuffle is of any use."""
    if not finding.hot_keys or salted_side(finding) is None:
        return False
    return finding.operator in ("Aggregate", "Join", "RepartitionByExpression")
