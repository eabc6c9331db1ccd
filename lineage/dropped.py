"""A few of the rows that an operator dropped, and why it did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pyspark.sql import functions as F

from bigdebug.lineage.catalyst import Catalyst, class_name, fresh_name
from bigdebug.lineage.conditions import (
    Conjunct,
    conjuncts_of,
    guarded,
    references,
    text_of,
)
from bigdebug.lineage.matching import Followed, fulfilling, matching
from bigdebug.lineage.near import are_alike
from bigdebug.lineage.operators import Operator
from bigdebug.lineage.partners import unpaired
from bigdebug.lineage.sampling import MOST, Dropped, sampled
from bigdebug.lineage.set_operations import EXCEPT_ALL, INTERSECT_ALL

_REASONS = {
    "GlobalLimit": "it isn't among the first {limitExpr} rows",
    "LocalLimit": "it isn't among the first {limitExpr} rows",
    "Tail": "it isn't among the last {limitExpr} rows",
    "Offset": "it is among the first {offsetExpr} rows, which are skipped",
    "Sample": "it isn't in the sample",
    EXCEPT_ALL: "the other input holds as many rows like it",
    INTERSECT_ALL: "the other input holds no row like it",
}


def dropped_at(catalyst: Catalyst, each: Followed, counts: Mapping[Followed, int]) -> list[Dropped]:
    """Up to five rows that fulfil the conditions and enter an operator, but don't leave it.

    Of a source they are its records that nearly match; where rows leave it with other values than those asked
    for, they are these.

    Args:
        catalyst: of the session.
        each: an operator that no matching row leaves.
        counts: how many rows match, by operator.
    """
    operator = each.operator
    if not operator.children:
        return _nearly(catalyst, each)
    if each.stopped:
        others = _with_other_values(catalyst, each)
        if others:
            return others
    if operator.kind == "Filter":
        return _filtered(catalyst, each)
    if operator.kind == "Join":
        return unpaired(catalyst, each, counts)
    entering = next((below for below in each.entering if counts[below]), None)
    if entering is None:
        return []
    reason, spoken = _reason(catalyst, operator)
    shown = {**references_of(catalyst, entering.conjuncts), **spoken}
    rows = sampled(catalyst, entering.operator, matching(catalyst, entering), shown)
    return [Dropped(row, [reason]) for row, _ in rows]


def _reason(catalyst: Catalyst, operator: Operator) -> tuple[str, dict[str, Any]]:
    """Why an operator doesn't pass a row on, and the columns that this is about."""
    if operator.kind == "Generate":
        generator = operator.plan.generator()
        return f"{text_of(catalyst, generator)} makes no row of it", references(catalyst, generator)
    if operator.kind == "Deduplicate":
        keys = catalyst.items(operator.plan.keys())
        names = ", ".join(str(key.name()) for key in keys)
        spoken = {catalyst.attribute_key(key): key for key in keys}
        return f"another row with the same {names} was kept", spoken
    template = _REASONS.get(operator.kind, f"{operator.kind} makes no such row of it")
    for field in ("limitExpr", "offsetExpr"):
        if f"{{{field}}}" in template:
            template = template.replace(f"{{{field}}}", str(getattr(operator.plan, field)().sql()))
    return template, {}


def _filtered(catalyst: Catalyst, each: Followed) -> list[Dropped]:
    (entering,) = each.entering
    conditions = conjuncts_of(catalyst, each.operator.plan.condition())
    plain = [condition for condition in conditions if _can_be_asked(catalyst, condition)]
    others = [text_of(catalyst, condition) for condition in conditions if condition not in plain]
    texts = [text_of(catalyst, condition) for condition in plain]
    shown = references_of(catalyst, entering.conjuncts)
    for condition in conditions:
        shown |= references(catalyst, condition)
    values = [guarded(catalyst, condition) for condition in plain]
    rows = sampled(catalyst, entering.operator, matching(catalyst, entering), shown, values)
    found = []
    for row, held in rows:
        reasons = _not_held(texts, held)
        found.append(Dropped(row, reasons or [f"{' AND '.join(others)} doesn't hold"]))
    return found


def _can_be_asked(catalyst: Catalyst, condition: Any) -> bool:
    """Whether a condition may be evaluated on its own, on any row."""
    opaque = ("PLAN_EXPRESSION", "PYTHON_UDF", "SCALA_UDF")
    return bool(condition.deterministic()) and not catalyst.holds(condition, *opaque)


def _with_other_values(catalyst: Catalyst, each: Followed) -> list[Dropped]:
    """Rows that leave it and fulfil the conditions but for those on what the operator itself makes."""
    rest = [conjunct for conjunct in each.conjuncts if conjunct not in each.stopped]
    asked = [one for one in each.stopped if not catalyst.holds(one.expression, "PLAN_EXPRESSION")]
    rows = sampled(
        catalyst,
        each.operator,
        fulfilling(catalyst, each.operator, rest),
        references_of(catalyst, each.conjuncts),
        [guarded(catalyst, one.expression) for one in asked],
    )
    texts = [one.text for one in asked]
    others = [one.text for one in each.stopped if one not in asked]
    return [
        Dropped(row, _not_held(texts, held) or [f"{' AND '.join(others)} doesn't hold"]) for row, held in rows
    ]


def _not_held(texts: Sequence[str], held: Sequence[Any]) -> list[str]:
    return [
        f"{text} is {'null' if value is None else 'false'}"
        for text, value in zip(texts, held, strict=True)
        if value is not True
    ]


def _nearly(catalyst: Catalyst, each: Followed) -> list[Dropped]:
    """Records for which the conditions hold, those of equality but for case, blanks or type."""
    pairs = {one: pair for one in each.conjuncts if (pair := _pair(one)) is not None}
    strict = [one for one in each.conjuncts if one not in pairs]
    if not pairs:
        return []
    operator = each.operator
    names = [(fresh_name("left"), fresh_name("right")) for _ in pairs]
    columns = [
        catalyst.alias(side, name)
        for pair, both in zip(pairs.values(), names, strict=True)
        for side, name in zip(pair, both, strict=True)
    ]
    plan = catalyst.project_more(columns, fulfilling(catalyst, operator, strict), operator.plan)
    frame = catalyst.frame(plan)
    for left, right in names:
        frame = frame.filter(are_alike(F.col(left), F.col(right)))
    rows = sampled(
        catalyst,
        operator,
        catalyst.analyzed(frame.limit(MOST)),
        references_of(catalyst, each.conjuncts),
        [guarded(catalyst, one.expression) for one in pairs],
    )
    texts = [f"{one.text} but for case, blanks or type" for one in pairs]
    return [
        Dropped(row, [text for text, value in zip(texts, held, strict=True) if value is not True])
        for row, held in rows
    ]


def _pair(conjunct: Conjunct) -> tuple[Any, Any] | None:
    """The sides of `column = constant`, without a cast of the column to the constant's type."""
    expression = conjunct.expression
    if class_name(expression) not in ("EqualTo", "EqualNullSafe"):
        return None
    left, right = expression.left(), expression.right()
    if left.foldable() == right.foldable():
        return None
    return _uncast(left), _uncast(right)


def _uncast(expression: Any) -> Any:
    return expression.child() if class_name(expression) == "Cast" else expression


def references_of(catalyst: Catalyst, conjuncts: Sequence[Conjunct]) -> dict[str, Any]:
    """The attributes that conditions speak of, by key."""
    found: dict[str, Any] = {}
    for conjunct in conjuncts:
        found |= references(catalyst, conjunct.expression)
    return found
