"""Batched replay: a dataflow that computes its output for many subsets of its candidates in one job.

Every candidate is joined with the numbers of the subsets that it is in. The number then joins whatever brings rows
together: grouping keys, windows' partitions, joins, distinct rows. Rows of different subsets never meet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from bigdebug.isolation.subqueries import is_one_row
from bigdebug.isolation.tagged import NotBatchedError, Tagged
from bigdebug.isolation.tagged_joins import TaggedJoins
from bigdebug.lineage.annotated import Boundary
from bigdebug.lineage.catalyst import PLAN_EXPRESSION, class_name, fresh_name
from bigdebug.lineage.grouped_functions import GROUPED_FUNCTIONS, carried_past, carried_through
from bigdebug.lineage.mapped import is_mapped
from bigdebug.lineage.operators import Operator
from bigdebug.lineage.rewriting import with_expressions

_PASSING = frozenset(
    {
        "Filter",
        "Sort",
        "Repartition",
        "RepartitionByExpression",
        "RebalancePartitions",
        "ResolvedHint",
        "EventTimeWatermark",
        "CollectMetrics",
    }
)


_LIMITS = frozenset({"GlobalLimit", "LocalLimit", "Offset"})


class Tagger(TaggedJoins):
    """Applies the rules to a mirrored plan."""

    def tagged(self, operator: Operator) -> Tagged:
        """Raises NotBatchedError where an operator has no rule."""
        if operator in self._members:
            return self._leaf(operator)
        if operator.kind in _LIMITS:
            return self._limited(operator)
        children = [self.tagged(child) for child in operator.children]
        values = [self.tagged(subquery) for subquery in self._asked.of(operator)]
        if any(value.subset is not None for value in values):
            asking, given = self._with_values(operator, children, values)
            made = self._by_rule(asking, given)
            plan = self._catalyst.project(
                [*self._catalyst.output(operator.plan), made.subset], made.operator.plan
            )
            return self._made(self._as_project(operator), plan, [made], made.subset)
        if all(child.subset is None for child in children):
            return Tagged(operator, None)
        return self._by_rule(operator, children)

    def _by_rule(self, operator: Operator, children: list[Tagged]) -> Tagged:
        if not operator.plan.deterministic() and not self._is_deterministic(operator):
            raise NotBatchedError(operator.described())  # it would number, or draw for, all subsets together
        kind = operator.kind
        if kind in _PASSING:
            return self._with_children(operator, children)
        rules: dict[str, Callable[[Operator, list[Tagged]], Tagged]] = {
            "Project": self._project,
            "Generate": self._generate,
            "BinBy": self._with_children,
            "Expand": self._expand,
            "Window": self._window,
            "Join": self._join,
            "AsOfJoin": self._as_of_join,
            "Union": self._union,
            "Aggregate": self._aggregate,
            "Deduplicate": self._deduplicate,
            **dict.fromkeys(GROUPED_FUNCTIONS, self._grouped_function),
            **dict.fromkeys(("MapInPandas", "MapInArrow"), self._mapped),
        }
        rule = rules.get(kind)
        if rule is None:
            raise NotBatchedError(operator.described())
        return rule(operator, children)

    def _with_values(
        self, operator: Operator, children: list[Tagged], values: list[Tagged]
    ) -> tuple[Operator, list[Tagged]]:
        """An operator with the values that its subqueries have in each subset, joined to the rows of its input."""
        catalyst = self._catalyst
        if len(children) != 1:
            raise NotBatchedError(operator.described())
        (child,) = children
        if child.subset is None:
            child = self._in_every_subset(child)
        there: set[str] = set()
        for subquery, value in zip(self._asked.of(operator), values, strict=True):
            if value.subset is None:
                continue
            key = catalyst.attribute_key(catalyst.output(subquery.plan)[0])
            if key in there or not is_one_row(subquery):
                raise NotBatchedError(operator.described())  # none, or several, for some subsets
            there.add(key)
            same = catalyst.expressions.EqualTo(child.subset, value.subset)
            child = self._told(
                self._joined("Inner", operator, child.operator, value.operator, same), child.subset
            )
        left = zip(self._asked.of(operator), values, strict=True)

        def in_place(expression: Any) -> Any:
            if catalyst.is_instance(expression, PLAN_EXPRESSION):
                subquery, value = next(left)
                if value.subset is None:
                    return expression
                if class_name(expression) != "ScalarSubquery" or not expression.outerAttrs().isEmpty():
                    raise NotBatchedError(operator.described())
                return catalyst.output(subquery.plan)[0]
            below = catalyst.items(expression.children())
            return expression.withNewChildren(catalyst.seq(map(in_place, below))) if below else expression

        plan = with_expressions(catalyst, operator.plan, in_place)
        return Operator(plan, operator.kind, operator.children, operator.node, operator.tag), [child]

    def natural_key(self, boundary: Boundary, key: Any) -> list[Any]:
        """The parts of a boundary's key that aren't subsets' numbers.

        Args:
            key: JVM attribute: the key as a struct.
        """
        if not boundary.grouping:
            return []
        return [
            self._catalyst.field(key, i)
            for i, part in enumerate(boundary.grouping)
            if not self._is_number(part)
        ]

    def _is_deterministic(self, operator: Operator) -> bool:
        return all(each.deterministic() for each in self._catalyst.items(operator.plan.expressions()))

    # -- rules --------------------------------------------------------------------------------------

    def _leaf(self, operator: Operator) -> Tagged:
        catalyst = self._catalyst
        source, rows = self._members[operator]
        plan, subset, identity = rows()
        own = [*catalyst.output(operator.plan), subset]
        stored = catalyst.project([*own, identity], plan)
        leaf = Operator(catalyst.project(own, plan), "LocalRelation", (), operator.node, stored=stored)
        self.sources[leaf] = source.moved_to(leaf)
        return self._told(leaf, subset)

    def _project(self, operator: Operator, children: list[Tagged]) -> Tagged:
        (child,) = children
        columns = self._catalyst.extended(operator.plan.projectList(), [child.subset])
        plan = self._catalyst.logical.Project(columns, child.operator.plan)
        return self._made(operator, plan, children, child.subset)

    def _generate(self, operator: Operator, children: list[Tagged]) -> Tagged:
        if is_mapped(operator):
            raise NotBatchedError(operator.described())  # it keeps something from one row to the next
        return self._with_children(operator, children)

    def _with_children(self, operator: Operator, children: list[Tagged]) -> Tagged:
        (child,) = children
        plan = operator.plan.withNewChildren(self._catalyst.seq([child.operator.plan]))
        return self._made(operator, plan, children, child.subset)

    def _expand(self, operator: Operator, children: list[Tagged]) -> Tagged:
        catalyst, (child,) = self._catalyst, children
        number = child.subset.newInstance()
        projections = [
            catalyst.extended(each, [child.subset]) for each in catalyst.items(operator.plan.projections())
        ]
        plan = catalyst.copy(
            operator.plan,
            projections=catalyst.seq(projections),
            output=catalyst.extended(operator.plan.output(), [number]),
            child=child.operator.plan,
        )
        return self._made(operator, plan, children, number)

    def _window(self, operator: Operator, children: list[Tagged]) -> Tagged:
        catalyst, (child,) = self._catalyst, children
        number = child.subset

        def divided(expression: Any) -> Any:
            if class_name(expression) == "WindowSpecDefinition":
                spec = catalyst.extended(expression.partitionSpec(), [number])
                return catalyst.copy(expression, partitionSpec=spec)
            below = catalyst.items(expression.children())
            changed = [divided(each) for each in below]
            if all(new is old for new, old in zip(changed, below, strict=True)):
                return expression
            return expression.withNewChildren(catalyst.seq(changed))

        expressions = [divided(each) for each in catalyst.items(operator.plan.windowExpressions())]
        plan = catalyst.copy(
            operator.plan,
            windowExpressions=catalyst.seq(expressions),
            partitionSpec=catalyst.extended(operator.plan.partitionSpec(), [number]),
            child=child.operator.plan,
        )
        return self._made(operator, plan, children, number)

    def _limited(self, operator: Operator) -> Tagged:
        """The first rows of an order, of each subset: limits and offsets, with projections between, above a sort."""
        catalyst, expressions = self._catalyst, self._catalyst.expressions
        chain, below = [], operator
        while below.kind in _LIMITS or below.kind == "Project":
            chain.append(below)
            below = below.child
        tagged = self.tagged(below.child if below.kind == "Sort" else below)
        if tagged.subset is None:
            return Tagged(operator, None)
        if below.kind != "Sort" or not getattr(below.plan, "global")():
            raise NotBatchedError(operator.described())  # they are taken by position
        first, last = _taken(operator, chain)
        number = catalyst.alias(self._numbered(below.plan.order(), tagged.subset), fresh_name("place"))
        made = self._made(
            self._as_project(below),
            catalyst.project_more([number], tagged.operator.plan),
            [tagged],
            tagged.subset,
        )
        place = number.toAttribute()
        for each in reversed(chain):
            if each.kind == "Project":
                columns = catalyst.extended(each.plan.projectList(), [tagged.subset, place])
                made = self._made(
                    each, catalyst.logical.Project(columns, made.operator.plan), [made], tagged.subset
                )
        taken = [expressions.GreaterThan(place, catalyst.literal(first))]
        if last is not None:
            taken.append(expressions.LessThanOrEqual(place, catalyst.literal(last)))
        kept = catalyst.filter(catalyst.all_of(taken), made.operator.plan)
        filtered = Operator(kept, "Filter", (made.operator,), operator.node)
        plan = catalyst.project([*catalyst.output(operator.plan), tagged.subset], kept)
        return self._told(Operator(plan, "Project", (filtered,), operator.node), tagged.subset)

    def _numbered(self, order: Any, subset: Any) -> Any:
        """The place of a row in an order within its subset, from 1."""
        expressions = self._catalyst.expressions
        bounds = [
            self._catalyst.singleton(expressions, name)
            for name in ("RowFrame", "UnboundedPreceding", "CurrentRow")
        ]
        frame = expressions.SpecifiedWindowFrame(*bounds)
        within = expressions.WindowSpecDefinition(self._catalyst.seq([subset]), order, frame)
        return expressions.WindowExpression(expressions.RowNumber(), within)

    def _aggregate(self, operator: Operator, children: list[Tagged]) -> Tagged:
        catalyst, (child,) = self._catalyst, children
        grouping, columns = operator.plan.groupingExpressions(), operator.plan.aggregateExpressions()
        if grouping.isEmpty():
            child, columns = self._of_all(operator, child)
        plan = catalyst.copy(
            operator.plan,
            groupingExpressions=catalyst.extended(grouping, [child.subset]),
            aggregateExpressions=catalyst.extended(columns, [child.subset]),
            child=child.operator.plan,
        )
        return self._made(operator, plan, [child], child.subset)

    def _of_all(self, operator: Operator, child: Tagged) -> tuple[Tagged, Any]:
        """The input of an aggregate of everything, which gives a row for an empty subset, too.

        Subsets are joined with their rows, one of nulls where there are none, which the aggregates leave out.
        """
        catalyst = self._catalyst
        every, number = self._all_subsets()
        there = catalyst.alias(
            catalyst.singleton(catalyst.expressions, "Literal").TrueLiteral(), fresh_name("there")
        )
        marked = catalyst.project_more([there], child.operator.plan)
        below = self._made(self._as_project(operator), marked, [child], child.subset)
        same = catalyst.expressions.EqualTo(number, child.subset)
        joined = self._joined("LeftOuter", operator, every, below.operator, same)
        present = catalyst.expressions.IsNotNull(there.toAttribute().withNullability(True))

        def counting(expression: Any) -> Any:
            if class_name(expression) == "PythonUDAF":
                raise NotBatchedError(operator.described())
            if class_name(expression) == "AggregateExpression":
                given = expression.filter()
                when = catalyst.expressions.And(given.get(), present) if given.isDefined() else present
                return catalyst.copy(expression, filter=catalyst.some(when))
            below_it = catalyst.items(expression.children())
            changed = [counting(each) for each in below_it]
            return expression.withNewChildren(catalyst.seq(changed)) if changed else expression

        columns = [counting(each) for each in catalyst.items(operator.plan.aggregateExpressions())]
        return Tagged(joined, number), catalyst.seq(columns)

    def _deduplicate(self, operator: Operator, children: list[Tagged]) -> Tagged:
        (child,) = children
        keys = self._catalyst.extended(operator.plan.keys(), [child.subset])
        plan = self._catalyst.copy(operator.plan, keys=keys, child=child.operator.plan)
        return self._made(operator, plan, children, child.subset)

    def _grouped_function(self, operator: Operator, children: list[Tagged]) -> Tagged:
        catalyst = self._catalyst
        known = [child if child.subset is not None else self._in_every_subset(child) for child in children]
        inputs = [
            catalyst.project_more([child.subset], child.operator.plan, original.plan)
            for child, original in zip(known, operator.children, strict=True)
        ]
        keys = [child.subset for child in known]
        plan, (number,) = carried_past(catalyst, operator, inputs, keys[:1], constant=True, keys=keys)
        below = [
            self._made(self._as_project(operator), plan, [child], child.subset)
            for child, plan in zip(known, catalyst.items(plan.children()), strict=True)
        ]
        return self._made(operator, plan, below, number)

    def _mapped(self, operator: Operator, children: list[Tagged]) -> Tagged:
        """Called with the rows of each subset in a partition, in their order, as if they were alone there."""
        catalyst, (child,) = self._catalyst, children
        number = child.subset
        place = catalyst.alias(catalyst.expressions.MonotonicallyIncreasingID(), fresh_name("place"))
        placed = self._made(
            self._as_project(operator), catalyst.project_more([place], child.operator.plan), [child], number
        )
        names = [str(each.name()) for each in (number, place)]
        ordered = catalyst.frame(placed.operator.plan).sortWithinPartitions(*names)
        by_subset = Operator(catalyst.analyzed(ordered), "Sort", (placed.operator,), operator.node)
        own = catalyst.project([*catalyst.output(operator.child.plan), number], by_subset.plan)
        below = Operator(own, "Project", (by_subset,), operator.node)
        plan, carried = carried_through(catalyst, operator, own, number, self._count)
        return self._made(operator, plan, [self._told(below, number)], carried)


def _taken(operator: Operator, chain: Sequence[Operator]) -> tuple[int, int | None]:
    """Which places limits and offsets leave: those above the first number, up to the second.

    Args:
        operator: for messages.
        chain: of them, the uppermost first.
    """
    first, last = 0, None
    for each in reversed(chain):
        if each.kind == "Project" or each.kind == "LocalLimit":
            continue  # a local limit stands below the global one that it is a part of
        number = each.plan.offsetExpr() if each.kind == "Offset" else each.plan.limitExpr()
        if not number.foldable():
            raise NotBatchedError(operator.described())
        if each.kind == "Offset":
            first += int(number.eval(None))
        else:
            most = first + int(number.eval(None))
            last = most if last is None else min(last, most)
    return first, last
