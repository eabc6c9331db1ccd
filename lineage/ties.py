"""Whether operators that pick by an order could only have picked the rows they did: looked up, since no plan tells."""

from __future__ import annotations

from typing import Any

from pyspark.sql import functions as F
from pyspark.sql.window import Window

from bigdebug.lineage.catalyst import Catalyst, class_name, fresh_name
from bigdebug.lineage.operators import Operator
from bigdebug.lineage.segments import local_relation

# Spark takes no join of more.
_MOST_NEAREST = 100_000


def is_settled(catalyst: Catalyst, limit: Operator) -> bool:
    """Whether a limit cuts nothing off, or cuts between two rows that its order tells apart.

    Runs a job of about the cost of the limit itself.

    Args:
        limit: a `GlobalLimit`.
    """
    count = limit.plan.limitExpr()
    if class_name(count) != "Literal":
        return False
    if catalyst.singleton(catalyst.expressions, "SubExprUtils").hasOuterReferences(limit.plan):
        return False  # in a correlated subquery there is a limit for every row outside it
    most = int(count.value())
    below = limit.child.child if limit.child.kind == "LocalLimit" else limit.child
    sort = below
    while sort.kind == "Project":
        sort = sort.child
    ordered = sort.kind == "Sort" and bool(getattr(sort.plan, "global")())
    plan = _order(catalyst, sort) if ordered else catalyst.project([_constant(catalyst)], below.plan)
    first = catalyst.frame(plan).limit(most + 1)
    rows = first._jdf.queryExecution().executedPlan().executeCollect()
    if len(rows) <= most:
        return True
    if not ordered or most == 0:
        return most == 0
    return _differ(catalyst, plan.output(), rows[most - 1], rows[most])


def is_settled_by_nearness(catalyst: Catalyst, join: Operator) -> bool:
    """Whether a nearest-by join could only have picked the rows it did: none that it left out is as near.

    Runs a job of about the cost of the join itself.

    Args:
        join: a `NearestByJoin`.
    """
    plan = join.plan
    most = int(plan.numResults())
    if plan.approx() or most >= _MOST_NEAREST or catalyst.holds(plan, "OUTER_REFERENCE"):
        return False
    number = catalyst.alias(catalyst.expressions.MonotonicallyIncreasingID(), fresh_name("row"))
    numbered = catalyst.project_more([number], plan.left())
    more = catalyst.copy(plan, left=numbered, numResults=most + 1)
    rank = catalyst.alias(plan.rankingExpression(), "rank")
    ranks = catalyst.frame(catalyst.project([catalyst.alias(number.toAttribute(), "row"), rank], more))
    nearest = F.col("rank").asc() if "Distance" in class_name(plan.direction()) else F.col("rank").desc()
    order = Window.partitionBy("row").orderBy(nearest)
    placed = ranks.select(
        "rank", F.row_number().over(order).alias("place"), F.lag("rank").over(order).alias("last")
    )
    tied = placed.where((F.col("place") == most + 1) & F.col("rank").eqNullSafe(F.col("last")))
    return bool(tied.isEmpty())


def is_settled_as_of(catalyst: Catalyst, join: Operator) -> bool:
    """Whether an as-of join could only have picked the rows it did: for no row of its left side two are as near.

    Runs a job of about the cost of the join itself.

    Args:
        join: an `AsOfJoin`.
    """
    plan = join.plan
    if catalyst.holds(plan, "OUTER_REFERENCE"):
        return False
    number = catalyst.alias(catalyst.expressions.MonotonicallyIncreasingID(), fresh_name("row"))
    numbered = catalyst.project_more([number], plan.left())
    inner = catalyst.singleton(catalyst.jvm.org.apache.spark.sql.catalyst.plans, "Inner")
    no_hint = catalyst.singleton(catalyst.logical, "JoinHint").NONE()
    also = [plan.condition().get()] if plan.condition().isDefined() else []
    condition = catalyst.some(catalyst.all_of([plan.asOfCondition(), *also]))
    pairs = catalyst.logical.Join(numbered, plan.right(), inner, condition, no_hint)
    distance = catalyst.alias(plan.orderExpression(), "distance")
    distances = catalyst.frame(
        catalyst.project([catalyst.alias(number.toAttribute(), "row"), distance], pairs)
    )
    nearest = F.rank().over(Window.partitionBy("row").orderBy("distance"))
    tied = (
        distances.where("distance is not null")
        .select("row", nearest.alias("place"))
        .where("place = 1")
        .groupBy("row")
        .count()
    )
    return bool(tied.where("count > 1").isEmpty())


def _differ(catalyst: Catalyst, output: Any, last: Any, next_one: Any) -> bool:
    """Whether two rows differ in Spark's eyes, for which -0.0 is 0.0 and a collation's letters may be one."""
    if last.equals(next_one):
        return False
    both = local_relation(catalyst, output, catalyst.seq([last, next_one]))
    return int(catalyst.frame(both).distinct().count()) == 2


def _order(catalyst: Catalyst, sort: Operator) -> Any:
    keys = [order.child() for order in catalyst.items(sort.plan.order())]
    return catalyst.project([catalyst.alias(key, fresh_name("order")) for key in keys], sort.plan)


def _constant(catalyst: Catalyst) -> Any:
    return catalyst.alias(catalyst.text(""), fresh_name("row"))
