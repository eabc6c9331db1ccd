"""Sums of floating-point numbers, whose last digits hang on the order in which Spark adds them up.

In what order shuffled blocks arrive isn't pinned, so that a second run may give a sum that differs in its last
digits. That matters where a condition compares such a sum with something it is nearly equal to, which is looked up:
`total < 0` is as sure as ever unless some total is about 0. (On why the order matters: Goldberg, "What Every
Computer Scientist Should Know About Floating-Point Arithmetic", ACM Computing Surveys 1991.)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from bigdebug.lineage.catalyst import Catalyst, class_name, fresh_name
from bigdebug.lineage.columns import ColumnWalk, Used
from bigdebug.lineage.comparison import Comparison
from bigdebug.lineage.conditions import guarded, references, substituted
from bigdebug.lineage.operators import Operator

# How far two sums of the same numbers may be apart: so much of their size, and so much where they cancel out.
_RELATIVE = {"double": 1e-9, "float": 1e-6}
_ABSOLUTE = 1e-6

# Exact on whole numbers and decimals, so only what they add up decides.
_ADDING = frozenset({"Sum", "Average"})
# These turn whatever they are given into floating-point numbers.
_OF_MOMENTS = re.compile(
    r"(Stddev|Variance|Skewness|Kurtosis|Corr|Cov|PearsonCorrelation|Regr(?!Count)|Vector)\w*"
)
_FLOATING = re.compile(r"\b(float|double)\b")
_KEEPING = frozenset(
    {"Filter", "Sort", "LocalLimit", "GlobalLimit", "Offset", "Tail", "Sample", "ResolvedHint", "Repartition"}
    | {"RepartitionByExpression", "RebalancePartitions", "CollectMetrics"}
)
# Rows come in an order of their partition's own.
_NARROW = frozenset({"Project", "Filter", "Generate", "Expand", "ResolvedHint", "CollectMetrics"})
_COMPARING = frozenset(
    {"EqualTo", "EqualNullSafe", "LessThan", "LessThanOrEqual", "GreaterThan", "GreaterThanOrEqual"}
)
_JOINING = frozenset({"And", "Or", "Not"})
_ASKING_FOR_NONE = frozenset({"IsNull", "IsNotNull", "IsNaN"})


def doubts_about_sums(
    catalyst: Catalyst,
    root: Operator,
    condition: Any,
    comparison: Comparison | None,
    given: Callable[[], Any | None] = lambda: None,
) -> list[str]:
    """Why a condition may hold for other rows than it held for in the run; empty where nothing says so.

    Looks up (by a job of about the output's own cost, unless its rows are at hand) whether a sum is near what it is
    compared with, and then whether the rows of the run come out again, unless the run took long for them.

    Args:
        root: the output.
        condition: over its columns, resolved.
        comparison: of the rows with those that the run gave; None where there was none.
        given: tells a plan of the output's rows that computes nothing; None where there is none.
    """
    output = root
    while root.kind in _KEEPING or root.kind == "Project":
        if root.kind == "Project":
            condition = substituted(catalyst, condition, _made(catalyst, root.plan.projectList()))
        root = root.child
    floating = {
        key: attribute
        for key, attribute in references(catalyst, condition).items()
        if _is_floating(attribute)
    }
    found = {
        key: adding for key in floating for adding in [_adding(catalyst, root, key)] if adding is not None
    }
    if not found:
        return []
    if comparison is None or comparison.is_quick:
        sums = {key: floating[key] for key in found}
        plan = given() if root is output and _are_bare(catalyst, root, sums) else None
        if plan is None:
            near = _is_near(catalyst, root, condition, sums)
        else:
            near = _is_near_in(catalyst, plan, condition, sums)
        if not near or (comparison is not None and comparison.is_same):
            return []
    return [
        f"{operator.described()} adds up floating-point numbers, and in another order the last digits may be others:"
        " the condition may hold for other rows than in the run"
        for operator in dict.fromkeys(found.values())
    ]


def _is_floating(attribute: Any) -> bool:
    return str(attribute.dataType().catalogString()) in _RELATIVE


def _made(catalyst: Catalyst, expressions: Any) -> dict[str, Any]:
    """What the aliases among named expressions stand for."""
    return {
        catalyst.attribute_key(each): each.child()
        for each in catalyst.items(expressions)
        if class_name(each) == "Alias"
    }


# -- which columns are such sums --------------------------------------------------------------------


def _adding(catalyst: Catalyst, root: Operator, key: str) -> Operator | None:
    """The operator that adds up, in no order that is pinned, what a column is made of."""
    for operator, used in ColumnWalk(catalyst).visits(root, Used(frozenset({key}))):
        if operator.kind == "Aggregate":
            columns = operator.plan.aggregateExpressions()
        elif operator.kind == "Window":
            columns = operator.plan.windowExpressions()
        else:
            continue
        wanted = [each for each in catalyst.items(columns) if catalyst.attribute_key(each) in used.values]
        if any(_adds_up(catalyst, each) for each in wanted) and _comes_in_any_order(catalyst, operator.child):
            return operator
    return None


def _adds_up(catalyst: Catalyst, expression: Any) -> bool:
    return any(_is_sum(catalyst, call) for call in _calls(catalyst, expression))


def _calls(catalyst: Catalyst, expression: Any) -> Iterator[Any]:
    """The calls of aggregate functions within an expression."""
    if class_name(expression) == "AggregateExpression":
        yield expression
        return
    for child in catalyst.items(expression.children()):
        yield from _calls(catalyst, child)


def _is_sum(catalyst: Catalyst, call: Any) -> bool:
    """Whether an aggregate function adds up floating-point numbers."""
    function = call.aggregateFunction()
    name = class_name(function)
    decides = function.child() if name in _ADDING else function if _OF_MOMENTS.fullmatch(name) else None
    return decides is not None and bool(_FLOATING.search(str(decides.dataType().catalogString())))


def _comes_in_any_order(catalyst: Catalyst, below: Operator) -> bool:
    """Whether rows, or what was made of those of a partition, may arrive in one order or another."""
    while below.kind in _NARROW:
        below = below.child
    return bool(below.children) or int(catalyst.execution(below.plan).toRdd().getNumPartitions()) > 1


# -- whether it matters -----------------------------------------------------------------------------


def _is_near(catalyst: Catalyst, root: Operator, condition: Any, sums: Mapping[str, Any]) -> bool:
    """Whether for some row the condition hangs on the last digits of its sums."""
    plan = root.plan
    if root.kind == "Aggregate":
        plan, condition, sums = _opened(catalyst, plan, condition, sums)
    return _is_near_in(catalyst, plan, condition, sums)


def _are_bare(catalyst: Catalyst, root: Operator, sums: Mapping[str, Any]) -> bool:
    """Whether the columns are the very sums that vary, and not made of these."""
    if root.kind != "Aggregate":
        return True
    terms = _made(catalyst, root.plan.aggregateExpressions())
    made = [terms.get(key) for key in sums]
    return all(
        each is not None and class_name(each) == "AggregateExpression" and _is_sum(catalyst, each)
        for each in made
    )


def _is_near_in(catalyst: Catalyst, plan: Any, condition: Any, sums: Mapping[str, Any]) -> bool:
    """The same of the rows of a plan."""
    if catalyst.holds(condition, "PLAN_EXPRESSION", "PYTHON_UDF"):
        return True  # such conditions may stand in few places only
    decisive = [guarded(catalyst, each) for each in _decisive(catalyst, condition, _moved(catalyst, sums))]
    if not decisive:
        return False
    return len(catalyst.rows(catalyst.limit(1, catalyst.filter(catalyst.any_of(decisive), plan)))) > 0


def _opened(
    catalyst: Catalyst, aggregate: Any, condition: Any, sums: Mapping[str, Any]
) -> tuple[Any, Any, Mapping[str, Any]]:
    """The aggregate with its bare sums beside its columns; the condition over these; and the sums.

    Of `round(sum(v), 2)` it is the sum that varies, and what is rounded seldom does.
    """
    terms = _made(catalyst, aggregate.aggregateExpressions())
    known = {catalyst.attribute_key(each) for each in catalyst.output(aggregate)}
    added: list[Any] = []
    opened: dict[str, Any] = {}
    bare: dict[str, Any] = {}
    for key, attribute in sums.items():
        made = terms.get(key, attribute)
        calls = [(call, catalyst.alias(call, fresh_name("sum"))) for call in _calls(catalyst, made)]
        for call, alias in calls:
            made = _replaced(catalyst, made, call, alias.toAttribute())
        own = {catalyst.attribute_key(alias): alias.toAttribute() for _, alias in calls}
        varying = [alias.toAttribute() for call, alias in calls if _is_sum(catalyst, call)]
        if (
            not varying
            or not all(map(_is_floating, varying))
            or not references(catalyst, made).keys() <= known | own.keys()
        ):
            bare[key] = attribute
            continue
        added += [alias for _, alias in calls]
        opened[key] = made
        bare |= {catalyst.attribute_key(each): each for each in varying}
    columns = catalyst.extended(aggregate.aggregateExpressions(), added)
    plan = catalyst.copy(aggregate, aggregateExpressions=columns)
    return plan, substituted(catalyst, condition, opened), bare


def _replaced(catalyst: Catalyst, expression: Any, old: Any, new: Any) -> Any:
    if expression.equals(old):
        return new
    children = catalyst.items(expression.children())
    changed = [_replaced(catalyst, child, old, new) for child in children]
    if all(mine is child for mine, child in zip(changed, children, strict=True)):
        return expression
    return expression.withNewChildren(catalyst.seq(changed))


def _moved(catalyst: Catalyst, sums: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The sums a little greater and less: each alone, for differences, and all together."""
    ups = {key: _nearby(catalyst, attribute, "Add") for key, attribute in sums.items()}
    downs = {key: _nearby(catalyst, attribute, "Subtract") for key, attribute in sums.items()}
    alone = [{key: moved[key]} for key in sums for moved in (ups, downs)]
    return alone if len(sums) == 1 else [*alone, ups, downs]


def _nearby(catalyst: Catalyst, attribute: Any, how: str) -> Any:
    expressions = catalyst.expressions
    literal = catalyst.singleton(expressions, "Literal")
    double = literal.apply(1.0).dataType()
    exact = attribute if attribute.dataType().equals(double) else _as(catalyst, attribute, double)
    share = expressions.Multiply(
        expressions.Abs(exact), literal.apply(_RELATIVE[attribute.dataType().catalogString()])
    )
    moved = getattr(expressions, how)(exact, expressions.Add(share, literal.apply(_ABSOLUTE)))
    return moved if exact is attribute else _as(catalyst, moved, attribute.dataType())


def _as(catalyst: Catalyst, expression: Any, data_type: Any) -> Any:
    legacy = catalyst.expressions.EvalMode.LEGACY()
    return catalyst.expressions.Cast(expression, data_type, catalyst.none, legacy)


def _decisive(catalyst: Catalyst, condition: Any, moves: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Conditions, one of which holds for a row where this one hangs on the sums' last digits."""
    expressions = catalyst.expressions
    kind = class_name(condition)
    if kind in _ASKING_FOR_NONE or not any(
        references(catalyst, condition).keys() & move.keys() for move in moves
    ):
        return []
    if kind in _JOINING:
        parts = catalyst.items(condition.children())
        return [each for part in parts for each in _decisive(catalyst, part, moves)]
    if kind in _COMPARING:
        return [_overlap(catalyst, condition.left(), condition.right(), moves)]
    if kind == "In":
        return [
            _overlap(catalyst, condition.value(), item, moves) for item in catalyst.items(condition.list())
        ]
    return [
        expressions.Not(catalyst.same(condition, substituted(catalyst, condition, move))) for move in moves
    ]


def _overlap(catalyst: Catalyst, left: Any, right: Any, moves: Sequence[Mapping[str, Any]]) -> Any:
    """Whether two sides that are compared may come to lie otherwise to each other."""
    expressions = catalyst.expressions
    least, most = [], []
    for side in (left, right):
        every = catalyst.seq([side, *(substituted(catalyst, side, move) for move in moves)])
        least.append(expressions.Least(every))
        most.append(expressions.Greatest(every))
    varies = [expressions.LessThan(low, high) for low, high in zip(least, most, strict=True)]
    meet = [
        expressions.LessThanOrEqual(least[0], most[1]),
        expressions.LessThanOrEqual(least[1], most[0]),
    ]
    return catalyst.all_of([catalyst.any_of(varies), *meet])
