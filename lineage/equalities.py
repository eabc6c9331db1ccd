"""What a join holds equal: pairs of expressions, one over each side, and what else it asks of its pairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bigdebug.lineage.catalyst import Catalyst, class_name
from bigdebug.lineage.conditions import conjuncts_of, references
from bigdebug.lineage.operators import Operator

_EQUAL = frozenset({"EqualTo", "EqualNullSafe"})


@dataclass(frozen=True)
class Equality:
    """A key of a join.

    Attributes:
        sides: the expression over the left side, and that over the right.
        null_safe: whether null equals null.
    """

    sides: tuple[Any, Any]
    null_safe: bool


@dataclass(frozen=True)
class JoinCondition:
    """A join's condition, taken apart.

    Attributes:
        equalities: its keys.
        others: the conditions beside them.
    """

    equalities: tuple[Equality, ...]
    others: tuple[Any, ...]


def join_condition(catalyst: Catalyst, operator: Operator) -> JoinCondition:
    """The condition of a join; empty for an as-of join, which pairs rows by order."""
    if operator.kind != "Join" or operator.plan.condition().isEmpty():
        return JoinCondition((), ())
    left, right = (
        {catalyst.attribute_key(attribute) for attribute in catalyst.output(child.plan)}
        for child in operator.children
    )
    equalities, others = [], []
    for condition in conjuncts_of(catalyst, operator.plan.condition().get()):
        found = None
        if class_name(condition) in _EQUAL:
            pair = (condition.left(), condition.right())
            spoken = [references(catalyst, each).keys() for each in pair]
            null_safe = class_name(condition) == "EqualNullSafe"
            if all(spoken) and spoken[0] <= left and spoken[1] <= right:
                found = Equality(pair, null_safe)
            elif all(spoken) and spoken[1] <= left and spoken[0] <= right:
                found = Equality((pair[1], pair[0]), null_safe)
        if found is None:
            others.append(condition)
        else:
            equalities.append(found)
    return JoinCondition(tuple(equalities), tuple(others))


def columns_across(catalyst: Catalyst, condition: JoinCondition, side: int) -> dict[str, Any]:
    """For columns of the other side, by key, the column of this side that they equal."""
    found = {}
    for equality in condition.equalities:
        here, there = equality.sides[side], equality.sides[1 - side]
        if all(class_name(each) == "AttributeReference" for each in (here, there)):
            found[catalyst.attribute_key(there)] = here
    return found
