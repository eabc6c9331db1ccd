"""Carry a condition on an operator's rows down to the rows of its inputs.

What is carried holds for every input row that a matching output row came from. So an operator that matching
rows enter and none leaves is one that dropped them. The rules are those by which an optimizer pushes filters
down (Ullman, "Principles of Database and Knowledge-Base Systems", 1989), with one more way through outer
joins; Chapman and Jagadish ("Why not?", SIGMOD 2009) look for the culprit in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bigdebug.lineage.annotate import SESSION_WINDOW
from bigdebug.lineage.catalyst import Catalyst, class_name
from bigdebug.lineage.conditions import (
    Conjunct,
    constant,
    references,
    rejects_nulls,
    substituted,
)
from bigdebug.lineage.equalities import columns_across, join_condition
from bigdebug.lineage.operators import NEAREST, Operator, is_one_sided
from bigdebug.lineage.set_operations import EXCEPT_ALL, INTERSECT_ALL

# A condition in other terms must not grow without end: x + x of x + x of …
_MOST_LETTERS = 20_000
_JOINS = NEAREST | {"Join"}


@dataclass(frozen=True)
class Carried:
    """What became of the conditions on an operator's rows.

    Attributes:
        inputs: for each of the operator's inputs the conditions on its rows; None for an input that they
            don't speak of.
        stopped: the conditions that can't be carried to any input.
        needs_all: whether a matching row takes a row of each of these inputs, not just of one.
    """

    inputs: tuple[tuple[Conjunct, ...] | None, ...]
    stopped: tuple[Conjunct, ...] = ()
    needs_all: bool = True


def carry(catalyst: Catalyst, operator: Operator, conjuncts: Sequence[Conjunct]) -> Carried:
    """Carry conditions from an operator's output to its inputs.

    Args:
        catalyst: of the operator's session.
        operator: any; one that isn't known passes on what speaks of columns it has from its input.
        conjuncts: over its output columns.
    """
    if not operator.children:
        return Carried(())
    if operator.kind in _JOINS:
        return _through_join(catalyst, operator, conjuncts)
    if operator.kind == "Union":
        return _through_union(catalyst, operator, conjuncts)
    if operator.kind in (EXCEPT_ALL, INTERSECT_ALL):
        return _through_counted(catalyst, operator, conjuncts)
    if len(operator.children) > 1:
        return Carried(((),) * len(operator.children), tuple(conjuncts))
    carried, stopped = [], []
    for conjunct in conjuncts:
        below = through_one(catalyst, operator, conjunct.expression)
        if below is None:
            stopped.append(conjunct)
        else:
            carried.append(replace(conjunct, expression=below))
    return Carried((tuple(carried),), tuple(stopped))


def through_one(catalyst: Catalyst, operator: Operator, expression: Any) -> Any | None:
    """A condition or value over the columns of an operator's only input; None where it can't be told in these."""
    if catalyst.holds(expression, "PLAN_EXPRESSION") or not expression.deterministic():
        return None
    if operator.kind == "Project":
        return _in_terms(catalyst, expression, _terms(catalyst, operator.plan.projectList()))
    if operator.kind == "Aggregate":
        return _in_terms(catalyst, expression, _terms(catalyst, operator.plan.aggregateExpressions()))
    if operator.kind == "Expand":
        return _through_expand(catalyst, operator, expression)
    below = {catalyst.attribute_key(attribute) for attribute in catalyst.output(operator.child.plan)}
    return expression if references(catalyst, expression).keys() <= below else None


def _terms(catalyst: Catalyst, columns: Any) -> dict[str, Any]:
    """What the columns of a projection or aggregate stand for, by key; opaque ones are left out."""
    found = {}
    for column in catalyst.items(columns):
        kind = class_name(column)
        if kind == "AttributeReference":
            term = column
        elif kind == "Alias":
            term = column.child()
        else:
            continue
        if _is_clear(catalyst, term):
            found[catalyst.attribute_key(column)] = term
    return found


def _is_clear(catalyst: Catalyst, term: Any) -> bool:
    """Whether a column is told by its input row alone, at no cost and without harm."""
    if not term.deterministic() or len(str(term.toString())) > _MOST_LETTERS:
        return False
    # A function of the user's may fail on rows that never reach it.
    opaque = ("AGGREGATE_EXPRESSION", "PLAN_EXPRESSION", "PYTHON_UDF", "SCALA_UDF", "GENERATOR")
    if catalyst.holds(term, *opaque):
        return False
    # Below, each row has a window of its own, which is another one than the session's.
    return not any(each.metadata().contains(SESSION_WINDOW) for each in references(catalyst, term).values())


def _in_terms(catalyst: Catalyst, expression: Any, terms: Mapping[str, Any]) -> Any | None:
    if not references(catalyst, expression).keys() <= terms.keys():
        return None
    told = substituted(catalyst, expression, terms)
    return told if len(str(told.toString())) <= _MOST_LETTERS else None


def _through_expand(catalyst: Catalyst, operator: Operator, expression: Any) -> Any | None:
    """It holds for a row if it holds for one of the rows that are made of that one."""
    keys = [catalyst.attribute_key(attribute) for attribute in catalyst.output(operator.plan)]
    ways: dict[str, Any] = {}
    for projection in catalyst.items(operator.plan.projections()):
        terms = dict(zip(keys, catalyst.items(projection), strict=True))
        if not all(_is_clear(catalyst, terms[key]) for key in references(catalyst, expression)):
            return None
        way = substituted(catalyst, expression, terms)
        told = constant(catalyst, way)
        if told is None or told[0] is True:
            ways.setdefault(str(way.canonicalized().toString()), way)
    if not ways:
        return catalyst.literal(False)
    return catalyst.any_of(list(ways.values()))


def _through_union(catalyst: Catalyst, operator: Operator, conjuncts: Sequence[Conjunct]) -> Carried:
    keys = [catalyst.attribute_key(attribute) for attribute in catalyst.output(operator.plan)]
    clear = [each for each in conjuncts if not catalyst.holds(each.expression, "PLAN_EXPRESSION")]
    inputs = []
    for child in operator.children:
        terms = dict(zip(keys, catalyst.output(child.plan), strict=True))
        inputs.append(
            tuple(replace(each, expression=substituted(catalyst, each.expression, terms)) for each in clear)
        )
    stopped = tuple(each for each in conjuncts if each not in clear)
    return Carried(tuple(inputs), stopped, needs_all=False)


def _through_counted(catalyst: Catalyst, operator: Operator, conjuncts: Sequence[Conjunct]) -> Carried:
    """Rows of INTERSECT ALL take one of each input, those of EXCEPT ALL are the first one's."""
    union = _through_union(catalyst, operator, conjuncts)
    own, others = union.inputs
    if operator.kind == EXCEPT_ALL:
        return Carried((own, None), union.stopped)
    return Carried((own, tuple(replace(each, own=False) for each in others or ())), union.stopped)


