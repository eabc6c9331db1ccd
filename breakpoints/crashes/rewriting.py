"""Puts guards into the plan of a DataFrame: rows that crash a function are dropped right above it.

A guarded function gives its result, or where it crashed a value that stands for that. Where its type has none to
spare, it gives a list with its result, or null; a vectorised one a struct of its result and a flag. Only functions
whose results the action needs are guarded: Spark leaves the others out.
"""

from __future__ import annotations

import functools
import secrets
from collections.abc import Callable, Sequence
from typing import Any

from pyspark.sql import functions as F

from bigdebug.breakpoints.crashes import batch_guards, frame_guards
from bigdebug.breakpoints.crashes.suspects import BY_NODE, ROW_WISE, VECTORISED, functions_within
from bigdebug.breakpoints.watch.catching import LOOKING
from bigdebug.lineage.catalyst import Catalyst, class_name, fresh_name
from bigdebug.lineage.dataflow import Node
from bigdebug.lineage.operators import NodeLookup
from bigdebug.lineage.python_functions import command_of, with_command

_NAMING = frozenset({"SubqueryAlias", "View", "PipeOperator"})
_KEEPING = _NAMING | {"Sort", "GlobalLimit", "LocalLimit", "ResolvedHint", "Repartition", "Offset"}

SiteOf = Callable[[Node | None, Any, str], Any]
"""Gives the site of a guard, or None: of a recorded operator, a Python function in it, and the plan node's kind."""


