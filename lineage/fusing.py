"""One pass instead of two, where the question itself names the groups.

To trace `product = 7` of an aggregate by `product`, the aggregate needn't be computed to learn its keys:
the condition speaks of nothing else, so it can be asked of the aggregate's input at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bigdebug.lineage.annotate import Annotator
from bigdebug.lineage.annotated import Boundary, IdColumn
from bigdebug.lineage.barrier import is_session_window
from bigdebug.lineage.catalyst import Catalyst, fresh_name
from bigdebug.lineage.comparable import comparables
from bigdebug.lineage.operators import Operator
from bigdebug.lineage.segments import Segment, fetch, matching_keys

# Operators above the aggregate that keep its rows, one for one.
_KEEPING = frozenset({"Project", "Sort", "Repartition", "RepartitionByExpression", "ResolvedHint"})


@dataclass(frozen=True)
class Fused:
    """The input rows of the groups asked for: their plan, ids, and the group's key."""

    boundary: Boundary
    plan: Any
    ids: tuple[IdColumn, ...]
    key: Any

    def run(self, catalyst: Catalyst, annotator: Annotator, top: Segment) -> Segment | None:
        """Run it; `top` gets its rows, and the segment below the aggregate comes back with its own.

        None where records travel with their ids and are too many for that.
        """
        columns, ids = annotator.spelled_out(self.ids)
        found = fetch(catalyst, self.plan, [self.key, *columns], valued=annotator.values)
        if found is None:
            return None
        rows, persisted = found
        key, keys = self.key, rows.distinct([self.key], key=self.key)
        if not self.boundary.grouping and not keys.count:
            # An aggregate without grouping has one row, also of no input.
            one = catalyst.alias(annotator.key_struct(()), fresh_name("key"))
            alone = fetch(catalyst, catalyst.logical.OneRowRelation(), [one], valued=False)
            assert alone is not None
            key, keys = one.toAttribute(), alone[0]
        top.preset(keys, (IdColumn(self.boundary, key),))
        narrow = matching_keys(catalyst, self.boundary, keys)
        below = Segment(catalyst, annotator, self.boundary.operator.child, narrow)
        below.preset(rows, ids, persisted)
        return below


def fused(catalyst: Catalyst, annotator: Annotator, root: Operator, condition: Any | None) -> Fused | None:
    """The question as one about an aggregate's input, if it is that simple; else None.

    Args:
        condition: over the root's output, resolved; None for all rows.
    """
    above: list[Operator] = []
    operator = root
    while operator.kind in _KEEPING:
        above.append(operator)
        operator = operator.child
    if operator.kind != "Aggregate" or any(each.subqueries for each in (*above, operator)):
        return None
    keys = catalyst.items(operator.plan.groupingExpressions())
    if any(is_session_window(expression) or _merges_unlike(expression) for expression in keys):
        return None
    if condition is not None and not keys:
        return None  # such an aggregate has its one row whatever its input's rows are
    below = annotator.annotate(operator.child)
    grouping = comparables(catalyst, keys)
    key = catalyst.alias(annotator.key_struct(grouping), fresh_name("key"))
    columns = [
        expression
        for expression in catalyst.items(operator.plan.aggregateExpressions())
        if _of_keys_alone(catalyst, expression)
    ]
    carried = [key.toAttribute(), *below.attributes]
    plan = catalyst.project([*columns, key, *below.attributes], below.plan)
    for each in reversed(above):
        if each.kind == "Project":
            known = _names(catalyst, columns)
            columns = [
                expression
                for expression in catalyst.items(each.plan.projectList())
                if _of_keys_alone(catalyst, expression) and _refers_to(catalyst, expression, known)
            ]
            plan = catalyst.project([*columns, *carried], plan)
    if condition is not None:
        if not _of_keys_alone(catalyst, condition) or not _refers_to(
            catalyst, condition, _names(catalyst, columns)
        ):
            return None
        plan = catalyst.filter(condition, plan)
    return Fused(Boundary(operator, grouping), plan, below.ids, key.toAttribute())


def _merges_unlike(expression: Any) -> bool:
    """Whether one group may hold values that a condition can tell apart.

    -0.0 and 0.0, letters of a collation, maps with their entries in another order.
    """
    kind = str(expression.dataType().catalogString())
    return any(word in kind for word in ("float", "double", "collate", "map<"))


def _of_keys_alone(catalyst: Catalyst, expression: Any) -> bool:
    never = ("AGGREGATE_EXPRESSION", "PYTHON_UDF", "PLAN_EXPRESSION")
    return bool(expression.deterministic()) and not catalyst.holds(expression, *never)


def _names(catalyst: Catalyst, columns: list[Any]) -> set[str]:
    return {catalyst.attribute_key(column.toAttribute()) for column in columns}


def _refers_to(catalyst: Catalyst, expression: Any, known: set[str]) -> bool:
    used = catalyst.items(expression.references().toSeq())
    return all(catalyst.attribute_key(attribute) in known for attribute in used)