@dataclass(frozen=True)
class _Join:
    """What of a join decides where conditions go.

    Attributes:
        columns: of its sides, by key.
        across: for each side, the columns of the other that equal one of its own, by key.
        filled: for each side, whether a row of the join may have nulls in place of a row of it.
        takes: for each side, whether every row of the join takes a row of it.
        full: whether it is a full outer join.
    """

    columns: tuple[Mapping[str, Any], ...]
    across: tuple[Mapping[str, Any], ...]
    filled: tuple[bool, bool]
    takes: tuple[bool, bool]
    full: bool


def _join(catalyst: Catalyst, operator: Operator) -> _Join:
    kind = operator.join_kind
    full = kind == "FullOuter"
    filled = (full or kind == "RightOuter", full or kind == "LeftOuter")
    condition = join_condition(catalyst, operator)
    return _Join(
        tuple(
            {catalyst.attribute_key(each): each for each in catalyst.output(child.plan)}
            for child in operator.children
        ),
        tuple(columns_across(catalyst, condition, side) for side in (0, 1)),
        filled,
        (not filled[0], not filled[1] and (not is_one_sided(operator) or kind == "LeftSemi")),
        full,
    )


def _through_join(catalyst: Catalyst, operator: Operator, conjuncts: Sequence[Conjunct]) -> Carried:
    join = _join(catalyst, operator)
    found: tuple[list[Conjunct], list[Conjunct]] = ([], [])
    stopped = []
    asked: set[int] = set()  # sides that a matching row must have a row of
    for conjunct in conjuncts:
        merged, reached = _to_sides(catalyst, join, conjunct)
        for side, below in reached.items():
            found[side].append(below)
            if not merged:
                asked.add(side)
        if not reached:
            stopped.append(conjunct)
    if any(found):
        inputs = [tuple(below) if below else None for below in found]
        if asked and join.full:
            inputs = [below if side in asked else None for side, below in enumerate(inputs)]
        return Carried(tuple(inputs), tuple(stopped), needs_all=bool(asked))
    follows = tuple(() if join.full or takes else None for takes in join.takes)
    return Carried(follows, tuple(stopped), needs_all=not join.full)


def _to_sides(catalyst: Catalyst, join: _Join, conjunct: Conjunct) -> tuple[bool, dict[int, Conjunct]]:
    """A condition on a join's rows as conditions on rows of its sides.

    Returns:
        Whether a row of either side will do, and the conditions by side.
    """
    expression = conjunct.expression
    spoken = references(catalyst, expression)
    if not spoken or not expression.deterministic() or catalyst.holds(expression, "PLAN_EXPRESSION"):
        return False, {}
    for side in (0, 1):
        if spoken.keys() <= join.columns[side].keys():
            if join.filled[side] and not rejects_nulls(catalyst, expression, list(spoken.values())):
                return False, {}
            found = {side: conjunct}
            across = join.across[1 - side]
            if join.takes[1 - side] and spoken.keys() <= across.keys():
                partner = substituted(catalyst, expression, across)
                found[1 - side] = replace(conjunct, expression=partner, own=False)
            return False, found
    if not join.full and not all(join.takes):
        return False, {}
    found = {}
    for side in (0, 1):
        if join.full:
            told = _unmerged(catalyst, expression, join.across[side], side)
        else:
            told = substituted(catalyst, expression, join.across[side])
        if references(catalyst, told).keys() <= join.columns[side].keys():
            found[side] = replace(conjunct, expression=told)
    return join.full, found


def _unmerged(catalyst: Catalyst, expression: Any, across: Mapping[str, Any], side: int) -> Any:
    """With a side's own column for `coalesce(left key, right key)`, the key of a full join."""
    children = catalyst.items(expression.children())
    if class_name(expression) == "Coalesce" and len(children) == 2:
        here, there = children[side], children[1 - side]
        if class_name(there) == class_name(here) == "AttributeReference":
            partner = across.get(catalyst.attribute_key(there))
            if partner is not None and catalyst.attribute_key(partner) == catalyst.attribute_key(here):
                return here
    changed = [_unmerged(catalyst, child, across, side) for child in children]
    if all(new is old for new, old in zip(changed, children, strict=True)):
        return expression
    return expression.withNewChildren(catalyst.seq(changed))