class Rewriting:
    """Puts guards into one plan.

    Args:
        catalyst: of the program's own session.
        site_of: gives the site of a guard.
        node_of: gives the recorded operator of a tag's value.
    """

    def __init__(self, catalyst: Catalyst, site_of: SiteOf, node_of: NodeLookup) -> None:
        self._catalyst = catalyst
        self._node_of = node_of
        self._site_of = site_of
        self.any = False

    def rewritten(self, plan: Any, *, counted: bool) -> Any:
        """The plan with guards; the plan itself where there is nothing to guard.

        Args:
            plan: analyzed.
            counted: the action wants to know only how many rows there are.
        """
        needed: frozenset[str] | None = frozenset() if counted else None
        return self._of(plan, needed, (), None)

    def _of(
        self, plan: Any, needed: frozenset[str] | None, conditions: tuple[Any, ...], node: Node | None
    ) -> Any:
        if not self._holds_functions(plan):
            return plan
        kind = class_name(plan)
        catalyst = self._catalyst
        tag = plan.getTagValue(catalyst.tag)
        node = (self._node_of(str(tag.get())) if tag.isDefined() else None) or node
        below_needed, below_conditions = self._asked_of_children(plan, kind, needed, conditions)
        old = catalyst.items(plan.children())
        new = [self._of(child, below_needed, below_conditions, node) for child in old]
        if any(one is not other for one, other in zip(old, new, strict=True)):
            plan = plan.withNewChildren(catalyst.seq(new))
        if len(new) != 1:
            return plan
        if kind in BY_NODE:
            return self._node(plan, kind, node)
        return self._with_guards(plan, kind, needed, conditions, node)

    def _holds_functions(self, plan: Any) -> bool:
        if self._catalyst.holds(plan, "PYTHON_UDF"):
            return True
        return class_name(plan) in BY_NODE or any(
            self._holds_functions(child) for child in self._catalyst.items(plan.children())
        )

    # -- what is needed -----------------------------------------------------------------------------

    def _asked_of_children(
        self, plan: Any, kind: str, needed: frozenset[str] | None, conditions: tuple[Any, ...]
    ) -> tuple[frozenset[str] | None, tuple[Any, ...]]:
        """Which columns of its input an operator needs (None for all), and which conditions hold above it."""
        catalyst = self._catalyst
        if kind in _NAMING:
            return needed, conditions
        if kind in _KEEPING:
            return _and(needed, self._names(plan.references())), ()
        if kind == "Filter":
            more = tuple(each for each in _conjuncts(catalyst, plan.condition()) if each.deterministic())
            return _and(needed, self._names(plan.references())), (*conditions, *more)
        if kind == "Project":
            found: set[str] = set()
            for column in catalyst.items(plan.projectList()):
                if needed is None or catalyst.attribute_key(column.toAttribute()) in needed:
                    found |= self._names(column.references())
            return frozenset(found), conditions
        if kind == "Aggregate":
            return self._names(plan.references()), ()
        return None, ()

    def _names(self, attributes: Any) -> frozenset[str]:
        return frozenset(
            self._catalyst.attribute_key(each) for each in self._catalyst.items(attributes.toSeq())
        )

    # -- guards -------------------------------------------------------------------------------------

    def _with_guards(
        self,
        plan: Any,
        kind: str,
        needed: frozenset[str] | None,
        conditions: tuple[Any, ...],
        node: Node | None,
    ) -> Any:
        catalyst = self._catalyst
        if kind == "Window":
            return plan
        output = plan.output()
        below = child = plan.children().apply(0)
        left: list[Any] = []
        # Those in the arguments of others come first; with the result in its place, these can be guarded, too.
        while True:
            function = next(iter(self._functions(plan, kind, needed, left)), None)
            if function is None:
                break
            site = self._site_of(node, function, kind)
            if site is None:
                left.append(function)
                continue
            if below is child and kind in ("Project", "Filter"):
                below = self._narrowed(child, conditions)
            guarded, result, fine = self._guarded(function, site)
            with_result = replaced_in(catalyst, plan, function, result)
            if with_result is plan:  # where it can't be replaced it isn't guarded
                left.append(function)
                continue
            below = catalyst.filter(fine, catalyst.project_more([guarded], below))
            plan = with_result
        if below is child:
            return plan
        self.any = True
        plan = plan.withNewChildren(catalyst.seq([below]))
        if plan.output().length() != output.length():
            return catalyst.logical.Project(output, plan)
        return plan

    def _functions(self, plan: Any, kind: str, needed: frozenset[str] | None, left: list[Any]) -> list[Any]:
        catalyst = self._catalyst
        found: list[Any] = []
        for expression in catalyst.items(plan.expressions()):
            if (
                kind == "Project"
                and needed is not None
                and catalyst.attribute_key(expression.toAttribute()) not in needed
            ):
                continue
            for function in functions_within(catalyst, expression):
                alone = all(
                    not catalyst.holds(child, "PYTHON_UDF") for child in catalyst.items(function.children())
                )
                if alone and self._can(function) and not any(_is_like(function, each) for each in left):
                    found.append(function)
        return found

    def _can(self, function: Any) -> bool:
        if str(function.name()) == LOOKING:  # a watchpoint's own
            return False
        kind = function.evalType()
        if kind in ROW_WISE:
            return True
        return kind in VECTORISED and class_name(function.dataType()) != "StructType"

    def _narrowed(self, child: Any, conditions: tuple[Any, ...]) -> Any:
        """The input without rows that conditions above keep from the function: a guard stays where it is."""
        known = child.outputSet()
        own = [each for each in conditions if each.references().subsetOf(known)]
        return self._catalyst.filter(self._catalyst.all_of(own), child) if own else child

    def _guarded(self, function: Any, site: Any) -> tuple[Any, Any, Any]:
        """The guard as a column, the function's result in it, and the condition that it didn't crash."""
        catalyst = self._catalyst
        types = catalyst.jvm.org.apache.spark.sql.types
        command = command_of(catalyst, function)
        vectorised = VECTORISED.get(function.evalType())
        mark = mark_of(str(function.dataType().catalogString()))
        data_type = function.dataType()
        if vectorised is None:
            given = catalyst.items(function.children())
            alone = len(given) == 1 and class_name(given[0]) != "NamedArgumentExpression"
            wrapper: Any = frame_guards.guarded_row(command, site, mark, alone=alone)
            if mark is None:
                data_type = types.ArrayType(data_type, True)
        else:
            wrapper = batch_guards.guarded_batch(command, site, *vectorised, mark)
            if mark is None:
                truth = catalyst.singleton(types, "BooleanType")
                data_type = types.StructType().add("value", data_type).add("crashed", truth)
        # Else Spark would call it twice: to drop rows, and for its result.
        fresh = {"udfDeterministic": False, "resultId": catalyst.new_expr_id()}
        guarded = catalyst.alias(
            with_command(catalyst, function, wrapper, data_type, frame_guards, **fresh), fresh_name("guarded")
        )
        column = guarded.toAttribute()
        if mark is not None:
            literal = catalyst.jsession.expression(F.lit(mark)._jc)
            legacy = catalyst.expressions.EvalMode.LEGACY()
            wanted = catalyst.expressions.Cast(literal, data_type, catalyst.none, legacy)
            return guarded, column, catalyst.expressions.Not(catalyst.same(column, wanted))
        if vectorised is None:
            first = catalyst.literal(0)
            result = catalyst.expressions.GetArrayItem(column, first, False)
            return guarded, result, catalyst.expressions.IsNotNull(column)
        crashed = catalyst.expressions.Not(catalyst.field(column, 1))
        return guarded, catalyst.field(column, 0), crashed

    def _node(self, plan: Any, kind: str, node: Node | None) -> Any:
        function = plan.functionExpr()
        site = self._site_of(node, function, kind)
        if site is None or (site.policy == "repair" and not callable(site.repair)):
            return plan  # a value stands for the result of one record, not for that of a batch
        catalyst, arrow = self._catalyst, BY_NODE[kind]
        command = command_of(catalyst, function)
        if kind.startswith("MapIn"):
            wrapper: Any = batch_guards.guarded_map(command, site, arrow)
        else:
            wrapper = batch_guards.guarded_group(command, site, arrow)
        self.any = True
        changed = with_command(catalyst, function, wrapper, function.dataType(), batch_guards)
        return catalyst.copy(plan, functionExpr=changed)


