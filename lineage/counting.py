"""How many rows each operator of the user's gave."""

from __future__ import annotations

from bigdebug.lineage.asking import asking
from bigdebug.lineage.culprits import upwards
from bigdebug.lineage.depth import deep_plans
from bigdebug.lineage.matching import Followed, count_matching
from bigdebug.lineage.operators import Operator
from bigdebug.lineage.questions import Question
from bigdebug.lineage.reading_alike import reading_alike


def rows_of_operators(question: Question) -> dict[int, int]:
    """By number of the recorded operator, how many rows it gave for an output.

    Operators that Spark has no trace of in the plan (names, hints), and those within subqueries, aren't in it. One
    that stands for several of the plan, as a SQL text does, gave the rows of the topmost.
    """
    catalyst = question.catalyst
    with deep_plans():
        top = _everything(reading_alike(catalyst, question.root, dict(question.sources)))
        order = upwards(top)
    with asking(catalyst, "rows of operators"), deep_plans():
        counts = count_matching(catalyst, order)
    found: dict[int, int] = {}
    for each in reversed(order):  # those above come first
        node = each.operator.node
        if node is not None:
            found.setdefault(node.id, counts[each])
    return found


def _everything(operator: Operator) -> Followed:
    children = operator.children
    if operator.kind == "GlobalLimit" and children[0].kind == "LocalLimit":
        children = children[0].children  # both are one operator to the user
    return Followed(operator, (), tuple(_everything(child) for child in children))
