"""What a second run can't tell for sure.

`plan.deterministic` of Spark catches few of these, so the list is our own: operators and functions that go
by position, by order among equals, or by chance. With the run's splits pinned most of them come out the
same again, but nothing promises it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from bigdebug.lineage.catalyst import Catalyst, class_name
from bigdebug.lineage.dataflow import Node
from bigdebug.lineage.identity import SourceLeaf
from bigdebug.lineage.mapped import is_mapped
from bigdebug.lineage.operators import RECURSION, Operator, is_distinct, mirror, normalized
from bigdebug.lineage.ties import is_settled, is_settled_as_of, is_settled_by_nearness

_OPERATORS = {
    "Sample": "takes rows by chance",
    "Offset": "skips rows by position",
    "Tail": "takes rows by position",
    "AttachDistributedSequence": "numbers rows by position",
    RECURSION: "is a recursion: any record that it reads may be behind each of its rows",
    "NearestByJoin": "takes any of rows that are as near",
    "AsOfJoin": "takes any of rows that are as near",
    "Deduplicate": "keeps whichever duplicate comes first",
}
_FUNCTIONS = {
    "rand": "draws random numbers",
    "randn": "draws random numbers",
    "random": "draws random numbers",
    "randstr": "draws random numbers",
    "uniform": "draws random numbers",
    "uuid": "draws random numbers",
    "aes_encrypt": "draws random numbers unless it is given others",
    "shuffle": "draws random numbers",
    "monotonically_increasing_id": "numbers rows by position",
    "spark_partition_id": "numbers rows by position",
    "first": "takes a value by position",
    "first_value": "takes a value by position",
    "last": "takes a value by position",
    "last_value": "takes a value by position",
    "any_value": "takes a value by position",
    "collect_list": "lists values by position",
    "collect_set": "lists values by position",
    "collect_union": "lists values by position",
    "array_agg": "lists values by position",
    "listagg": "lists values by position",
    "string_agg": "lists values by position",
    "max_by": "takes any of equal rows",
    "min_by": "takes any of equal rows",
    "mode": "takes any of values as frequent",
    "row_number": "numbers equal rows in any order",
    "ntile": "numbers equal rows in any order",
    "lag": "orders equal rows in any order",
    "lead": "orders equal rows in any order",
    "nth_value": "orders equal rows in any order",
    "counter_diff": "orders equal rows in any order",
}
# Estimates and sketches, which hang on what they have seen so far.
_ESTIMATES = (
    "approx_percentile",
    "percentile_approx",
    "histogram_numeric",
    r"approx_top_k\w*",
    r"(?:hll|tuple|kll)_(?:sketch|union|intersection|merge)_agg\w*",
)
_CALL = re.compile(
    r"(?<!sort_array\()(?<!array_sort\()\b(" + "|".join([*_FUNCTIONS, *_ESTIMATES]) + r")\(", re.IGNORECASE
)
# A list that is sorted at once doesn't vary, unless an order of the program's own finds some of it equal.
_SORT = "array_sort("
_NATURAL_ORDER = re.compile(
    r"lambdafunction\(if \(\(isnull\(lambda left|lambdafunction\(\(IF\(\(\(namedlambda"
)
# A frame that counts rows, other than of ranks, which Spark frames so too.
_ROWS_FRAME = re.compile(r"specifiedwindowframe\(RowFrame, (?!unboundedpreceding\$\(\), unboundedfollowing)")
_RANK = re.compile(r"\b(rank|dense_rank|percent_rank|cume_dist)\(")
_HOLDS_FUNCTIONS = frozenset(
    {"Project", "Filter", "Aggregate", "Window", "Generate", "Sort", "Join", "Expand"}
)


def doubts(catalyst: Catalyst, root: Operator, sources: Iterable[SourceLeaf] = ()) -> list[str]:
    """Why a trace of this dataflow may differ from the run it explains; empty where nothing is known to vary.

    Looks up (by a job each) whether limits and joins of the nearest were free to give other rows than they gave.

    Args:
        sources: those of the dataflow that it is asked about.
    """
    holds_subqueries = catalyst.holds(root.plan, "PLAN_EXPRESSION")
    found: dict[str, None] = {}
    for leaf in sources:
        found.update(dict.fromkeys(leaf.doubts if leaf.is_fixed else [_read_anew(leaf), *leaf.doubts]))
    for operator in root.walk():
        found.update(dict.fromkeys(_doubts_of(catalyst, operator)))
        if holds_subqueries:
            for subquery in catalyst.items(operator.plan.subqueries()):
                # They decide about rows, so what varies in them varies the rows.
                below = mirror(catalyst, normalized(catalyst, subquery), _untold, asked=operator.node)
                found.update(dict.fromkeys(doubts(catalyst, below)))
    return list(found)


def _read_anew(leaf: SourceLeaf) -> str:
    return f"{leaf.name} was read anew, and nothing tells whether it holds what it held when the run read it"


def _untold(_: str) -> Node | None:
    return None


def _doubts_of(catalyst: Catalyst, operator: Operator) -> list[str]:
    if operator.kind == "NearestByJoin" and is_settled_by_nearness(catalyst, operator):
        return []
    if operator.kind == "AsOfJoin" and is_settled_as_of(catalyst, operator):
        return []
    if operator.kind != "GlobalLimit":
        return varying(operator)
    below = operator.child.child if operator.child.kind == "LocalLimit" else operator.child
    if _totally_ordered(catalyst, below) or is_settled(catalyst, operator):
        return []
    return [f"{operator.described()} takes rows by position, and their order isn't total"]


def varying(operator: Operator) -> list[str]:
    """What of an operator goes by position, by order among equals, or by chance; limits are told elsewhere."""
    where = operator.described()
    if is_mapped(operator):
        return [
            f"{where} runs a function of whole partitions: any row of one may be behind each row it gives"
        ]
    if operator.kind in _OPERATORS and not is_distinct(operator):
        return [f"{where} {_OPERATORS[operator.kind]}"]
    if operator.kind not in _HOLDS_FUNCTIONS:
        return []
    names = _varying_functions(_text(operator.plan))
    if names:
        estimates = "estimates by the order of rows or by chance"
        return [f"{where} uses {name}, which {_FUNCTIONS.get(name, estimates)}" for name in sorted(names)]
    if operator.kind == "Window":
        windows = operator.plan.windowExpressions()
        texts = [str(windows.apply(i).toString()) for i in range(windows.length())]
        if any(_ROWS_FRAME.search(text) and not _RANK.search(text) for text in texts):
            return [f"{where} has a frame of rows, and equal rows come in any order"]
    if not operator.plan.deterministic() and all(below.plan.deterministic() for below in operator.children):
        return [f"{where} calls a function that isn't deterministic"]
    return []


def _varying_functions(text: str) -> set[str]:
    if text.count(_SORT) > len(_NATURAL_ORDER.findall(text)):
        text = text.replace(_SORT, f"{_SORT} ")
    return {match.lower() for match in _CALL.findall(text)}


def _text(plan: Any) -> str:
    """The node's own expressions as Spark prints them, function names and all."""
    return str(plan.expressions().mkString(" "))


def _totally_ordered(catalyst: Catalyst, operator: Operator) -> bool:
    """Sorted by columns that hold the whole key of an aggregate below, so that no two rows tie."""
    while operator.kind == "Project":
        operator = operator.child
    if operator.kind != "Sort" or not getattr(operator.plan, "global")():
        return False
    ordered = {
        catalyst.attribute_key(order.child())
        for order in catalyst.items(operator.plan.order())
        if class_name(order.child()) == "AttributeReference"
    }
    below = operator.child
    while below.kind in ("Project", "Filter"):
        below = below.child
    if below.kind != "Aggregate":
        return False
    keys = catalyst.items(below.plan.groupingExpressions())
    named = {catalyst.attribute_key(k) for k in keys if class_name(k) == "AttributeReference"}
    return len(named) == len(keys) and named <= ordered