@functools.cache
def mark_of(data_type: str) -> Any:
    """A value of a type that stands for a crash, drawn by chance; None where a type has none to spare.

    A list or a struct around each result costs as much as the function's call itself. Of 64 bits nobody hits the
    value by chance; of 32 the guard looks. It stays the same in a process: Spark compiles its code for it once.

    Args:
        data_type: as Spark's catalog spells it.
    """
    if data_type == "string":
        return f"bigdebug-{secrets.token_hex(16)}"
    if data_type == "bigint":
        return (
            -(secrets.randbits(52) | 1 << 52) << 10
        )  # a float holds it exactly: pandas makes one of a null's column
    if data_type == "int":
        return -(secrets.randbits(29) | 1 << 29)
    if data_type == "double":
        return -float(secrets.randbits(52) | 1 << 52) * 2.0**900
    return None


def _and(one: frozenset[str] | None, other: frozenset[str]) -> frozenset[str] | None:
    return None if one is None else one | other


def _conjuncts(catalyst: Catalyst, condition: Any) -> list[Any]:
    if class_name(condition) == "And":
        return [each for side in catalyst.items(condition.children()) for each in _conjuncts(catalyst, side)]
    return [condition]


def replaced_in(catalyst: Catalyst, plan: Any, old: Any, new: Any) -> Any:
    """A node with an expression in place of another, wherever it holds that."""
    fields = catalyst.fields(plan)
    changed = False
    for i in range(plan.productArity()):
        field = plan.productElement(i)
        found = _replaced(catalyst, field, old, new)
        if found is not field:
            fields[i] = found
            changed = True
    return plan.makeCopy(fields) if changed else plan


def _replaced(catalyst: Catalyst, field: Any, old: Any, new: Any) -> Any:
    if not hasattr(field, "_get_object_id"):
        return field
    if catalyst.is_instance(field, "org.apache.spark.sql.catalyst.expressions.Expression"):
        return replaced(catalyst, field, old, new)
    if catalyst.is_instance(field, "scala.collection.Seq"):
        items = catalyst.items(field)
        made = [_replaced(catalyst, each, old, new) for each in items]
        if all(one is other for one, other in zip(items, made, strict=True)):
            return field
        return catalyst.seq(made)
    return field


def replaced(catalyst: Catalyst, expression: Any, old: Any, new: Any) -> Any:
    """An expression with another one in place of each that is like the old one."""
    if _is_like(expression, old):
        return new
    children: Sequence[Any] = catalyst.items(expression.children())
    made = [replaced(catalyst, child, old, new) for child in children]
    if all(one is other for one, other in zip(children, made, strict=True)):
        return expression
    return expression.withNewChildren(catalyst.seq(made))


def _is_like(one: Any, other: Any) -> bool:
    """Whether two expressions give the same; one that isn't deterministic is only like itself."""
    return bool(one.semanticEquals(other) or one.equals(other))
