"""Conditions over rows, as Catalyst's expressions: taken apart, put in other terms, made safe, told as text."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from py4j.protocol import Py4JJavaError

from bigdebug.lineage.catalyst import Catalyst, class_name

# Expressions that give a value, or null, whatever stands in a row.
_HARMLESS = frozenset(
    {
        "Alias", "And", "AttributeReference", "Coalesce", "Contains", "EndsWith", "EqualNullSafe", "EqualTo",
        "GetStructField", "GreaterThan", "GreaterThanOrEqual", "In", "InSet", "IsNaN", "IsNotNull", "IsNull",
        "KnownFloatingPointNormalized", "LessThan", "LessThanOrEqual", "Like", "Literal", "Lower", "Not",
        "Or", "StartsWith", "Upper",
    }
)  # fmt: skip
_QUOTED_FOR_NOTHING = re.compile(r"`([A-Za-z_]\w*)`")
_SUBQUERY = re.compile(r"\b(listquery|scalarsubquery|exists)\([^()]*\)", re.IGNORECASE)


@dataclass(frozen=True)
class Conjunct:
    """One of the conditions that a row asked about fulfils.

    Attributes:
        expression: resolved, over the columns of some operator.
        text: as it reads over the output asked about.
        own: whether the question speaks of these very columns, and not of those they are joined by.
    """

    expression: Any
    text: str
    own: bool = True


def conjuncts_of(catalyst: Catalyst, condition: Any) -> list[Any]:
    """What a condition joins by AND; what always holds is left out."""
    kind = class_name(condition)
    if kind == "And":
        return [*conjuncts_of(catalyst, condition.left()), *conjuncts_of(catalyst, condition.right())]
    return [] if kind == "Literal" and condition.value() is True else [condition]


def references(catalyst: Catalyst, expression: Any) -> dict[str, Any]:
    """The attributes that an expression speaks of, by key."""
    found = catalyst.items(expression.references().toSeq())
    return {catalyst.attribute_key(attribute): attribute for attribute in found}


def substituted(catalyst: Catalyst, expression: Any, terms: Mapping[str, Any]) -> Any:
    """The expression with other terms for the attributes of these keys."""
    if class_name(expression) == "AttributeReference":
        return terms.get(catalyst.attribute_key(expression), expression)
    children = catalyst.items(expression.children())
    changed = [substituted(catalyst, child, terms) for child in children]
    if all(new is old for new, old in zip(changed, children, strict=True)):
        return expression
    return expression.withNewChildren(catalyst.seq(changed))


def guarded(catalyst: Catalyst, expression: Any) -> Any:
    """A condition that is null where it would throw.

    Carried down, it meets rows that the program itself had left out before it came to divide or cast.
    """
    return expression if _is_harmless(catalyst, expression) else catalyst.expressions.TryEval(expression)


def _is_harmless(catalyst: Catalyst, expression: Any) -> bool:
    if expression.foldable():  # what throws there is the user's own slip, and worth an error
        return True
    if class_name(expression) not in _HARMLESS:
        return False
    return all(_is_harmless(catalyst, child) for child in catalyst.items(expression.children()))


def rejects_nulls(catalyst: Catalyst, expression: Any, attributes: Collection[Any]) -> bool:
    """Whether a condition never holds where all of these attributes are null, told for sure."""
    nulls = {catalyst.attribute_key(each): catalyst.null(each.dataType()) for each in attributes}
    told = constant(catalyst, substituted(catalyst, expression, nulls))
    return told is not None and told[0] is not True


def constant(catalyst: Catalyst, expression: Any) -> tuple[Any] | None:
    """The value of an expression that is the same for every row, in a tuple; None for any other."""
    if not expression.foldable():
        return None
    try:
        return (expression.eval(None),)
    except Py4JJavaError:
        return None


def text_of(catalyst: Catalyst, expression: Any) -> str:
    """An expression as SQL text, columns by their bare names, constants as they were written."""
    text = _QUOTED_FOR_NOTHING.sub(r"\1", str(_bare(catalyst, expression).sql()))
    return _SUBQUERY.sub(r"\1(…)", _unwrapped(text)).replace("listquery(…)", "SELECT …")


def _bare(catalyst: Catalyst, expression: Any) -> Any:
    kind = class_name(expression)
    if kind == "KnownFloatingPointNormalized" or (  # ours
        kind == "Cast" and class_name(expression.child()) == "Literal"
    ):
        return _bare(catalyst, expression.child())
    if kind == "AttributeReference":
        return expression.withQualifier(catalyst.seq([]))
    children = catalyst.items(expression.children())
    changed = [_bare(catalyst, child) for child in children]
    if all(new is old for new, old in zip(changed, children, strict=True)):
        return expression
    return expression.withNewChildren(catalyst.seq(changed))


def _unwrapped(text: str) -> str:
    """Without the parentheses around all of it."""
    if not (text.startswith("(") and text.endswith(")")):
        return text
    depth = 0
    for place, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if depth == 0 and place < len(text) - 1:
            return text
    return text[1:-1]
