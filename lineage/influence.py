"""What decides about a row without being where it came from, on request.

The rest of a window's partition, what a semi-join or a subquery looks up: Spark's own rules turn correlated
subqueries, IN and EXISTS into joins, and what of a join's right side matches a row is found by the join's condition.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException

from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.conditions import substituted
from bigdebug.lineage.errors import UnsupportedOperatorError
from bigdebug.lineage.lateral import mark_domains
from bigdebug.lineage.rewriting import with_subqueries

_RULES = ("PullupCorrelatedPredicates", "RewriteCorrelatedScalarSubquery", "RewritePredicateSubquery")


def subqueries_joined(catalyst: Catalyst, plan: Any) -> Any:
    """The plan with joins in place of subqueries, as Spark would make them; those of one value for all rows stay.

    Raises:
        UnsupportedOperatorError: Spark has no join for one of them.
    """
    if not catalyst.holds(plan, "PLAN_EXPRESSION"):
        return plan
    try:
        plan = _joined(catalyst, plan)
    except (Py4JError, PySparkException):
        plan = None
    if plan is None or catalyst.holds(plan, "OUTER_REFERENCE"):
        raise UnsupportedOperatorError(
            "a subquery depends on its row in a way that Spark has no join for",
            hint="trace without influence",
        )
    mark_domains(catalyst, plan)
    return plan


def _joined(catalyst: Catalyst, plan: Any) -> Any:
    plan = _joined_within(catalyst, plan)
    optimizer = catalyst.jvm.org.apache.spark.sql.catalyst.optimizer
    for name in _RULES:
        plan = catalyst.singleton(optimizer, name).apply(plan)
    return plan


def _joined_within(catalyst: Catalyst, plan: Any) -> Any:
    """The plan with the subqueries within its subqueries joined: the rules take these for done."""
    if not catalyst.holds(plan, "PLAN_EXPRESSION"):
        return plan
    children = [_joined_within(catalyst, child) for child in catalyst.items(plan.children())]
    plan = plan.withNewChildren(catalyst.seq(children))
    if not any(catalyst.holds(subquery, "PLAN_EXPRESSION") for subquery in catalyst.items(plan.subqueries())):
        return plan

    return with_subqueries(catalyst, plan, lambda subquery: _joined(catalyst, subquery))


@dataclass(frozen=True)
class Lookup:
    """How the rows that a one-sided join looked up are found again.

    Attributes:
        condition: the join's, over both sides; None where there is none.
        looked_by: of the left side's attributes those that it speaks of, by key, in the order of the key's fields.
    """

    condition: Any | None
    looked_by: Mapping[str, Any]

    def conditions(self, catalyst: Catalyst, key: Any) -> list[Any]:
        """What a row of the right side fulfils that a left row of this key looks up."""
        if self.condition is None:
            return []
        terms = {name: catalyst.field(key, i) for i, name in enumerate(self.looked_by)}
        return [substituted(catalyst, self.condition, terms)]


def lookup_of(catalyst: Catalyst, join: Any) -> Lookup:
    """The lookup of a join's right side."""
    if join.condition().isEmpty():
        return Lookup(None, {})
    condition = join.condition().get()
    left = {catalyst.attribute_key(each) for each in catalyst.output(join.left())}
    spoken = {catalyst.attribute_key(each): each for each in catalyst.items(condition.references().toSeq())}
    return Lookup(condition, {key: each for key, each in spoken.items() if key in left})
