"""Guards around Spark's own expressions: what throws is caught by `TryEval`, once a job has failed by it.

Before a job fails nothing is put in: such guards would cost each row something, and hide expressions from Spark's
optimizer. The job that failed is run again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyspark.sql import functions as F

from bigdebug.breakpoints.crashes.failures import Failure
from bigdebug.breakpoints.crashes.policies import Policy
from bigdebug.breakpoints.crashes.rewriting import replaced_in
from bigdebug.breakpoints.crashes.suspects import pieces_of
from bigdebug.lineage.catalyst import Catalyst, class_name, fresh_name
from bigdebug.lineage.dataflow import Node
from bigdebug.lineage.operators import NodeLookup

PolicyOf = Callable[[Node | None, str], Policy | None]
"""Gives the policy of a recorded operator and the kind of its plan node; None where nothing is to be guarded."""


class ExpressionGuards:
    """Puts guards around the expressions that an error is of.

    Args:
        catalyst: of the program's own session.
        failure: the error.
        policy_of: gives the policies.
        node_of: gives the recorded operator of a tag's value.

    Attributes:
        guarded: the operators: recorded one, kind of the plan node, and policy.
    """

    def __init__(
        self, catalyst: Catalyst, failure: Failure, policy_of: PolicyOf, node_of: NodeLookup
    ) -> None:
        self._catalyst = catalyst
        self._contexts = failure.contexts
        self._policy_of = policy_of
        self._node_of = node_of
        self.guarded: list[tuple[Node | None, str, Policy]] = []

    def rewritten(self, plan: Any, node: Node | None = None) -> Any:
        """The plan with guards; the plan itself where it holds nothing that the error is of."""
        catalyst = self._catalyst
        tag = plan.getTagValue(catalyst.tag)
        node = (self._node_of(str(tag.get())) if tag.isDefined() else None) or node
        old = catalyst.items(plan.children())
        new = [self.rewritten(child, node) for child in old]
        if any(one is not other for one, other in zip(old, new, strict=True)):
            plan = plan.withNewChildren(catalyst.seq(new))
        if len(new) != 1:
            return plan
        known = new[0].outputSet()
        pieces = [
            piece for piece in pieces_of(catalyst, plan, self._contexts) if piece.references().subsetOf(known)
        ]
        kind = class_name(plan)
        policy = self._policy_of(node, kind) if pieces else None
        if policy is None or (policy.name == "repair" and callable(policy.repair)):
            return plan
        self.guarded.append((node, kind, policy))
        return self._guarded(plan, pieces, policy)

    def _guarded(self, plan: Any, pieces: list[Any], policy: Policy) -> Any:
        catalyst = self._catalyst
        output = plan.output()
        struct = catalyst.struct((f"p{i}", piece) for i, piece in enumerate(pieces))
        tried = catalyst.alias(catalyst.expressions.TryEval(struct), fresh_name("tried"))
        column = tried.toAttribute()
        below = catalyst.project_more([tried], plan.children().apply(0))
        if policy.name != "repair":
            below = catalyst.filter(catalyst.expressions.IsNotNull(column), below)
        for i, piece in enumerate(pieces):
            result = catalyst.field(column, i)
            if policy.name == "repair":
                value = catalyst.jsession.expression(F.lit(policy.repair)._jc)
                mended = catalyst.expressions.Cast(
                    value, piece.dataType(), catalyst.none, catalyst.expressions.EvalMode.LEGACY()
                )
                result = catalyst.expressions.If(catalyst.expressions.IsNull(column), mended, result)
            plan = replaced_in(catalyst, plan, piece, result)
        plan = plan.withNewChildren(catalyst.seq([below]))
        if plan.output().length() != output.length():
            return catalyst.logical.Project(output, plan)
        return plan
